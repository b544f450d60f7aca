"""Audio unlike the training audio is pointed out, with the reason, and no other."""

import re
import warnings

import joblib
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skbreath import (
    AudioReader,
    AudioWarning,
    BreathFeatures,
    SummaryPooling,
    load_audio,
    load_kaggle_breath,
    make_breath_classifier,
    make_breath_sounds,
)
from skbreath.audio.clip_warnings import describe_reference, drift_scores, find_drift

RATE = 16000


def breaths(seed):
    """Synthetic breaths with the noise of a microphone in all of the band."""
    sounds = make_breath_sounds(240, n_subjects=24, random_state=seed)
    noise = np.random.default_rng(seed).normal(0, 1e-3, sounds.waveforms.shape)
    sounds.waveforms += noise.astype(np.float32)
    return sounds


@pytest.fixture(scope="module")
def sounds():
    return breaths(0)


@pytest.fixture(scope="module")
def reference(sounds):
    return describe_reference(sounds.waveforms, RATE)


def resampled(clips, source, target):
    return soxr.resample(clips.T, source, target).T


def warned(caught):
    return [str(w.message) for w in caught if issubclass(w.category, AudioWarning)]


def test_more_clips_of_the_same_kind_are_as_usual(reference):
    others = breaths(1).waveforms
    assert find_drift(others, reference) is None
    assert (drift_scores(others, reference) > 1).mean() < 0.04


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: x * 30, r"level: 3\d dB louder"),
        (lambda x: x / 100, r"level: [34]\d dB quieter"),
        (
            lambda x: resampled(resampled(x, RATE, 8000), 8000, RATE),
            "sampling rate: nothing above 4000 Hz, as if recorded at 8000 Hz",
        ),
        (lambda x: np.tile(x[:, ::2], 2), "band: .* dB more between "),
        (
            lambda x: x + np.random.default_rng(0).normal(0, 0.1, x.shape),
            " dB more between ",
        ),
    ],
)
def test_other_audio_is_found_with_its_reason(sounds, reference, change, reason):
    drift = find_drift(np.float32(change(sounds.waveforms)), reference)
    assert len(drift.rows) > 100
    assert re.search(reason, "; ".join(drift.reasons))


def test_one_foreign_clip_is_found_alone_and_far_ones_among_many(sounds, reference):
    others = breaths(1).waveforms
    time = np.arange(RATE) / RATE
    tone = np.float32(0.5 * np.sin(2 * np.pi * 5000 * time))
    assert find_drift(tone[None], reference).rows.tolist() == [0]
    others[17] = tone
    assert find_drift(others, reference).rows.tolist() == [17]


def test_order_of_clips_changes_nothing_and_there_is_only_data(sounds, reference):
    again = describe_reference(sounds.waveforms[::-1], RATE)
    assert joblib.hash(again) == joblib.hash(reference)
    assert {type(value) for value in reference.values()} == {int, float, np.ndarray}


def test_few_or_tiny_clips_have_no_reference():
    assert describe_reference(np.ones((49, 1000), "f4"), RATE) is None
    assert describe_reference(np.ones((100, 63), "f4"), RATE) is None
    reference = describe_reference(np.ones((50, 64), "f4"), RATE)
    assert find_drift(np.ones((3, 64), "f4"), reference) is None


