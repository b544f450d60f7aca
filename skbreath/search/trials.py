"""Run the trials of a search with Optuna, alone or together with other workers."""

import logging
import time
import warnings
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from numbers import Number

import numpy as np
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from ..fitting.training_record import log_fits
from ..utils.contexts import quiet_optuna
from . import storage as storages
from .folds import evaluate_fold, failed_fold, mean_scores, one_line

__all__ = ["FOLDS", "TrialRunner", "counts"]

_LOGGER = logging.getLogger("skbreath")
FOLDS, ENQUEUED = "skbreath:folds", "skbreath:enqueued"
# Seconds between checks of the trials of other workers.
POLL_INTERVAL = 0.2
# Seconds between attempts. A locked file or a restarting database works again within
# them, a full disk does not.
DELAYS = (0.1, 0.5, 2, 4, 8)


class TrialEnded(Exception):
    """The trial is surplus, or its scores are not finite: Optuna marks it as failed."""


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
    """Run trials until a study has enough.

    All complete, pruned and failed trials of the study count, and running ones whose
    storage has heartbeats. If two workers start the last trial at once, the one with
    the higher number withdraws it.

    Parameters
    ----------
    search : OptunaSearchCV
        With `study_`.
    storage : optuna.storages.BaseStorage
        Of the study.
    X, y : sequences of length n_samples
    splits : list of (train, test)
    scorers : callable
        One scorer or several.
    routed : Bunch
        Metadata of the estimator and the scorer.
    objectives : list
        From :func:`find_objectives`.
    context : CallbackContext
        Of the search.

    Attributes
    ----------
    parameters : dict of int to dict
        Parameters of the trials run here, by number.
    error : Exception or None
        The first error of a trial run here.
    """

    def __init__(
        self, search, storage, X, y, splits, scorers, routed, objectives, context
    ):
        self.search = search
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
        self.error = None
        self._current = self._pending = self._raised = None
        self._n_failures = self._n_logged = self._n_started = 0

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

        search = self.search
        self._deadline = np.inf
        if search.timeout is not None:
            self._deadline = time.monotonic() + search.timeout
        self._enqueue(enqueue, joined)
        bar = _progress_bar(search.n_trials) if search.progress_bar else nullcontext()
        with bar as self._show, quiet_optuna():
            # Failed trials are reported at the end.
            level = max(optuna.logging.get_verbosity(), optuna.logging.ERROR)
            optuna.logging.set_verbosity(level)
            while not self._step():
                pass

    def _step(self):
        """Run trials, or wait for those of others; return whether the study is done."""
        try:
            self._tell_pending()
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
            self.study.optimize(
                self._score_trial, callbacks=[self._after], catch=(TrialEnded,)
            )
            return not self._goes_on  # stopped by a callback, or by the sampler
        except KeyboardInterrupt:
            if self._current is not None and self._frozen().state.name == "FAIL":
                storages.retry_trial(self.study, self._frozen())
            raise
        except Exception as error:
            if self._raised is not None:
                raise self._raised from self._raised.__cause__
            overtaken = self._pending is not None and self._frozen().state.is_finished()
            if not (self._wait_for_storage(error) or overtaken):
                raise
            return False

    def _tell_pending(self):
        """Finish the last trial if its state could not be written."""
        from optuna.trial import TrialState

        if self._pending is not None:
            number, state, values = self._pending
            frozen = self._frozen()
            if not frozen.state.is_finished():
                self.study.tell(number, values, TrialState[state])
            elif not counts(frozen):
                _LOGGER.warning(
                    "another worker has already finished trial %d, assuming that this "
                    "one had died",
                    number,
                )
        self._pending, self._current, self._n_failures = None, None, 0

    def _wait_for_storage(self, error):
        """Wait after an error of the storage; return False for other errors."""
        from optuna.exceptions import StorageInternalError

        if isinstance(error, AssertionError | UnboundLocalError):
            # Raised by a mistake in Optuna after an error of the storage.
            error = error.__context__
        if not isinstance(error, StorageInternalError | OSError):
            return False
        if self._n_failures == len(DELAYS):
            self._raised = storages.storage_failure(error)
            raise self._raised from error
        delay = DELAYS[self._n_failures]
        self._n_failures += 1
        reason = storages.storage_reason(error)
        _LOGGER.warning("storage: %s; retrying in %g s", reason, delay)
        time.sleep(delay)
        return True

    def _retry(self, call, *args):
        """Call a function that uses the storage, until the storage works again."""
        while True:
            try:
                return call(*args)
            except Exception as error:
                if not self._wait_for_storage(error):
                    raise

    def _frozen(self):
        """Read the current trial from the study."""
        return self.study.get_trials(deepcopy=False)[self._current.number]

    @contextmanager
    def _own_errors(self):
        """Mark errors in this block as not those of the storage."""
        try:
            yield
        except Exception as error:
            self._raised = error
            raise

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
        for trial in self._trials("RUNNING"):
            if not trial.params and trial.datetime_start < oldest:
                try:
                    self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                except (ValueError, RuntimeError):
                    continue  # another worker was faster
                storages.retry_trial(self.study, trial)

    def _trials(self, *states):
        trials = self.study.get_trials(deepcopy=False)
        return [trial for trial in trials if trial.state.name in states]

    def _count(self):
        """Count the finished trials, and the running ones that may be waited for."""
        trials = self.study.get_trials(deepcopy=False)
        n_running = sum(trial.state.name == "RUNNING" for trial in trials)
        return sum(map(counts, trials)), n_running if self.has_heartbeats else 0

    def _has_enough(self, number):
        return self.search.n_trials is not None and number >= self.search.n_trials

    def _withdraw_surplus(self, trial):
        """End a trial if enough others are finished, or began before it."""
        others = self.study.get_trials(deepcopy=False)
        if self.has_heartbeats:
            n_others = sum(
                counts(other) or not other.state.is_finished()
                for other in others[: trial.number]
            )
        else:
            n_others = sum(map(counts, others))
        if self._has_enough(n_others):
            raise TrialEnded

    # One trial

    def _score_trial(self, trial):
        """Fit and score the folds of a trial; the objective of the study."""
        from optuna.exceptions import TrialPruned, UpdateFinishedTrialError

        self._current, self._pending = trial, None
        self._withdraw_surplus(trial)
        parameters = self._retry(self._suggest, trial)
        with self._own_errors():
            # An unknown parameter is a mistake in the space, and raised.
            clone(self.search.estimator).set_params(**clone(parameters, safe=False))
        try:
            folds, pruned = self._score_folds(trial, parameters)
            self._withdraw_surplus(trial)
            means = [np.nan] if pruned else self._mean_scores(folds)
            finite = np.isfinite(means).all()
            state = "PRUNED" if pruned else "COMPLETE" if finite else "FAIL"
            results = [_to_json(fold) for fold in folds]
            saved = {"number": trial.number, "state": state, "folds": results}
            self._retry(trial.set_user_attr, FOLDS, saved)
        except UpdateFinishedTrialError:
            self._pending = trial.number, "FAIL", None
            raise
        self.parameters[trial.number] = parameters
        self._pending = trial.number, state, means if state == "COMPLETE" else None
        if pruned:
            raise TrialPruned
        if not finite:
            raise TrialEnded
        return means

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
            with self._own_errors():
                outcomes = self._run_parallel(jobs)
            self._keep_error(outcomes)
            return [fold for fold, _ in outcomes], False
        folds = []
        for settings in jobs:
            with self._own_errors():
                fold, error = evaluate_fold(**settings)
            folds.append(fold)
            self._keep_error([(fold, error)])
            if self._ends(trial, folds):
                break
            if self._prunes(trial, folds):
                return folds, True
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

    def _run_parallel(self, jobs):
        """Run the folds of a trial, once more if a process of `n_jobs` dies."""
        parallel = Parallel(n_jobs=self.search.n_jobs)
        try:
            return parallel(delayed(evaluate_fold)(**settings) for settings in jobs)
        except BrokenProcessPool as error:
            _LOGGER.warning(
                "a worker process died; its trial is run again: %s", one_line(error)
            )
        try:
            return parallel(delayed(evaluate_fold)(**settings) for settings in jobs)
        except BrokenProcessPool as error:
            if self.search.error_score == "raise":
                raise
            died = f"the worker process died: {one_line(error)}"
            return [(failed_fold(died, died, self.search.error_score), None)]

    def _keep_error(self, outcomes):
        """Keep the first error of a fold."""
        errors = [error for _, error in outcomes if error is not None]
        self.error = next(iter(errors), None) if self.error is None else self.error

    def _mean_scores(self, folds):
        with self._own_errors():
            return mean_scores(folds, self.objectives, self.search.error_score)

    def _ends(self, trial, folds):
        """Return whether later folds cannot make the mean of a trial finite."""
        error_score = self.search.error_score
        if np.isfinite(self._mean_scores(folds)).all():
            return False
        return error_score == "raise" or not np.isfinite(error_score)

    def _prunes(self, trial, folds):
        """Report the last fold to the pruner; return whether the trial is pruned."""
        if not np.isfinite(self._mean_scores(folds)).all():
            return False
        compared = folds[-1:] if _compares_folds(self.study.pruner) else folds
        (value,) = self._mean_scores(compared)
        self._retry(trial.report, value, len(folds) - 1)
        return len(folds) < len(self.splits) and self._retry(trial.should_prune)

    def _after(self, study, trial):
        """Report a trial, call the callbacks, and stop the study if it has enough."""
        self._pending, self._current, self._n_failures = None, None, 0
        if counts(trial):
            self._report()
            with self._own_errors():
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
        if self._show is not None:
            values = [t.values[0] for t in trials if t.state.name == "COMPLETE"]
            self._show(len(trials), max(values, default=-np.inf))


def _suggest(trial, name, distribution):
    """Get a value of a distribution from a trial."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    is_int = isinstance(distribution, IntDistribution)
    suggest = trial.suggest_int if is_int else trial.suggest_float
    settings = {"step": distribution.step, "log": distribution.log}
    return suggest(name, distribution.low, distribution.high, **settings)


def _compares_folds(pruner):
    """Return whether a pruner compares trials fold by fold, not by their means."""
    from optuna.pruners import WilcoxonPruner

    return isinstance(pruner, WilcoxonPruner)


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


@contextmanager
def _progress_bar(n_trials):
    """Yield a function that takes the number of trials and the best score."""
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("trials", total=n_trials)

        def show(number, best):
            text = f"trials, best score {best:.4g}"
            bar.update(task, completed=number, description=text)

        yield show
