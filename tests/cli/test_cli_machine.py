"""Commands for machines: JSON, configuration files, exit codes, completion."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skbreath import AudioReader, BreathFeatures, SummaryPooling, save_model
from skbreath.cli import main


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def shown_by(result, code=0):
    """Get the JSON object on standard output; check that it is the only one."""
    assert result.exit_code == code, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    for number in range(4):
        sound = random.normal(scale=0.1, size=16000)
        soundfile.write(folder / f"{number}.wav", sound, 16000)
    return folder


@pytest.fixture(scope="module")
def model(clips, tmp_path_factory):
    paths = sorted(map(str, clips.iterdir()))
    model = make_pipeline(
        AudioReader(),
        BreathFeatures(groups=("rms",)),
        SummaryPooling(),
        LogisticRegression(),
    ).fit(paths, ["I", "E"] * 2)
    path = tmp_path_factory.mktemp("model") / "model.skb"
    save_model(model, path)
    return path


def test_predict_tells_predictions_or_where_they_are(model, clips, tmp_path):
    answer = shown_by(run("predict", "--model", model, clips, "--json"))
    assert answer["command"] == "predict" and answer["ok"] is True
    assert [row["label"] in ("I", "E") for row in answer["predictions"]] == [True] * 4
    assert answer["predictions"][0]["path"] == str(clips / "0.wav")
    out = tmp_path / "labels.csv"
    answer = shown_by(run("predict", "--model", model, clips, "--out", out, "--json"))
    assert answer["out"] == str(out) and answer["n_files"] == 4


def test_train_and_evaluate_tell_what_they_print(breath_folder, tmp_path):
    out = tmp_path / "model.skb"
    fast = ["--preset", "fast", "--max-epochs", 1, "--n-jobs", 1, "--json"]
    answer = shown_by(run("train", breath_folder, "--out", out, *fast))
    assert answer["out"] == str(out) and answer["weights"] == {"frames": 1.0}
    assert answer["threshold"]["pos_label"] == "I"
    assert 0 < answer["threshold"]["value"] < 1
    answer = shown_by(run("evaluate", breath_folder, "--model", out, "--json"))
    assert [row["metric"] for row in answer["table"]][:2] == ["accuracy", "f1"]
    assert all(row["low"] <= row["value"] for row in answer["table"][:3])
    assert sum(row["n_clips"] for row in answer["by_group"]) == answer["n_clips"]


def test_check_tells_findings_and_has_an_exit_code(clips, tmp_path):
    answer = shown_by(run("check", clips, "--json"))
    assert answer["ok"] and answer["n_files"] == 4 and answer["layout"] == "plain"
    assert set(answer["findings"][0]) == {"level", "check", "finding", "advice"}
    shown_by(
        run("check", clips, "--json", "--strict"), code=1
    )  # recordings are unknown
    (tmp_path / "bad.wav").write_bytes(b"")
    answer = shown_by(run("check", tmp_path, "--json"), code=1)
    assert answer["ok"] is False and answer["counts"]["error"] == 1
    assert answer["findings"][0]["check"] == "files"
    answer = shown_by(run("check", tmp_path / "gone", "--json"), code=2)
    assert answer["ok"] is False and "gone" in answer["error"]


def test_check_prints_what_to_do(clips, tmp_path):
    result = run("check", clips, "--out", tmp_path / "files.csv")
    assert result.exit_code == 0
    assert "WARNING groups: the recording" in result.stdout and "->" in result.stdout
    assert "4 files (plain): 0 errors, 1 warning" in result.stdout
    assert (tmp_path / "files.csv").read_text(encoding="utf-8").count("\n") == 5


def test_annotate_tells_phases(tmp_path):
    random = np.random.default_rng(0)
    sound = random.normal(scale=0.05, size=48000)
    sound *= np.abs(np.sin(np.arange(48000) / 16000 * np.pi / 1.5))
    soundfile.write(tmp_path / "a.wav", sound, 16000)
    (tmp_path / "a.txt").write_text("0.1\t1.4\tI\n1.6\t2.9\tE\n", encoding="utf-8")
    out = tmp_path / "phases.skb"
    answer = shown_by(run("train-phases", tmp_path, "--out", out, "--json"))
    assert answer["n_recordings"] == 1 and answer["n_phases"] == 2
    answer = shown_by(run("annotate", tmp_path / "a.wav", "--model", out, "--json"))
    (recording,) = answer["recordings"]
    assert recording["duration_s"] == 3.0 and {
        "rate_per_min",
        "rate_confidence",
        "rate_note",
    } <= set(recording["statistics"])
    assert all({"start_s", "end_s", "label"} <= set(p) for p in recording["phases"])


def test_info_tells_model_or_versions(model):
    answer = shown_by(run("info", model, "--json"))
    assert answer["labels"] == ["E", "I"] and answer["packages"]["numpy"]
    answer = shown_by(run("info", "--json"))
    assert answer["packages"]["scikit-learn"] and answer["cores"] >= 1
    text = run("info", model).stdout
    assert "labels: E, I" in text and "threshold: none" in text
    assert "pickle" in shown_by(run("info", "model.joblib", "--json"), code=2)["error"]


def test_unexpected_errors_are_json_objects(monkeypatch, tmp_path):
    def explode(*args, **kwargs):
        raise RuntimeError("boom")

    monkeypatch.setattr("skbreath.data_checks.check_dataset.check_dataset", explode)
    answer = shown_by(run("check", tmp_path, "--json"), code=3)
    assert answer == {"command": "check", "ok": False, "error": "boom"}


def config(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_config_file_equals_the_flags_and_flags_win(clips, tmp_path):
    out = tmp_path / "f.npz"
    path = config(
        tmp_path,
        f'[features]\npaths = ["{clips}"]\nout = "{out}"\ngroups = "mel"\n'
        "n-mels = 8\nfmax = 2000\nsummary = true\njobs = 1\n\n"
        '[train]\npreset = "fast"\nrandom-state = 3\n',
    )
    assert shown_by(run("features", "--config", path, "--json"))["shape"] == [4, 80]
    answer = shown_by(run("features", "--config", path, "--n-mels", 6, "--json"))
    assert answer["shape"] == [4, 60]


@pytest.mark.parametrize(
    "text, message",
    [
        ("[features]\nn_mels = 3\n", "unknown key 'n_mels' in [features]"),
        ("[train]\nepochs = 3\n", "unknown key 'epochs' in [train]"),
        ("[feature]\nn-mels = 3\n", "unknown table or key 'feature'"),
        ("n-mels = 3\n", "unknown table or key 'n-mels'"),
        ("features = 3\n", "features must be a table"),
        (
            '[features]\nn-mels = "x"\n',
            "n-mels in [features] must be a whole number, got 'x'",
        ),
        ("[features]\nn-mels = true\n", "n-mels in [features] must be a whole number"),
        ("[features]\nsummary = 1\n", "summary in [features] must be true or false"),
        ("[features]\nn-mels = [1]\n", "n-mels in [features] must be a single value"),
        ('[features]\npaths = "x"\n', "paths in [features] must be a list"),
        ("[features\n", "is not a TOML file"),
    ],
)
def test_mistakes_in_a_config_file_name_file_and_key(text, message, tmp_path, clips):
    path = config(tmp_path, text)
    out = tmp_path / "f.npz"
    result = run("features", clips, "--out", out, "--config", path)
    assert result.exit_code == 2 and not out.exists()
    assert str(path) in result.stderr and message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    # The same for a machine, on whichever side of --config it asks.
    for options in (["--config", path, "--json"], ["--json", "--config", path]):
        answer = shown_by(run("features", clips, "--out", out, *options), code=2)
        assert answer["command"] == "features" and answer["ok"] is False
        assert str(path) in answer["error"] and message in answer["error"]


OPTIONS = [
    (name, (param.name if isinstance(param, click.Argument) else param.opts[0]), param)
    for name, command in main.commands.items()
    for param in command.params
    if param.expose_value
]
NO_TEXT = ("3", "3.5", "2026-01-01", "12:00:00", "true", "{a = 1}", "[3]", "[[]]")


@pytest.mark.parametrize(
    "command, option, param", OPTIONS, ids=[f"{name} {key}" for name, key, _ in OPTIONS]
)
def test_any_option_of_a_wrong_type_is_an_error_that_names_it(
    command, option, param, tmp_path
):
    key = option.removeprefix("--")
    wrong = NO_TEXT
    if getattr(param, "is_flag", False):
        wrong = ("3", '"true"', "2026-01-01", "[true]")
    elif "int" in type(param.type).__name__.lower():
        wrong = ('"two"', '"2"', "2.0", "true", "2026-01-01", "[3]")
    elif "float" in type(param.type).__name__.lower() or key in ("fmin", "fmax"):
        wrong = ('"two"', '"2"', "true", "2026-01-01", "[3]")
    for value in wrong:
        path = config(tmp_path, f"[{command}]\n{key} = {value}\n")
        result = run(command, "--config", path)
        assert result.exit_code == 2, (value, result.output)
        assert f"{path}: {key} in [{command}] must be " in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_missing_argument_is_told_to_machines_too():
    answer = shown_by(run("train", "--json"), code=2)
    assert answer["ok"] is False and "DATA" in answer["error"]


def test_a_missing_config_file_is_named(tmp_path):
    result = run("info", "--config", tmp_path / "gone.toml")
    assert result.exit_code == 2 and "gone.toml" in result.stderr


@pytest.mark.parametrize(
    "options, message",
    [
        (["--fmin", -1], "'--fmin': -1.0 is not in the range"),
        (["--fmin", "nan"], "'--fmin': nan is not in the range"),
        (["--fmax", "inf"], "'--fmax': inf is not in the range"),
        (["--fmin", 9000], "--fmin must be below --fmax=8000 Hz, got 9000"),
        (["--fmax", 9000], "--fmax must be at most half the sample rate, 8000 Hz"),
        (["--fmin", 1999, "--fmax", 2000], "--n-mels=64 is too many"),
        (["--n-fft", 33], "--n-fft must be even"),
        (["--hop-length", 2048], "--hop-length must be at most --n-fft=1024"),
        (["--sample-rate", 300], "Leave contrast out of --groups"),
    ],
)
def test_wrong_features_are_named_by_their_option(options, message, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("is looked at later", encoding="utf-8")
    result = run("features", bad, "--out", tmp_path / "f.npz", *options)
    assert result.exit_code == 2
    assert message in result.stderr and "BreathFeatures" not in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_shells(shell):
    env = os.environ | {"_SKBREATH_COMPLETE": f"{shell}_source"}
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("click asks bash for its version")
    code = "from skbreath.cli import main; main(prog_name='skbreath')"
    script = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout
    assert "skbreath" in script and "_SKBREATH_COMPLETE" in script


def test_completion_gives_commands_options_and_choices():
    def complete(*words):
        code = "import sys\nfrom skbreath.cli import main\nmain(prog_name='skbreath')\n"
        env = os.environ | {
            "_SKBREATH_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["skbreath", *words]),
            "COMP_CWORD": str(len(words)),
        }
        result = subprocess.run(
            [sys.executable, "-c", code],
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        return {line.partition(",")[2] for line in result.stdout.splitlines()}

    assert {"train", "train-phases"} <= complete("tra")
    assert "--preset" in complete("train", "--p")
    assert complete("train", "--preset", "a") == {"accurate"}


def test_commands_load_nothing_heavy_for_help_and_completion():
    code = (
        "import sys\nfrom skbreath.cli import main\n"
        "try:\n    main(['check', '--help'], prog_name='skbreath')\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'sklearn', 'numba', 'pandas', 'numpy', 'onnx', 'rich'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert "loaded []" in result.stdout


def test_every_help_fits_a_terminal_and_has_an_example():
    for name in main.commands:
        text = CliRunner().invoke(main, [name, "--help"], terminal_width=80).stdout
        assert max(map(len, text.splitlines())) <= 80, name
        assert f"skbreath {name}" in text.split("Example")[1]
    listing = CliRunner().invoke(main, ["--help"], terminal_width=80).stdout
    assert "..." not in listing.split("Commands:")[1]  # no summary is cut off


def test_files_that_are_all_bad_are_no_success(model, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    for extra in ([], ["--out", tmp_path / "labels.csv"]):
        command = ["predict", "--model", model, tmp_path / "a.wav", "--skip-bad"]
        result = run(*command, *extra)
        assert result.exit_code == 2 and "none of the 1 files" in result.stderr


def test_names_that_are_not_utf_8_are_escaped(model, clips, tmp_path):
    name = os.fsdecode(bytes(tmp_path) + b"/\xff.wav")
    shutil.copy(clips / "0.wav", name)
    answer = shown_by(run("predict", "--model", model, tmp_path, "--json"))
    assert answer["predictions"][0]["path"].endswith("\\udcff.wav")


ODD_NAMES = (
    "a b",
    "e\u0301",
    "\u65e5\u672c",
    "[red]",
    ":smile:",
    "\U0001f600",
    "\udcff",
)


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii", "utf-8"])
@pytest.mark.parametrize(
    "command", ["predict", "annotate", "annotate --statistics", "check", "missing"]
)
def test_output_in_any_encoding(command, encoding, model, clips, tmp_path):
    for name in ODD_NAMES:
        shutil.copy(clips / "0.wav", tmp_path / f"{name}.wav")
    words = command.split()
    words += [str(tmp_path)] + ["--model", str(model)] * (command != "check")
    code = 0
    if command == "missing":
        words = ["predict", *(str(tmp_path / f"{name}.mp3") for name in ODD_NAMES)]
        code = 2
    result = CliRunner(charset=encoding).invoke(main, words)
    assert result.exit_code == code, result.output
    errors = "surrogateescape" if encoding == "utf-8" else "strict"
    written = [
        b.decode(encoding, errors) for b in (result.stdout_bytes, result.stderr_bytes)
    ]
    if command != "check":
        for name in ODD_NAMES:
            escaped = name.encode(encoding, "backslashreplace").decode(encoding)
            shown = name if encoding == "utf-8" else escaped
            assert any(s in "".join(written) for s in (shown, repr(name)[1:-1])), name


def test_label_tracks_of_names_that_are_not_utf_8_are_checked(clips, tmp_path):
    name = os.fsdecode(bytes(tmp_path) + b"/\xff.wav")
    shutil.copy(clips / "0.wav", name)
    Path(name).with_suffix(".txt").write_text("0.1\t0.5\tI\n", encoding="utf-8")
    result = run("check", tmp_path, "--out", tmp_path / "files.csv")
    assert result.exit_code in (0, 1) and "labels" in result.stdout, result.output


@pytest.mark.parametrize("words", [["--help"], ["info"], ["info", "--json"]])
def test_output_that_is_closed_early(words):
    code = "from skbreath.cli import main; main(prog_name='skbreath')"
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("columns", ["40", "100"])
def test_tables_fit_the_terminal(breath_folder, model, columns):
    env = {"TTY_COMPATIBLE": "1", "COLUMNS": columns}
    words = ["evaluate", str(breath_folder), "--model", str(model), "--group", "day"]
    result = CliRunner(env=env).invoke(main, words)
    assert result.exit_code == 0, result.output
    table = click.unstyle(result.stdout).partition("\n")[2]
    assert max(map(len, table.splitlines())) <= int(columns)
    assert "calibration" in table and "\N{HORIZONTAL ELLIPSIS}" not in table


def test_numbers_that_must_be_whole_are(clips, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("[features]\nn-mels = 40.5\n", encoding="utf-8")
    out = tmp_path / "x.npz"
    result = run("features", clips, "--out", out, "--config", config)
    assert result.exit_code == 2 and "n-mels in [features] must be" in result.stderr
    assert run("features", clips, "--out", out, "--duration", "inf").exit_code == 2


def test_a_model_file_by_the_name_of_a_pickle_is_read(model, clips, tmp_path):
    shutil.copy(model, tmp_path / "model.joblib")
    renamed = run("predict", "--model", tmp_path / "model.joblib", clips)
    assert renamed.stdout == run("predict", "--model", model, clips).stdout
