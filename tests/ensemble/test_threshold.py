import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_classifier import FITS, RecordingClassifier, ScoreReader
from sklearn import config_context, metrics
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import ThresholdClassifier, WeightedVotingClassifier

X, numbers = make_classification(120, weights=[0.7], flip_y=0.1, random_state=0)
y = np.where(numbers == 1, "I", "E")
groups = np.arange(120) // 6


@pytest.fixture(autouse=True)
def _forget_fits():
    FITS.clear()


@parametrize_with_checks(
    [
        ThresholdClassifier(LogisticRegression(), scoring="balanced_accuracy"),
        ThresholdClassifier(LinearSVC(), scoring="accuracy", thresholds=50, cv=3),
        ThresholdClassifier(
            WeightedVotingClassifier(
                [("a", GaussianNB()), ("b", LogisticRegression())], weights="learned"
            ),
            scoring="accuracy",
        ),
    ],
    expected_failed_checks=lambda estimator: {
        "check_classifiers_train": (
            "asks that predict is the argmax of predict_proba, which a tuned "
            "threshold is there to change; stock TunedThresholdClassifierCV fails too"
        )
    },
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_f1_of_text_labels_needs_a_scorer_that_names_the_label():
    model = ThresholdClassifier(LogisticRegression(), scoring="accuracy", pos_label="I")
    scorer = make_scorer(f1_score, pos_label="I")  # the line in docs/faq.md
    assert (cross_val_score(model, X, y, scoring=scorer, cv=3) > 0.5).all()


# The best threshold

SCORERS = {
    "f1": make_scorer(f1_score),
    "precision": make_scorer(metrics.precision_score, zero_division=0),
    "recall": make_scorer(metrics.recall_score),
    "jaccard": make_scorer(metrics.jaccard_score),
    "f2": make_scorer(metrics.fbeta_score, beta=2),
    "accuracy": make_scorer(metrics.accuracy_score),
    "balanced_accuracy": make_scorer(metrics.balanced_accuracy_score),
    "matthews": make_scorer(metrics.matthews_corrcoef),
    "fewest_errors": make_scorer(metrics.zero_one_loss, greater_is_better=False),
    "macro": make_scorer(f1_score, average="macro"),
    "function": lambda estimator, X, y: (estimator.predict(X) == y).mean(),
}


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(
        st.integers(0, 10).map(lambda score: score / 10)
        | st.integers(0, 2**20).map(lambda score: score / 2**20),
        min_size=6,
        max_size=25,
    ).filter(lambda scores: len(set(scores)) > 1),
    seed=st.integers(0, 1000),
    metric=st.sampled_from(sorted(SCORERS)),
    pos_label=st.sampled_from("EI"),
)
def test_no_threshold_is_better(scores, seed, metric, pos_label):
    X = np.array(scores)[:, np.newaxis]
    y = np.random.default_rng(seed).permutation(list("EI" * len(X)))[: len(X)]
    y[:2] = ["E", "I"]
    folds = [(np.arange(len(X)), np.arange(len(X)))]
    model = ThresholdClassifier(
        ScoreReader(), pos_label=pos_label, scoring=SCORERS[metric], cv=folds
    ).fit(X, y)
    assert model.pos_label_ == pos_label
    score = {
        "f2": lambda y, p: metrics.fbeta_score(y, p, beta=2, pos_label=pos_label),
        "fewest_errors": lambda y, p: (y == p).mean() - 1,
        "macro": lambda y, p: f1_score(y, p, average="macro"),
        "function": lambda y, p: (y == p).mean(),
        "matthews": metrics.matthews_corrcoef,
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
    }.get(metric)
    if score is None:
        function = getattr(metrics, f"{metric}_score")

        def score(y, p):
            return function(y, p, pos_label=pos_label, zero_division=0)

    response = X[:, 0] if pos_label == "I" else 1 - X[:, 0]
    other = "E" if pos_label == "I" else "I"
    brute = max(
        score(y, np.where(response >= threshold, pos_label, other))
        for threshold in [*response, np.inf]
    )
    assert model.best_score_ == pytest.approx(brute)
    assert model.best_score_ == pytest.approx(score(y, model.predict(X)))
    # Scores that close count as equal.
    assert model.best_score_ >= model.threshold_curve_.scores.max() - 1e-12


