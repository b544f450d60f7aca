import os

import pandas as pd
import pytest

from skbreath import write_label_track

PHASES = pd.DataFrame({"start_s": [0.5], "end_s": [1.5], "label": ["I"]})


def test_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "labels.csv"
    target.write_text("old", encoding="utf-8")

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_label_track(target, PHASES)
    assert target.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["labels.csv"]


def test_written_file_has_ordinary_permissions(tmp_path):
    plain, target = tmp_path / "plain", tmp_path / "target"
    plain.write_text("", encoding="utf-8")
    write_label_track(target, PHASES)
    assert target.stat().st_mode == plain.stat().st_mode


def test_missing_folder_and_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_label_track(tmp_path / "nowhere" / "x.csv", PHASES)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_label_track(tmp_path, PHASES)


def test_swapped_arguments_of_a_writer_are_an_error(tmp_path):
    with pytest.raises(TypeError, match="path must be a file name.* got DataFrame"):
        write_label_track(PHASES, tmp_path / "labels.txt")
