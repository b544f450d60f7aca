import os

import pandas as pd
import pytest

from skbreath import write_label_track
from skbreath.utils.files import atomic_path


def test_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "labels.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["labels.csv"]


def test_written_file_has_ordinary_permissions(tmp_path):
    plain, target = tmp_path / "plain", tmp_path / "target"
    plain.write_text("")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert target.stat().st_mode == plain.stat().st_mode


def test_missing_folder_and_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        with atomic_path(tmp_path / "nowhere" / "x.csv"):
            pass
    with pytest.raises(IsADirectoryError, match="is a folder"):
        with atomic_path(tmp_path):
            pass


def test_swapped_arguments_of_a_writer_are_told(tmp_path):
    phases = pd.DataFrame({"start_s": [0.5], "end_s": [1.5], "label": ["I"]})
    with pytest.raises(TypeError, match="path must be a file name.* got DataFrame"):
        write_label_track(phases, tmp_path / "labels.txt")
