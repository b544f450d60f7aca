"""Searches with a real PostgreSQL, and with Dask."""

import os

import joblib
import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from postgres_server import find_postgres, running_postgres
from sklearn.naive_bayes import GaussianNB
from stored_search import (
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

from skbreath import OptunaSearchCV


@pytest.fixture(scope="module")
def postgres():
    """URL of a PostgreSQL that runs as long as the tests of this module."""
    pytest.importorskip("psycopg")
    try:
        programs = find_postgres()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with running_postgres(*programs) as url:
        yield url


def test_a_search_resumes_in_postgresql(postgres):
    first = search_in(postgres, n_trials=2).fit(X, y)
    more = search_in(postgres, n_trials=4, n_jobs=2).fit(X, y)
    assert more.cv_results_["params"][:2] == first.cv_results_["params"]
    assert len(trials_of(more)) == 4
    with pytest.raises(ValueError, match=r"of another search(?s:.*)data \(y\)"):
        search_in(postgres).fit(X, y[::-1])


def test_processes_share_a_study_in_postgresql_and_one_is_killed(postgres):
    processes = [start(postgres, 16) for _ in range(2)]
    wait_for_trials(postgres, 5)
    kill(processes.pop())
    processes.append(start(postgres, 16))
    assert [worker.wait() for worker in processes] == [0, 0]
    # Four more here: on a busy machine one worker may have done all of the others.
    search = slow_search(postgres, 20).fit(X, y)
    check_survivors(search, 20, n_kills=1)


def process_id(estimator, X, y):
    return float(os.getpid())


@pytest.fixture(scope="module")
def dask_client():
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_dask_runs_the_folds(dask_client, tmp_path):
    space = {"var_smoothing": FloatDistribution(1e-9, 10, log=True)}
    settings = {"n_trials": 4, "cv": 4, "random_state": 0}
    here = OptunaSearchCV(GaussianNB(), space, **settings).fit(X, y)
    search = OptunaSearchCV(
        GaussianNB(), space, **settings, storage=tmp_path / "trials.db"
    )
    with joblib.parallel_config(backend="dask"):
        there = search.fit(X, y)
        where = OptunaSearchCV(GaussianNB(), space, scoring=process_id, **settings)
        where.fit(X, y)
    assert there.cv_results_["params"] == here.cv_results_["params"]
    means = [search.cv_results_["mean_test_score"] for search in (here, there)]
    assert np.array_equal(*means)
    workers = {worker["pid"] for worker in dask_client.run(_identity).values()}
    used = {where.cv_results_[f"split{fold}_test_score"][n]
            for fold in range(4) for n in range(4)}  # fmt: skip
    assert used <= workers and len(used) == 2


def _identity():
    return {"pid": os.getpid()}
