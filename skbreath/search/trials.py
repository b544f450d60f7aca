"""Run the trials of a search: propose, fit and score them in batches."""

import logging
import time
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from numbers import Number

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from ..fitting.training_record import inside_fit, log_fits
from .folds import TrialOutcome, failed_fold, mean_scores, score_folds
from .results import FOLDS
from .workers import (
    LOST,
    WORKER,
    mark_lost,
    other_workers,
    read_trial,
    recover_trials,
    registered_worker,
)

__all__ = ["run_trials"]

_LOGGER = logging.getLogger("skbreath")
ENQUEUED = "skbreath:enqueued"
# Seconds between checks of the trials of other workers.
POLL_INTERVAL = 0.2


def run_trials(search, scorer, enqueue, joined):
    """Run the trials that the study lacks.

    Parameters
    ----------
    search : OptunaSearchCV
        With `study_`.
    scorer : FoldScorer
    enqueue : list of dict
        Parameters to try first.
    joined : bool
        Whether the study existed before.

    Returns
    -------
    loop : TrialLoop
        With the parameters of the trials run here.
    """
    study = search.study_
    with registered_worker(study, shared=search.storage is not None) as worker:
        # Enqueued once for all workers: by the one that creates the study, or by a
        # later one if that one has died before.
        alone = not joined or not other_workers(study, worker)
        if alone and not study.user_attrs.get(ENQUEUED):
            for parameters in enqueue:
                study.enqueue_trial(parameters, skip_if_exists=joined)
            study.set_user_attr(ENQUEUED, True)
        loop = TrialLoop(study, worker, search, scorer)
        loop.run()
    return loop