def held_out(scores, y, **params):
    """Tune on given scores of the second class, as if they were out of fold."""
    X = np.asarray(scores, dtype=float)[:, np.newaxis]
    folds = [(np.arange(len(X)), np.arange(len(X)))]
    return ThresholdClassifier(ScoreReader(), cv=folds, **params).fit(X, np.array(y))


def test_the_threshold_lies_in_the_middle_of_a_gap():
    model = held_out([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1])
    assert model.best_threshold_ == pytest.approx(0.4)
    assert model.best_score_ == 1


def test_of_equally_good_thresholds_the_widest_gap_wins_then_the_lowest():
    scores, labels = [0.1, 0.2, 0.5, 0.6], [0, 1, 0, 1]
    model = held_out(scores, labels, scoring="accuracy")
    best = model.threshold_curve_.scores == model.best_score_
    assert model.threshold_curve_.thresholds[best] == pytest.approx([0.15, 0.55])
    assert model.best_threshold_ == pytest.approx(0.15)
    model = held_out([0.1, 0.2, 0.5, 0.7], labels, scoring="accuracy")
    assert model.best_threshold_ == pytest.approx(0.6)


def test_a_grid_gives_a_grid_value_in_the_middle_of_the_best_run():
    grid = np.arange(0.30, 0.705, 0.01)
    model = held_out([0.1, 0.35, 0.625, 0.9], [0, 0, 1, 1], thresholds=grid)
    assert model.best_threshold_ in grid
    assert model.best_threshold_ == pytest.approx(0.49)
    assert len(model.threshold_curve_.thresholds) == 41
    model = held_out([0.1, 0.35, 0.625, 0.9], [0, 0, 1, 1], thresholds=9)
    assert model.threshold_curve_.thresholds == pytest.approx(np.linspace(0.1, 0.9, 9))
    assert model.best_threshold_ == pytest.approx(0.5)


def test_threshold_separates_neighbouring_floats():
    low, high = 0.5, np.nextafter(0.5, 1)
    model = held_out([low, low, high, high], [0, 0, 1, 1])
    assert model.best_score_ == 1
    assert model.predict([[low], [high]]).tolist() == [0, 1]


def test_a_metric_without_formula_is_called_a_bounded_number_of_times():
    calls = []

    def count(y_true, y_pred):
        calls.append(1)
        return (y_true == y_pred).mean()

    scores = np.random.default_rng(0).uniform(size=3000)
    labels = (scores + np.random.default_rng(1).normal(size=3000) > 0.5).astype(int)
    model = held_out(scores, labels, scoring=make_scorer(count))
    assert len(calls) == len(model.threshold_curve_.scores) == 1000
    exact = held_out(scores, labels, scoring="accuracy")
    assert len(exact.threshold_curve_.scores) == 3001
    assert model.best_score_ == pytest.approx(exact.best_score_, abs=0.01)


def test_scores_of_all_folds_are_pooled():
    model = ThresholdClassifier(GaussianNB(), pos_label="I", cv=4).fit(X, y)
    proba = cross_val_predict(GaussianNB(), X, y, cv=4, method="predict_proba")
    pooled = np.where(proba[:, 1] >= model.best_threshold_, "I", "E")
    assert model.best_score_ == pytest.approx(f1_score(y, pooled, pos_label="I"))


def test_decision_function_and_either_class_as_the_positive_one():
    for pos_label in "EI":
        model = ThresholdClassifier(LinearSVC(), pos_label=pos_label).fit(X, y)
        decision = model.decision_function(X) * (1 if pos_label == "I" else -1)
        predicted = decision >= model.best_threshold_
        assert np.array_equal(model.predict(X) == pos_label, predicted)
        assert not hasattr(model, "predict_proba")
    model = ThresholdClassifier(GaussianNB(), pos_label="E").fit(X, y)
    assert np.allclose(model.predict_proba(X), GaussianNB().fit(X, y).predict_proba(X))
    assert not hasattr(model, "decision_function")


# The positive class


def test_labels_of_every_type():
    for labels, positive in [((0, 1), 1), ((-1, 1), 1), ((False, True), True)]:
        model = ThresholdClassifier(GaussianNB()).fit(X, np.array(labels)[numbers])
        assert model.pos_label_ == positive
        assert set(model.predict(X)) == set(labels)
    model = ThresholdClassifier(GaussianNB(), pos_label=3).fit(X, numbers + 3)
    assert model.pos_label_ == 3
    named = make_scorer(f1_score, pos_label="E")
    assert ThresholdClassifier(GaussianNB(), scoring=named).fit(X, y).pos_label_ == "E"


