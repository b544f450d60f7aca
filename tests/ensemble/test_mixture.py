"""Calibration of the vote."""

import numpy as np
import pytest
from recording_classifier import FITS, RecordingClassifier, ScoreReader
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import PredefinedSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skbreath import RecordingContext, ThresholdClassifier, WeightedVotingClassifier

METHODS = ["sigmoid", "isotonic", "temperature"]
rng = np.random.default_rng(0)
X = rng.normal(size=(96, 4))
y = np.where(X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=96) > 0, "I", "E")


@pytest.fixture(autouse=True)
def _forget_fits():
    FITS.clear()


def recorders(**params):
    members = [("a", RecordingClassifier("a")), ("b", RecordingClassifier("b", 1.0))]
    return WeightedVotingClassifier(members, **{"weights": "learned", **params})


def overconfident(seed=0, n=600):
    """Labels, and two members' scores whose odds are the fourth power of the true."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n)
    labels = np.where(rng.uniform(size=n) < 1 / (1 + np.exp(-odds)), "I", "E")
    scores = 1 / (1 + np.exp(-4 * odds[:, np.newaxis] + rng.normal(size=(n, 2))))
    return scores, labels


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weights", ["learned", None, [1, 2]])
def test_calibration_improves_the_probabilities_of_a_vote(method, weights):
    members = [("first", ScoreReader(0)), ("second", ScoreReader(1))]
    plain = WeightedVotingClassifier(members, weights=weights).fit(*overconfident())
    vote = clone(plain).set_params(calibration=method).fit(*overconfident())
    scores, labels = overconfident(seed=1)
    proba = vote.predict_proba(scores)
    assert proba.sum(axis=1) == pytest.approx(1)
    before, after = (
        brier_score_loss(labels, fitted.predict_proba(scores)[:, 1], pos_label="I")
        for fitted in (plain, vote)
    )
    assert after < before - 0.03
    # Cross-fitted, it is as good on the rows it was learned from as on others.
    own = brier_score_loss(overconfident()[1], vote.oof_proba_[:, 1], pos_label="I")
    assert own == pytest.approx(after, abs=0.03)
    assert np.array_equal(vote.weights_, plain.weights_)


def test_a_calibration_costs_no_fit_of_its_own():
    recorders(cv=4, calibration="isotonic").fit(X, y)
    assert len(FITS) == 2 * 5
    FITS.clear()
    recorders(cv=4, calibration="isotonic", weights=[1, 1]).fit(X, y)
    assert len(FITS) == 2 * 5


def test_the_threshold_is_set_on_the_calibrated_scores():
    vote = recorders(cv=4, calibration="sigmoid")
    model = ThresholdClassifier(vote, pos_label="I").fit(X, y)
    assert len(FITS) == 2 * 5
    scores = model.estimator_.oof_proba_[:, 1]
    assert scores.min() < model.best_threshold_ < scores.max()
    labels = np.where(model.predict_proba(X)[:, 1] >= model.best_threshold_, "I", "E")
    assert np.array_equal(model.predict(X), labels)


def test_a_fold_is_calibrated_by_what_its_rows_did_not_shape():
    scores, labels = overconfident()
    fold = np.arange(len(labels)) % 3
    members = [("first", ScoreReader(0)), ("second", ScoreReader(1))]
    vote = WeightedVotingClassifier(
        members, calibration="isotonic", cv=PredefinedSplit(fold)
    )
    before = clone(vote).fit(scores, labels)
    swapped = np.where(fold == 0, np.where(labels == "I", "E", "I"), labels)
    after = clone(vote).fit(scores, swapped)
    kept, others = fold == 0, fold != 0
    assert np.array_equal(before.oof_proba_[kept], after.oof_proba_[kept])
    assert not np.allclose(before.oof_proba_[others], after.oof_proba_[others])


@pytest.mark.parametrize("method", METHODS)
def test_more_than_two_classes_are_calibrated(method):
    data, target = load_iris(return_X_y=True)
    members = [("bayes", GaussianNB()), ("linear", LogisticRegression(max_iter=500))]
    vote = WeightedVotingClassifier(members, weights="learned", calibration=method)
    vote.fit(data, target)
    assert vote.predict_proba(data).shape == vote.oof_proba_.shape == (150, 3)
    assert vote.score(data, target) > 0.9


def test_fitting_again_without_a_calibration_forgets_it():
    vote = recorders(cv=3, calibration="sigmoid").fit(X, y)
    assert hasattr(vote, "calibrator_")
    vote.set_params(calibration=None).fit(X, y)
    assert not hasattr(vote, "calibrator_")


def test_frozen_members_cannot_be_calibrated_out_of_fold():
    frozen = FrozenEstimator(GaussianNB().fit(X, y))
    vote = WeightedVotingClassifier([("old", frozen)], calibration="sigmoid")
    with pytest.raises(ValueError, match=r"frozen members \['old'\]"):
        vote.fit(X, y)


@pytest.mark.parametrize("n_rows", [30, 300])
def test_temperature_leaves_some_doubt_where_no_row_is_wrong(n_rows):
    """As Platt's targets for the sigmoid: n rows do not prove more than 1 / n."""
    y = np.resize(["E", "I"], n_rows)
    X = np.where(y == "I", 1.0, -1.0)[:, None] * rng.uniform(0.5, 3, (n_rows, 1))
    vote = WeightedVotingClassifier(
        [("a", LogisticRegression()), ("b", LogisticRegression(C=0.01))],
        weights="learned",
        calibration="temperature",
        cv=3,
    ).fit(X, y)
    doubt = vote.oof_proba_.min()
    assert 1e-4 / n_rows < doubt < 1 / n_rows
    assert np.all(vote.predict(X) == y)