class TrialLoop:
    """Run trials until a study has enough, alone or together with other workers.

    All complete, pruned, failed and running trials of the study count; lost ones do
    not. If two workers start the last trial at once, the one with the higher number
    withdraws it.

    Parameters
    ----------
    study : optuna.study.Study
    worker : str
        Name of this process in the study.
    search : OptunaSearchCV
        Settings.
    scorer : FoldScorer

    Attributes
    ----------
    parameters : dict of int to dict
        Parameters of the trials run here, by number.
    error : Exception or None
        The first error of a trial run here.
    """

    def __init__(self, study, worker, search, scorer):
        self.study = study
        self.worker = worker
        self.search = search
        self.scorer = scorer
        self.parameters = {}
        self.error = None

    def run(self):
        """Run the trials."""
        deadline = np.inf
        if self.search.timeout is not None:
            deadline = time.monotonic() + self.search.timeout
        show = _progress_bar if self.search.progress_bar else _no_progress_bar
        # `study.stop`, which callbacks and some samplers call, needs these two.
        self.study._thread_local.in_optimize_loop = True
        self.study._stop_flag = False
        try:
            with show(self.search.n_trials) as report:
                self._recover()
                while not self.study._stop_flag:
                    n_taken, in_time = self._count(), time.monotonic() < deadline
                    if n_taken and not in_time:
                        break
                    room = np.inf
                    if self.search.n_trials is not None:
                        room = self.search.n_trials - n_taken
                    if room > 0:
                        size = int(min(self.search.batch_size, room))
                        self._run_batch(size, report)
                    elif self._recover():
                        time.sleep(POLL_INTERVAL)
                    elif self._count() >= self.search.n_trials:
                        break
        finally:
            self.study._thread_local.in_optimize_loop = False

    def finish_saved(self, trial):
        """Finish a trial of a dead worker if its folds have been saved.

        Parameters
        ----------
        trial : FrozenTrial

        Returns
        -------
        finished : bool
        """
        saved = trial.user_attrs.get(FOLDS)
        if saved is None:
            return False
        folds = [dict(fold) for fold in saved["folds"]]
        self._finish(trial, TrialOutcome(folds, saved["pruned"]))
        return True

    def _recover(self):
        return recover_trials(self.study, self.worker, self.finish_saved)

    def _count(self):
        """Count the finished and running trials."""
        return len(self._taken(self.study.get_trials(deepcopy=False)))

    @staticmethod
    def _taken(trials, waiting=False):
        from optuna.trial import TrialState

        return [
            trial.number
            for trial in trials
            if LOST not in trial.user_attrs
            and (waiting or trial.state != TrialState.WAITING)
        ]

    def _is_surplus(self, trial):
        if self.search.n_trials is None:
            return False
        trials = self.study.get_trials(deepcopy=False)
        before = [n for n in self._taken(trials, waiting=True) if n < trial.number]
        return len(before) >= self.search.n_trials

    def _run_batch(self, size, report):
        batch = []
        try:
            for _ in range(size):
                trial, parameters = start_trial(
                    self.study, self.search.param_distributions, self.worker
                )
                batch.append((trial, parameters))
                if self._is_surplus(trial):
                    batch.pop()
                    mark_lost(self.study, trial, "one more than n_trials", retry=False)
                    break
            outcomes = {}
            running = run_batch(
                self.scorer,
                batch,
                n_jobs=self.search.n_jobs,
                first=len(self.parameters),
            )
            with inside_fit():
                for index, outcome in running:
                    outcomes[index] = outcome
                    self._save(batch[index][0], outcome)
            # Finished together and in order, so that the trials that the sampler and
            # the pruner use do not depend on which process was faster.
            for index, (trial, parameters) in enumerate(batch):
                self.parameters[trial.number] = parameters
                self.error = self.error or outcomes[index].error
                self._finish(trial, outcomes[index], report)
        except BaseException as error:
            # Trials left running would look as if another process worked on them.
            retry = not isinstance(error, Exception)
            for trial, _ in batch:
                if trial.number not in self.parameters:
                    with suppress(Exception):
                        reason = f"{type(error).__name__}: {error}"
                        mark_lost(self.study, trial, reason, retry=retry)
            raise

    def _save(self, trial, outcome):
        """Write the folds to the study, where they survive this process."""
        known = read_trial(self.study, trial).intermediate_values
        folds = [_to_json(fold) for fold in outcome.folds]
        saved = {"folds": folds, "pruned": outcome.pruned}
        with self._unless_finished(trial):
            for step, value in outcome.reports.items():
                if step not in known:
                    trial.report(value, step)
            trial.set_user_attr(FOLDS, saved)

    @contextmanager
    def _unless_finished(self, trial):
        """Ignore the errors of writing to a trial that another worker has finished."""
        try:
            yield
        except (ValueError, RuntimeError):
            if not read_trial(self.study, trial).state.is_finished():
                raise
            _LOGGER.warning(
                "another worker has already reported trial %d, assuming that this one "
                "had died",
                trial.number,
            )

    def _finish(self, trial, outcome, report=None):
        from optuna.trial import TrialState

        means = [np.nan]
        if outcome.pruned:
            state = TrialState.PRUNED
        else:
            means = mean_scores(
                outcome.folds, self.scorer.objectives, self.search.error_score
            )
            state = TrialState.COMPLETE if np.isfinite(means).all() else TrialState.FAIL
        values = means if state == TrialState.COMPLETE else None
        finished = None
        with self._unless_finished(trial):
            finished = self.study.tell(trial.number, values, state)
        if finished is not None and report is not None:
            log_fits(len(outcome.folds), "trial %d: %.4g", trial.number, means[0])
            report(means[0])
            for callback in self.search.callbacks or ():
                callback(self.study, finished)


def start_trial(study, space, worker):
    """Start a trial and get its parameters.

    Parameters
    ----------
    study : optuna.study.Study
    space : dict of str to optuna distribution, or callable
        A callable gets the trial and returns the parameters.
    worker : str
        Name of this process in the study, written to the trial.

    Returns
    -------
    trial : optuna.trial.Trial
        Running.
    parameters : dict
        By name.

    Raises
    ------
    ValueError
        If a callable returns no parameters.
    """
    trial = study.ask()
    try:
        trial.set_user_attr(WORKER, worker)
        if not callable(space):
            # As `study.ask(space)` does, but after the worker is written.
            parameters = {name: trial._suggest(name, space[name]) for name in space}
            return trial, parameters
        parameters = space(trial)
        if not isinstance(parameters, Mapping) or not parameters:
            raise ValueError(
                "param_distributions(trial) must return a dict of parameters, got "
                f"{parameters!r}."
            )
    except BaseException as error:
        with suppress(Exception):
            reason = f"{type(error).__name__}: {error}"
            mark_lost(study, trial, reason, retry=False)
        raise
    return trial, dict(parameters)


