"""Draw the folds of a search, fit and score them, and average their scores."""

import pickle
import time
import traceback

import numpy as np
from sklearn.base import clone, is_classifier

from ..fitting.cross_fitting import check_group_cv
from ..fitting.training_record import inside_fit
from ..utils.sklearn_compat import (
    _fit_and_score,
    _insert_error_scores,
    _MultimetricScorer,
)

__all__ = [
    "draw_folds",
    "evaluate_fold",
    "failed_fold",
    "find_objectives",
    "mean_scores",
    "one_line",
]


def draw_folds(search, X, y, groups, split_params, classes):
    """Draw the folds that all trials use.

    Parameters
    ----------
    search : OptunaSearchCV
        Gets `n_splits_`.
    X, y, groups : sequences of length n_samples
    split_params : dict
        Metadata of the splitter.
    classes : list or None
        Classes of a classifier with one column of labels.

    Returns
    -------
    splits : list of (train, test)

    Raises
    ------
    ValueError
        If there are no folds, or a fold could not be fitted or scored.
    """
    cv = check_group_cv(
        search.cv, y, groups, classifier=is_classifier(search.estimator)
    )
    if groups is not None:
        split_params = {**split_params, "groups": groups}
    splits = list(cv.split(X, y, **split_params))
    if not splits:
        raise ValueError("Expected at least one fold from cv, got none.")
    for number, split in enumerate(splits):
        for part, rows in zip(("training", "test"), split, strict=True):
            _check_part(search, y, classes, f"the {part} part of fold {number}", rows)
    search.n_splits_ = len(splits)
    return splits


def _check_part(search, y, classes, name, rows):
    """Check that a part of a fold has rows, and the classes that it needs."""
    rows = np.asarray(rows)
    if not (rows.any() if rows.dtype == bool else len(rows)):
        raise ValueError(
            f"Expected rows in every part of the folds, but {name} is empty: use "
            "fewer folds or another cv."
        )
    if classes is None or ("test" in name and not _needs_classes(search.scoring)):
        return
    found = np.unique(np.asarray(y)[rows]).tolist()
    if len(found) < 2:
        raise ValueError(
            f"Expected at least two classes in every part of the folds, but {name} "
            f"has only {found}: use fewer folds, or other groups."
        )


def _needs_classes(scoring):
    """Return whether a metric by name needs two classes in each test part."""
    names = scoring.values() if isinstance(scoring, dict) else scoring
    names = [scoring] if isinstance(scoring, str) or callable(scoring) else names
    return any(isinstance(name, str) and name != "accuracy" for name in names or ())


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
        From :func:`evaluate_fold`; scores of failed folds are filled in.
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
    if not isinstance(scores[0], dict):
        return [float(np.mean(scores))]
    for name in objectives:
        _check_metric(name, scores[0])
    return [float(np.mean([score[name] for score in scores])) for name in objectives]


def _check_metric(refit, metrics):
    """Check that `refit` names one of several metrics."""
    if not isinstance(refit, str) or refit not in metrics:
        raise ValueError(
            "With several metrics, refit must name the one to maximise, of "
            f"{sorted(metrics)}; got refit={refit!r}."
        )


def evaluate_fold(estimator, X, y, *, scorer, error_score, **settings):
    """Fit and score one fold.

    Parameters
    ----------
    estimator : estimator
        Cloned.
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
        ``test_scores``, ``train_scores`` (if asked for), ``fit_time``,
        ``score_time``, ``fit_error`` (traceback or None) and ``reason`` (type and
        message of the error, or None), also of a single metric that failed.
    error : Exception or None
        Error of the fold, if it can be sent to another process.
    """
    reasons, score = [None], scorer
    if error_score != "raise" and isinstance(scorer, _MultimetricScorer):
        score = _tolerant(scorer, error_score, reasons)
    started = time.time()
    try:
        with inside_fit():
            fold = _fit_and_score(
                clone(estimator), X, y, scorer=score, error_score="raise", **settings
            )
    except Exception as error:
        if error_score == "raise":
            raise
        seconds = time.time() - started
        reason = f"{type(error).__name__}: {one_line(error)}"
        fold = failed_fold(traceback.format_exc(), reason, error_score, seconds)
        return fold, _picklable(error)
    if error_score == "raise":
        _check_finite(fold["test_scores"])
    return fold | {"reason": reasons[-1]}, None


def _check_finite(scores):
    """Raise if a score of a fold is not finite."""
    scores = scores if isinstance(scores, dict) else {"score": scores}
    for name, value in scores.items():
        if not np.isfinite(value):
            raise ValueError(
                f"Expected finite scores with error_score='raise', got {name}={value} "
                "on a test part: change the metric or the folds, or set error_score "
                "to a number."
            )


def failed_fold(error, reason, error_score, seconds=np.nan):
    """Make the result of a fold that failed, from its traceback and the reason."""
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
                reasons.append(one_line(" ".join(lines)))
                scores[name] = error_score
        return scores

    return score


def one_line(error):
    """Return the message of an error in one line."""
    return " ".join(str(error).split())


def _picklable(error):
    """Return an error that can be sent to another process, or None."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # pickling an unknown class may raise anything
        return None
    # The traceback would keep the rows of the fold in memory.
    traceback.clear_frames(error.__traceback__)
    return error
