import pickle

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from recording_classifier import FITS, RecordingClassifier, ScoreReader
from searches import SMOOTHING, C, X, groups, search_for, y
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import OptunaSearchCV, WeightedVotingClassifier, top_estimators


@pytest.fixture(autouse=True)
def _forget_fits():
    FITS.clear()


@parametrize_with_checks(
    [
        OptunaSearchCV(
            LogisticRegression(),
            C,
            n_trials=2,
            cv=2,
            error_score="raise",
            random_state=0,
        )
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# Results


def test_results_are_those_of_a_grid_search_over_the_same_trials():
    search = search_for(LogisticRegression(), C, return_train_score=True).fit(X, y)
    trials = search.cv_results_["params"]
    grid = GridSearchCV(
        LogisticRegression(),
        {"C": [params["C"] for params in trials]},
        cv=3,
        return_train_score=True,
    ).fit(X, y)
    own = {"trial_number", "trial_state"}
    assert set(search.cv_results_) - own == set(grid.cv_results_)
    for key, values in grid.cv_results_.items():
        if "time" not in key:
            assert np.array_equal(search.cv_results_[key], values), key
    assert search.best_params_ == grid.best_params_
    assert search.best_score_ == grid.best_score_
    assert np.array_equal(search.predict(X), grid.predict(X))
    assert search.score(X, y) == grid.score(X, y)
    assert list(search.classes_) == ["E", "I"]


def test_trials_are_told_to_the_study():
    search = search_for(LogisticRegression(), C).fit(X, y)
    trials = search.study_.trials
    assert [trial.params for trial in trials] == search.cv_results_["params"]
    values = [trial.value for trial in trials]
    assert values == pytest.approx(search.cv_results_["mean_test_score"])
    assert search.cv_results_["trial_number"].tolist() == [0, 1, 2, 3]
    assert search.study_.best_trial.params == search.best_params_
    copy = pickle.loads(pickle.dumps(search))
    assert np.array_equal(copy.predict(X), search.predict(X))


def test_the_sampler_learns_from_the_scores():
    """A score with one peak: later trials come closer to it than the first ones."""

    def score(estimator, X, y):
        return -((np.log10(estimator.C) - 1) ** 2)

    search = search_for(LogisticRegression(), C, n_trials=40, cv=2, scoring=score)
    distance = -search.fit(X, y).cv_results_["mean_test_score"]
    assert np.median(distance[-10:]) < np.median(distance[:10]) / 2


def test_delegation_follows_the_best_estimator():
    linear = search_for(LinearSVC(), C).fit(X, y)
    assert linear.decision_function(X).shape == (60,)
    assert not hasattr(linear, "predict_proba")
    bayes = search_for(GaussianNB(), SMOOTHING)
    assert hasattr(bayes, "predict_proba") and not hasattr(bayes, "decision_function")
    kept = bayes.set_params(refit=False).fit(X, y)
    assert kept.best_params_ and not hasattr(kept, "best_estimator_")
    assert not hasattr(kept, "predict")


def test_several_metrics():
    metrics = {"f1": make_scorer(f1_score, pos_label="I"), "acc": "accuracy"}
    search = search_for(GaussianNB(), SMOOTHING, scoring=metrics, refit="f1").fit(X, y)
    assert search.multimetric_
    values = [trial.value for trial in search.study_.trials]
    assert values == pytest.approx(search.cv_results_["mean_test_f1"])
    assert search.best_score_ == search.cv_results_["mean_test_f1"].max()
    assert len(top_estimators(search, 2)) == 2
    with pytest.raises(ValueError, match="refit must name the one to maximise"):
        clone(search).set_params(refit=True).fit(X, y)


def test_a_function_may_score_several_metrics():
    def score(estimator, X, y):
        accuracy = estimator.score(X, y)
        return {"accuracy": accuracy, "error": 1 - accuracy}

    search = search_for(GaussianNB(), SMOOTHING, scoring=score, refit="error").fit(X, y)
    assert search.best_score_ == search.cv_results_["mean_test_error"].max()
    with pytest.raises(ValueError, match=r"of \['accuracy', 'error'\]; got refit=True"):
        clone(search).set_params(refit=True).fit(X, y)


def test_refit_may_be_a_function_of_the_results():
    search = search_for(GaussianNB(), SMOOTHING, refit=lambda results: 2).fit(X, y)
    assert search.best_index_ == 2
    assert search.best_params_ == search.study_.trials[2].params
    assert not hasattr(search, "best_score_")


def test_regressors_and_clusterers():
    space = {"alpha": FloatDistribution(1e-3, 1e3, log=True)}
    ridge = search_for(Ridge(), space).fit(X, X[:, 0] + X[:, 1], groups=groups)
    assert ridge.best_score_ > 0.9
    means = search_for(KMeans(n_init=1), {"n_clusters": IntDistribution(2, 4)}).fit(X)
    assert means.predict(X).shape == (60,)


# Repeatability and leaks


@pytest.mark.parametrize("params", [{}, {"prune_on": "fold"}])
def test_the_same_seed_gives_the_same_trials_whatever_n_jobs(params):
    space = {**C, "fit_intercept": CategoricalDistribution([True, False])}
    params = {"n_trials": 13, **params}
    runs = [
        search_for(LogisticRegression(), space, n_jobs=n_jobs, **params).fit(X, y)
        for n_jobs in (None, 2)
    ]
    first, second = (run.cv_results_ for run in runs)
    assert first["params"] == second["params"]
    for key in ("mean_test_score", "split2_test_score", "trial_state"):
        if first[key].dtype.kind == "f":
            assert np.array_equal(first[key], second[key], equal_nan=True)
        else:
            assert np.array_equal(first[key], second[key])
    if params.get("prune_on"):
        assert {"PRUNED", "COMPLETE"} == set(first["trial_state"])
    other = search_for(LogisticRegression(), space, random_state=1).fit(X, y)
    assert other.cv_results_["params"] != first["params"][:4]


def test_fitting_again_starts_from_the_same_state():
    sampler = optuna.samplers.RandomSampler(seed=3)
    search = search_for(GaussianNB(), SMOOTHING, sampler=sampler)
    first = search.fit(X, y).cv_results_["params"]
    assert search.fit(X, y).cv_results_["params"] == first
    assert len(search.study_.trials) == 4


def test_all_trials_are_judged_on_the_same_folds():
    same = {"fit_intercept": CategoricalDistribution([True])}
    search = search_for(LogisticRegression(), same, cv=ShuffleSplit(2)).fit(X, y)
    for split in range(2):
        assert len(set(search.cv_results_[f"split{split}_test_score"])) == 1


def test_a_study_is_a_template_and_trials_never_leak_between_fits():
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1)
    )
    study.enqueue_trial({"var_smoothing": 1.0})
    search = search_for(GaussianNB(), SMOOTHING, study=study)
    scores = cross_val_score(search, X, y, cv=2, error_score="raise")
    assert len(scores) == 2
    search.fit(X, y)
    assert len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) == 0
    assert len(search.study_.trials) == 4
    assert isinstance(search.study_.sampler, optuna.samplers.RandomSampler)
    wrong = optuna.create_study(direction="minimize")
    with pytest.raises(ValueError, match="single direction 'maximize'"):
        search.set_params(study=wrong).fit(X, y)


