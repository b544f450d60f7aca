"""Evaluate models: grouped cross-validation with intervals over groups."""

from __future__ import annotations

import importlib.metadata
import platform
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, column_or_1d, indexable

from .. import __version__
from ..ensemble.inspection import unwrap_steps
from ..ensemble.rejection import check_recordings, labels_and_confidence
from ..fitting.cross_fitting import check_group_cv, out_of_fold
from ..fitting.labels import check_lengths, label_column
from ..fitting.routing import metadata_context, requested
from ..fitting.training_record import data_record
from ..utils.sklearn_compat import _num_samples
from .comparison import break_down
from .scores import check_binary, score_predictions

if TYPE_CHECKING:
    from typing import Any

    from ..utils.typing import Clips, Column, Folds, Seed

__all__ = ["evaluate", "evaluate_fitted"]


def evaluate(
    model: Any,
    X: Clips,
    y: Column,
    groups: Column | None = None,
    *,
    recordings: Column | None = None,
    cv: Folds = 5,
    pos_label: Any = "I",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    return_estimator: bool = False,
    n_jobs: int | None = None,
    random_state: Seed = 0,
) -> Bunch:
    """Cross-validate a model and give each score with a bootstrap interval.

    Every clip is predicted once, by a model that was fitted without it and, with
    `groups`, without any clip of its group; scores are of the pooled predictions.

    Parameters
    ----------
    model : classifier
        Such as :func:`~skbreath.make_breath_classifier`. Cloned for each fold.
    X : sequence of length n_clips
        Input of `model`: paths, waveforms, features.
    y : array-like of shape (n_clips,)
        Labels, two classes.
    groups : array-like of shape (n_clips,), default=None
        Recording, day or patient of each clip. Folds never share a group, the
        bootstrap draws whole groups, and a `model` that can use the groups in
        its own `fit` (early stopping, weights, threshold) receives them.
    recordings : array-like of shape (n_clips,), default=None
        Which clips were recorded together, for a `model` that uses it, in its fits and
        in its predictions; see :class:`~skbreath.RecordingContext`. Independent of
        `groups`, which may be days or patients.
    cv : int, splitter or iterable, default=5
        An integer with `groups` means
        :class:`~sklearn.model_selection.StratifiedGroupKFold`.
    pos_label : label, default="I"
        Class whose F1 is reported and whose probability ranks for the AUC.
    n_resamples : int, default=1000
        Bootstrap resamples.
    confidence_level : float, default=0.95
        Of the intervals.
    return_estimator : bool, default=False
        Whether to keep the fitted models of the folds.
    n_jobs : int, default=None
        Folds fitted in parallel.
    random_state : int, RandomState instance or None, default=0
        Seed of the bootstrap.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        ``table`` : DataFrame, one row per metric (accuracy, f1, roc_auc, log_loss,
        calibration_error, and perfect_calibration to compare it with, see
        :func:`~skbreath.score_predictions`) with ``value``, ``low`` and
        ``high``.

        ``predictions`` : DataFrame, one row per predicted clip, in the order of
        `X`, with ``row``, ``fold``, ``group``, ``y_true``, ``y_pred``, ``y_score``
        (the probability of `pos_label`) and ``confidence`` (of ``y_pred``, for
        :func:`~skbreath.accuracy_coverage_curve`).

        ``by_group`` : DataFrame, scores of each group, worst first; None without
        `groups`. By something else, such as days:
        :func:`~skbreath.break_down`.

        ``settings`` : dict of what was evaluated, to repeat it: classes of the model,
        its seeds, numbers of folds, clips and groups, a digest of the clips with their
        labels (None for inputs other than files and numbers), versions.

        ``pos_label``, ``confidence_level`` : as given.

        ``estimator`` : list of the fitted models of the folds, with
        `return_estimator`.

    Raises
    ------
    ValueError
        If lengths differ, `y` does not have exactly two classes, `pos_label` is not one
        of them, or the splits predict a row twice.

    See Also
    --------
    report : Write the result as a page with plots and sounds.
    compare_predictions : Compare two models on the same clips.
    check_leakage : Check for leaks.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import evaluate
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> result = evaluate(LogisticRegression(), X, y, pos_label=1)
    >>> result.table.round(2)
                         value   low  high
    accuracy              0.93  0.90  0.96
    f1                    0.93  0.89  0.97
    roc_auc               0.96  0.92  0.99
    log_loss              0.26  0.15  0.42
    calibration_error     0.04  0.01  0.06
    perfect_calibration   0.04  0.02  0.06
    """
    check_lengths(X, y=y, groups=groups, recordings=recordings)
    X, y, groups, recordings = indexable(X, y, groups, recordings)
    y = label_column(y, "y")
    group_name = getattr(groups, "name", None)
    groups = None if groups is None else column_or_1d(groups)
    check_binary(y, pos_label)
    check_recordings(unwrap_steps(model), X, recordings)
    splitter = check_group_cv(cv, y, groups)
    splits = list(splitter.split(np.zeros(_num_samples(X)), y, groups))
    tested = np.concatenate([np.arange(len(y))[test] for _, test in splits])
    if len(np.unique(tested)) < len(tested):
        raise ValueError(
            "cv must predict each row once at most, got test parts that overlap; use "
            "a cv without repetitions."
        )
    with metadata_context(groups=groups, recordings=recordings) as metadata:
        fit_params = requested(model, "fit", metadata)
        folds = out_of_fold(
            model,
            X,
            y,
            splits,
            methods=(labels_and_confidence,),
            fit_params=fit_params,
            keep_estimators=return_estimator,
            n_jobs=n_jobs,
        )
    column = np.unique(y).tolist().index(pos_label)
    tables = [
        _predictions(test, y, groups, output[labels_and_confidence], column)
        for test, output in folds
    ]
    for fold, table in enumerate(tables):
        table.insert(1, "fold", fold)
    predictions = pd.concat(tables, ignore_index=True)
    predictions = predictions.sort_values("row", ignore_index=True)
    result = _scored(
        predictions,
        groups is not None,
        pos_label=pos_label,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
    )
    folds_by = {"n_folds": len(splits), "splitter": type(splitter).__name__}
    result.settings = _settings(
        *(model, X, y, groups, group_name, recordings), **folds_by
    )
    if return_estimator:
        result.estimator = [output["estimator"] for _, output in folds]
    return result


