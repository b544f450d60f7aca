"""Searches with a storage, in processes that can be killed, for several tests."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from sklearn.naive_bayes import GaussianNB

from skbreath import OptunaSearchCV
from skbreath.search import storage as storages

# The trial of a killed process is repeated after seconds, not a minute.
storages.HEARTBEAT_INTERVAL, storages.GRACE_PERIOD = 1, 3
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = np.where(X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=60) > 0, "I", "E")
SPACE = {"var_smoothing": FloatDistribution(1e-9, 10, log=True)}
STORAGES = ["trials.db", "trials.journal"]


def search_in(storage, **params):
    defaults = {"n_trials": 4, "cv": 3, "random_state": 0, "study_name": "mine"}
    settings = {**defaults, "storage": storage, **params}
    return OptunaSearchCV(GaussianNB(), SPACE, **settings)


def trials_of(search):
    return search.study_.get_trials(deepcopy=False)


CHILD = """
import sys
sys.path[:0] = sys.argv[1].split(":")
from stored_search import X, delay_heartbeats_of_threads, slow_search, y
if len(sys.argv) > 4:
    delay_heartbeats_of_threads()
slow_search(sys.argv[2], int(sys.argv[3])).fit(X, y)
"""


class SlowBayes(GaussianNB):
    """Takes a while, so that a kill meets a trial that runs."""

    def fit(self, X, y):
        time.sleep(0.03)
        return super().fit(X, y)


def slow_search(storage, n_trials):
    return OptunaSearchCV(
        SlowBayes(),
        SPACE,
        n_trials=n_trials,
        storage=storage,
        study_name="killed",
        cv=2,
        prune_on="fold",
        enqueue=[{"var_smoothing": 0.5}, {"var_smoothing": 0.25}],
        random_state=0,
    )


def delay_heartbeats_of_threads():
    """Delay Optuna's own heartbeats, as a busy database does."""
    record = optuna.storages.RDBStorage.record_heartbeat

    def record_late(self, trial_id):
        if threading.current_thread() is not threading.main_thread():
            time.sleep(60)
        record(self, trial_id)

    optuna.storages.RDBStorage.record_heartbeat = record_late


def start(storage, n_trials, *options):
    here = Path(__file__).parent
    paths = f"{here}:{here.parent}"
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, paths, str(storage), str(n_trials), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for_trials(storage, at_least):
    """Wait until a study has so many trials, the last of them running."""
    while True:
        try:
            study = optuna.load_study(
                study_name="killed", storage=storages.open_storage(storage)
            )
        except KeyError:
            time.sleep(0.02)
            continue
        trials = study.get_trials(deepcopy=False)
        if len(trials) >= at_least:
            return
        time.sleep(0.02)


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def check_survivors(search, n_trials, n_kills):
    trials = trials_of(search)
    finished = [
        t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)
    ]
    assert len(finished) == n_trials
    values = [trial.params["var_smoothing"] for trial in finished]
    assert len(set(values)) == n_trials  # none is repeated
    assert {0.5, 0.25} <= set(values)
    assert len(search.cv_results_["params"]) == n_trials
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    if storages.open_storage(search.storage).__class__.__name__ == "JournalStorage":
        assert len(running) <= n_kills
        return
    assert not running
    for trial in trials:
        if trial.state == TrialState.FAIL:  # repeated, or withdrawn without parameters
            assert trial.params.get("var_smoothing", values[0]) in values
