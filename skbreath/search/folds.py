"""Draw the folds of a search, fit and score them, and average their scores."""

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
]


def draw_folds(search, X, y, groups, split_params, classes):
    """Draw the folds that all trials use, and check that they can be fitted and scored.

    `classes` are those of a classifier with one column of labels, None for others.
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
    """Find the metrics that a search maximises, by its parameters.

    ``[None]`` stands for a single score without a name. Several if `refit` is a
    function, or False: then the search looks for the best compromises.
    """
    if not isinstance(scoring, list | tuple | set | dict):
        # Whether a function has several metrics is known only when it is called.
        return [refit] if callable(scoring) else [None]
    if callable(refit) or refit is False:
        return list(scoring)
    _check_metric(refit, scoring)
    return [refit]


def mean_scores(folds, objectives, error_score):
    """Compute the mean score of a trial for each objective.

    NaN if no fold could be fitted; otherwise failed ones have `error_score`, which is
    filled in.
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
    """Fit and score one fold with a clone, by scikit-learn's ``_fit_and_score``.

    An error of a single metric is treated like one of the fit; of several metrics only
    the one that fails gets `error_score`, with a warning.
    """
    caught = error_score != "raise" and not isinstance(scorer, _MultimetricScorer)
    try:
        with inside_fit():
            fold = _fit_and_score(
                *(clone(estimator), X, y),
                scorer=scorer,
                error_score="raise" if caught else error_score,
                **settings,
            )
    except Exception:
        if not caught:
            raise
        return failed_fold(traceback.format_exc(), error_score)
    if error_score == "raise":
        scores = fold["test_scores"]
        scores = scores if isinstance(scores, dict) else {"score": scores}
        for name, value in scores.items():
            if not np.isfinite(value):
                raise ValueError(
                    f"Expected finite scores with error_score='raise', got {name}="
                    f"{value} on a test part: change the metric or the folds, or set "
                    "error_score to a number."
                )
    return fold


def failed_fold(error, error_score):
    """Make the result of a fold that could not be run."""
    result = {"test_scores": error_score, "train_scores": error_score}
    return result | {"fit_time": np.nan, "score_time": 0.0, "fit_error": error}
