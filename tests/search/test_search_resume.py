import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from stored_search import (
    STORAGES,
    X,
    check_survivors,
    kill,
    search_in,
    slow_search,
    start,
    trials_of,
    wait_for_trials,
    y,
)


@pytest.mark.parametrize("name", STORAGES)
def test_a_later_fit_goes_on_where_the_trials_end(name, tmp_path):
    first = search_in(tmp_path / name, n_trials=3).fit(X, y)
    more = search_in(tmp_path / name, n_trials=5).fit(X, y)
    assert more.cv_results_["params"][:3] == first.cv_results_["params"]
    for key in ("mean_test_score", "std_test_score", "mean_fit_time"):
        assert np.array_equal(more.cv_results_[key][:3], first.cv_results_[key])
    values = [params["var_smoothing"] for params in more.cv_results_["params"]]
    assert len(set(values)) == 5  # the seed does not bring the first trials back
    again = search_in(tmp_path / name, n_trials=5).fit(X, y)
    assert again.best_params_ == more.best_params_
    assert len(trials_of(again)) == 5


def test_paths_name_files(tmp_path):
    for storage in (str(tmp_path / "a.db"), tmp_path / "b.log"):
        search_in(storage, n_trials=1).fit(X, y)
        assert Path(storage).is_file()


# Killed processes


@pytest.mark.parametrize("name", STORAGES)
def test_a_search_that_is_killed_again_and_again_ends_with_all_its_trials(
    name, tmp_path
):
    storage = tmp_path / name
    for at_least in (1, 4, 7):
        process = start(storage, 12)
        wait_for_trials(storage, at_least)
        kill(process)
    search = slow_search(storage, 12).fit(X, y)
    check_survivors(search, 12, n_kills=3)


def test_several_workers_share_a_study_and_one_is_killed(tmp_path):
    storage = tmp_path / "trials.db"
    processes = [start(storage, 16) for _ in range(3)]
    wait_for_trials(storage, 6)
    kill(processes.pop())
    search = slow_search(storage, 16).fit(X, y)
    for worker in processes:
        assert worker.wait() == 0
    check_survivors(search, 16, n_kills=1)


def test_a_process_is_killed_before_the_first_heartbeat_of_optuna(tmp_path):
    storage = tmp_path / "trials.db"
    process = start(storage, 3, "late heartbeats")
    wait_for_trials(storage, 1)
    study = optuna.load_study(study_name="killed", storage=f"sqlite:///{storage}")
    while not study.get_trials(deepcopy=False)[0].params:
        time.sleep(0.02)
    kill(process)
    search = slow_search(storage, 3).set_params(timeout=30).fit(X, y)
    check_survivors(search, 3, n_kills=1)


# What a study is of


@pytest.mark.parametrize(
    "change, what",
    [
        ({"X": X + 1e-12}, r"data \(X\)"),
        ({"y": y[::-1]}, r"data \(y\)"),
        ({"groups": np.arange(60) // 5}, "data"),
        ({"estimator": GaussianNB(priors=[0.5, 0.5])}, "estimator"),
        ({"estimator": LogisticRegression()}, "estimator"),
        ({"cv": 4}, "folds"),
        ({"cv": ShuffleSplit(2)}, "folds"),
        ({"scoring": "neg_log_loss"}, "scoring"),
        (
            {"param_distributions": {"var_smoothing": FloatDistribution(1e-9, 1)}},
            "space",
        ),
        ({"param_distributions": lambda trial: {}}, "space"),
    ],
)
def test_a_study_of_something_else_is_refused(change, what, tmp_path):
    search = search_in(tmp_path / "trials.db", n_trials=1).fit(X, y)
    data = {"X": X, "y": y, "groups": None}
    data = {name: change.get(name, value) for name, value in data.items()}
    settings = {name: value for name, value in change.items() if name not in data}
    other = clone(search).set_params(**settings)
    if "param_distributions" not in settings and "estimator" in settings:
        is_linear = isinstance(settings["estimator"], LogisticRegression)
        smoothing = "C" if is_linear else "var_smoothing"
        other.set_params(param_distributions={smoothing: FloatDistribution(1e-9, 1)})
    with pytest.raises(ValueError, match=f"of another search(?s:.*){what}"):
        other.fit(**data)
    assert len(trials_of(search)) == 1
    unnamed = other.set_params(study_name=None)
    if not callable(unnamed.param_distributions):
        assert len(trials_of(unnamed.fit(**data))) == 1


def test_the_same_data_in_another_container_are_the_same(tmp_path):
    for data, target in [
        (X, y),
        (np.asfortranarray(X), list(y)),
        (X.tolist(), pd.Series(y, index=range(3, 63))),
    ]:
        search = search_in(tmp_path / "trials.db", n_trials=1).fit(data, target)
    assert len(trials_of(search)) == 1
    frame = pd.DataFrame(X, columns=list("abc"))
    for _ in range(2):
        framed = search_in(tmp_path / "trials.db", study_name="framed", n_trials=1)
        assert len(trials_of(framed.fit(frame.copy(), y))) == 1
    model = {"estimator": LogisticRegression()}
    space = {"param_distributions": {"C": FloatDistribution(0.1, 1)}}
    for matrix in (sparse.csr_array(X), sparse.csc_array(X)):
        thin = search_in(tmp_path / "trials.db", study_name="thin", n_trials=1)
        assert len(trials_of(thin.set_params(**model, **space).fit(matrix, y))) == 1


def test_a_study_that_is_not_ours_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    study = optuna.create_study(storage=url, study_name="mine", direction="maximize")
    study.optimize(lambda trial: trial.suggest_float("var_smoothing", 1e-9, 10), 1)
    with pytest.raises(ValueError, match="was not made by OptunaSearchCV"):
        search_in(url).fit(X, y)
    optuna.create_study(storage=url, study_name="down")
    with pytest.raises(ValueError, match="single direction 'maximize'"):
        search_in(url, study_name="down").fit(X, y)


def test_a_function_as_space_is_called_again_for_the_trials_of_others(tmp_path):
    def space(trial):
        exponent = trial.suggest_int("exponent", -9, 0)
        return {"var_smoothing": 10.0**exponent}

    def search(n_trials):
        own = search_in(tmp_path / "trials.journal", n_trials=n_trials)
        return own.set_params(param_distributions=space).fit(X, y)

    first, more = search(2), search(4)
    assert more.cv_results_["params"][:2] == first.cv_results_["params"]
    assert all(
        set(params) == {"var_smoothing"} for params in more.cv_results_["params"]
    )


# Storages in trouble


def test_choices_that_a_storage_would_change_are_refused(tmp_path):
    with pytest.warns(UserWarning, match="Choices for a categorical"):
        space = {"priors": CategoricalDistribution([None, (0.5, 0.5)])}
    search = search_in(tmp_path / "trials.db").set_params(param_distributions=space)
    with pytest.raises(ValueError, match="which a storage keeps only None, bool"):
        search.fit(X, y)
    search.set_params(storage=None, study_name=None).fit(X, y)
    with pytest.raises(ValueError, match="study_name needs a storage"):
        search.set_params(study_name="mine").fit(X, y)