def test_temperature_of_many_rows_is_that_of_scikit_learn():
    pytest.importorskip("sklearn", minversion="1.8")
    scores = np.clip(rng.normal(0.5, 0.25, 4000), 0.01, 0.99)
    y = np.where(rng.random(4000) < scores**2 / (scores**2 + (1 - scores) ** 2), 1, 0)
    X = np.column_stack([1 - scores, scores])
    ours = WeightedVotingClassifier(
        [("a", ScoreReader(1))], weights=[1], calibration="temperature", cv=2
    )
    fitted = ScoreReader(1).fit(X, y)
    theirs = CalibratedClassifierCV(FrozenEstimator(fitted), method="temperature")
    np.testing.assert_allclose(
        ours.fit(X, y).predict_proba(X),
        theirs.fit(X, y).predict_proba(X),
        atol=2e-3,
    )


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_few_misleading_rows_do_not_reverse_the_order(method):
    scores, labels = np.linspace(0.1, 0.9, 8)[:, None], np.repeat(["I", "E"], 4)
    members = [("a", ScoreReader(0))]
    vote = WeightedVotingClassifier(members, weights=[1], calibration=method, cv=2)
    inhale = vote.fit(scores, labels).predict_proba(scores)[:, 1]
    assert (np.diff(inhale) > 0).all()


def vote_on_loudness(**params):
    """A vote whose member does not compare clips."""
    members = [("loudness", LogisticRegression())]
    return WeightedVotingClassifier(members, cv=3, **params)


def loud_and_soft_recordings(n_classes=2, n_clips=600, mixed=True):
    """Scores of clips, shifted by recording, with labels and recordings."""
    rng = np.random.default_rng(0)
    recordings = rng.integers(0, n_clips // 6, size=n_clips)
    of_recording = rng.integers(0, n_classes, size=n_clips // 6)[recordings]
    labels = rng.integers(0, n_classes, size=n_clips) if mixed else of_recording
    shift = rng.normal(size=n_clips // 6)[recordings]
    scores = 2 * labels + shift + 0.5 * rng.normal(size=n_clips)
    return scores[:, None], labels, recordings


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weights", ["learned", [1]])
def test_clips_are_compared_with_the_others_of_their_recording(n_classes, weights):
    X, y, recordings = loud_and_soft_recordings(n_classes)
    vote = vote_on_loudness(weights=weights, calibration="temperature")
    vote.fit(X, y, groups=recordings, recordings=recordings)
    assert 0.3 < vote.recording_shares_[0] <= 1
    alone, together = (
        vote.predict_proba(X),
        vote.predict_proba(X, recordings=recordings),
    )
    assert log_loss(y, together) < log_loss(y, alone) - 0.05
    assert log_loss(y, vote.oof_proba_) < log_loss(y, vote.oof_proba_alone_) - 0.05
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = vote.predict_proba(X[order], recordings=recordings[order])
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-12)
    single = vote.predict_proba(X, recordings=np.arange(len(X)))
    np.testing.assert_array_equal(single, alone)


def test_a_member_that_sees_recordings_is_not_compared_again():
    X, y, recordings = loud_and_soft_recordings()
    context = make_pipeline(RecordingContext(), LogisticRegression())
    members = [("context", context), ("loudness", LogisticRegression())]
    vote = WeightedVotingClassifier(members, weights="learned", cv=3)
    vote.fit(X, y, groups=recordings, recordings=recordings)
    assert vote.recording_shares_[0] == 0
    assert vote.recording_shares_[1] > 0.3


def test_recordings_of_one_class_each_are_not_compared():
    X, y, recordings = loud_and_soft_recordings(mixed=False)
    vote = vote_on_loudness(weights="learned")
    vote.fit(X, y, groups=recordings, recordings=recordings)
    assert vote.recording_shares_[0] < 0.01
    vote.fit(X, y, groups=recordings)
    assert vote.recording_shares_[0] == 0
    assert np.array_equal(vote.oof_proba_, vote.oof_proba_alone_)
    with pytest.raises(TypeError, match=r"recordings.*not routed"):
        vote.predict_proba(X, recordings=recordings)