def test_trials_are_kept_in_a_storage(tmp_path):
    storage = f"sqlite:///{tmp_path}/trials.db"
    search = search_for(
        GaussianNB(), SMOOTHING, storage=storage, study_name="mine", n_trials=2
    ).fit(X, y)
    stored = optuna.load_study(study_name="mine", storage=storage)
    assert [trial.params for trial in stored.trials] == search.cv_results_["params"]
    unnamed = clone(search).set_params(study_name=None)
    for _ in range(2):  # each outer fold finds its own study again
        cross_val_score(unnamed, X, y, cv=2, error_score="raise")
    summaries = optuna.get_all_study_summaries(storage)
    assert [summary.n_trials for summary in summaries] == [2, 2, 2]


def test_the_verbosity_of_optuna_stays_and_nothing_is_printed(capfd):
    before = optuna.logging.get_verbosity()
    search_for(GaussianNB(), SMOOTHING).fit(X, y)
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_finished_fits_are_logged(caplog):
    caplog.set_level("INFO", logger="skbreath")
    vote = WeightedVotingClassifier([("a", GaussianNB())], weights="learned", cv=2)
    space = {"a__var_smoothing": SMOOTHING["var_smoothing"]}
    search_for(vote, space, n_trials=2).fit(X, y)
    assert [record.finished_fits for record in caplog.records] == [3, 3]


