import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import evaluate
from skbreath.evaluation import score_predictions


class Recogniser(ClassifierMixin, BaseEstimator):
    """Knows the recordings it was fitted on by heart and guesses all others."""

    __metadata_request__fit = {"groups": True}

    def fit(self, X, y, groups=None):
        assert groups is not None
        self.classes_ = np.unique(y)
        self.known_ = dict(zip(X[:, 0], y, strict=True))
        return self

    def predict_proba(self, X):
        inhale = [float(self.known_.get(x, "E") == "I") for x in X[:, 0]]
        return np.c_[1 - np.array(inhale), inhale]

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture
def recordings():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    y = np.where(rng.random(40) < 0.5, "I", "E")[groups]
    X = np.c_[groups, rng.normal(size=240) + (y == "I")]
    return X, y, groups


def test_recordings_are_never_split(recordings):
    X, y, groups = recordings
    by_recording = evaluate(Recogniser(), X, y, groups, n_resamples=20)
    assert set(by_recording.predictions["y_pred"]) == {"E"}
    folds = by_recording.predictions.groupby("group")["fold"].nunique()
    assert (folds == 1).all()


def test_groups_reach_a_model_inside_a_pipeline(recordings):
    X, y, groups = recordings
    model = make_pipeline("passthrough", Recogniser())
    assert len(evaluate(model, X, y, groups, n_resamples=5).predictions) == 240


def test_scores_are_those_of_the_pooled_predictions(recordings):
    X, y, groups = recordings
    model = make_pipeline(StandardScaler(), LogisticRegression())
    result = evaluate(model, X, y, groups, n_resamples=50)
    frame = result.predictions
    assert frame["row"].tolist() == list(range(240))
    assert frame["y_true"].tolist() == y.tolist()
    value = result.table["value"]
    truth = frame["y_true"] == "I"
    assert value["accuracy"] == accuracy_score(frame["y_true"], frame["y_pred"])
    assert value["f1"] == f1_score(truth, frame["y_pred"] == "I")
    assert value["roc_auc"] == pytest.approx(roc_auc_score(truth, frame["y_score"]))
    assert (result.table["low"] <= value).all()
    assert (result.table["high"] >= value).all()


def test_interval_of_whole_groups_is_wider_than_of_clips():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 20)
    y = np.tile(["I", "E"], 300)
    hit = (rng.random(30) < 0.8)[groups]  # all clips of a recording right or wrong
    y_pred = np.where(hit, y, np.where(y == "I", "E", "I"))
    score = (y_pred == "I").astype(float)
    grouped = score_predictions(y, y_pred, score, groups).loc["accuracy"]
    single = score_predictions(y, y_pred, score).loc["accuracy"]
    assert grouped["value"] == single["value"]
    assert grouped["high"] - grouped["low"] > 2 * (single["high"] - single["low"])


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(60):
        y = np.where(rng.random(150) < 0.5, "I", "E")
        hit = rng.random(150) < 0.75
        y_pred = np.where(hit, y, np.where(y == "I", "E", "I"))
        row = score_predictions(y, y_pred, hit * 1.0, n_resamples=200).loc["accuracy"]
        covered += row["low"] <= 0.75 <= row["high"]
    assert 50 <= covered <= 60


def test_bad_input_is_explained(recordings):
    X, y, groups = recordings
    model = LogisticRegression()
    with pytest.raises(ValueError, match="pos_label='in' is not one of the labels"):
        evaluate(model, X, y, groups, pos_label="in")
    with pytest.raises(ValueError, match="two classes"):
        evaluate(model, X, np.repeat("I", 240), groups)
    with pytest.raises(ValueError, match="inconsistent"):
        evaluate(model, X, y[:-1], groups)
    with pytest.raises(ValueError, match="at least 5 different groups"):
        evaluate(model, X, y, groups % 3)
    with pytest.raises(ValueError, match="more than once"):
        evaluate(model, X, y, cv=ShuffleSplit(3, random_state=0))