@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy", "f1_macro"])
def test_a_symmetric_metric_needs_no_positive_class(scoring):
    """Whichever class is named, the same labels come out."""
    models = [
        ThresholdClassifier(GaussianNB(), scoring=scoring, pos_label=pos_label).fit(
            X, y
        )
        for pos_label in (None, "I", "E")
    ]
    assert np.array_equal(models[0].predict(X), models[1].predict(X))
    assert models[1].best_score_ == pytest.approx(models[2].best_score_)
    assert models[0].pos_label_ == "I"


@pytest.mark.parametrize(
    "params, message",
    [
        ({}, "needs a positive class .* name it with pos_label"),
        ({"pos_label": "inhale"}, "'inhale' is not a class of y"),
        (
            {"scoring": "roc_auc"},
            "must be a metric of labels",
        ),
        (
            {"pos_label": "I", "scoring": make_scorer(f1_score, pos_label="E")},
            "name one positive class",
        ),
        ({"pos_label": "I", "thresholds": []}, "at least one"),
        ({"pos_label": "I", "thresholds": [0.5, np.nan]}, "finite"),
        ({"pos_label": "I", "cv": "prefit"}, "set refit=False"),
        (
            {"pos_label": "I", "cv": 3, "refit": False},
            "single split and needs a cv of one, got 3",
        ),
    ],
)
def test_wrong_settings_are_errors(params, message):
    with pytest.raises(ValueError, match=message):
        ThresholdClassifier(GaussianNB(), **params).fit(X, y)


def test_labels_and_scores_that_allow_no_threshold_are_errors():
    model = ThresholdClassifier(RecordingClassifier(), pos_label="I")
    with pytest.raises(ValueError, match=r"only one class, \['I'\]"):
        model.fit(X, np.full(120, "I"))
    with pytest.raises(ValueError, match=r"Expected .* 2 classes, got 3: \[0, 1, 2\];"):
        model.fit(X, np.arange(120) % 3)
    with pytest.raises(ValueError, match="X has 120, groups has 119"):
        model.fit(X, y, groups=groups[1:])
    assert not FITS
    with pytest.raises(ValueError, match="every row the same score"):
        held_out(np.full(8, 0.5), [0, 1] * 4)


# Fits: how many, and on what


def vote(cv=4, **params):
    members = [("a", RecordingClassifier("a")), ("b", RecordingClassifier("b"))]
    return WeightedVotingClassifier(members, cv=cv, **params)


@pytest.mark.parametrize(
    "estimator, fits",
    [
        (vote(weights="learned"), 5),
        (vote(weights=[1, 2]), 5),
        (make_pipeline(FunctionTransformer(), vote(weights="learned")), 5),
        # A step that learns would have seen the rows held out: the honest price.
        (make_pipeline(StandardScaler(), vote(weights="learned")), 25),
    ],
)
def test_a_threshold_over_a_vote_costs_k_plus_one_fits_of_each_member(estimator, fits):
    ThresholdClassifier(estimator, pos_label="I", cv=4).fit(X, y)
    assert [fit["name"] for fit in FITS].count("a") == fits
    assert len(FITS) == 2 * fits


def test_the_threshold_of_a_learned_vote_is_set_on_its_own_out_of_fold_scores():
    model = ThresholdClassifier(vote(weights="learned"), pos_label="I").fit(X, y)
    pooled = model.estimator_.oof_proba_[:, 1] >= model.best_threshold_
    score = f1_score(y, np.where(pooled, "I", "E"), pos_label="I")
    assert model.best_score_ == pytest.approx(score)


def test_probabilities_that_were_frozen_in_are_of_other_rows():
    fitted = vote(weights="learned").fit(X[:60], y[:60])
    model = ThresholdClassifier(FrozenEstimator(fitted), pos_label="I", cv=3)
    model.fit(X[60:], y[60:])
    proba = fitted.predict_proba(X[60:])[:, 1]
    labels = np.where(proba >= model.best_threshold_, "I", "E")
    assert model.best_score_ == pytest.approx(f1_score(y[60:], labels, pos_label="I"))


def test_prefit_takes_the_estimator_as_it_is():
    fitted = GaussianNB().fit(X[:80], y[:80])
    model = ThresholdClassifier(fitted, pos_label="I", cv="prefit", refit=False)
    model.fit(X[80:], y[80:])
    assert model.estimator_ is fitted
    score = f1_score(y[80:], model.predict(X[80:]), pos_label="I")
    assert model.best_score_ == pytest.approx(score)
    with pytest.raises(ValueError, match="Expected y to have the classes"):
        model.fit(X[80:], np.where(y[80:] == "I", "I", "O"))