def test_the_progress_bar_counts_the_trials(capfd):
    search_for(GaussianNB(), SMOOTHING, progress_bar=True).fit(X, y)
    assert "best score" in capfd.readouterr().err


# Spaces


def test_conditional_spaces():
    model = Pipeline([("scale", StandardScaler()), ("clf", GaussianNB())])

    def space(trial):
        if trial.suggest_categorical("kind", ["bayes", "linear"]) == "bayes":
            smoothing = trial.suggest_float("smoothing", 1e-9, 1, log=True)
            return {"clf": GaussianNB(var_smoothing=smoothing)}
        C = trial.suggest_float("C", 1e-3, 1e3, log=True)
        return {"clf": LogisticRegression(), "clf__C": C, "scale": "passthrough"}

    search = search_for(model, space, n_trials=8).fit(X, y)
    kinds = {type(params["clf"]) for params in search.cv_results_["params"]}
    assert kinds == {GaussianNB, LogisticRegression}
    assert search.cv_results_["param_clf__C"].mask.any()
    names = [name for name, _ in top_estimators(search, 3)]
    best = np.argsort(-search.cv_results_["mean_test_score"], kind="stable")[:3]
    assert names == [f"trial_{number}" for number in best]


def test_enqueued_parameters_come_first():
    known = [{"var_smoothing": 0.5}, {"var_smoothing": 0.25}]
    search = search_for(GaussianNB(), SMOOTHING, enqueue=known, n_trials=3).fit(X, y)
    assert search.cv_results_["params"][:2] == known
    assert len(search.study_.trials) == 3


def test_a_member_s_weight_is_tuned_by_name():
    scores = np.column_stack(
        [(y == "I") * 0.6 + 0.2, np.random.default_rng(1).uniform(size=60)]
    )
    vote = WeightedVotingClassifier(
        [("good", ScoreReader(0)), ("noise", ScoreReader(1))]
    )
    space = {"weights__noise": FloatDistribution(0, 10)}
    search = search_for(vote, space, scoring="neg_log_loss", n_trials=15)
    assert search.fit(scores, y).best_params_["weights__noise"] < 1


def test_steps_with_memory(tmp_path):
    model = Pipeline(
        [("scale", StandardScaler()), ("clf", GaussianNB())], memory=str(tmp_path)
    )
    space = {"clf__var_smoothing": SMOOTHING["var_smoothing"]}
    cached = search_for(model, space).fit(X, y)
    plain = search_for(clone(model).set_params(memory=None), space).fit(X, y)
    assert np.array_equal(cached.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize(
    "space, params, message",
    [
        ({}, {}, "param_distributions is empty"),
        ({"smoothing": FloatDistribution(0, 1)}, {}, r"got \['smoothing'\]; choose"),
        ({"var_smoothing": [0.1, 0.2]}, {}, "must be an Optuna distribution"),
        (SMOOTHING, {"n_trials": 0}, "'n_trials' parameter"),
        (SMOOTHING, {"n_trials": None}, "needs a timeout, or callbacks"),
        (SMOOTHING, {"n_trials": None, "callbacks": []}, "needs a timeout"),
        (SMOOTHING, {"enqueue": [{"name": "x"}]}, r"enqueue\[0\] names 'name'"),
        (lambda trial: None, {}, "to return a dict of parameters"),
        (lambda trial: {"smoothing": 1}, {}, "Invalid parameter 'smoothing'"),
    ],
)
def test_wrong_settings_are_errors_before_any_fit(space, params, message):
    with pytest.raises(ValueError, match=message):
        search_for(RecordingClassifier(), space, **params).fit(X, y)
    assert not FITS


def test_a_timeout_ends_the_search_after_at_least_one_trial():
    search = search_for(GaussianNB(), SMOOTHING, n_trials=None, timeout=1e-6).fit(X, y)
    assert len(search.study_.trials) == 1


def test_callbacks_may_end_a_search_without_a_number_of_trials():
    def stop(study, trial):
        if trial.number == 2:
            study.stop()

    search = search_for(GaussianNB(), SMOOTHING, n_trials=None, callbacks=[stop])
    assert len(search.fit(X, y).study_.trials) == 3


# Failures

FAILING = {"fails": CategoricalDistribution([True, False]), **SMOOTHING}


def test_failed_trials_are_marked_and_cannot_win():
    plan = [{"fails": True}, {"fails": False}, {"fails": True}]
    search = search_for(RecordingClassifier(), FAILING, n_trials=3, enqueue=plan)
    with pytest.warns(
        FitFailedWarning,
        match="2 of 3 trials failed, each with RuntimeError: told to fail",
    ):
        search.fit(X, y)
    assert search.cv_results_["trial_state"].tolist() == ["FAIL", "COMPLETE", "FAIL"]
    assert np.isnan(search.cv_results_["mean_test_score"][[0, 2]]).all()
    assert search.best_index_ == 1
    states = [trial.state.name for trial in search.study_.trials]
    assert states == ["FAIL", "COMPLETE", "FAIL"]
    with pytest.raises(ValueError, match="only 1 of the 1 complete trials"):
        top_estimators(search, 2)
    search.set_params(error_score=5.0)
    with pytest.warns(FitFailedWarning):
        search.fit(X, y)
    assert search.cv_results_["mean_test_score"][0] == 5
    assert search.best_index_ == 1


@pytest.mark.parametrize("params", [{}, {"n_jobs": 2}, {"prune_on": "fold"}])
def test_if_every_trial_fails_nothing_is_refitted(params):
    search = search_for(RecordingClassifier(fails=True), SMOOTHING, n_trials=2)
    search.set_params(**params)
    with pytest.raises(
        ValueError, match="All 2 trials failed, each with RuntimeError: told to fail"
    ) as caught:
        search.fit(X, y)
    assert "Traceback" not in str(caught.value)
    assert len(FITS) == {"n_jobs": 0, "prune_on": 2}.get(*params, 6) if params else 6
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "best_params_")


