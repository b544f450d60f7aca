"""No command writes over what it reads."""

import shutil

import pytest
from click.testing import CliRunner

from skbreath import load_labelled_folder
from skbreath.cli import main


@pytest.fixture
def mine(breath_folder, tmp_path):
    """A data set, a table of clips and a model file of the user."""
    folder = shutil.copytree(breath_folder, tmp_path / "data")
    clips = sorted((folder / "train").iterdir())
    rows = [f"{c},{'EI'[i % 2]},{i % 8}" for i, c in enumerate(clips)]
    table = tmp_path / "clips.csv"
    table.write_text("\n".join(["path,label,patient", *rows, ""]), encoding="utf-8")
    load_labelled_folder(table, group_column="patient")
    model = tmp_path / "model.skb"
    model.write_bytes(b"a model")
    names = {"data": folder, "table": table, "model": model, "clip": clips[0]}
    return names | {"new": tmp_path / "new.csv"}


@pytest.mark.parametrize(
    "command",
    [
        "predict {clip} --out {clip}",
        "predict {data}/train --out {clip}",
        "predict {clip} --model {model} --out {model}",
        "predict --submission {data} --out {data}/test.csv",
        "train {table} --group patient --out {table}",
        "train {data} --out {data}/train.csv",
        "tune {data} --out {data}/x.skb --trials-csv {data}/train.csv",
        "tune {data} --out {data}/x.skb --trials-csv {data}/x.skb",
        "check {table} --group patient --out {table}",
        "evaluate {table} --group patient --out {table}",
        "evaluate {table} --group patient --model {model} --report {model}",
        "evaluate {table} --group patient --out {new} --breakdown {new}",
        "features {clip} --out {clip}",
    ],
)
def test_what_is_read_is_not_overwritten(mine, command):
    before = {path: path.read_bytes() for path in mine.values() if path.is_file()}
    arguments = [word.format(**mine) for word in command.split()]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert "name another" in result.output or "must end in .skb" in result.output
    assert before == {path: path.read_bytes() for path in before}


def test_a_model_file_has_a_suffix_of_models(mine, tmp_path):
    out = tmp_path / "model.txt"
    result = CliRunner().invoke(main, ["train", str(mine["data"]), "--out", str(out)])
    assert result.exit_code == 2 and "must end in .skb" in result.output
    assert not out.exists()


def test_predict_takes_no_table(mine):
    result = CliRunner().invoke(main, ["predict", str(mine["table"])])
    assert result.exit_code == 2
    assert "Expected audio files or folders of them, got the table" in result.output


def test_train_names_its_layouts(mine, tmp_path):
    args = ["train", str(mine["clip"].parent), "--out", str(tmp_path / "m.skb")]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert "columns path and label, or a folder with train.csv" in result.output


def test_info_knows_the_pretrained_model():
    result = CliRunner().invoke(main, ["info", "pretrained"])
    assert result.exit_code == 0, result.output
    assert "CC BY-NC 4.0" in result.output
