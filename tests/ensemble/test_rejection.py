import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from skbreath import (
    FineTunedClassifier,
    ResidualCNNClassifier,
    ThresholdClassifier,
    accuracy_coverage_curve,
    evaluate,
    evaluate_fitted,
    predict_with_rejection,
    rejection_mask,
)


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(600, weights=[0.7], flip_y=0.2, random_state=0)
    return X, np.where(y == 1, "I", "E")


@pytest.fixture(scope="module")
def model(data):
    vote = ThresholdClassifier(LogisticRegression(), pos_label="I", scoring="f1")
    return make_pipeline(StandardScaler(), vote).fit(*data)


def test_labels_stay_those_of_predict_and_binary(model, data):
    X, y = data
    labels, rejected = predict_with_rejection(model, X, reject_below=0.8)
    assert labels.tolist() == model.predict(X).tolist()
    assert set(labels) == set(model.classes_) == {"E", "I"}
    assert 0 < rejected.sum() < len(X)
    assert np.array_equal(rejected, rejection_mask(model, X, reject_below=0.8))
    kept = ~rejected
    assert f1_score(y[kept], labels[kept], pos_label="I") > f1_score(
        y, labels, pos_label="I"
    )


def test_what_is_rejected_lies_on_both_sides_of_the_threshold(model, data):
    X, _ = data
    threshold = model[-1].best_threshold_
    assert abs(threshold - 0.5) > 0.05  # or the test would show nothing
    positive = model.predict_proba(X)[:, 1]
    rejected = rejection_mask(model, X, reject_below=0.6)
    inside = positive[rejected]
    assert inside.min() < threshold < inside.max()
    # One interval: whatever lies between two rejected clips is rejected.
    assert rejected[(positive > inside.min()) & (positive < inside.max())].all()
    # Chow's rule: both ends cost the same share of what an error there costs.
    costs = (
        (threshold - inside.min()) / threshold,
        (inside.max() - threshold) / (1 - threshold),
    )
    assert np.allclose(costs, 0.2, atol=0.02)


def test_confidence_at_one_half_is_the_probability_of_the_label(data):
    X, y = data
    plain = LogisticRegression().fit(X, y)
    confidence = evaluate_fitted(plain, X, y, n_resamples=2).predictions["confidence"]
    assert np.array_equal(confidence, plain.predict_proba(X).max(axis=1))
    fixed = ThresholdClassifier(
        plain, pos_label="I", cv="prefit", refit=False, thresholds=[0.5]
    ).fit(X, y)
    predictions = evaluate_fitted(fixed, X, y, n_resamples=2).predictions
    assert np.allclose(predictions["confidence"], confidence)


