import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from recording_classifier import FITS, RecordingClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression

from skbreath import OptunaSearchCV, top_estimators

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = np.where(X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=60) > 0, "I", "E")


class FixedQuality(ClassifierMixin, BaseEstimator):
    """Scores what its parameter says; `fits` tells how often one was fitted."""

    fits = 0

    def __init__(self, quality=0.5):
        self.quality = quality

    def fit(self, X, y):
        type(self).fits += 1
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return self.quality


# Far from each other at both ends: the median is clear.
QUALITIES = [0.9, 0.8, 0.7, 0.8, 0.9, 0.1, 0.85, 0.2]
SPACE = {"quality": FloatDistribution(0, 1)}


def quality_search(**params):
    defaults = {
        "n_trials": len(QUALITIES),
        "cv": 4,
        "prune_on": "fold",
        "enqueue": [{"quality": quality} for quality in QUALITIES],
        "random_state": 0,
    }
    return OptunaSearchCV(FixedQuality(), SPACE, **{**defaults, **params})


@pytest.fixture(autouse=True)
def _forget_fits():
    FITS.clear()
    FixedQuality.fits = 0


@pytest.mark.parametrize("params", [{}, {"n_jobs": 2}])
def test_bad_trials_end_after_a_fold(params):
    search = quality_search(**params).fit(X, y)
    states = ["COMPLETE"] * 5 + ["PRUNED", "COMPLETE", "PRUNED"]
    results = search.cv_results_
    assert results["trial_state"].tolist() == states
    assert [trial.state.name for trial in search.study_.trials] == states
    if not params:
        assert FixedQuality.fits == 6 * 4 + 2 * 1 + 1
    assert results["split0_test_score"][[5, 7]].tolist() == [0.1, 0.2]
    for key in ("split1_test_score", "mean_test_score", "mean_fit_time"):
        assert np.isnan(results[key][[5, 7]]).all()
        assert not np.isnan(results[key][[0, 1, 2, 3, 4, 6]]).any()
    assert results["rank_test_score"][[5, 7]].tolist() == [7, 7]
    assert search.best_score_ == 0.9 and search.best_index_ == 0
    assert len(top_estimators(search, 4)) == 4
    assert search.study_.trials[0].intermediate_values == dict.fromkeys(range(4), 0.9)
    assert search.study_.trials[5].intermediate_values == {0: 0.1}


def test_trials_are_pruned_in_a_storage(tmp_path):
    search = quality_search(storage=tmp_path / "trials.db").fit(X, y)
    states = search.cv_results_["trial_state"].tolist()
    assert states == ["COMPLETE"] * 5 + ["PRUNED", "COMPLETE", "PRUNED"]
    assert search.study_.trials[6].intermediate_values[3] == pytest.approx(0.85)


def test_pruning_saves_work_at_the_same_best_score():
    space = {"var_smoothing": FloatDistribution(1e-9, 1e3, log=True)}
    plain, pruned = (
        OptunaSearchCV(
            RecordingClassifier(),
            space,
            n_trials=30,
            cv=5,
            prune_on=prune_on,
            scoring="neg_log_loss",
            random_state=0,
        )
        for prune_on in (None, "fold")
    )
    plain.fit(X, y)
    n_plain = len(FITS)
    FITS.clear()
    pruned.fit(X, y)
    assert len(FITS) < 0.7 * n_plain
    assert pruned.best_score_ >= plain.best_score_ - 0.01


def test_a_pruner_that_compares_folds_gets_the_scores_of_folds():
    class Folds(LogisticRegression):
        def score(self, X, y):
            return len(X)

    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        pruner = optuna.pruners.WilcoxonPruner()
    search = OptunaSearchCV(
        Folds(),
        {"C": FloatDistribution(1, 2)},
        cv=[(range(40), range(40, 44)), (range(40), range(40, 60))],
        n_trials=1,
        prune_on="fold",
        pruner=pruner,
    ).fit(X, y)
    assert search.study_.trials[0].intermediate_values == {0: 4, 1: 20}
    search.set_params(pruner=None).fit(X, y)
    assert search.study_.trials[0].intermediate_values == {0: 4, 1: 12}


def test_if_all_trials_are_pruned_nothing_is_refitted():
    class Everything(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return True

    search = quality_search(pruner=Everything(), n_trials=3, enqueue=None)
    with pytest.raises(ValueError, match="Of 3 trials 3 were pruned, 0 failed"):
        search.fit(X, y)
    assert not hasattr(search, "best_params_")


def test_a_trial_that_cannot_be_saved_fails_after_its_first_fold():
    space = {"fails": CategoricalDistribution([True, False])}
    search = OptunaSearchCV(
        RecordingClassifier(),
        space,
        n_trials=2,
        cv=4,
        enqueue=[{"fails": True}, {"fails": False}],
        prune_on="fold",
    )
    with pytest.warns(FitFailedWarning, match="1 of 2 trials failed"):
        search.fit(X, y)
    assert len(FITS) == 1 + 4 + 1
    assert search.cv_results_["trial_state"].tolist() == ["FAIL", "COMPLETE"]


@pytest.mark.parametrize(
    "params, message",
    [
        ({"prune_on": None, "pruner": optuna.pruners.NopPruner()}, "prune_on='fold'"),
        ({"scoring": ["accuracy", "f1"], "refit": False}, "single metric"),
        ({"prune_on": "epoch"}, "'prune_on' parameter"),
    ],
)
def test_wrong_settings_are_errors(params, message):
    with pytest.raises(ValueError, match=message):
        quality_search(**params).fit(X, y)
