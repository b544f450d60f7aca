import json
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner

from skbreath import AudioReader, BreathFeatures, SummaryPooling
from skbreath.cli import main


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    paths = [str(folder / f"{number}.wav") for number in range(7)]
    for path in paths:
        soundfile.write(path, random.normal(scale=0.1, size=9000), 16000)
    return paths


@pytest.fixture(scope="module")
def expected(files):
    return BreathFeatures().fit_transform(
        AudioReader(duration=0.5).fit_transform(files)
    )


def write(out, files, *options):
    """Run the command on files, three at a time."""
    settings = ["--duration", "0.5", "--batch-size", "3", *options]
    return CliRunner().invoke(main, ["features", *files, "--out", str(out), *settings])


def test_npz_and_npy_hold_features_names_and_paths(files, expected, tmp_path):
    result = write(tmp_path / "f.npz", files)
    assert " x ".join(map(str, expected.shape)) in result.stdout
    with np.load(tmp_path / "f.npz") as stored:
        np.testing.assert_array_equal(stored["features"], expected)
        names = stored["channel_names"].tolist()
        assert names[64] == "rms"
        assert stored["paths"].tolist() == files
    write(tmp_path / "f.npy", files)
    stored = np.load(tmp_path / "f.npy", mmap_mode="r")
    np.testing.assert_array_equal(stored, expected)
    about = json.loads((tmp_path / "f.npy.json").read_text(encoding="utf-8"))
    assert about["channel_names"] == names and about["paths"] == files


def test_csv_has_a_row_per_frame_or_per_file(files, expected, tmp_path):
    write(tmp_path / "f.csv", files)
    table = pd.read_csv(tmp_path / "f.csv")
    assert len(table) == 7 * expected.shape[2]
    assert table.columns[:4].tolist() == ["path", "frame", "time_s", "mel_0"]
    second = table[table["path"] == files[1]]
    np.testing.assert_allclose(second.iloc[:, 3:].T, expected[1], rtol=1e-5)
    np.testing.assert_allclose(second["time_s"], np.arange(len(second)) * 0.016)
    write(tmp_path / "s.csv", files, "--summary")
    table = pd.read_csv(tmp_path / "s.csv", index_col="path")
    assert table.index.tolist() == files and table.columns[-1] == "delta2_12_bin7"
    np.testing.assert_allclose(
        table, SummaryPooling().fit_transform(expected), rtol=1e-4, atol=1e-5
    )


def test_parquet_is_written_where_it_can_be(files, expected, tmp_path):
    pytest.importorskip("pyarrow")
    write(tmp_path / "f.parquet", files, "--summary")
    assert pd.read_parquet(tmp_path / "f.parquet")["path"].tolist() == files


def test_nothing_is_half_written(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "needs pyarrow" in write(tmp_path / "f.parquet", files).stderr
    assert "must end in one of .npz" in write(tmp_path / "f.txt", files).stderr
    transform, batches = BreathFeatures.transform, []

    def fail_in_second_batch(self, X):
        batches.append(X)
        if len(batches) == 2:
            raise ValueError("the second batch fails")
        return transform(self, X)

    monkeypatch.setattr(BreathFeatures, "transform", fail_in_second_batch)
    for suffix in ("npz", "npy", "csv"):
        batches.clear()
        result = write(tmp_path / f"f.{suffix}", files)
        assert "the second batch fails" in result.stderr, result.output
    assert not list(tmp_path.iterdir())


def test_command(files, tmp_path):
    out = tmp_path / "f.npz"
    options = ["--groups", "mel,loop", "--n-mels", "8", "--fmax", "2000", "--jobs", "1"]
    result = CliRunner().invoke(main, ["features", *files, "--out", str(out), *options])
    assert result.exit_code == 0 and "7 x 10 x 63" in result.stdout, result.output
    with np.load(out) as stored:
        assert stored["channel_names"][-1] == "loop_period"
    result = CliRunner().invoke(
        main, ["features", *files, "gone.wav", "--out", str(tmp_path / "g.npz")]
    )
    assert result.exit_code == 2 and "gone.wav" in result.stderr
    result = CliRunner().invoke(
        main, ["features", *files, "--out", str(out), "--groups", "mel,mfc"]
    )
    assert result.exit_code == 2 and "mfc is none of mel, rms" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["f.npz"]
