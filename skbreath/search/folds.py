"""Fit and score the folds of a trial, and compute its mean scores."""

import pickle
import time
import traceback
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import clone

from ..fitting.training_record import inside_fit
from ..utils.sklearn_compat import (
    _fit_and_score,
    _insert_error_scores,
    _MultimetricScorer,
)

__all__ = [
    "FoldScorer",
    "TrialOutcome",
    "failed_fold",
    "find_objectives",
    "mean_scores",
    "score_folds",
]


@dataclass
class TrialOutcome:
    """Results of the folds of a trial.

    Attributes
    ----------
    folds : list of dict
        ``test_scores``, ``train_scores`` (if asked for), ``fit_time``,
        ``score_time``, ``fit_error`` (traceback or None) and ``reason`` (the same in
        a line, also of a single metric that failed) of the folds that ran.
    pruned : bool
        Whether a pruner ended the trial.
    reports : dict of int to float
        Values reported to the pruner, by fold.
    error : Exception or None
        The first error of a fold.
    """

    folds: list = field(default_factory=list)
    pruned: bool = False
    reports: dict = field(default_factory=dict)
    error: Exception | None = None


def find_objectives(scoring, refit):
    """Find the metrics that a search maximises.

    Parameters
    ----------
    scoring : str, callable, list, tuple, dict or None
    refit : bool, str or callable
        Parameters of the search.

    Returns
    -------
    names : list
        ``[None]`` stands for a single score without a name. Several if `refit` is a
        function, or False: then the search looks for the best compromises.

    Raises
    ------
    ValueError
        If there are several metrics and `refit` must name one of them.

    Examples
    --------
    >>> find_objectives("roc_auc", True), find_objectives(["f1", "recall"], "f1")
    ([None], ['f1'])
    """
    if not isinstance(scoring, list | tuple | set | dict):
        # Whether a function has several metrics is known only when it is called.
        return [refit] if callable(scoring) else [None]
    if callable(refit) or refit is False:
        return list(scoring)
    _check_metric(refit, scoring)
    return [refit]


def mean_scores(folds, objectives, error_score):
    """Compute the mean scores of a trial that the search maximises.

    Parameters
    ----------
    folds : list of dict
        From :class:`FoldScorer`; scores of failed folds are filled in.
    objectives : list of str or list of None
        From :func:`find_objectives`.
    error_score : float or "raise"
        Score of a fold whose fit failed.

    Returns
    -------
    means : list of float
        NaN if no fold could be fitted.

    Raises
    ------
    ValueError
        If a function scores several metrics and none is named.
    """
    if all(fold["fit_error"] for fold in folds):
        return [np.nan] * len(objectives)
    _insert_error_scores(folds, error_score)
    scores = [fold["test_scores"] for fold in folds]
    if isinstance(scores[0], dict):
        for name in objectives:
            _check_metric(name, scores[0])
        return [
            float(np.mean([score[name] for score in scores])) for name in objectives
        ]
    return [float(np.mean(scores))]


class FoldScorer:
    """Prepare the folds of trials, to be fitted and scored by :func:`score_folds`.

    Parameters
    ----------
    search : OptunaSearchCV
        Estimator and settings.
    X, y : sequences of length n_samples
        Data and target.
    splits : list of (train, test)
        All folds.
    scorers : callable
        One scorer or several.
    routed : Bunch
        Metadata of the estimator and the scorer.
    objectives : list
        From :func:`find_objectives`.
    context : CallbackContext
        Of the search.
    """

    def __init__(self, search, X, y, splits, scorers, routed, objectives, context):
        self.search = search
        self.X = X
        self.y = y
        self.splits = splits
        self.scorers = scorers
        self.routed = routed
        self.objectives = objectives
        self.context = context
        self.contexts = {}  # by task: a trial that runs again has the same ones

    def arguments(self, trial, parameters, folds, position):
        """Make the arguments of :func:`score_folds`, which may run in any process.

        Parameters
        ----------
        trial : optuna.trial.Trial
        parameters : dict
            Parameters of the trial.
        folds : iterable of int
            Folds to score.
        position : int
            Position of the trial in this search.

        Returns
        -------
        arguments : tuple
        """
        search, n_splits = self.search, len(self.splits)
        # The contexts of all folds belong to one tree, in this process.
        tasks = [
            {
                "train": self.splits[fold][0],
                "test": self.splits[fold][1],
                "split_progress": (fold, n_splits),
                "callback_ctx": self._context(position * n_splits + fold),
            }
            for fold in folds
        ]
        common = {
            "scorer": self.scorers,
            "fit_params": self.routed["estimator"]["fit"],
            "score_params": self.routed["scorer"]["score"],
            "return_train_score": search.return_train_score,
            "error_score": search.error_score,
            "verbose": search.verbose,
            "return_times": True,
            "candidate_progress": (position, search.n_trials or 0),
            "caller": search,
        }
        # A trial is sent together with its study: only if a pruner needs it.
        pruned = trial if search.prune_on else None
        data = (search.estimator, parameters, self.X, self.y)
        return *data, tasks, common, pruned, self.objectives, search.error_score

    def _context(self, task):
        if task not in self.contexts:
            self.contexts[task] = self.context.subcontext(
                "candidate-split-evaluation", task_id=task
            )
        return self.contexts[task]


