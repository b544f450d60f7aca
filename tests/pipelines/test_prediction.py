import os
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    AudioError,
    AudioReader,
    AudioWarning,
    BreathFeatures,
    SummaryPooling,
    ThresholdClassifier,
    load_kaggle_breath,
    predict_files,
)


@pytest.fixture(scope="module")
def clips(breath_folder):
    return load_kaggle_breath(breath_folder)


@pytest.fixture(scope="module", params=["threshold", "plain"])
def model(request, clips):
    last = LogisticRegression()
    if request.param == "threshold":
        last = ThresholdClassifier(last, pos_label="I", cv=2)
    features = BreathFeatures(groups=("mel",))
    steps = AudioReader(), features, SummaryPooling(), StandardScaler(), last
    model = make_pipeline(*steps)
    return model.fit(clips.paths, clips.target)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batches_give_what_predict_gives(model, clips, batch_size):
    table = pd.concat(predict_files(model, clips.paths, batch_size))
    assert table["path"].tolist() == clips.paths.tolist()
    assert table["label"].tolist() == model.predict(clips.paths).tolist()
    np.testing.assert_allclose(
        table[["probability_E", "probability_I"]],
        model.predict_proba(clips.paths),
        atol=1e-6,
    )


def test_file_that_goes_bad_meanwhile_is_named_and_earlier_batches_stay(
    model, clips, tmp_path
):
    last = shutil.copy(clips.paths[0], tmp_path / "last.wav")
    batches = predict_files(model, [*clips.paths[:4], last], 2)
    assert len(next(batches)) == len(next(batches)) == 2
    os.truncate(last, 0)
    with pytest.raises(AudioError, match="last.wav"):
        next(batches)


def test_wrong_arguments_are_refused_at_once(model, clips):
    with pytest.raises(ValueError, match="batch_size"):
        predict_files(model, clips.paths, 0)
    with pytest.raises(ValueError, match="model.predict"):
        predict_files(model, np.zeros((2, 100)))


@pytest.fixture
def some_bad(clips, tmp_path):
    """Twelve paths, of which four are bad in header or samples; and the reasons."""
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "nan.wav", np.full(9, np.nan), 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "cut.flac", np.random.default_rng(0).random(9999), 16000)
    os.truncate(tmp_path / "cut.flac", 9000)
    bad = {
        str(tmp_path / "empty.wav"): "0 bytes",
        str(tmp_path / "nan.wav"): "NaN",
        str(tmp_path / "cut.flac"): "flac",
        str(tmp_path / "gone.wav"): "no such file",
    }
    paths = clips.paths[:8].tolist()
    for place, path in zip((0, 3, 4, 11), bad, strict=True):
        paths.insert(place, path)
    return paths, bad


def test_all_bad_files_are_named_before_any_is_predicted(model, some_bad):
    paths, bad = some_bad
    with pytest.raises(AudioError) as raised:
        predict_files(model, paths, 2)
    found = dict(raised.value.problems)
    assert list(found) == list(bad)
    assert all(reason in found[path] for path, reason in bad.items())


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_bad_files_can_be_skipped_and_leave_no_label(model, some_bad, batch_size):
    paths, bad = some_bad
    table = pd.concat(predict_files(model, paths, batch_size, errors="skip"))
    assert table["path"].tolist() == paths
    wrong = table["error"].notna()
    assert table["path"][wrong].tolist() == list(bad)
    assert table.loc[wrong].drop(columns=["path", "error"]).isna().all(axis=None)
    expected = pd.concat(predict_files(model, table["path"][~wrong]))
    found = table[~wrong].drop(columns="error")
    assert found["label"].tolist() == expected["label"].tolist()
    proba = ["probability_E", "probability_I"]
    np.testing.assert_allclose(found[proba], expected[proba], atol=1e-6)


def test_unfamiliar_audio_is_told_once_a_run(clips, tmp_path):
    steps = BreathFeatures(groups=("mel",)), SummaryPooling(), StandardScaler()
    model = make_pipeline(AudioReader(drift="warn"), *steps, LogisticRegression())
    model.fit(clips.paths, clips.target)
    noise = np.random.default_rng(0).normal(0, 0.3, (12, 16000)).clip(-1, 1)
    noise[[3, 9]] = 0
    paths = [str(tmp_path / f"{number}.wav") for number in range(12)]
    for path, sound in zip(paths, noise, strict=True):
        soundfile.write(path, sound, 16000)

    def warned(batches, n):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AudioWarning)
            assert sum(map(len, batches)) == n
        return [str(warning.message) for warning in caught]

    for _ in range(2):  # of the next run it is news again
        batches = predict_files(model, paths, 3, errors="skip")
        first, *others = warned(batches, 12)
        assert first.startswith("3 of 3 clips are unlike the training audio (level")
        assert "later batches" in first
        # Silent clips have each a name to be told.
        assert not any("unlike" in message for message in others)
        assert {"3.wav" in message for message in others} == {True, False}
    batches = predict_files(model, paths[:3], 1)
    next(batches)
    # What others predict meanwhile is none of its business.
    (alone,) = warned(map(model.predict, [paths[:3]]), 3)
    assert "later batches" not in alone
    assert warned(batches, 2) == []


def test_error_of_another_file_is_not_taken_for_one_of_these(clips):
    class Broken:
        classes_ = np.array(["E", "I"])

        def predict_proba(self, X):
            raise AudioError([("other.wav", "is empty")])

    with pytest.raises(AudioError, match="other.wav"):
        list(predict_files(Broken(), clips.paths[:2], errors="skip"))
    with pytest.raises(ValueError, match="errors must be"):
        predict_files(Broken(), clips.paths[:2], errors="ignore")
