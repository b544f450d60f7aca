"""Searches with groups, inside other estimators, and around them."""

import numpy as np
import pytest
from optuna.distributions import (
    IntDistribution,
)
from recording_classifier import FITS, RecordingClassifier
from searches import SMOOTHING, C, X, groups, search_for, y
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GroupKFold,
    PredefinedSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import ThresholdClassifier, WeightedVotingClassifier


@pytest.fixture(autouse=True)
def _forget_fits():
    FITS.clear()


@pytest.mark.parametrize("routing", [False, True])
def test_groups_reach_folds_and_nested_estimators(routing):
    model = make_pipeline(
        StandardScaler(), WeightedVotingClassifier([("a", RecordingClassifier())])
    )
    space = {"weightedvotingclassifier__a__var_smoothing": SMOOTHING["var_smoothing"]}
    search = search_for(model, space, n_trials=2, cv=4)
    with config_context(enable_metadata_routing=routing):
        search.fit(X, y, groups=groups)
    assert [len(fit["y"]) for fit in FITS] == [45] * 8 + [60]
    assert [len(set(fit["groups"])) for fit in FITS] == [9] * 8 + [12]


@pytest.mark.parametrize("routing", [False, True])
def test_nested_cross_validation_by_groups(routing):
    search = search_for(RecordingClassifier(), SMOOTHING, n_trials=2, cv=2)
    splitting = {} if routing else {"groups": groups}
    with config_context(enable_metadata_routing=routing):
        cross_val_score(
            search,
            X,
            y,
            cv=GroupKFold(3),
            params={"groups": groups},
            error_score="raise",
            **splitting,
        )
    assert [len(set(fit["groups"])) for fit in FITS] == [4, 4, 4, 4, 8] * 3


def test_nothing_fitted_depends_on_the_outer_test_fold():
    search = search_for(LogisticRegression(), C)
    folds = PredefinedSplit(np.arange(60) % 3)
    poisoned, labels = X.copy(), y.copy()
    poisoned[::3], labels[::3] = 50, "E"
    one, other = (
        cross_validate(search, *data, cv=folds, return_estimator=True)["estimator"]
        for data in [(X, y), (poisoned, labels)]
    )
    for key, values in one[0].cv_results_.items():
        if "time" not in key:
            assert np.array_equal(other[0].cv_results_[key], values), key
    assert one[1].best_score_ != other[1].best_score_


def test_searches_are_members_of_votes_and_under_thresholds():
    search = search_for(GaussianNB(), SMOOTHING, n_trials=2)
    for vote in (
        VotingClassifier([("a", search)], voting="soft"),
        WeightedVotingClassifier(
            [("a", search), ("b", GaussianNB())], weights="learned"
        ),
    ):
        assert vote.fit(X, y).score(X, y) > 0.7
    model = ThresholdClassifier(search, pos_label="I").fit(X, y)
    assert model.score(X, y) > 0.7


def test_a_threshold_over_a_vote_can_be_searched():
    vote = WeightedVotingClassifier(
        [("a", RecordingClassifier()), ("b", GaussianNB())], weights="learned", cv=3
    )
    model = ThresholdClassifier(vote, pos_label="I")
    space = {"estimator__a__var_smoothing": SMOOTHING["var_smoothing"]}
    scorer = make_scorer(f1_score, pos_label="I")
    search = search_for(model, space, scoring=scorer, n_trials=2).fit(
        X, y, groups=groups
    )
    assert len(FITS) == (2 * 3 + 1) * 4
    assert all(len(fit["groups"]) == len(fit["y"]) for fit in FITS)
    assert 0 < search.best_estimator_.best_threshold_ < 1


def test_estimators_that_know_no_routing_work_with_and_without_groups():
    boosting = AdaBoostClassifier(n_estimators=3, random_state=0)
    space = {"estimator__a__n_estimators": IntDistribution(1, 3)}
    vote = WeightedVotingClassifier([("a", boosting), ("b", GaussianNB())])
    for weights in (None, "learned"):
        vote.set_params(weights=weights)
        model = ThresholdClassifier(vote, pos_label="I", cv=3)
        search = search_for(model, space, n_trials=2, scoring="accuracy")
        search.fit(X, y).fit(X, y, groups=groups)
    calibrated = CalibratedClassifierCV(boosting)
    WeightedVotingClassifier([("a", calibrated)]).fit(X, y)


def test_callbacks_of_scikit_learn_are_called():
    pytest.importorskip("sklearn", minversion="1.9")

    class Recorder:
        def __init__(self):
            self.tasks = []

        def setup(self, estimator, context):
            self.tasks.append("setup")

        def teardown(self, estimator, context):
            self.tasks.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            self.tasks.append(context.task_name)

        def on_fit_task_end(self, estimator, context):
            pass

    recorder = Recorder()
    search = search_for(GaussianNB(), SMOOTHING, n_trials=2).set_callbacks(recorder)
    search.fit(X, y)
    folds = ["candidate-split-evaluation"] * 6
    expected = ["setup", "fit", "search", *folds, "refit-with-best-params", "teardown"]
    assert recorder.tasks == expected
