"""Read the trials of a study as ``cv_results_``, and fit the best one."""

import time
import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning

from ..fitting.training_record import inside_fit
from ..utils.sklearn_compat import _insert_error_scores
from .trials import FOLDS, counts

__all__ = [
    "choose_best",
    "finished_trials",
    "refit_best",
    "report_failures",
    "tabulate",
]

# Number of reasons in a message, the most frequent ones.
N_REASONS = 3


@dataclass
class FinishedTrial:
    """Hold a trial's number in the study, state, parameters and results of folds."""

    number: int
    state: str
    parameters: dict
    folds: list


def finished_trials(study, space, known):
    """Read all trials of a study that count, of all processes, in order.

    `known` has the parameters of the trials run by this process, by number. A callable
    space is called again with the values of each trial of another process: a study
    does not hold the parameters that it returned.
    """
    from optuna.trial import FixedTrial

    trials = []
    for trial in study.get_trials(deepcopy=False):
        if not counts(trial):
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


def report_failures(trials):
    """Raise a ValueError if no trial is complete, warn if some have failed."""
    reasons = [_failure_reason(trial) for trial in trials]
    counts = Counter(filter(None, reasons))
    shares = [f"{n} with {reason}" for reason, n in counts.most_common(N_REASONS)]
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
            f"{what}{why}: at least one complete trial is needed. "
            "error_score='raise' stops at the first error."
        )
    if counts:
        n_bad = counts.total()
        part = "" if n_bad == n_failed else ", in whole or in part"
        warnings.warn(
            f"{n_bad} of {len(trials)} trials failed{part}{why}; error_score='raise' "
            "stops at the first error.",
            FitFailedWarning,
            stacklevel=4,
        )


def _failure_reason(trial):
    """Return in a line why a trial failed, in whole or in part; None if it did not."""
    error = next((fold["fit_error"] for fold in trial.folds if fold["fit_error"]), None)
    if error is not None:
        lines = error.splitlines()
        while any(line.startswith("  ") for line in lines):  # of the traceback
            del lines[0]
        return " ".join(" ".join(lines).split())
    return "a score that is not finite" if trial.state == "FAIL" else None


def tabulate(trials, search):
    """Make ``cv_results_`` of all trials, and return whether there are several metrics.

    One row per trial, with ``trial_number`` and ``trial_state``; NaN for folds that did
    not run. At least one trial is complete.
    """
    ran = [fold for trial in trials for fold in trial.folds]
    _insert_error_scores(ran, search.error_score)
    scored = next(fold for fold in ran if not fold["fit_error"])["test_scores"]
    empty = dict.fromkeys(scored, np.nan) if isinstance(scored, dict) else np.nan
    missing = {"fit_time": np.nan, "score_time": np.nan, "fit_error": None}
    missing |= {"test_scores": empty, "train_scores": empty}
    folds = []
    for trial in trials:
        padded = trial.folds + [{}] * (search.n_splits_ - len(trial.folds))
        folds += [{**missing, **fold} for fold in padded]
    with warnings.catch_warnings():
        # Failed trials have been reported, and pruned ones are not an error.
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


def choose_best(search):
    """Set the index, parameters and score of the best complete trial."""
    results = search.cv_results_
    metric = search.refit if search.multimetric_ else "score"
    if callable(search.refit):
        search.best_index_ = search._select_best_index(search.refit, metric, results)
    else:
        complete = results["trial_state"] == "COMPLETE"
        scores = np.where(complete, results[f"mean_test_{metric}"], -np.inf)
        search.best_index_ = int(scores.argmax())
        search.best_score_ = float(scores[search.best_index_])
    search.best_params_ = results["params"][search.best_index_]


def refit_best(search, X, y, fit_params, root):
    """Fit the best parameters on all rows; `root` is the context of callbacks."""
    # The parameters are cloned too: they may be estimators.
    search.best_estimator_ = clone(search.estimator).set_params(
        **clone(search.best_params_, safe=False)
    )
    context = root.subcontext("refit-with-best-params")
    with context.propagate_callback_context(search.best_estimator_):
        context.call_on_fit_task_begin(estimator=search, X=X, y=y)
        started = time.perf_counter()
        target = () if y is None else (y,)
        with inside_fit():
            search.best_estimator_.fit(X, *target, **fit_params)
        search.refit_time_ = time.perf_counter() - started
    context.call_on_fit_task_end(estimator=search, X=X, y=y)
    if hasattr(search.best_estimator_, "feature_names_in_"):
        search.feature_names_in_ = search.best_estimator_.feature_names_in_