class Given(ClassifierMixin, BaseEstimator):
    """Its probability of "I" is its only column."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@given(st.floats(-0.2, 1.2), st.lists(st.floats(0, 1), min_size=2, max_size=20))
@settings(max_examples=50, deadline=None)
def test_confidence_grows_from_one_half_at_the_threshold_to_one(threshold, positive):
    X, y = np.array([[0.0], [1.0]]), ["E", "I"]
    model = ThresholdClassifier(
        Given().fit(X, y), pos_label="I", cv="prefit", refit=False, thresholds=[0.5]
    ).fit(X, y)
    model.best_threshold_ = threshold
    rows = np.sort(positive)[:, None]
    y = np.resize(["E", "I"], len(rows))
    predictions = evaluate_fitted(model, rows, y, n_resamples=2).predictions
    labels, confidence = predictions["y_pred"], predictions["confidence"]
    assert not rejection_mask(model, rows, reject_below=0.5).any()
    assert (confidence <= 1).all()
    assert (np.diff(confidence[labels == "I"]) >= 0).all()
    assert (np.diff(confidence[labels == "E"]) <= 0).all()


def test_the_threshold_alone_gives_what_its_pipeline_gives(model, data):
    X, _ = data
    scaled = model[:-1].transform(X)
    labels, rejected = predict_with_rejection(model[-1], scaled, reject_below=0.7)
    expected = predict_with_rejection(model, X, reject_below=0.7)
    assert labels.tolist() == expected[0].tolist()
    assert rejected.tolist() == expected[1].tolist()


def test_rows_pass_the_steps_of_a_pipeline_once(data):
    X, y = data[0], data[1]
    passed = []

    def watch(rows):
        passed.append(len(rows))
        return rows

    model = make_pipeline(FunctionTransformer(watch), LogisticRegression()).fit(X, y)
    passed.clear()
    labels, rejected = predict_with_rejection(model, X[:20], reject_below=0.9)
    assert passed == [20]
    np.testing.assert_array_equal(labels, model.predict(X[:20]))
    assert rejected.tolist() == (model.predict_proba(X[:20]).max(axis=1) < 0.9).tolist()


def test_a_model_without_probabilities_and_a_wrong_limit_are_refused(model, data):
    X, y = data
    with pytest.raises(ValueError, match="LinearSVC has no predict_proba"):
        rejection_mask(LinearSVC().fit(X, y), X, reject_below=0.7)
    with pytest.raises(ValueError, match="reject_below"):
        predict_with_rejection(model, X, reject_below=70)


def test_probabilities_that_are_not_finite_are_refused_by_row(data):
    X, y = np.array([[0.1], [np.nan], [0.9], [np.nan]]), ["E", "I", "E", "I"]
    model = Given().fit(X, y)
    for ask in (predict_with_rejection, rejection_mask):
        with pytest.raises(
            ValueError, match=r"Given must be finite.*2 of 4.*rows 1, 3"
        ):
            ask(model, X, reject_below=0.7)


@pytest.fixture(scope="module")
def wrapped(data, model):
    """A search, a fine-tuned and a frozen model, with the models that they hold."""
    X, y = data
    search = GridSearchCV(model, {"thresholdclassifier__cv": [3]}, cv=2).fit(X, y)
    inside = make_pipeline(
        StandardScaler(), GridSearchCV(model[-1], {"cv": [3]}, cv=2)
    ).fit(X, y)
    net = ResidualCNNClassifier(hidden_channels=4, max_epochs=1, random_state=0)
    net = ThresholdClassifier(net, pos_label="I", scoring="f1", cv=2).fit(X, y)
    tuner = FineTunedClassifier(net, n_updates=20, cv=2, random_state=0).fit(X, y)
    tuner.model_.best_threshold_ = 0.4  # wherever chance has put it
    return {
        "search": (search, search.best_estimator_),
        "search inside": (
            inside,
            make_pipeline(inside[0], inside[1].best_estimator_),
        ),
        "fine-tuned": (tuner, tuner.model_),
        "frozen": (FrozenEstimator(model), model),
    }


@pytest.mark.parametrize("how", ["search", "search inside", "fine-tuned", "frozen"])
def test_wrappers_have_the_confidence_of_what_they_hold(data, wrapped, how):
    X, y = data
    outer, inner = wrapped[how]
    assert inner.predict(X).tolist() == outer.predict(X).tolist()
    assert not rejection_mask(outer, X, reject_below=0.5).any()
    for limit in (0.6, 0.8):
        labels, rejected = predict_with_rejection(outer, X, reject_below=limit)
        expected = rejection_mask(inner, X, reject_below=limit)
        assert labels.tolist() == outer.predict(X).tolist()
        assert rejected.tolist() == expected.tolist()


def test_evaluate_gives_the_confidence_of_a_search(data, model):
    search = GridSearchCV(model, {"thresholdclassifier__cv": [3]}, cv=2)
    predictions = evaluate(search, *data, n_resamples=10, cv=2).predictions
    assert predictions["confidence"].min() >= 0.5


def test_evaluate_gives_the_confidence_of_each_fold(model, data):
    X, y = data
    predictions = evaluate(model, X, y, n_resamples=10).predictions
    assert predictions["confidence"].between(0.5, 1).all()
    curve = accuracy_coverage_curve(
        predictions["y_true"], predictions["y_pred"], predictions["confidence"]
    )
    assert curve["accuracy"].iloc[-20] > curve["accuracy"].iloc[0] + 0.05


def test_curve_counts_what_is_kept():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 400).round(2)  # with ties
    y = rng.choice(["E", "I"], 400)
    y_pred = np.where(rng.uniform(size=400) < confidence, y, "E")
    curve = accuracy_coverage_curve(y, y_pred, confidence, np.arange(400) // 10)
    assert curve["coverage"].iloc[0] == 1 and curve["coverage"].is_monotonic_decreasing
    for row in curve.iloc[::10].itertuples():
        kept = confidence >= row.reject_below
        assert row.n_kept == kept.sum() == round(400 * row.coverage)
        assert row.accuracy == (y == y_pred)[kept].mean()
    assert (curve["low"] <= curve["accuracy"]).all()
    assert (curve["high"] >= curve["accuracy"]).all()


def test_interval_is_wider_where_clips_of_a_group_go_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 20)
    right = np.repeat(rng.uniform(size=20) < 0.7, 20)  # whole recordings fail
    confidence = rng.uniform(0.5, 1, 400)
    together, apart = (
        accuracy_coverage_curve(np.ones(400), right, confidence, g).iloc[0]
        for g in (groups, None)
    )
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_a_perfect_end_of_the_curve_is_not_certain():
    confidence = np.linspace(0.5, 1, 100)
    curve = accuracy_coverage_curve(np.ones(100), confidence > 0.6, confidence)
    last = curve.iloc[-1]
    assert last.n_kept == 10 and last.accuracy == 1
    assert last.low == pytest.approx(0.722, abs=0.001)  # Wilson, 10 of 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": np.zeros(20)}, "at least two groups"),
        ({"groups": [None, *range(19)]}, "must not be missing"),
        ({"confidence": np.full(20, np.nan)}, "NaN"),
        ({"y_pred": np.ones(19)}, "inconsistent"),
        ({name: np.ones(5) for name in ("y_true", "y_pred", "confidence")}, "10 clips"),
        ({"y_true": [None, *"EI" * 9, "I"]}, "y_true has 1 missing value.* row 0"),
        ({"y_pred": [*np.ones(18), np.nan, np.nan]}, "y_pred has 2 missing.* row 18"),
        ({"y_pred": ["E", "I"] * 10}, "Mix of label input types"),
        ({"y_true": np.ones((20, 2))}, "y_true .*one column.*20, 2"),
        ({"confidence": np.full((20, 2), 0.5)}, "confidence .*one column"),
        ({"confidence": ["high"] * 20}, "confidence"),
    ],
)
def test_curve_refuses_what_makes_no_sense(changes, message):
    given = {name: np.ones(20) for name in ("y_true", "y_pred", "confidence")}
    with pytest.raises(ValueError, match=message):
        accuracy_coverage_curve(**(given | changes))


def test_curve_takes_columns():
    confidence = np.linspace(0.5, 1, 40)
    y, y_pred = np.tile(["E", "I"], 20), np.tile(["E", "E", "I", "I"], 10)
    flat = accuracy_coverage_curve(y, y_pred, confidence)
    columns = (part[:, None] for part in (y, y_pred, confidence))
    pd.testing.assert_frame_equal(accuracy_coverage_curve(*columns), flat)
