"""Several metrics, Optuna's callbacks, and the same trials as Optuna's own search."""

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbreath import OptunaSearchCV, top_estimators

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = np.where(X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=60) > 0, "I", "E")
SMOOTHING = {"var_smoothing": FloatDistribution(1e-9, 10, log=True)}


def search_for(estimator, space, **params):
    defaults = {"n_trials": 4, "cv": 3, "random_state": 0}
    return OptunaSearchCV(estimator, space, **{**defaults, **params})


def test_several_metrics_of_equal_rights():
    def fewest_errors(results):
        return int(results["mean_test_accuracy"].argmax())

    search = search_for(
        GaussianNB(),
        SMOOTHING,
        scoring=["accuracy", "neg_log_loss"],
        refit=fewest_errors,
        n_trials=6,
    ).fit(X, y)
    results = search.cv_results_
    assert len(search.study_.directions) == 2
    for trial, accuracy, loss in zip(
        search.study_.trials,
        results["mean_test_accuracy"],
        results["mean_test_neg_log_loss"],
        strict=True,
    ):
        assert trial.values == pytest.approx([accuracy, loss])
    assert search.best_index_ == fewest_errors(results)
    assert search.predict(X).shape == (60,)
    best = max(trial.values[0] for trial in search.study_.best_trials)
    assert best == pytest.approx(results["mean_test_accuracy"].max())
    with pytest.raises(ValueError, match="one of the search's several metrics"):
        top_estimators(search)


def test_several_metrics_without_a_refit():
    search = search_for(
        GaussianNB(), SMOOTHING, scoring=["accuracy", "neg_log_loss"], refit=False
    ).fit(X, y)
    assert not hasattr(search, "best_index_")
    assert "rank_test_accuracy" in search.cv_results_


def test_a_failed_fold_counts_for_every_metric():
    class Fails(GaussianNB):
        def fit(self, X, y):
            if self.var_smoothing == 1:
                raise RuntimeError("told to fail")
            return super().fit(X, y)

    def score(estimator, X, y):
        return {"accuracy": estimator.score(X, y), "zero": 0}

    for scoring in (["accuracy", "neg_log_loss"], score):
        search = search_for(
            Fails(),
            SMOOTHING,
            scoring=scoring,
            refit="accuracy",
            enqueue=[{"var_smoothing": 1}],
        )
        with pytest.warns(FitFailedWarning, match="1 of 4 trials failed"):
            search.fit(X, y)
        assert np.isnan(search.cv_results_["mean_test_accuracy"][0])
        assert search.best_index_ > 0


def test_callbacks_see_every_trial_and_can_stop_the_search():
    seen = []

    def stop_after_two(study, trial):
        seen.append((trial.number, trial.state.name))
        if trial.number == 1:
            study.stop()

    search = search_for(GaussianNB(), SMOOTHING, callbacks=[stop_after_two])
    search.fit(X, y)
    assert seen == [(0, "COMPLETE"), (1, "COMPLETE")]
    assert len(search.cv_results_["params"]) == 2


def test_a_grid_ends_when_it_is_through():
    grid = optuna.samplers.GridSampler({"max_depth": [1, 2, 3]}, seed=0)
    space = {"max_depth": IntDistribution(1, 3)}
    search = search_for(DecisionTreeClassifier(), space, sampler=grid, n_trials=10)
    depths = [params["max_depth"] for params in search.fit(X, y).cv_results_["params"]]
    assert sorted(depths) == [1, 2, 3]


SPACES = [
    (GaussianNB(), SMOOTHING),
    (
        make_pipeline(StandardScaler(), LogisticRegression()),
        {
            "logisticregression__C": FloatDistribution(1e-3, 1e3, log=True),
            "standardscaler__with_mean": CategoricalDistribution([True, False]),
        },
    ),
    (
        DecisionTreeClassifier(random_state=0),
        {
            "max_depth": IntDistribution(1, 8),
            "min_samples_leaf": IntDistribution(1, 16, log=True),
            "ccp_alpha": FloatDistribution(0, 0.1, step=0.01),
        },
    ),
]


@pytest.mark.parametrize("estimator, space", SPACES)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.filterwarnings("ignore:.*optuna.terminator:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*_more_tags")  # of their search
def test_the_trials_are_those_of_optunas_own_search(estimator, space, seed):
    reference = pytest.importorskip("optuna_integration")
    folds = StratifiedKFold(3, shuffle=True, random_state=5)
    settings = {"n_trials": 16, "cv": folds, "scoring": "neg_log_loss"}
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
    )
    theirs = reference.OptunaSearchCV(estimator, space, study=study, **settings)
    theirs.fit(X, y)
    ours = OptunaSearchCV(
        estimator,
        space,
        sampler=optuna.samplers.TPESampler(seed=seed),
        **settings,
    ).fit(X, y)
    assert ours.cv_results_["params"] == [trial.params for trial in study.trials]
    values = [trial.value for trial in study.trials]
    assert ours.cv_results_["mean_test_score"] == pytest.approx(values)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == pytest.approx(theirs.best_score_)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