@pytest.mark.parametrize("refit, fits", [(True, 2), (False, 1)])
@pytest.mark.parametrize("by_group", [False, True])
def test_one_random_hold_out(refit, fits, by_group):
    model = ThresholdClassifier(
        RecordingClassifier(), pos_label="I", cv=0.25, refit=refit, random_state=0
    ).fit(X, y, groups=groups if by_group else None)
    assert len(FITS) == fits
    assert sorted(len(fit["y"]) for fit in FITS) == [90, 120][:fits]
    if by_group:
        assert min(len(set(fit["groups"])) for fit in FITS) == 15
    again = clone(model).fit(X, y, groups=groups if by_group else None)
    assert again.best_threshold_ == model.best_threshold_


def test_nothing_fitted_depends_on_the_outer_test_fold():
    model = ThresholdClassifier(vote(weights="learned"), pos_label="I")
    folds = PredefinedSplit(np.arange(120) % 3)
    poisoned, labels = X.copy(), y.copy()
    poisoned[::3] = -99
    labels[::3] = "E"
    one, other = (
        cross_validate(model, *data, cv=folds, return_estimator=True)["estimator"]
        for data in [(X, y), (poisoned, labels)]
    )
    assert one[0].best_threshold_ == other[0].best_threshold_
    assert np.array_equal(one[0].estimator_.weights_, other[0].estimator_.weights_)
    assert one[1].best_threshold_ != other[1].best_threshold_


# Groups and metadata


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("weights", [None, "learned"])
def test_groups_reach_nested_members_and_folds(routing, weights):
    model = ThresholdClassifier(vote(cv=5, weights=weights), pos_label="I", cv=5)
    with config_context(enable_metadata_routing=routing):
        model.fit(X, y, groups=groups)
    assert len(FITS) == 12
    assert {len(set(fit["groups"])) for fit in FITS} == {16, 20}
    assert {len(fit["y"]) for fit in FITS} == {96, 120}


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize("routing", [False, True])
def test_nested_cross_validation_by_groups(routing, in_pipeline):
    model = ThresholdClassifier(vote(weights="learned"), pos_label="I")
    name = "groups"
    if in_pipeline:
        model = make_pipeline(StandardScaler(), model)
        name = "groups" if routing else "thresholdclassifier__groups"
    splitting = {} if routing else {"groups": groups}
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            model,
            X,
            y,
            cv=GroupKFold(3),
            params={name: groups},
            error_score="raise",
            **splitting,
        )
    assert np.isfinite(scores).all()
    assert len(FITS) == 3 * 2 * 5
    for fit in FITS:
        assert len(fit["groups"]) == len(fit["y"])
        assert len(set(fit["y"])) == 2


def test_sample_weight_reaches_the_scorer_that_requests_it():
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(f1_score, pos_label="I").set_score_request(
            sample_weight=True
        )
        estimator = LogisticRegression().set_fit_request(sample_weight=False)
    model = ThresholdClassifier(estimator, scoring=scorer)
    plain = clone(model).fit(X, y)
    weighted = clone(model).fit(X, y, sample_weight=np.where(y == "I", 50.0, 1.0))
    assert weighted.best_threshold_ < plain.best_threshold_
    assert weighted.best_score_ > plain.best_score_


def test_parameters_deep_inside_can_be_tuned():
    model = ThresholdClassifier(vote(weights=[1, 1]), pos_label="I", cv=3)
    grid = {"estimator__weights__b": [0, 1], "thresholds": ["all", [0.4, 0.5, 0.6]]}
    scorer = make_scorer(f1_score, pos_label="I")
    search = GridSearchCV(model, grid, scoring=scorer, cv=2).fit(X, y)
    assert set(search.best_params_) == set(grid)


def test_an_empty_part_of_the_folds_is_an_error_before_any_fit():
    FITS.clear()
    folds = [(np.arange(60), np.arange(60, 90)), (np.arange(90), [])]
    X, y = make_classification(90, random_state=0)
    with pytest.raises(ValueError, match="the test part of fold 1 is empty"):
        ThresholdClassifier(RecordingClassifier(), cv=folds).fit(X, y)
    assert not FITS
