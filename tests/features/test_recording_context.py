"""Tests of the comparison of a clip with its recording."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import (
    RecordingContext,
    ThresholdClassifier,
    WeightedVotingClassifier,
    check_leakage,
    evaluate,
    predict_with_rejection,
)


@parametrize_with_checks([RecordingContext()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    recordings = rng.integers(0, 9, size=60)
    y = np.repeat(["E", "I"], 30)
    X = rng.normal(size=(60, 3)) + rng.normal(size=9)[recordings, None] * 5
    return X + 2.0 * (y == "I")[:, None], y, recordings


def test_difference_to_the_mean_of_the_recording():
    X = np.random.default_rng(0).normal(size=(5, 4, 7)).astype(np.float32)
    context = RecordingContext(n_planes=1).fit(X)
    compared = context.transform(X, recordings=["a", "b", "a", "a", "c"])
    assert compared.dtype == np.float32
    np.testing.assert_array_equal(compared[:, :3], X[:, :3])
    np.testing.assert_array_equal(compared[:, 6], X[:, 3])
    expected = X[0, :3] - X[[0, 2, 3], :3].mean(axis=(0, 2))[:, None]
    np.testing.assert_allclose(compared[0, 3:6], expected, atol=1e-6)
    own = X[1, :3] - X[1, :3].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(compared[1, 3:6], own, atol=1e-6)
    np.testing.assert_array_equal(context.transform(X)[[1, 4]], compared[[1, 4]])
    names = ["mel", "rms", "zcr", "loop"]
    assert context.get_feature_names_out(names).tolist() == [
        *names[:3],
        "mel_relative",
        "rms_relative",
        "zcr_relative",
        "loop",
    ]


def test_nothing_but_the_sound_of_its_recording_counts(clips):
    X, _, recordings = clips
    context = RecordingContext().fit(X)
    compared = context.transform(X, recordings)
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = context.transform(X[order], recordings[order])
    np.testing.assert_array_equal(shuffled, compared[order])
    renamed = [f"day {10 - number}" for number in recordings]
    np.testing.assert_array_equal(context.transform(X, renamed), compared)
    mixed = pd.Series([None if n == 0 else n for n in recordings], dtype=object)
    mixed = mixed.where(mixed.notna(), "x")  # numbers and texts
    np.testing.assert_array_equal(context.transform(X, mixed), compared)
    own = recordings == recordings[0]
    alone = context.transform(X[own], recordings[own])
    np.testing.assert_array_equal(alone, compared[own])


def test_one_recording_or_as_many_as_clips(clips):
    X, _, _ = clips
    context = RecordingContext().fit(X)
    whole = context.transform(X, np.zeros(len(X)))
    np.testing.assert_allclose(whole[:, 3:], X - X.mean(axis=0))
    alone = context.transform(X, np.arange(len(X)))
    np.testing.assert_array_equal(alone, context.transform(X))
    assert not alone[:, 3:].any()


def test_training_takes_some_clips_alone(clips):
    X, _, recordings = clips
    context = RecordingContext(alone=0.3, random_state=0)
    trained = context.fit_transform(X, recordings=recordings)
    n_alone = (trained[:, 3:] == 0).all(axis=1).sum()
    assert 8 <= n_alone <= 28
    again = RecordingContext(alone=0.3, random_state=0)
    np.testing.assert_array_equal(again.fit_transform(X, None, recordings), trained)
    whole = RecordingContext(alone=0).fit_transform(X, recordings=recordings)
    np.testing.assert_array_equal(whole, context.transform(X, recordings))


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        ([1, 2], "inconsistent numbers of samples"),
        ([1.0, np.nan, 2.0], "recordings has 1 missing values, the first at row 1"),
        ([["a"], ["b"], ["c", "d"]], "."),
    ],
)
def test_malformed_recordings(recordings, message):
    X = np.zeros((3, 2))
    with pytest.raises(ValueError, match=message):
        RecordingContext().fit(X).transform(X, recordings)
    with pytest.raises(ValueError, match=message):
        RecordingContext().fit_transform(X, None, recordings)


def test_no_channel_to_compare():
    with pytest.raises(ValueError, match="n_planes must leave at least one of the 2"):
        RecordingContext(n_planes=2).fit(np.zeros((3, 2)))


def _vote(**params):
    member = make_pipeline(RecordingContext(random_state=0), LogisticRegression())
    members = [("compared", member), ("plain", LogisticRegression())]
    return WeightedVotingClassifier(members, weights="learned", cv=3, **params)


@pytest.mark.parametrize(
    "make", [_vote, lambda: ThresholdClassifier(_vote(), pos_label="I")]
)
def test_votes_and_thresholds_pass_recordings_on(clips, make):
    X, y, recordings = clips
    model = make().fit(X, y, recordings, recordings=recordings)
    proba = model.predict_proba(X, recordings=recordings)
    assert ((proba[:, 1] > 0.5) == (y == "I")).mean() > 0.85
    assert (model.predict(X, recordings=recordings) == y).mean() > 0.85
    assert (model.predict(X) == y).mean() < 0.8
    np.testing.assert_array_equal(
        model.predict_proba(X[:1]), model.predict_proba(X)[:1]
    )
    alone = model.predict_proba(X, recordings=np.arange(len(X)))
    np.testing.assert_array_equal(alone, model.predict_proba(X))
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = model.predict_proba(X[order], recordings=recordings[order])
    np.testing.assert_allclose(shuffled, proba[order], rtol=1e-12)
    labels, _ = predict_with_rejection(
        model, X, reject_below=0.6, recordings=recordings
    )
    np.testing.assert_array_equal(labels, model.predict(X, recordings=recordings))


def test_models_of_the_folds_get_recordings(clips):
    X, y, recordings = clips
    vote = _vote(refit=False).fit(X, y, recordings=recordings)
    assert (vote.predict(X, recordings=recordings) == y).mean() > 0.85


def test_evaluation_with_recordings(clips):
    X, y, recordings = clips
    given = {"cv": 3, "n_resamples": 9}
    with_them = evaluate(_vote(), X, y, recordings, recordings=recordings, **given)
    without = evaluate(_vote(), X, y, recordings, **given)
    assert with_them.table.loc["accuracy", "value"] > 0.85
    assert without.table.loc["accuracy", "value"] < 0.8
    assert with_them.settings["with_recordings"]
    assert not without.settings["with_recordings"]
    table = check_leakage(_vote(), X, y, recordings, recordings=recordings, cv=3)
    assert not table.loc["order", "leaks"]


def test_models_that_cannot_use_recordings(clips):
    X, y, recordings = clips
    plain = LogisticRegression().fit(X, y)
    message = "no part of the LogisticRegression uses them: leave them out"
    with pytest.raises(ValueError, match=message):
        predict_with_rejection(plain, X, reject_below=0, recordings=recordings)
    with pytest.raises(ValueError, match=message):
        evaluate(plain, X, y, recordings=recordings)
    vote = WeightedVotingClassifier([("plain", LogisticRegression())])
    with pytest.raises(TypeError, match=r"recordings.*not routed"):
        vote.fit(X, y, recordings=recordings)


@pytest.mark.parametrize("bad", [[0, 1], [None] + ["a"] * 59])
def test_malformed_recordings_of_a_model(clips, bad):
    X, y, recordings = clips
    model = ThresholdClassifier(_vote(), pos_label="I").fit(X, y, recordings=recordings)
    message = "inconsistent numbers of samples|recordings has 1 missing value"
    for call in (
        lambda: model.fit(X, y, recordings=bad),
        lambda: model.predict(X, recordings=bad),
        lambda: model.predict_proba(X, recordings=bad),
        lambda: predict_with_rejection(model, X, reject_below=0, recordings=bad),
        lambda: evaluate(model, X, y, recordings=bad),
    ):
        with pytest.raises(ValueError, match=message):
            call()
