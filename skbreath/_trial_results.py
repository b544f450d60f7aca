"""Trials kept with their folds, and read back as scikit-learn's ``cv_results_``."""

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection._validation import _insert_error_scores

from ._fold_result import reason_of
from ._workers import LOST

__all__ = ["FOLDS", "FinishedTrial", "finished_trials", "report_failures", "tabulate"]

FOLDS = "skbreath:folds"
# Reasons of failure told in a message, the commonest ones.
SHOWN = 3


@dataclass
class FinishedTrial:
    """One trial: its number in the study, state, parameters and fold results."""

    number: int
    state: str
    parameters: dict
    folds: list


def finished_trials(study, space, known):
    """Read all finished trials of a study, whichever process has run them.

    Parameters
    ----------
    study : optuna.study.Study
    space : dict or callable
        A callable is called again with a trial's values, as a study holds those and
        not what the callable made of them.
    known : dict of int to dict
        Parameters of the trials that this process has run, by number.

    Returns
    -------
    trials : list of FinishedTrial
        By number, without lost ones.
    """
    from optuna.trial import FixedTrial

    trials = []
    for trial in study.get_trials(deepcopy=False):
        if not trial.state.is_finished() or LOST in trial.user_attrs:
            continue
        parameters = known.get(trial.number)
        if parameters is None:
            parameters = dict(trial.params)
            if callable(space):
                parameters = dict(space(FixedTrial(parameters, number=trial.number)))
        kept = trial.user_attrs.get(FOLDS, {"folds": ()})
        folds = [dict(fold) for fold in kept["folds"]]
        trials.append(FinishedTrial(trial.number, trial.state.name, parameters, folds))
    return trials


def report_failures(trials, error=None):
    """Raise if no trial is complete, warn if some have failed.

    Parameters
    ----------
    trials : list of FinishedTrial
        From :func:`finished_trials`.
    error : Exception or None, default=None
        The first that was met in this process.

    Raises
    ------
    ValueError
        If none is complete; caused by `error`.
    """
    reasons = [reason_of(trial) for trial in trials]
    counts = Counter(filter(None, reasons))
    shares = [f"{n} with {reason}" for reason, n in counts.most_common(SHOWN)]
    if len(counts) == 1:
        shares = [f"each with {reason}" for reason in counts]
    why = "".join(f", {share}" for share in shares)
    states = [trial.state for trial in trials]
    n_failed, n_pruned = states.count("FAIL"), states.count("PRUNED")
    if "COMPLETE" not in states:
        what = f"All {n_failed} trials failed"
        if n_pruned:
            what = f"Of {len(trials)} trials {n_pruned} were pruned, {n_failed} failed"
        raise ValueError(
            f"{what}{why}: there is nothing to choose from, and nothing was refitted. "
            "error_score='raise' stops at the first error."
        ) from error
    if counts:
        n_bad = counts.total()
        part = "" if n_bad == n_failed else ", in whole or in part"
        warnings.warn(
            f"{n_bad} of {len(trials)} trials failed{part}{why}; error_score='raise' "
            "stops at the first error.",
            FitFailedWarning,
            stacklevel=4,
        )


def tabulate(trials, search):
    """Format all trials as scikit-learn does.

    Parameters
    ----------
    trials : list of FinishedTrial
        At least one of them complete.
    search : OptunaSearchCV
        Says what is reported.

    Returns
    -------
    results : dict of ndarray
        One row per trial, with ``trial_number`` and ``trial_state``; NaN for folds
        that did not run.
    multimetric : bool
        Whether there are several metrics.
    """
    ran = [fold for trial in trials for fold in trial.folds]
    _insert_error_scores(ran, search.error_score)
    scored = next(fold for fold in ran if not fold["fit_error"])["test_scores"]
    empty = dict.fromkeys(scored, np.nan) if isinstance(scored, dict) else np.nan
    missing = {"fit_time": np.nan, "score_time": np.nan, "fit_error": None}
    missing |= {"reason": None, "test_scores": empty, "train_scores": empty}
    folds = []
    for trial in trials:
        padded = trial.folds + [{}] * (search.n_splits_ - len(trial.folds))
        folds += [{**missing, **fold} for fold in padded]
    with warnings.catch_warnings():
        # Failed trials have been reported, pruned ones are meant to be cut.
        warnings.filterwarnings("ignore", "One or more of the .* non-finite")
        results = search._format_results(
            [trial.parameters for trial in trials],
            search.n_splits_,
            folds,
            {
                "trial_number": [trial.number for trial in trials],
                "trial_state": [trial.state for trial in trials],
            },
        )
    return results, isinstance(scored, dict)