def test_if_every_score_fails_the_reason_is_said():
    def score(estimator, X, y):
        raise LookupError("no such\nscore")

    search = search_for(GaussianNB(), SMOOTHING, scoring=score, n_trials=3)
    with pytest.raises(
        ValueError, match="All 3 trials failed, each with LookupError: no such score:"
    ):
        search.fit(X, y)


def test_one_of_several_metrics_may_fail():
    def score(estimator, X, y):
        raise LookupError("no such score")

    metrics = {"acc": "accuracy", "bad": score}
    search = search_for(GaussianNB(), SMOOTHING, scoring=metrics, refit="acc")
    with pytest.warns(UserWarning, match="LookupError: no such"):
        search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_acc"]).all()
    assert np.isnan(search.cv_results_["mean_test_bad"]).all()
    assert set(search.cv_results_["trial_state"]) == {"COMPLETE"}


def test_several_reasons_are_counted_and_scores_of_nan_are_one():
    def score(estimator, X, y):
        if estimator.var_smoothing > 0.3:
            raise LookupError("too smooth")
        return np.nan

    plan = [{"var_smoothing": value} for value in (0.1, 0.4, 0.5)]
    search = search_for(GaussianNB(), SMOOTHING, scoring=score, enqueue=plan)
    search.set_params(n_trials=3)
    with pytest.raises(
        ValueError,
        match="All 3 trials failed, 2 with LookupError: too smooth, "
        "1 with a score that is not finite",
    ):
        search.fit(X, y)


def test_the_reason_is_known_to_whoever_goes_on(tmp_path):
    search = search_for(RecordingClassifier(fails=True), SMOOTHING, n_trials=2)
    search.set_params(storage=tmp_path / "trials.db", study_name="mine")
    for _ in range(2):  # the second fit finds two trials, and runs none
        with pytest.raises(
            ValueError, match="All 2 trials failed, each with RuntimeError: told to f"
        ):
            search.fit(X, y)
    assert len(FITS) == 6


def test_error_score_raise_raises_the_first_error():
    search = search_for(RecordingClassifier(fails=True), SMOOTHING, error_score="raise")
    with pytest.raises(RuntimeError, match="told to fail"):
        search.fit(X, y)
    assert len(FITS) == 1
    assert search.study_.trials[0].state.name == "FAIL"


def test_folds_may_be_any_splitter():
    search = search_for(GaussianNB(), SMOOTHING, cv=KFold(4)).fit(X, y)
    assert search.n_splits_ == 4
    assert "split3_test_score" in search.cv_results_