@pytest.mark.parametrize("as_files", [True, False])
def test_reader_names_the_clips(sounds, tmp_path, as_files):
    clips = sounds.waveforms[:62].copy()
    tone = np.sin(2 * np.pi * 5000 * np.arange(RATE) / RATE)
    clips[3], clips[60:] = 0, 100 * tone
    X = clips
    if as_files:
        X = [str(tmp_path / f"{number}.wav") for number in range(len(clips))]
        for path, clip in zip(X, clips, strict=True):
            soundfile.write(path, clip, RATE, subtype="FLOAT")
    names = [f"'{X[60]}'", repr(X[61])] if as_files else ["60, 61", "rows"]
    reader = AudioReader(drift="warn").fit(sounds.waveforms)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        waveforms = reader.transform(X[60:])
        assert len(waveforms) == 2
        (alone,) = warned(caught)
    assert alone.startswith("2 of 2 clips are unlike the training audio (")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reader.transform(X)
        silence, drift = warned(caught)
    assert silence.startswith("1 of 62 clips is digital silence: ")
    assert (repr(X[3]) if as_files else "row 3") in silence
    assert "2 of 62 clips are unlike" in drift and all(name in drift for name in names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(reader).set_params(drift=None).fit(sounds.waveforms).transform(X[60:])


def test_clip_that_is_too_quiet_is_named_in_training_too(sounds):
    clips = sounds.waveforms[:60].copy()
    clips[5] *= 1e-5
    with pytest.warns(AudioWarning, match="1 of 60 clips is too quiet .* row 5 "):
        AudioReader().fit_transform(clips)


def test_reference_is_fitted_by_every_way_and_forgotten_when_off(sounds, tmp_path):
    reader = AudioReader(drift="warn")
    one = clone(reader).fit(sounds.waveforms)
    reader.fit_transform(sounds.waveforms)
    assert joblib.hash(one) == joblib.hash(reader)
    joblib.dump(reader, tmp_path / "reader.joblib")
    again = joblib.load(tmp_path / "reader.joblib")
    assert joblib.hash(again.reference_) == joblib.hash(reader.reference_)
    assert not hasattr(
        reader.set_params(drift=None).fit(sounds.waveforms), "reference_"
    )
    with pytest.raises(ValueError, match="'drift' parameter"):
        AudioReader(drift="yes").fit(sounds.waveforms)


def test_whole_classifier_has_it_and_can_do_without(sounds):
    assert make_breath_classifier()["audio"].drift == "warn"
    assert make_breath_classifier(drift=None)["audio"].drift is None
    steps = BreathFeatures(groups=("mel",)), SummaryPooling(), GaussianNB()
    model = make_pipeline(AudioReader(drift="warn"), *steps)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AudioWarning)
        scores = cross_val_score(
            model,
            sounds.waveforms,
            sounds.target,
            groups=sounds.subject,
            cv=GroupKFold(3),
            error_score="raise",
        )
    assert scores.shape == (3,)
    model.fit(sounds.waveforms, sounds.target)
    expected = model.predict(sounds.waveforms / 100)
    with pytest.warns(AudioWarning, match=r"level: [34]\d dB quieter"):
        labels = model.predict(sounds.waveforms / 100)
    assert labels.tolist() == expected.tolist()


def test_real_days_are_as_usual_and_another_microphone_is_not(real_data):
    clips = load_kaggle_breath(real_data / "kaggle-breath")
    waveforms = AudioReader().fit_transform(clips.paths)
    parts = []
    for path in sorted((real_data / "nose-mic").glob("*.wav")):
        recording, _ = load_audio(path, sample_rate=RATE)
        parts.append(recording[: len(recording) // RATE * RATE].reshape(-1, RATE))
    microphone = np.concatenate(parts)
    unusual, n_warned = [], 0
    folds = GroupKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(waveforms, groups=clips.day):
        reference = describe_reference(waveforms[train], RATE)
        unusual.append(drift_scores(waveforms[test], reference) > 1)
        for day in np.unique(clips.day[test]):
            drift = find_drift(waveforms[clips.day == day], reference)
            n_warned += drift is not None
        assert (drift_scores(microphone, reference) > 1).mean() > 0.95
        assert "Hz" in find_drift(microphone[:5], reference).reasons[0]
    assert np.concatenate(unusual).mean() < 0.02
    assert n_warned / len(np.unique(clips.day)) < 0.02


@settings(deadline=None, max_examples=15)
@given(
    clips=npst.arrays(
        np.float32,
        st.tuples(st.integers(50, 60), st.integers(64, 200)),
        elements=st.floats(-1e6, 1e6, width=32),
        fill=st.floats(-1, 1, width=32),
    ),
    rate=st.integers(100, 1_000_000),
)
def test_drift_of_any_sound_is_a_finite_number(clips, rate):
    scores = drift_scores(clips, describe_reference(clips, rate))
    assert np.isfinite(scores).all() and (scores >= 0).all()
