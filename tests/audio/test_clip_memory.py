import os
import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skbreath import AudioReader, BreathFeatures, ClipMemory, SummaryPooling


class Counted(BreathFeatures):
    """Counts the clips it computes."""

    n_clips = 0

    def transform(self, X):
        Counted.n_clips += len(X)
        return super().transform(X)

    fit_transform = None  # set below: the base class may do without transform


def _fit_transform(self, X, y=None):
    return self.fit(X).transform(X)


Counted.fit_transform = _fit_transform


class CountedReader(AudioReader):
    """Counts the clips it reads."""

    n_clips = 0

    def fit_transform(self, X, y=None):
        CountedReader.n_clips += len(X)
        return super().fit_transform(X)


@pytest.fixture
def clips(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "clips"
    folder.mkdir()
    paths = [str(folder / f"{number:02}.wav") for number in range(12)]
    for path in paths:
        soundfile.write(path, rng.normal(scale=0.1, size=4000), 16000)
    Counted.n_clips = CountedReader.n_clips = 0
    return paths, np.tile(["E", "I"], 6)


@pytest.fixture(params=["ClipMemory", "folder"])
def memory(request, tmp_path):
    folder = str(tmp_path / "cache")
    return ClipMemory(folder) if request.param == "ClipMemory" else folder


def pipeline(memory, **features):
    steps = [
        ("audio", CountedReader(duration=0.25)),
        ("features", Counted(groups=("mel", "rms"), **features)),
        ("pooling", SummaryPooling(n_bins=2)),
        ("classifier", LogisticRegression()),
    ]
    return Pipeline(steps, memory=memory)


def test_second_fit_computes_no_clip_again(clips, memory):
    paths, y = clips
    expected = pipeline(None).fit(paths, y).predict_proba(paths)
    Counted.n_clips = CountedReader.n_clips = 0
    pipeline(memory).fit(paths, y)
    assert (CountedReader.n_clips, Counted.n_clips) == (12, 12)
    again = pipeline(memory).fit(paths, y)
    assert Counted.n_clips == 12
    # A plain folder cannot see what is in files: they are read again to be safe.
    assert CountedReader.n_clips == (12 if isinstance(memory, ClipMemory) else 24)
    assert np.array_equal(again.predict_proba(paths), expected)


def test_changed_file_is_read_again(clips, memory):
    paths, y = clips
    before = pipeline(memory).fit(paths, y).predict_proba(paths)
    times = [path.stat() for path in map(Path, paths)]
    loud, rate = soundfile.read(paths[0])
    soundfile.write(paths[0], loud * 5, rate)
    os.utime(paths[0], ns=(times[0].st_atime_ns, times[0].st_mtime_ns))
    cached = pipeline(memory).fit(paths, y).predict_proba(paths)
    fresh = pipeline(None).fit(paths, y).predict_proba(paths)
    assert np.array_equal(cached, fresh)
    assert not np.array_equal(cached, before)


def test_changed_parameter_or_version_computes_again(clips, memory, monkeypatch):
    paths, y = clips
    pipeline(memory).fit(paths, y)
    pipeline(memory, n_mels=32).fit(paths, y)
    assert Counted.n_clips == 24
    pipeline(memory).fit(paths, y)
    assert Counted.n_clips == 24
    for module in ("audio.clip_memory", "utils.estimator_state"):
        monkeypatch.setattr(f"skbreath.{module}.__version__", "99.0")
    pipeline(memory).fit(paths, y)
    assert Counted.n_clips == 36


def test_names_of_files_do_not_matter_but_their_order_does(clips, tmp_path):
    paths, y = clips
    memory = ClipMemory(tmp_path / "cache")
    pipeline(memory).fit(paths, y)
    renamed = [shutil.copy(path, f"{path}.copy.wav") for path in paths]
    pipeline(memory).fit(renamed, y)
    assert CountedReader.n_clips == 12
    pipeline(memory).fit(paths[::-1], y)
    assert CountedReader.n_clips == 24


def test_search_computes_each_fold_once(clips, memory):
    paths, y = clips
    grid = {"classifier__C": [0.1, 1.0, 10.0]}
    GridSearchCV(pipeline(memory), grid, cv=2, refit=False).fit(np.array(paths), y)
    # Two folds of six to fit on, once; and six to score in each of six fits.
    assert Counted.n_clips == 2 * 6 + 6 * 6


def test_clear_and_clone(clips, tmp_path):
    paths, y = clips
    memory = ClipMemory(tmp_path / "cache")
    pipeline(memory).fit(paths, y)
    copy = clone(pipeline(memory))
    copy.fit(paths, y)
    assert Counted.n_clips == 12
    memory.clear()
    copy.fit(paths, y)
    assert Counted.n_clips == 24


def test_fitted_pickle_is_the_same_each_time(clips):
    paths, _ = clips
    reader = AudioReader().fit(paths)
    assert joblib.hash(reader) == joblib.hash(clone(reader).fit(paths))
    assert vars(clone(reader)) == vars(AudioReader())
