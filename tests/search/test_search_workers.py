"""Trials of workers that have died, were interrupted, or run at the same time."""

import os
import signal
import sqlite3
import time

import optuna
import pytest
from optuna.trial import TrialState
from sklearn.exceptions import FitFailedWarning
from sklearn.naive_bayes import GaussianNB
from stored_search import SPACE, X, search_in, trials_of, y


def study_in(tmp_path):
    return optuna.load_study(
        study_name="mine", storage=f"sqlite:///{tmp_path}/trials.db"
    )


def test_a_trial_left_running_before_it_had_parameters_is_repeated(tmp_path, caplog):
    search = search_in(tmp_path / "trials.db", n_trials=2).fit(X, y)
    search.study_.enqueue_trial({"var_smoothing": 0.125})
    search.study_.ask()

    with sqlite3.connect(tmp_path / "trials.db") as database:
        database.execute(
            "UPDATE trials SET datetime_start = datetime(datetime_start, '-5 minutes') "
            "WHERE state = 'RUNNING'"
        )
    search.set_params(n_trials=3).fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert search.cv_results_["trial_number"].tolist() == [0, 1, 3]
    assert search.cv_results_["params"][2] == {"var_smoothing": 0.125}
    assert "trial 2 was interrupted" in caplog.text


def test_running_trials_of_other_workers_are_waited_for(tmp_path, monkeypatch):
    search = search_in(tmp_path / "trials.db", n_trials=2).fit(X, y)
    study, n_waits = search.study_, []
    trial = study.ask(SPACE)

    def finish_meanwhile(seconds):
        n_waits.append(seconds)
        assert study.trials[2].state == TrialState.RUNNING
        study.tell(trial, 0.5)

    monkeypatch.setattr(time, "sleep", finish_meanwhile)
    search.set_params(n_trials=3).fit(X, y)
    assert len(n_waits) == 1
    assert [trial.state.name for trial in trials_of(search)] == ["COMPLETE"] * 3


@pytest.mark.parametrize("prune_on", [None, "fold"])
def test_a_worker_taken_for_dead_does_no_harm(tmp_path, caplog, prune_on):
    search = search_in(tmp_path / "trials.db", n_trials=2, prune_on=prune_on)

    class Overtaken(GaussianNB):
        def fit(self, X, y):
            study = study_in(tmp_path)
            running = study.get_trials(states=(TrialState.RUNNING,))
            if running and running[0].number == 0:
                study.tell(0, state=TrialState.FAIL)
                study.enqueue_trial(running[0].params)
            return super().fit(X, y)

    search.set_params(estimator=Overtaken(), n_jobs=None).fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
    assert "another worker has already finished trial 0" in caplog.text


def test_the_last_trial_is_started_by_one_worker_only(tmp_path, monkeypatch):
    """Another worker runs the last trial after this one has counted the trials."""
    search = search_in(tmp_path / "trials.db", n_trials=3)

    def late(study):  # called by Optuna before it starts a trial
        if len(study.trials) == 2:
            study.tell(study.ask(SPACE), 0.5)

    monkeypatch.setattr(optuna.storages, "fail_stale_trials", late)
    search.fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL"]
    assert len(search.cv_results_["params"]) == 3


@pytest.mark.parametrize("file", ["trials.db", "trials.journal"])
def test_an_interrupted_trial_is_repeated(tmp_path, file):
    class Interrupted(GaussianNB):
        interrupt = True

        def fit(self, X, y):
            if type(self).interrupt and len(type(self).seen) == 4:
                raise KeyboardInterrupt
            type(self).seen.append(self.var_smoothing)
            return super().fit(X, y)

    Interrupted.seen = []
    search = search_in(tmp_path / file).set_params(estimator=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    Interrupted.interrupt = False
    search.fit(X, y)
    assert search.cv_results_["trial_number"].tolist() == [0, 2, 3, 4]
    lost = search.study_.trials[1].params["var_smoothing"]
    assert search.cv_results_["params"][1] == {"var_smoothing": lost}


def test_enqueued_parameters_left_running_in_a_journal_are_tried_again(tmp_path):
    class Ends(GaussianNB):
        ends = True

        def fit(self, X, y):
            if self.var_smoothing == 0.5 and type(self).ends:
                raise SystemExit  # Optuna leaves the trial running
            return super().fit(X, y)

    known = [{"var_smoothing": 0.5}, {"var_smoothing": 0.25}]
    search = search_in(tmp_path / "trials.journal", enqueue=known)
    search.set_params(estimator=Ends())
    with pytest.raises(SystemExit):
        search.fit(X, y)
    Ends.ends = False
    search.fit(X, y)
    states = [trial.state.name for trial in trials_of(search)]
    assert states == ["RUNNING"] + ["COMPLETE"] * 4
    values = [params["var_smoothing"] for params in search.cv_results_["params"]]
    assert {0.5, 0.25} <= set(values)


class Deadly(GaussianNB):
    """Ends its process for some parameters."""

    def fit(self, X, y):
        if self.var_smoothing == 5:
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.slow
def test_a_trial_that_kills_its_process_fails_and_the_others_go_on(tmp_path):
    search = search_in(
        tmp_path / "trials.db",
        n_trials=3,
        n_jobs=2,
        enqueue=[{"var_smoothing": value} for value in (5, 2, 3)],
    ).set_params(estimator=Deadly())
    with pytest.warns(FitFailedWarning, match="the worker process died"):
        search.fit(X, y)
    states = search.cv_results_["trial_state"].tolist()
    assert states == ["FAIL", "COMPLETE", "COMPLETE"]
