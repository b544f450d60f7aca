"""What a trial is worth: its folds fitted and scored, and the means to maximise."""

from dataclasses import dataclass, field

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._validation import _insert_error_scores

from ._fit_log import inside_fit
from ._fold_result import evaluate_fold

__all__ = ["FoldScorer", "Judgement", "find_objectives", "mean_scores"]


@dataclass
class Judgement:
    """What the folds of a trial came to.

    Attributes
    ----------
    folds : list of dict
        ``test_scores``, ``train_scores`` (if asked for), ``fit_time``,
        ``score_time``, ``fit_error`` (traceback or None) and ``reason`` (the same in
        a line, also of a single metric that failed) of the folds that ran.
    pruned : bool
        Whether a pruner ended the trial.
    reports : dict of int to float
        What it was told.
    error : Exception or None
        The first of a fold.
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
        If one of several metrics must be named and is not.

    Examples
    --------
    >>> find_objectives("roc_auc", True), find_objectives(["f1", "recall"], "f1")
    ([None], ['f1'])
    """
    if not isinstance(scoring, list | tuple | set | dict):
        # A function shows only when it is called whether it has several metrics.
        return [refit] if callable(scoring) else [None]
    if callable(refit) or refit is False:
        return list(scoring)
    _check_metric(refit, scoring)
    return [refit]


def mean_scores(folds, objectives, error_score):
    """Get the mean scores of a trial that the search maximises.

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
    """Fit and score some folds of a trial, one after the other, in any process.

    Parameters
    ----------
    search : OptunaSearchCV
        Gives the estimator and the settings.
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
        self.contexts = {}  # a trial that runs again has those of its first run

    def job(self, trial, parameters, folds, position):
        """Make a function and its arguments for joblib.

        Parameters
        ----------
        trial : optuna.trial.Trial
        parameters : dict
            Of the trial.
        folds : iterable of int
            Which.
        position : int
            Of the trial in this search.

        Returns
        -------
        function, args, kwargs
        """
        search, n_splits = self.search, len(self.splits)
        # Made here, as the contexts of all folds hang on one tree.
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
        # A trial carries its study along: only where a pruner needs it.
        told = trial if search.prune_on else None
        args = (search.estimator, parameters, self.X, self.y, tasks, common)
        settings = (told, self.objectives, search.error_score)
        return _judge, args + settings, {}

    def _context(self, task):
        if task not in self.contexts:
            self.contexts[task] = self.context.subcontext(
                "candidate-split-evaluation", task_id=task
            )
        return self.contexts[task]


def _judge(estimator, parameters, X, y, tasks, common, trial, objectives, error_score):
    judgement = Judgement()
    # A parameter that the estimator has not is a mistake in the space, and raised.
    clone(estimator).set_params(**clone(parameters, safe=False))
    with inside_fit():
        for task in tasks:
            fold, error = evaluate_fold(
                clone(estimator), X, y, parameters=parameters, **task, **common
            )
            judgement.folds.append(fold)
            judgement.error = judgement.error or error
            if trial is not None and _ends(
                judgement, trial, len(tasks), objectives, error_score
            ):
                break
    return judgement


def _ends(judgement, trial, n_splits, objectives, error_score):
    """Report the last fold to the pruner; return whether the trial ends with it.

    In another process `trial` is a copy, and so is a study in memory: `reports` takes
    the reported values to the process of the search.
    """
    from optuna.exceptions import UpdateFinishedTrialError

    (value,) = mean_scores(judgement.folds, objectives, error_score)
    if not np.isfinite(value):
        # No later fold can save the trial, unless failed folds get a number.
        return error_score == "raise" or not np.isfinite(error_score)
    if _compares_folds(trial.study.pruner):
        (value,) = mean_scores(judgement.folds[-1:], objectives, error_score)
    step = len(judgement.folds) - 1
    judgement.reports[step] = value
    try:
        trial.report(value, step)
        stop = trial.should_prune()
    except UpdateFinishedTrialError:
        stop = True  # another worker has finished this trial
    judgement.pruned = bool(stop) and step + 1 < n_splits
    return judgement.pruned


def _compares_folds(pruner):
    """Tell whether a pruner compares fold with fold, not mean with mean."""
    from optuna.pruners import PatientPruner, WilcoxonPruner

    while isinstance(pruner, PatientPruner):
        pruner = pruner._wrapped_pruner
    return isinstance(pruner, WilcoxonPruner)


def _check_metric(refit, metrics):
    if not isinstance(refit, str) or refit not in metrics:
        raise ValueError(
            "with several metrics, refit must name the one to maximise, of "
            f"{sorted(metrics)}; got refit={refit!r}."
        )
