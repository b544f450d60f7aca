"""The loop of a search: ask for a trial, judge it, tell its value."""

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import FitFailedWarning

from ._fit_log import inside_fit, log_fits
from ._search_space import ask

__all__ = ["FinishedTrial", "report_failures", "run_trials"]


@dataclass
class FinishedTrial:
    """One trial: its number in the study, state, parameters and fold results."""

    number: int
    state: str
    parameters: dict
    folds: list


def run_trials(study, space, judge, *, n_trials, timeout, progress_bar):
    """Run trials one after the other.

    Parameters
    ----------
    study : optuna.study.Study
        Asked and told.
    space : dict or callable
        As in :func:`skbreath._search_space.ask`.
    judge : callable
        ``judge(position, parameters)`` gives the fold results (list) and the value
        to maximise; a value that is not finite makes the trial a failed one.
    n_trials : int or None
        How many.
    timeout : float or None
        Seconds after which no further trial starts; the first always does.
    progress_bar : bool
        Whether to show a bar on standard error.

    Returns
    -------
    trials : list of FinishedTrial
        In the order they ran.
    """
    from optuna.trial import TrialState

    started, trials = time.monotonic(), []

    def goes_on():
        if n_trials is not None and len(trials) >= n_trials:
            return False
        in_time = timeout is None or time.monotonic() - started < timeout
        return in_time or not trials

    with _progress(n_trials) if progress_bar else _silence() as report:
        while goes_on():
            trial, parameters = ask(study, space)
            try:
                with inside_fit():
                    folds, value = judge(len(trials), parameters)
            except BaseException:
                # A trial left running would look like one that another process works
                # on.
                study.tell(trial, state=TrialState.FAIL)
                raise
            state = TrialState.COMPLETE if np.isfinite(value) else TrialState.FAIL
            study.tell(
                trial, value if state == TrialState.COMPLETE else None, state=state
            )
            trials.append(FinishedTrial(trial.number, state.name, parameters, folds))
            log_fits(len(folds), "trial %d: %.4g", trial.number, value)
            report(value)
    return trials


def report_failures(trials):
    """Raise if every trial has failed, warn if some have.

    Parameters
    ----------
    trials : list of FinishedTrial
        From :func:`run_trials`.

    Raises
    ------
    ValueError
        If all have failed.
    """
    errors = [fold["fit_error"] for trial in trials for fold in trial.folds]
    error = next(filter(None, errors), None)
    cause = f" The first error:\n{error}" if error else ""
    n_failed = sum(trial.state == "FAIL" for trial in trials)
    if n_failed == len(trials):
        raise ValueError(
            f"All {n_failed} trials failed: there is nothing to choose from, and "
            "nothing was refitted. error_score='raise' stops at the first error."
            f"{cause}"
        )
    if n_failed or error:
        warnings.warn(
            f"{n_failed} of {len(trials)} trials failed.{cause}",
            FitFailedWarning,
            stacklevel=4,
        )


@contextmanager
def _silence():
    yield lambda value: None


@contextmanager
def _progress(n_trials):
    """Give a function that takes each trial's value and moves the bar."""
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn

    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("trials", total=n_trials)
        values = []

        def report(value):
            values.append(value if np.isfinite(value) else -np.inf)
            bar.update(
                task, advance=1, description=f"trials, best score {max(values):.4g}"
            )

        yield report