def score_folds(
    estimator, parameters, X, y, tasks, common, trial, objectives, error_score
):
    """Fit and score folds of a trial in series, until it is pruned.

    Parameters
    ----------
    estimator : estimator
        Cloned.
    parameters : dict
        Parameters of the trial.
    X, y : sequences of length n_samples
    tasks, common : list of dict, and dict
        Arguments of :func:`evaluate_fold`, of each fold and of all.
    trial : optuna.trial.Trial or None
        Gets the scores, and may be pruned. None runs all folds.
    objectives : list
        From :func:`find_objectives`.
    error_score : float or "raise"
        Score of a fold whose fit failed.

    Returns
    -------
    outcome : TrialOutcome
    """
    outcome = TrialOutcome()
    # An unknown parameter is a mistake in the space, and raised.
    clone(estimator).set_params(**clone(parameters, safe=False))
    with inside_fit():
        for task in tasks:
            fold, error = evaluate_fold(
                clone(estimator), X, y, parameters=parameters, **task, **common
            )
            outcome.folds.append(fold)
            outcome.error = outcome.error or error
            if trial is not None and _ends(
                outcome, trial, len(tasks), objectives, error_score
            ):
                break
    return outcome


def _ends(outcome, trial, n_splits, objectives, error_score):
    """Report the last fold to the pruner; return whether the trial ends with it.

    In another process `trial` is a copy, and so is a study in memory: `reports` takes
    the reported values to the process of the search.
    """
    from optuna.exceptions import UpdateFinishedTrialError

    (value,) = mean_scores(outcome.folds, objectives, error_score)
    if not np.isfinite(value):
        # Later folds cannot make the mean finite, unless failed folds get a number.
        return error_score == "raise" or not np.isfinite(error_score)
    if _compares_folds(trial.study.pruner):
        (value,) = mean_scores(outcome.folds[-1:], objectives, error_score)
    step = len(outcome.folds) - 1
    outcome.reports[step] = value
    try:
        trial.report(value, step)
        stop = trial.should_prune()
    except UpdateFinishedTrialError:
        stop = True  # another worker has finished this trial
    outcome.pruned = bool(stop) and step + 1 < n_splits
    return outcome.pruned


def _compares_folds(pruner):
    """Return whether a pruner compares trials fold by fold, not by their means."""
    from optuna.pruners import PatientPruner, WilcoxonPruner

    while isinstance(pruner, PatientPruner):
        pruner = pruner._wrapped_pruner
    return isinstance(pruner, WilcoxonPruner)


def evaluate_fold(estimator, X, y, *, scorer, error_score, **settings):
    """Fit and score one fold.

    Parameters
    ----------
    estimator : estimator
        Fitted in place.
    X, y : sequences of length n_samples
    scorer : callable
        One metric or several.
    error_score : "raise" or float
        Score of a fold or metric that fails.
    **settings : dict
        Further arguments of scikit-learn's ``_fit_and_score``.

    Returns
    -------
    fold : dict
        Scores, times, ``fit_error`` (traceback or None) and ``reason`` (type and
        message of the error, or None), also of a single metric that failed.
    error : Exception or None
        Error of the fold, if it can be sent to another process.
    """
    settings |= {"scorer": scorer, "error_score": "raise"}
    if error_score == "raise":
        return _fit_and_score(estimator, X, y, **settings) | {"reason": None}, None
    reasons = [None]
    if isinstance(scorer, _MultimetricScorer):
        settings["scorer"] = _tolerant(scorer, error_score, reasons)
    started = time.time()
    try:
        fold = _fit_and_score(estimator, X, y, **settings)
    except Exception as error:
        seconds = time.time() - started
        reason = f"{type(error).__name__}: {_one_line(error)}"
        fold = failed_fold(traceback.format_exc(), reason, error_score, seconds)
        return fold, _picklable(error)
    return fold | {"reason": reasons[-1]}, None


def failed_fold(error, reason, error_score, seconds):
    """Make the result of a fold that failed.

    Parameters
    ----------
    error, reason : str
        Traceback, and the same in a line.
    error_score : float
        Score of the fold.
    seconds : float
        Time of the fit.

    Returns
    -------
    fold : dict
    """
    return {
        "test_scores": error_score,
        "train_scores": error_score,
        "fit_time": seconds,
        "score_time": 0.0,
        "fit_error": error,
        "reason": reason,
    }


def _tolerant(scorer, error_score, reasons):
    """Wrap several metrics: one that fails gets `error_score`, as in scikit-learn."""

    def score(*args, **kwargs):
        scores = scorer(*args, **kwargs)
        for name, value in scores.items():
            if isinstance(value, str):  # the traceback
                lines = value.splitlines()
                while any(line.startswith("  ") for line in lines):
                    del lines[0]
                reasons.append(_one_line(" ".join(lines)))
                scores[name] = error_score
        return scores

    return score


def _one_line(error):
    return " ".join(str(error).split())


def _picklable(error):
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # pickling an unknown class may raise anything
        return None
    # The traceback would keep the rows of the fold in memory.
    traceback.clear_frames(error.__traceback__)
    return error


def _check_metric(refit, metrics):
    if not isinstance(refit, str) or refit not in metrics:
        raise ValueError(
            "With several metrics, refit must name the one to maximise, of "
            f"{sorted(metrics)}; got refit={refit!r}."
        )
