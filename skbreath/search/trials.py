"""Run the trials of a search with Optuna, alone or together with other workers."""

import logging
import time
import warnings
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from datetime import datetime, timedelta
from numbers import Number

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from ..fitting.training_record import log_fits
from ..utils.contexts import quiet_optuna
from . import storage as storages
from .folds import evaluate_fold, failed_fold, mean_scores

__all__ = ["FOLDS", "TrialRunner", "counts"]

_LOGGER = logging.getLogger("skbreath")
FOLDS, ENQUEUED = "skbreath:folds", "skbreath:enqueued"
# Seconds between checks of the trials of other workers.
POLL_INTERVAL = 0.2


def counts(trial):
    """Return whether a trial is finished and counts.

    A failed trial without results, or with those of a trial that it repeats, was
    interrupted or withdrawn.
    """
    state = trial.state.name
    if state != "FAIL":
        return trial.state.is_finished()
    saved = trial.user_attrs.get(FOLDS, {})
    return (saved.get("number"), saved.get("state")) == (trial.number, state)


class TrialRunner:
    """Run trials until a study has enough, and keep their parameters by number.

    All complete, pruned and failed trials of the study count, and running ones if the
    storage has heartbeats. If two workers start the last trial at once, the one with
    the higher number is withdrawn.
    """

    def __init__(
        self, search, storage, X, y, splits, scorers, routed, objectives, context
    ):
        self.search = search
        self.storage = storage
        self.study = search.study_
        interval = getattr(storage, "get_heartbeat_interval", lambda: None)()
        self.has_heartbeats = interval is not None
        self.splits = splits
        self.common = {
            "estimator": search.estimator,
            "X": X,
            "y": y,
            "scorer": scorers,
            "fit_params": routed["estimator"]["fit"],
            "score_params": routed["scorer"]["score"],
            "return_train_score": search.return_train_score,
            "error_score": search.error_score,
            "verbose": search.verbose,
            "return_times": True,
            "caller": search,
        }
        self.objectives = objectives
        self.context = context
        self.parameters = {}
        self._trial = self._error = None
        self._n_logged = self._n_started = 0

    def run(self, enqueue, joined):
        """Run the trials that the study lacks.

        Parameters
        ----------
        enqueue : list of dict
            Parameters to try first.
        joined : bool
            Whether the study existed before.
        """
        import optuna
        from rich.console import Console
        from rich.progress import Progress, TimeElapsedColumn

        search = self.search
        self._deadline = np.inf
        if search.timeout is not None:
            self._deadline = time.monotonic() + search.timeout
        self._enqueue(enqueue, joined)
        self._bar = Progress(
            *Progress.get_default_columns(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("trials", total=search.n_trials)
        # Before rich 14.3 the end of a disabled bar was an empty line.
        with self._bar if search.progress_bar else nullcontext(), quiet_optuna():
            # Failed trials are reported at the end.
            level = max(optuna.logging.get_verbosity(), optuna.logging.ERROR)
            optuna.logging.set_verbosity(level)
            while not self._step():
                pass

    def _step(self):
        """Run trials, or wait for those of others; return whether the study is done."""
        self._recover()
        self._report()
        n_finished, n_running = self._count()
        if n_finished and time.monotonic() >= self._deadline:
            return True
        if self._has_enough(n_finished + n_running):
            if not self._has_enough(n_finished):  # other workers run the last ones
                time.sleep(POLL_INTERVAL)
            return self._has_enough(n_finished)
        self._goes_on = False
        try:
            self.study.optimize(self._score_trial, callbacks=[self._after])
        except KeyboardInterrupt:
            if self._trial is not None and self._frozen().state.name == "FAIL":
                storages.retry_trial(self.study, self._frozen())
            raise
        except Exception as error:
            overtaken = self._trial is not None and error is not self._error
            if not (overtaken and self._frozen().state.is_finished()):
                raise
            _LOGGER.warning(
                "another worker has already finished trial %d, assuming that this one "
                "had died",
                self._trial.number,
            )
            return False
        return not self._goes_on  # stopped by a callback, or by the sampler

    def _frozen(self):
        """Read the current trial from the study."""
        return self.study.get_trials(deepcopy=False)[self._trial.number]

    # The trials of all workers

    def _enqueue(self, enqueue, joined):
        """Enqueue parameters once for all workers."""
        study = self.study
        # The worker that creates the study may be about to enqueue them.
        for _ in range(20):
            if not enqueue or not joined or study.user_attrs.get(ENQUEUED):
                break
            time.sleep(POLL_INTERVAL / 2)
        if not study.user_attrs.get(ENQUEUED):
            for number, parameters in enumerate(enqueue):
                study.enqueue_trial(
                    parameters, user_attrs={ENQUEUED: number}, skip_if_exists=joined
                )
            study.set_user_attr(ENQUEUED, True)
        elif not self.has_heartbeats:
            # A trial that a killed worker has left running is never detected.
            states = [
                (trial.state.name == "RUNNING", trial.user_attrs.get(ENQUEUED))
                for trial in study.get_trials(deepcopy=False)
            ]
            for number, parameters in enumerate(enqueue):
                if (True, number) in states and (False, number) not in states:
                    study.enqueue_trial(parameters, user_attrs={ENQUEUED: number})

    def _recover(self):
        """Repeat the trials of workers that do not write heartbeats any more."""
        import optuna

        if not self.has_heartbeats:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.study)
        # A process that was killed before its trial had parameters has not written a
        # heartbeat, and Optuna leaves such trials running.
        oldest = datetime.now() - timedelta(seconds=storages.GRACE_PERIOD)
        for trial in self.study.get_trials(deepcopy=False):
            started = trial.state.name == "RUNNING" and trial.datetime_start < oldest
            if started and not trial.params:
                try:
                    self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                except (ValueError, RuntimeError):
                    continue  # another worker was faster
                storages.retry_trial(self.study, trial)

    def _count(self):
        """Count the finished trials, and the running ones that may be waited for."""
        trials = self.study.get_trials(deepcopy=False)
        n_running = sum(trial.state.name == "RUNNING" for trial in trials)
        return sum(map(counts, trials)), n_running if self.has_heartbeats else 0

    def _has_enough(self, number):
        return self.search.n_trials is not None and number >= self.search.n_trials

    def _is_surplus(self, trial):
        """Return whether the study has enough trials without this one."""
        others = self.study.get_trials(deepcopy=False)
        if self.has_heartbeats:
            n_others = sum(
                counts(other) or not other.state.is_finished()
                for other in others[: trial.number]
            )
        else:
            n_others = sum(map(counts, others))
        return self._has_enough(n_others)

    def _after(self, study, trial):
        """Report a trial, call the callbacks, and stop the study if it has enough."""
        self._trial = None
        if counts(trial):
            self._report()
            for callback in self.search.callbacks or ():
                callback(study, trial)
        enough = self._has_enough(sum(self._count()))
        if enough or time.monotonic() >= self._deadline:
            self._goes_on = True
            study.stop()

    def _report(self):
        """Log the fits of trials finished since the last call, of all workers."""
        trials = [t for t in self.study.get_trials(deepcopy=False) if counts(t)]
        saved = [trial.user_attrs.get(FOLDS, {"folds": ()}) for trial in trials]
        n_fits = sum(len(results["folds"]) for results in saved)
        if n_fits > self._n_logged:
            number = n_fits - self._n_logged
            log_fits(number, "%d trials of the search are finished", len(trials))
        self._n_logged = n_fits
        values = [t.values[0] for t in trials if t.state.name == "COMPLETE"]
        best = f"trials, best score {max(values, default=-np.inf):.4g}"
        self._bar.update(self._task, completed=len(trials), description=best)

    # One trial

    def _score_trial(self, trial):
        """Fit and score the folds of a trial; the objective of the study."""
        from optuna.exceptions import TrialPruned, UpdateFinishedTrialError

        self._trial = trial
        try:
            return self._score_parameters(trial)
        except (TrialPruned, UpdateFinishedTrialError):
            raise
        except Exception as error:
            self._error = error
            raise

    def _score_parameters(self, trial):
        from optuna.exceptions import TrialPruned

        failed = [np.nan] * len(self.objectives)  # Optuna marks such a trial as failed
        if self._is_surplus(trial):
            return failed
        if self.has_heartbeats:
            # Optuna's thread may write its first one after the parameters; a process
            # killed in between would leave a trial that nobody repeats.
            self.storage.record_heartbeat(trial._trial_id)
        parameters = self._suggest(trial)
        # An unknown parameter is a mistake in the space, and raised.
        clone(self.search.estimator).set_params(**clone(parameters, safe=False))
        folds, pruned = self._score_folds(trial, parameters)
        if self._is_surplus(trial):
            return failed
        means = failed if pruned else self._mean_scores(folds)
        complete = np.isfinite(means).all()
        state = "PRUNED" if pruned else "COMPLETE" if complete else "FAIL"
        saved = {"number": trial.number, "state": state}
        trial.set_user_attr(FOLDS, {**saved, "folds": [*map(_to_json, folds)]})
        self.parameters[trial.number] = parameters
        if pruned:
            raise TrialPruned
        return means if complete else failed

    def _suggest(self, trial):
        """Get the parameters of a trial."""
        space = self.search.param_distributions
        if not callable(space):
            return {name: _suggest(trial, name, space[name]) for name in space}
        parameters = space(trial)
        if not isinstance(parameters, Mapping) or not parameters:
            raise ValueError(
                "Expected param_distributions(trial) to return a dict of parameters, "
                f"got {parameters!r}."
            )
        return dict(parameters)

    def _score_folds(self, trial, parameters):
        """Get the results of the folds of a trial, and whether it was pruned."""
        jobs = self._jobs(parameters)
        if self.search.prune_on is None:
            parallel = Parallel(n_jobs=self.search.n_jobs)
            try:
                return parallel(delayed(evaluate_fold)(**job) for job in jobs), False
            except BrokenProcessPool as error:
                if self.search.error_score == "raise":
                    raise
                died = f"the worker process died: {error}"
                return [failed_fold(died, self.search.error_score)], False
        folds = []
        for job in jobs:
            folds.append(evaluate_fold(**job))
            means = self._mean_scores(folds)
            if np.isfinite(means).all():
                if self._prunes(trial, folds, means):
                    return folds, True
            elif not np.isfinite(self.search.error_score):
                break  # later folds cannot make the mean finite
        return folds, False

    def _jobs(self, parameters):
        """Make the arguments of :func:`evaluate_fold` for each fold of a trial."""
        search, n_splits = self.search, len(self.splits)
        position, self._n_started = self._n_started, self._n_started + 1
        return [
            {
                **self.common,
                "parameters": parameters,
                "train": train,
                "test": test,
                "split_progress": (fold, n_splits),
                "candidate_progress": (position, search.n_trials or 0),
                "callback_ctx": self.context.subcontext(
                    "candidate-split-evaluation", task_id=position * n_splits + fold
                ),
            }
            for fold, (train, test) in enumerate(self.splits)
        ]

    def _mean_scores(self, folds):
        return mean_scores(folds, self.objectives, self.search.error_score)

    def _prunes(self, trial, folds, means):
        """Report the last fold to the pruner; return whether the trial is pruned."""
        from optuna.pruners import WilcoxonPruner

        if isinstance(self.study.pruner, WilcoxonPruner):  # it compares fold with fold
            means = self._mean_scores(folds[-1:])
        (value,) = means
        trial.report(value, len(folds) - 1)
        return len(folds) < len(self.splits) and trial.should_prune()


def _suggest(trial, name, distribution):
    """Get a value of a distribution from a trial."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    is_int = isinstance(distribution, IntDistribution)
    suggest = trial.suggest_int if is_int else trial.suggest_float
    settings = {"step": distribution.step, "log": distribution.log}
    return suggest(name, distribution.low, distribution.high, **settings)


def _to_json(fold):
    """Convert the numbers of a fold to Python's."""

    def plain(scores):
        if isinstance(scores, dict):
            return {str(name): float(score) for name, score in scores.items()}
        return float(scores)

    return {
        key: plain(value) if isinstance(value, dict | Number) else value
        for key, value in fold.items()
    }