def run_batch(scorer, batch, *, n_jobs, first):
    """Fit and score the trials of a batch.

    Without pruning, a batch of one trial runs its folds in parallel. Otherwise a job is
    a whole trial: pruning needs the folds in series, or there are enough trials to keep
    all processes busy.

    Parameters
    ----------
    scorer : FoldScorer
    batch : list of (trial, parameters)
    n_jobs : int or None
        As in joblib.
    first : int
        Position of the first trial of the batch in this search.

    Yields
    ------
    index : int
        Position of a trial in the batch; trials finish in any order.
    outcome : TrialOutcome

    Raises
    ------
    BrokenProcessPool
        With ``error_score="raise"``, if a trial ends its process twice.
    """
    left = dict(enumerate(batch))
    try:
        for index, outcome in _run_jobs(scorer, left, n_jobs, first):
            yield index, outcome
            del left[index]
        return
    except BrokenProcessPool as error:
        _LOGGER.warning(
            "a worker process died; %d trials are run again, one by one: %s",
            len(left),
            " ".join(str(error).split()),
        )
    # One by one, in new processes, to find the trial that ends its process.
    for index, item in left.items():
        try:
            ((_, outcome),) = _run_jobs(scorer, {index: item}, n_jobs, first, True)
        except BrokenProcessPool as error:
            if scorer.search.error_score == "raise":
                raise
            died = f"the worker process died: {error}"
            fold = failed_fold(died, died, scorer.search.error_score, np.nan)
            outcome = TrialOutcome(folds=[fold])
        yield index, outcome


def _run_jobs(scorer, batch, n_jobs, first, apart=False):
    n_splits = len(scorer.splits)
    alone = len(batch) == 1 and scorer.search.prune_on is None
    parts = [[fold] for fold in range(n_splits)] if alone else [range(n_splits)]
    waiting = {index: dict.fromkeys(range(len(parts))) for index in batch}
    jobs = [
        delayed(_score_part)(
            index, part, scorer.arguments(trial, parameters, folds, first + index)
        )
        for index, (trial, parameters) in batch.items()
        for part, folds in enumerate(parts)
    ]
    if len(jobs) == 1 and n_jobs is not None and not apart:
        n_jobs = 1  # avoids starting other processes
    run = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    for index, part, outcome in run(jobs):
        waiting[index][part] = outcome
        if None in waiting[index].values():
            continue  # other folds of the trial are still running
        outcomes = list(waiting.pop(index).values())
        folds = [fold for outcome in outcomes for fold in outcome.folds]
        error = next((outcome.error for outcome in outcomes if outcome.error), None)
        first_part = outcomes[0]
        yield index, TrialOutcome(folds, first_part.pruned, first_part.reports, error)


def _score_part(index, part, arguments):
    return index, part, score_folds(*arguments)


def _to_json(fold):
    def plain(scores):
        if isinstance(scores, dict):
            return {str(name): float(score) for name, score in scores.items()}
        return float(scores)

    return {
        key: plain(value) if isinstance(value, dict | Number) else value
        for key, value in fold.items()
    }


@contextmanager
def _no_progress_bar(n_trials):
    yield lambda value: None


@contextmanager
def _progress_bar(n_trials):
    """Yield a function that takes each trial's value and moves the bar."""
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("trials", total=n_trials)
        values = [-np.inf]

        def report(value):
            values.append(value if np.isfinite(value) else -np.inf)
            bar.update(
                task, advance=1, description=f"trials, best score {max(values):.4g}"
            )

        yield report
