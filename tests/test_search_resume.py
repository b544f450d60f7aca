import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.naive_bayes import GaussianNB

from skbreath import OptunaSearchCV, _study_storage, _trial_loop, _workers

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

CHILD = """
import sys
sys.path[:0] = sys.argv[1].split(":")
from test_search_resume import X, slow_search, y
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


def start(storage, n_trials):
    here = Path(__file__).parent
    paths = f"{here}:{here.parent}"
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, paths, str(storage), str(n_trials)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for_trials(storage, at_least):
    """Wait until a study has so many trials, the last of them running."""
    while True:
        try:
            study = optuna.load_study(
                study_name="killed", storage=_study_storage.open_storage(storage)
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
    lost = [trial for trial in trials if _workers.LOST in trial.user_attrs]
    assert len(finished) == n_trials
    assert len(finished) + len(lost) == len(trials)
    reasons = [trial.user_attrs[_workers.LOST] for trial in lost]
    assert sum(reason.startswith("worker") for reason in reasons) <= n_kills
    values = [trial.params["var_smoothing"] for trial in finished]
    assert len(set(values)) == n_trials  # none is repeated
    for trial, reason in zip(lost, reasons, strict=True):  # and none is forgotten
        if reason != "one more than n_trials":
            assert trial.params.get("var_smoothing", values[0]) in values
    assert {0.5, 0.25} <= set(values)
    assert len(search.cv_results_["params"]) == n_trials


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
    workers = [start(storage, 16) for _ in range(3)]
    wait_for_trials(storage, 6)
    kill(workers.pop())
    search = slow_search(storage, 16).fit(X, y)
    for worker in workers:
        assert worker.wait() == 0
    check_survivors(search, 16, n_kills=1)
    owners = {trial.user_attrs[_workers.WORKER] for trial in trials_of(search)}
    assert len(owners) > 1


# Trials left running


def left_running(tmp_path, record, **attributes):
    """A finished search, and a trial left running by the worker of a record."""
    search = search_in(tmp_path / "trials.db", n_trials=2).fit(X, y)
    study = search.study_
    if record is not None:
        study.set_user_attr(_workers.PREFIX + "other", record)
        attributes[_workers.WORKER] = "other"
    trial = study.ask(SPACE)
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
    return search, trial


def record_of(**changes):
    own = {"machine": _workers._machine(), "pid": os.getpid(), "ended": False}
    started = _workers._start(os.getpid())
    return {**own, "started": started, "alive": time.time(), **changes}


DEAD = [
    None,
    record_of(ended=True),
    record_of(pid=2**22 + 1),
    record_of(started=-1),
    record_of(machine="elsewhere", alive=time.time() - 2 * _workers.SILENCE),
    record_of(machine=None, alive=time.time() - 2 * _workers.SILENCE),
]


@pytest.mark.parametrize("record", DEAD)
def test_trials_of_dead_workers_are_lost_and_tried_again(record, tmp_path, caplog):
    search, trial = left_running(tmp_path, record)
    value = trial.params["var_smoothing"]
    search.set_params(n_trials=3).fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert search.cv_results_["trial_number"].tolist() == [0, 1, 3]
    assert search.cv_results_["params"][2] == {"var_smoothing": value}
    assert "trial 2 is lost: worker" in caplog.text


def test_a_trial_whose_folds_are_all_there_is_told(tmp_path):
    search = search_in(tmp_path / "trials.db", n_trials=2).fit(X, y)
    folds = search.study_.trials[0].user_attrs["skbreath:folds"]
    attributes = {"skbreath:folds": folds}
    search, trial = left_running(tmp_path, record_of(ended=True), **attributes)
    search.set_params(n_trials=3).fit(X, y)
    assert search.study_.trials[2].state.name == "COMPLETE"
    means = search.cv_results_["mean_test_score"]
    assert means[2] == means[0] and len(means) == 3


@pytest.mark.parametrize("machine", ["elsewhere", _workers._machine()])
def test_trials_of_the_living_are_waited_for(machine, tmp_path, monkeypatch):
    search, trial = left_running(tmp_path, record_of(machine=machine))
    study, n_waits = search.study_, []

    def finish_meanwhile(seconds):
        n_waits.append(seconds)
        assert study.trials[2].state == TrialState.RUNNING
        study.tell(trial, 0.5)

    monkeypatch.setattr(_trial_loop.time, "sleep", finish_meanwhile)
    search.set_params(n_trials=3).fit(X, y)
    assert len(n_waits) == 1
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 3


def test_a_worker_taken_for_dead_does_no_harm(tmp_path, caplog):
    search = search_in(tmp_path / "trials.db", n_trials=2)

    class Usurped(GaussianNB):
        def fit(self, X, y):
            study = optuna.load_study(
                study_name="mine", storage=f"sqlite:///{tmp_path}/trials.db"
            )
            running = study.get_trials(states=(TrialState.RUNNING,))
            if running and running[0].number == 0:
                _workers.lose(study, running[0], "taken for dead", again=True)
            return super().fit(X, y)

    search.set_params(estimator=Usurped(), n_jobs=None).fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert "told by another worker" in caplog.text


def test_the_last_trial_is_started_by_one_worker_only(tmp_path, monkeypatch):
    """Another worker takes the last trial between our look and our start."""
    search = search_in(tmp_path / "trials.db", n_trials=3)
    ask, meanwhile = _trial_loop.ask, []

    def late(study, space, worker):
        if len(study.trials) == 2 and not meanwhile:
            meanwhile.append(study.ask(SPACE))
            study.tell(meanwhile[0], 0.5)
        return ask(study, space, worker)

    monkeypatch.setattr(_trial_loop, "ask", late)
    search.fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL"]
    assert len(search.cv_results_["params"]) == 3


def test_an_interrupted_trial_is_tried_again(tmp_path):
    class Interrupted(GaussianNB):
        interrupt = True

        def fit(self, X, y):
            if type(self).interrupt and len(type(self).seen) == 4:
                raise KeyboardInterrupt
            type(self).seen.append(self.var_smoothing)
            return super().fit(X, y)

    Interrupted.seen = []
    search = search_in(tmp_path / "trials.db").set_params(estimator=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    Interrupted.interrupt = False
    search.fit(X, y)
    assert search.cv_results_["trial_number"].tolist() == [0, 2, 3, 4]
    lost = search.study_.trials[1].params["var_smoothing"]
    assert search.cv_results_["params"][1] == {"var_smoothing": lost}


# What a study is of


@pytest.mark.parametrize(
    "change, what",
    [
        ({"X": X + 1e-12}, r"data \(X\)"),
        ({"y": y[::-1]}, r"data \(y\)"),
        ({"groups": np.arange(60) // 5}, "data"),
        ({"estimator": GaussianNB(priors=[0.5, 0.5])}, r"estimator \(priors\)"),
        ({"estimator": LogisticRegression()}, "estimator"),
        ({"cv": 4}, r"folds \(splits\)"),
        ({"cv": ShuffleSplit(2)}, "folds"),
        ({"scoring": "neg_log_loss"}, r"scoring \(metrics\)"),
        (
            {"param_distributions": {"var_smoothing": FloatDistribution(1e-9, 1)}},
            r"space \(var_smoothing\)",
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
        smoothing = "C" if what == "estimator" else "var_smoothing"
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


def test_a_storage_that_cannot_be_opened(tmp_path):
    for storage in (
        tmp_path / "missing" / "trials.db",
        tmp_path / "missing" / "trials.journal",
        "postgresql+psycopg://me:secret@127.0.0.1:1/none",
    ):
        if "psycopg" in str(storage):
            pytest.importorskip("psycopg")
        with pytest.raises(OSError, match="cannot open the storage") as caught:
            search_in(storage).fit(X, y)
        assert "secret" not in str(caught.value)
    with pytest.raises(ImportError, match="skbreath\\[distributed\\]"):
        search_in("mysql+pymysql://127.0.0.1/none").fit(X, y)


def test_a_torn_line_of_a_journal_is_cut(tmp_path):
    search = search_in(tmp_path / "trials.journal", n_trials=2).fit(X, y)
    with open(tmp_path / "trials.journal", "ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    for n_trials in (3, 4):
        search.set_params(n_trials=n_trials).fit(X, y)
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 4


def test_a_database_that_is_really_locked_is_waited_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(_study_storage, "LOCK_TIMEOUT", 0.01)
    search = search_in(tmp_path / "trials.db", n_trials=2).fit(X, y)
    other = sqlite3.connect(tmp_path / "trials.db", isolation_level=None)

    class Locks(GaussianNB):
        def fit(self, X, y):
            other.execute("BEGIN EXCLUSIVE")
            return super().fit(X, y)

    monkeypatch.setattr(
        _study_storage.time, "sleep", lambda seconds: other.execute("COMMIT")
    )
    search.set_params(estimator=Locks(), study_name="locked", cv=2, n_trials=2)
    search.set_params(cv=[(range(40), range(40, 60))], refit=False).fit(X, y)
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 2
    assert "database is locked; again in" in caplog.text
    other.close()


def test_a_storage_of_a_newer_optuna_is_refused(tmp_path):
    search = search_in(tmp_path / "trials.db", n_trials=1).fit(X, y)
    with sqlite3.connect(tmp_path / "trials.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    with pytest.raises(OSError, match="updating optuna to the latest version"):
        search.set_params(n_trials=2).fit(X, y)


def test_trouble_that_passes_is_logged_and_waited_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(_study_storage, "DELAYS", (0, 0, 0))
    search = search_in(tmp_path / "trials.db")
    database, left = optuna.storages.RDBStorage, [3]
    write = database.set_trial_state_values

    def locked(self, *args, **kwargs):
        left[0] -= 1
        if left[0] >= 0:
            raise optuna.exceptions.StorageInternalError("database is locked")
        return write(self, *args, **kwargs)

    monkeypatch.setattr(database, "set_trial_state_values", locked)
    search.fit(X, y)
    assert caplog.text.count("database is locked") == 3
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 4


def test_trouble_that_stays_is_an_error_and_no_finished_trial_is_lost(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(_study_storage, "DELAYS", (0,))
    caplog.set_level(logging.ERROR)
    search = search_in(tmp_path / "trials.db")
    database, n_written = optuna.storages.RDBStorage, []
    write = database.set_trial_state_values

    def full(self, *args, **kwargs):
        if len(n_written) == 2:
            raise optuna.exceptions.StorageInternalError("disk I/O error")
        n_written.append(write(self, *args, **kwargs))
        return n_written[-1]

    monkeypatch.setattr(database, "set_trial_state_values", full)
    with pytest.raises(OSError, match="disk I/O error. Finished trials are kept"):
        search.fit(X, y)
    monkeypatch.setattr(database, "set_trial_state_values", write)
    search.fit(X, y)
    # The folds of the third were written down before its telling failed.
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 4


class Deadly(GaussianNB):
    """Takes its process along for some parameters."""

    def fit(self, X, y):
        if self.var_smoothing == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.slow
def test_a_trial_that_kills_its_process_fails_and_the_others_go_on(tmp_path, caplog):
    search = search_in(
        tmp_path / "trials.db",
        n_trials=3,
        n_jobs=2,
        batch_size=2,
        enqueue=[{"var_smoothing": value} for value in (5, 2, 3)],
    ).set_params(estimator=Deadly())
    with pytest.warns(FitFailedWarning, match="the worker process died"):
        search.fit(X, y)
    states = search.cv_results_["trial_state"].tolist()
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert "a worker process died" in caplog.text
