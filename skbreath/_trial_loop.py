"""The loop of a search: ask for a batch of trials, judge them, tell their values."""

import logging
import time
from contextlib import contextmanager, suppress
from numbers import Number

import numpy as np

from ._fit_log import inside_fit, log_fits
from ._search_space import ask
from ._trial_results import FOLDS
from ._trial_score import Judgement, mean_scores
from ._workers import LOST, lose, recover

__all__ = ["TrialLoop"]

_LOGGER = logging.getLogger("skbreath")
# Seconds between looks at the trials of other workers.
PATIENCE = 0.2


class TrialLoop:
    """Run trials until a study has enough, alone or beside other workers.

    Trials are counted in the study: complete, pruned and failed ones, and those that
    run. Lost ones do not count. Two workers may ask for the last trial at once; the
    one that got the higher number withdraws it.

    Parameters
    ----------
    study : optuna.study.Study
        Asked and told.
    worker : str
        Name of this process in the study.
    search : OptunaSearchCV
        Its settings.
    objectives : list
        From :func:`skbreath._trial_score.find_objectives`.

    Attributes
    ----------
    parameters : dict of int to dict
        Of the trials run here, by number.
    error : Exception or None
        The first that made a trial fail here.
    """

    def __init__(self, study, worker, search, objectives):
        self.study = study
        self.worker = worker
        self.search = search
        self.objectives = objectives
        self.parameters = {}
        self.error = None

    def run(self, judge):
        """Run the trials.

        Parameters
        ----------
        judge : callable
            ``judge(batch, first)`` yields the index and the Judgement of each (trial,
            parameters) of a batch; `first` is the number of trials before.
        """
        deadline = np.inf
        if self.search.timeout is not None:
            deadline = time.monotonic() + self.search.timeout
        show = _progress if self.search.progress_bar else _silence
        # `stop`, which callbacks and some samplers call, works only in Optuna's loop.
        self.study._thread_local.in_optimize_loop = True
        self.study._stop_flag = False
        try:
            with show(self.search.n_trials, self.study) as report:
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
                        self._run_batch(judge, size, report)
                    elif self._recover():
                        time.sleep(PATIENCE)
                    elif self._count() >= self.search.n_trials:
                        break
        finally:
            self.study._thread_local.in_optimize_loop = False

    def finish(self, trial):
        """Tell a trial of a dead worker if all its folds are there.

        Parameters
        ----------
        trial : FrozenTrial

        Returns
        -------
        finished : bool
        """
        kept = trial.user_attrs.get(FOLDS)
        if kept is None:
            return False
        folds = [dict(fold) for fold in kept["folds"]]
        self._tell(trial, Judgement(folds, kept["pruned"]))
        return True

    def _recover(self):
        return recover(self.study, self.worker, self.finish)

    def _count(self):
        """Count the trials that are finished or run."""
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

    def _run_batch(self, judge, size, report):
        batch = []
        try:
            for _ in range(size):
                trial, parameters = ask(
                    self.study, self.search.param_distributions, self.worker
                )
                batch.append((trial, parameters))
                if self._is_surplus(trial):
                    batch.pop()
                    lose(self.study, trial, "one more than n_trials", again=False)
                    break
            judgements = {}
            with inside_fit():
                for index, judgement in judge(batch, len(self.parameters)):
                    judgements[index] = judgement
                    self._keep(batch[index][0], judgement)
            # Told together and in order, so that what the sampler and the pruner
            # know does not depend on which process was faster.
            for index, (trial, parameters) in enumerate(batch):
                self.parameters[trial.number] = parameters
                self.error = self.error or judgements[index].error
                self._tell(trial, judgements[index], report)
        except BaseException as error:
            # Left running they would look like those that another process works on.
            again = not isinstance(error, Exception)
            for trial, _ in batch:
                if trial.number not in self.parameters:
                    with suppress(Exception):
                        reason = f"{type(error).__name__}: {error}"
                        lose(self.study, trial, reason, again=again)
            raise

    def _keep(self, trial, judgement):
        """Write down the folds: from now on they survive this process."""
        known = trial.storage.get_trial(trial._trial_id).intermediate_values
        folds = [_to_json(fold) for fold in judgement.folds]
        kept = {"folds": folds, "pruned": judgement.pruned}
        with self._unless_told(trial):
            for step, value in judgement.reports.items():
                if step not in known:
                    trial.report(value, step)
            trial.set_user_attr(FOLDS, kept)

    @contextmanager
    def _unless_told(self, trial):
        """Drop what is known of a trial that another worker took over."""
        try:
            yield
        except (ValueError, RuntimeError):
            if not self.study._storage.get_trial(trial._trial_id).state.is_finished():
                raise
            _LOGGER.warning(
                "trial %d was told by another worker, who took this one for dead",
                trial.number,
            )

    def _tell(self, trial, judgement, report=None):
        from optuna.trial import TrialState

        means = [np.nan]
        if judgement.pruned:
            state = TrialState.PRUNED
        else:
            means = mean_scores(
                judgement.folds, self.objectives, self.search.error_score
            )
            state = TrialState.COMPLETE if np.isfinite(means).all() else TrialState.FAIL
        values = means if state == TrialState.COMPLETE else None
        told = None
        with self._unless_told(trial):
            told = self.study.tell(trial.number, values, state)
        if told is not None and report is not None:
            log_fits(len(judgement.folds), "trial %d: %.4g", trial.number, means[0])
            report(means[0])
            for callback in self.search.callbacks or ():
                callback(self.study, told)


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
def _silence(n_trials, study):
    yield lambda value: None


@contextmanager
def _progress(n_trials, study):
    """Give a function that takes each trial's value and moves the bar."""
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
