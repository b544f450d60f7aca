"""Trials of workers that are gone, or taken for gone."""

import os
import signal
import time

import optuna
import pytest
from optuna.trial import TrialState
from sklearn.exceptions import FitFailedWarning
from sklearn.naive_bayes import GaussianNB
from stored_search import SPACE, X, search_in, trials_of, y

from skbreath.search import trials, workers


def left_running(tmp_path, record, **attributes):
    """A finished search, and a trial left running by the worker of a record."""
    search = search_in(tmp_path / "trials.db", n_trials=2).fit(X, y)
    study = search.study_
    if record is not None:
        study.set_user_attr(workers.PREFIX + "other", record)
        attributes[workers.WORKER] = "other"
    trial = study.ask(SPACE)
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
    return search, trial


def record_of(**changes):
    own = {"machine": workers._machine(), "pid": os.getpid(), "ended": False}
    started = workers._start(os.getpid())
    return {**own, "started": started, "alive": time.time(), **changes}


DEAD = [
    None,
    record_of(ended=True),
    record_of(pid=2**22 + 1),
    record_of(started=-1),
    record_of(machine="elsewhere", alive=time.time() - 2 * workers.STALE_AFTER),
    record_of(machine=None, alive=time.time() - 2 * workers.STALE_AFTER),
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


@pytest.mark.parametrize("machine", ["elsewhere", workers._machine()])
def test_trials_of_the_living_are_waited_for(machine, tmp_path, monkeypatch):
    search, trial = left_running(tmp_path, record_of(machine=machine))
    study, n_waits = search.study_, []

    def finish_meanwhile(seconds):
        n_waits.append(seconds)
        assert study.trials[2].state == TrialState.RUNNING
        study.tell(trial, 0.5)

    monkeypatch.setattr(trials.time, "sleep", finish_meanwhile)
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
                workers.mark_lost(study, running[0], "taken for dead", retry=True)
            return super().fit(X, y)

    search.set_params(estimator=Usurped(), n_jobs=None).fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert "another worker has already reported trial 0" in caplog.text


def test_the_last_trial_is_started_by_one_worker_only(tmp_path, monkeypatch):
    """Another worker takes the last trial between our look and our start."""
    search = search_in(tmp_path / "trials.db", n_trials=3)
    start, meanwhile = trials.start_trial, []

    def late(study, space, worker):
        if len(study.trials) == 2 and not meanwhile:
            meanwhile.append(study.ask(SPACE))
            study.tell(meanwhile[0], 0.5)
        return start(study, space, worker)

    monkeypatch.setattr(trials, "start_trial", late)
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
