"""Compare two models on the same clips, and score one model group by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.utils import Bunch

from .scores import (
    METRICS,
    bootstrap_generator,
    bootstrap_scores,
    grouped_scores,
    interval,
)

if TYPE_CHECKING:
    from typing import Any

    from ..utils.typing import Column, Seed

__all__ = ["break_down", "compare_predictions"]

_COLUMNS = ("row", "group", "y_true", "y_pred", "y_score")


def compare_predictions(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    pos_label: Any = "I",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Seed = 0,
) -> Bunch:
    """Compare the predictions of two models on the same clips.

    Clips that are hard for one model are often hard for the other, so the interval of
    the difference is much narrower than the two single intervals suggest.

    Parameters
    ----------
    first, second : DataFrame
        The ``predictions`` that :func:`~skbreath.evaluate` gives, for the same clips:
        columns ``row``, ``group``, ``y_true``, ``y_pred`` and ``y_score``.
    pos_label : label, default="I"
        The positive class.
    n_resamples : int, default=1000
        Bootstrap resamples of the groups, the same for both.
    confidence_level : float, default=0.95
        Of the intervals.
    random_state : int, RandomState instance or None, default=0
        Seed of the bootstrap.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        ``table`` : DataFrame, one row per metric: ``first``, ``second``,
        ``difference`` (second minus first), and its interval, ``low`` and ``high``.

        ``mcnemar`` : Bunch of ``only_first`` and ``only_second`` (clips that only
        one of them labels correctly) and the exact two-sided ``p_value`` under equal
        accuracy (McNemar 1947). It assumes independent clips, which clips of one
        recording are not: with groups, use the interval.

    Raises
    ------
    ValueError
        If the clips, their labels or groups differ.

    References
    ----------
    McNemar Q. (1947). Note on the sampling error of the difference between
    correlated proportions or percentages. Psychometrika 12.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skbreath import compare_predictions, evaluate
    >>> X, y = make_classification(200, random_state=0)
    >>> tree, linear = (
    ...     evaluate(model, X, y, pos_label=1).predictions
    ...     for model in (DecisionTreeClassifier(random_state=0), LogisticRegression())
    ... )
    >>> result = compare_predictions(tree, linear, pos_label=1)
    >>> result.table.loc[["accuracy", "roc_auc"]].round(2)
              first  second  difference   low  high
    accuracy   0.92    0.93        0.01 -0.03  0.05
    roc_auc    0.92    0.96        0.03  0.00  0.07
    >>> result.mcnemar.only_first, result.mcnemar.only_second
    (8, 9)
    """
    for name, frame in (("first", first), ("second", second)):
        lacking = [column for column in _COLUMNS if column not in frame]
        if lacking:
            raise ValueError(
                f"the table {name} must have the columns of evaluate(...).predictions, "
                f"got a table without {lacking}."
            )
    first, second = (
        frame.sort_values("row", ignore_index=True) for frame in (first, second)
    )
    for column in ("row", "y_true", "group"):
        if first[column].tolist() != second[column].tolist():
            raise ValueError(
                "a paired comparison needs the same clips, labels and groups in both "
                f"tables, got other values of {column!r}; predict the same clips."
            )
    scores = [
        grouped_scores(p["y_true"], p["y_pred"], p["y_score"], p["group"], pos_label)
        for p in (first, second)
    ]
    values = [side.of_all() for side in scores]
    draws = bootstrap_scores(scores, n_resamples, bootstrap_generator(random_state))
    low, high = interval(draws[1] - draws[0], confidence_level)
    table = pd.DataFrame(
        {
            "first": values[0],
            "second": values[1],
            "difference": values[1] - values[0],
            "low": low,
            "high": high,
        },
        index=list(METRICS),
    )
    correct = [np.asarray(p["y_true"] == p["y_pred"]) for p in (first, second)]
    only_first = int((correct[0] & ~correct[1]).sum())
    only_second = int((correct[1] & ~correct[0]).sum())
    n_uneven = only_first + only_second
    p_value = binomtest(only_first, n_uneven).pvalue if n_uneven else 1.0
    mcnemar = Bunch(
        only_first=only_first, only_second=only_second, p_value=float(p_value)
    )
    return Bunch(table=table, mcnemar=mcnemar)


def break_down(
    predictions: pd.DataFrame, by: str | Column = "group", *, pos_label: Any = "I"
) -> pd.DataFrame:
    """Score predictions separately for each recording, day or other group.

    Parameters
    ----------
    predictions : DataFrame
        As :func:`~skbreath.evaluate` gives them.
    by : str or array-like of shape (n_predictions,), default="group"
        A column of `predictions`, or one value for each of its rows.
    pos_label : label, default="I"
        The positive class.

    Returns
    -------
    table : DataFrame
        One row for each value of `by`, worst accuracy first: ``n_clips``,
        ``positive_share``, ``accuracy``, ``f1`` (NaN without positives), ``roc_auc``
        (NaN where a class is missing) and ``log_loss``.

    Raises
    ------
    ValueError
        If `by` is neither a column nor as long as `predictions`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import evaluate
    >>> from skbreath import break_down
    >>> X = np.array([[0.0], [1.0], [0.2], [0.9], [0.8], [0.3]] * 4)
    >>> y = np.array(["E", "I"] * 12)
    >>> predictions = evaluate(LogisticRegression(), X, y, n_resamples=5).predictions
    >>> break_down(predictions, by=np.repeat(["Monday", "Friday"], 12))
            n_clips  positive_share  accuracy   f1  roc_auc  log_loss
    by
    ...
    """
    if isinstance(by, str):
        if by not in predictions.columns:
            raise ValueError(
                f"by must be a column of the predictions, {list(predictions.columns)}, "
                f"or an array, got {by!r}."
            )
        name, by = by, predictions[by]
    else:
        name = getattr(by, "name", None) or "by"
    by = np.asarray(by)
    if len(by) != len(predictions):
        raise ValueError(
            f"by must have one value for each of the {len(predictions)} predictions, "
            f"got {len(by)}."
        )
    truth = np.asarray(predictions["y_true"])
    scores = grouped_scores(
        truth, predictions["y_pred"], predictions["y_score"], by, pos_label
    )
    codes, values = pd.factorize(by)
    # With the dtype given: pandas fails to make text of names that are not Unicode.
    values = pd.Index(values, dtype=values.dtype)
    # One group at a time, in batches that fit into memory.
    rows = []
    for start in range(0, scores.n_groups, 256):
        chosen = np.arange(start, min(start + 256, scores.n_groups))
        counts = (chosen[:, None] == np.arange(scores.n_groups)).astype(np.float64)
        rows.append(scores(counts))
    table = pd.DataFrame(np.vstack(rows), columns=METRICS, index=values)
    table = table.drop(columns="calibration_error")  # too noisy for a few clips
    n_clips = np.bincount(codes)
    table.insert(0, "n_clips", n_clips)
    positives = np.bincount(codes, weights=truth == pos_label)
    table.insert(1, "positive_share", positives / n_clips)
    table.loc[positives == 0, "f1"] = np.nan
    return table.sort_values("accuracy", kind="stable").rename_axis(name)