def evaluate_fitted(
    model: Any,
    X: Clips,
    y: Column,
    groups: Column | None = None,
    *,
    recordings: Column | None = None,
    pos_label: Any = "I",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Seed = 0,
) -> Bunch:
    """Score a fitted model on clips that it was not fitted on.

    Parameters
    ----------
    model : classifier
        Fitted.
    X, y, groups : array-like of shape (n_clips, ...), default of `groups` None
        As in :func:`evaluate`, of other recordings than the model was fitted on.
    recordings : array-like of shape (n_clips,), default=None
        As in :func:`evaluate`.
    pos_label, n_resamples, confidence_level, random_state : label, int, float, int
        As in :func:`evaluate`.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        As :func:`evaluate` gives it, without folds.

    Raises
    ------
    ValueError
        If lengths differ, `y` does not have exactly two classes, `pos_label` is not one
        of them, or the model has other classes.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import evaluate_fitted
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> model = LogisticRegression().fit(X[:100], y[:100])
    >>> result = evaluate_fitted(model, X[100:], y[100:], pos_label=1)
    >>> result.table.loc["accuracy"].round(2)
    value    0.93
    low      0.88
    high     0.98
    Name: accuracy, dtype: float64
    """
    check_lengths(X, y=y, groups=groups, recordings=recordings)
    X, y, groups = indexable(X, y, groups)
    y = label_column(y, "y")
    check_binary(y, pos_label)
    if set(model.classes_.tolist()) != set(np.unique(y).tolist()):
        raise ValueError(
            f"y must have the classes of the model, {model.classes_.tolist()}, got "
            f"{np.unique(y).tolist()}."
        )
    group_name = getattr(groups, "name", None)
    groups = None if groups is None else column_or_1d(groups)
    column = model.classes_.tolist().index(pos_label)
    output = labels_and_confidence(model, X, recordings)
    predictions = _predictions(np.arange(len(y)), y, groups, output, column)
    result = _scored(
        predictions,
        groups is not None,
        pos_label=pos_label,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
    )
    result.settings = _settings(model, X, y, groups, group_name, recordings)
    return result


def _settings(model, X, y, groups, group_name, recordings, **folds):
    """Describe what was evaluated, for somebody who repeats it."""
    name = type(model).__name__
    if steps := getattr(model, "steps", None):
        name += f"({', '.join(type(step).__name__ for _, step in steps)})"
    params = model.get_params() if hasattr(model, "get_params") else {}
    seeds = {
        int(value)
        for key, value in params.items()
        if key.endswith("random_state") and isinstance(value, Integral)
    }
    record = data_record(X, y, groups)
    digest = record["digest"]
    packages = ("numpy", "scikit-learn", "torch")
    return {
        "model": name,
        "seeds": sorted(seeds),
        **folds,
        "grouped_by": None if group_name is None else str(group_name),
        "n_groups": record["n_groups"],
        "with_recordings": recordings is not None,
        "n_clips": record["n_clips"],
        "data_digest": None if digest is None else digest[:16],
        "versions": {
            "skbreath": __version__,
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in packages},
        },
    }


def _predictions(rows, y, groups, output, column):
    """Make the table of predictions for some rows of `y`."""
    labels, proba, confidence = output
    return pd.DataFrame(
        {
            "row": rows,
            "group": rows if groups is None else groups[rows],
            "y_true": y[rows],
            "y_pred": labels,
            "y_score": proba[:, column],
            "confidence": confidence,
        }
    )


def _scored(predictions, grouped, *, pos_label, confidence_level, **settings):
    """Make the result of an evaluation from its table of predictions."""
    table = score_predictions(
        predictions["y_true"],
        predictions["y_pred"],
        predictions["y_score"],
        predictions["group"],
        pos_label=pos_label,
        confidence_level=confidence_level,
        **settings,
    )
    by_group = break_down(predictions, pos_label=pos_label) if grouped else None
    return Bunch(
        table=table,
        predictions=predictions,
        by_group=by_group,
        pos_label=pos_label,
        confidence_level=confidence_level,
    )
