"""Compare predicted tables of phases with true ones."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..utils.sklearn_compat import Interval, validate_params
from .breath_statistics import breath_statistics
from .phase_table import check_phases, label_frames

if TYPE_CHECKING:
    from ..utils.typing import PhaseTables

__all__ = [
    "boundary_errors",
    "event_scores",
    "match_events",
    "rate_errors",
    "segment_scores",
]

_TABLES = {"truth": "no_validation", "predicted": "no_validation"}


def _paired(truth, predicted):
    """Check both arguments, and pair their tables by recording."""
    truth = _tables(truth, "truth")
    predicted = _tables(predicted, "predicted")
    if len(truth) != len(predicted):
        raise ValueError(
            f"truth has {len(truth)} recordings, but predicted has {len(predicted)}; "
            "give one table for each."
        )
    return list(zip(truth, predicted, strict=True))


def _tables(phases, name):
    """Check one table of phases or several, and return a list of them."""
    if isinstance(phases, pd.DataFrame):
        return [check_phases(phases, name)]
    return [check_phases(table, f"{name}[{k}]") for k, table in enumerate(phases)]


def _labels_of(pairs):
    """List the labels of all tables, sorted."""
    return sorted({label for pair in pairs for table in pair for label in table.label})


def match_events(truth, predicted, label, min_iou):
    """Match the events of one label in two checked tables.

    Returns an array of IoU and errors of start and end in s, one row per match, and the
    numbers of true and of predicted events.
    """
    true = truth.loc[truth.label == label, ["start_s", "end_s"]].to_numpy(float)
    found = predicted.loc[predicted.label == label, ["start_s", "end_s"]].to_numpy(
        float
    )
    # The phases of a table do not overlap: pairs that share time are a staircase.
    first = np.searchsorted(found[:, 1], true[:, 0], side="right")
    stop = np.maximum(np.searchsorted(found[:, 0], true[:, 1], side="left"), first)
    rows = np.repeat(np.arange(len(true)), stop - first)
    starts = np.repeat(first - np.cumsum(stop - first) + stop - first, stop - first)
    columns = starts + np.arange(len(rows))
    ends = np.minimum(true[rows, 1], found[columns, 1])
    both = np.maximum(ends - np.maximum(true[rows, 0], found[columns, 0]), 0)
    either = np.ptp(true[rows], axis=1) + np.ptp(found[columns], axis=1) - both
    iou = both / either
    allowed = (iou >= min_iou) & (both > 0)
    rows, columns, iou = rows[allowed], columns[allowed], iou[allowed]
    kept = _best_pairs(rows, columns, iou)
    rows, columns, iou = rows[kept], columns[kept], iou[kept]
    errors = found[columns] - true[rows]
    return np.column_stack([iou, errors]), len(true), len(found)


def _best_pairs(rows, columns, iou):
    """Choose most pairs, of these the largest overlap, none with a row or column twice.

    Both ascend, so a pair excludes only pairs directly before it.
    """
    free = np.minimum(np.searchsorted(rows, rows), np.searchsorted(columns, columns))
    best = [0.0]
    for worth, n_before in zip((1000 + iou).tolist(), free.tolist(), strict=True):
        best.append(max(best[-1], best[n_before] + worth))
    kept, last = [], len(rows)
    while last:
        if best[last] == best[last - 1]:
            last -= 1
        else:
            kept.append(last - 1)
            last = int(free[last - 1])
    return np.array(kept[::-1], dtype=int)


@validate_params(
    _TABLES | {"min_iou": [Interval(Real, 0, 1, closed="right")]},
    prefer_skip_nested_validation=True,
)
def event_scores(
    truth: PhaseTables, predicted: PhaseTables, *, min_iou: float = 0.5
) -> pd.DataFrame:
    """Compute sensitivity, precision and F1 of phases as events.

    A true and a predicted phase of the same label match if the time they share is at
    least `min_iou` of the time that either covers (intersection over union, the
    Jaccard index). Each phase matches at most one other; as many as possible are
    matched.

    Parameters
    ----------
    truth, predicted : DataFrame or sequence of DataFrame
        Phases of one recording, or of several: ``start_s``, ``end_s``, ``label``.
    min_iou : float, default=0.5
        Least overlap of a match, above 0 and up to 1.

    Returns
    -------
    scores : DataFrame
        One row per label, counts pooled over the recordings: ``n_true``,
        ``n_predicted``, ``n_matched``, ``sensitivity`` (matched / true), ``ppv``
        (matched / predicted), ``f1``, ``mean_iou`` (of the matched). NaN where there
        is nothing to divide by.

    Raises
    ------
    ValueError
        If there are different numbers of recordings, or a table is wrong.

    Notes
    -----
    The HF_Lung_V1 benchmark [1]_ reports F1 of "event detection" in its Table 5 (best
    model: 86.1 % of inhales, 70.0 % of exhales), to which 0.5 here comes nearest. How
    it counts an event that two predictions overlap, and whether it joins neighbours
    first, was not verified, so figures may not be exactly comparable.

    References
    ----------
    .. [1] F.-S. Hsu et al. (2021). Benchmarking of eight recurrent neural network
       variants for breath phase and adventitious sound detection on a self-developed
       open-access lung sound database HF_Lung_V1. PLoS ONE 16, e0254134.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbreath import event_scores
    >>> def table(*rows):
    ...     return pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
    >>> truth = table((0, 1, "I"), (1, 3, "E"), (4, 5, "I"))
    >>> predicted = table((0.1, 1, "I"), (1, 2, "E"), (4.6, 5, "I"))
    >>> event_scores(truth, predicted)[["n_true", "n_matched", "f1"]]
           n_true  n_matched   f1
    label
    E           1          1  1.0
    I           2          1  0.5
    """
    pairs, rows = _paired(truth, predicted), {}
    for label in _labels_of(pairs):
        matches = [match_events(true, found, label, min_iou) for true, found in pairs]
        n_true, n_found = (sum(match[k] for match in matches) for k in (1, 2))
        iou = np.concatenate([match[0][:, 0] for match in matches])
        rows[label] = {
            **_rates(len(iou), n_true, n_found, "n_matched"),
            "mean_iou": iou.mean() if len(iou) else np.nan,
        }
    return _frame(rows, "n_matched", mean_iou=True)


@validate_params(
    _TABLES | {"segment_s": [Interval(Real, 0, None, closed="neither")]},
    prefer_skip_nested_validation=True,
)
def segment_scores(
    truth: PhaseTables, predicted: PhaseTables, *, segment_s: float = 0.032
) -> pd.DataFrame:
    """Compute sensitivity, precision and F1 of short segments of time.

    Time is cut into segments of equal length; each has the phase that its middle
    lies in, or none. The HF_Lung_V1 benchmark reports F1 of segments as well [1]_
    (Table 5: 80.1 % of inhales, 63.7 % of exhales). F1 hardly depends on the length
    as long as it is short.

    Parameters
    ----------
    truth, predicted : DataFrame or sequence of DataFrame
        Phases of one recording, or of several.
    segment_s : float, default=0.032
        Length of a segment in s.

    Returns
    -------
    scores : DataFrame
        One row per label, pooled over the recordings: ``n_true``, ``n_predicted``,
        ``n_both`` (segments), ``sensitivity``, ``ppv``, ``f1``.

    Raises
    ------
    ValueError
        As :func:`event_scores`.

    References
    ----------
    .. [1] F.-S. Hsu et al. (2021), as for :func:`event_scores`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbreath import segment_scores
    >>> truth = pd.DataFrame({"start_s": [0.0], "end_s": [1.0], "label": ["I"]})
    >>> predicted = pd.DataFrame({"start_s": [0.5], "end_s": [1.5], "label": ["I"]})
    >>> segment_scores(truth, predicted, segment_s=0.1).loc["I", "f1"].item()
    0.5
    """
    pairs, rows = _paired(truth, predicted), {}
    labels = _labels_of(pairs)
    counts = np.zeros((len(labels), 3), dtype=int)
    for pair in pairs:
        end = max([0.0] + [table.end_s.max() for table in pair if len(table)])
        middles = (np.arange(int(np.ceil(end / segment_s - 1e-9))) + 0.5) * segment_s
        true, found = (label_frames(table, labels, middles) for table in pair)
        for k in range(len(labels)):
            is_true, is_found = true == k + 1, found == k + 1
            both = is_true & is_found
            counts[k] += is_true.sum(), is_found.sum(), both.sum()
    for label, (n_true, n_found, both) in zip(labels, counts.tolist(), strict=True):
        rows[label] = _rates(both, n_true, n_found, "n_both")
    return _frame(rows, "n_both")


@validate_params(
    _TABLES | {"min_iou": [Interval(Real, 0, 1, closed="right")]},
    prefer_skip_nested_validation=True,
)
def boundary_errors(
    truth: PhaseTables, predicted: PhaseTables, *, min_iou: float = 0.5
) -> pd.DataFrame:
    """Compute the errors of the boundaries of matched phases.

    Parameters
    ----------
    truth, predicted : DataFrame or sequence of DataFrame
        Phases of one recording, or of several.
    min_iou : float, default=0.5
        Least overlap of phases that count as the same, as for
        :func:`event_scores`.

    Returns
    -------
    errors : DataFrame
        One row per matched phase: ``label``, ``start_error_s``, ``end_error_s``;
        positive where the prediction is late.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbreath import boundary_errors
    >>> truth = pd.DataFrame({"start_s": [0.0], "end_s": [1.0], "label": ["I"]})
    >>> predicted = pd.DataFrame({"start_s": [0.25], "end_s": [1.0], "label": ["I"]})
    >>> boundary_errors(truth, predicted).values.tolist()
    [['I', 0.25, 0.0]]
    """
    pairs = _paired(truth, predicted)
    tables = [pd.DataFrame(columns=["label", "start_error_s", "end_error_s"])]
    for label in _labels_of(pairs):
        for true, found in pairs:
            errors = match_events(true, found, label, min_iou)[0][:, 1:]
            table = pd.DataFrame(errors, columns=["start_error_s", "end_error_s"])
            table.insert(0, "label", label)
            tables.append(table)
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def rate_errors(
    truth: PhaseTables, predicted: PhaseTables, *, inhale: str = "I", exhale: str = "E"
) -> np.ndarray:
    """Compute the error of the breathing rate of each recording, in breaths per minute.

    Parameters
    ----------
    truth, predicted : DataFrame or sequence of DataFrame
        Phases of one recording, or of several.
    inhale, exhale : str, default="I", "E"
        The labels.

    Returns
    -------
    errors : ndarray of shape (n_recordings,)
        Predicted minus true ``rate_per_min`` of
        :func:`~skbreath.breath_statistics`, of any confidence; NaN where there are
        fewer than two breaths in either table.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbreath import rate_errors
    >>> def every(seconds):
    ...     starts = [0.0, seconds, 2 * seconds]
    ...     ends = [start + 1 for start in starts]
    ...     return pd.DataFrame({"start_s": starts, "end_s": ends, "label": "I"})
    >>> rate_errors(every(4.0), every(5.0)).tolist()
    [-3.0]
    """
    options = {"inhale": inhale, "exhale": exhale, "min_confidence": 0}
    rates = [
        [breath_statistics(table, **options).summary["rate_per_min"] for table in pair]
        for pair in _paired(truth, predicted)
    ]
    return np.array([found - true for true, found in rates])


def _rates(matched, n_true, n_found, name):
    """Compute the scores of a label from the numbers of events or segments."""
    total = n_true + n_found
    return {
        "n_true": n_true,
        "n_predicted": n_found,
        name: matched,
        "sensitivity": matched / n_true if n_true else np.nan,
        "ppv": matched / n_found if n_found else np.nan,
        "f1": 2 * matched / total if total else np.nan,
    }


def _frame(rows, matched, **more):
    """Make a table of scores with a row per label."""
    columns = ["n_true", "n_predicted", matched, "sensitivity", "ppv", "f1", *more]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("label")
