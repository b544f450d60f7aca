"""Compute accuracy against coverage when labels of low confidence are rejected."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import unique_labels

from ..fitting.labels import label_column, one_column
from ..utils.sklearn_compat import Interval, validate_params
from .scores import bootstrap_counts, bootstrap_generator, group_codes, interval

if TYPE_CHECKING:
    from ..utils.typing import Column, Seed

__all__ = ["accuracy_coverage_curve"]

# With fewer clips an accuracy is not meaningful.
_FEWEST_CLIPS = 10


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "confidence": ["array-like"],
        "groups": ["array-like", None],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def accuracy_coverage_curve(
    y_true: Column,
    y_pred: Column,
    confidence: Column,
    groups: Column | None = None,
    *,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Seed = 0,
) -> pd.DataFrame:
    """Compute the accuracy of the labels that are kept at each limit of confidence.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_clips,)
        True labels, and those of a model that was not fitted on the clips.
    confidence : array-like of shape (n_clips,)
        Of the labels, such as the column of that name in the ``predictions`` of
        :func:`~skbreath.evaluate`.
    groups : array-like of shape (n_clips,), default=None
        Recording, day or patient: the bootstrap draws whole groups; None draws clips.
    n_resamples : int, default=1000
        Bootstrap resamples.
    confidence_level : float, default=0.95
        Of the interval.
    random_state : int, RandomState instance or None, default=0
        Seed of the bootstrap.

    Returns
    -------
    curve : DataFrame
        One row for each limit, at most 100, from the one that rejects nothing
        upwards: ``reject_below``; ``coverage``, the share of clips kept;
        ``n_kept``; ``accuracy`` of these, with ``low`` and ``high``.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than 10 clips or fewer than two groups,
        values are missing, there is more than one column, or labels are text in one
        and numbers in the other.

    Notes
    -----
    The interval is that of a percentile bootstrap over groups at the same limit,
    never narrower than Wilson's for as many independent clips: where all kept labels
    are correct the bootstrap interval has zero width. Limits that keep fewer than 10
    clips are left out. All limits use the same clips: the best one is optimistically
    biased.

    References
    ----------
    R. El-Yaniv and Y. Wiener, "On the foundations of noise-free selective
    classification", Journal of Machine Learning Research 11, 2010.

    E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", Journal of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import accuracy_coverage_curve
    >>> rng = np.random.default_rng(0)
    >>> confidence = rng.uniform(0.5, 1, size=1000)
    >>> right = rng.uniform(size=1000) < confidence  # perfectly calibrated
    >>> curve = accuracy_coverage_curve(np.ones(1000), right, confidence)
    >>> curve.iloc[[0, 50]][["coverage", "accuracy"]].round(2)
        coverage  accuracy
    0        1.0      0.76
    50       0.5      0.87
    """
    y_true, y_pred = label_column(y_true, "y_true"), label_column(y_pred, "y_pred")
    confidence = one_column(confidence, "confidence")
    check_consistent_length(y_true, y_pred, confidence, groups)
    if len(y_true) < _FEWEST_CLIPS:
        raise ValueError(
            f"a curve needs at least {_FEWEST_CLIPS} clips, got {len(y_true)}."
        )
    unique_labels(y_true, y_pred)  # raises if one is text and the other numbers
    if confidence.dtype.kind not in "fiub":
        raise ValueError(
            "confidence must hold a number for each label, got the dtype "
            f"{confidence.dtype}."
        )
    confidence = confidence.astype(np.float64)
    if not np.isfinite(confidence).all():
        raise ValueError("confidence must be finite, got NaN or infinity.")
    codes = group_codes(groups, len(y_true))
    n_groups = codes.max() + 1
    counts = bootstrap_counts(n_groups, n_resamples, bootstrap_generator(random_state))
    limits = _limits(confidence)
    kept = confidence[:, None] >= limits
    per_group = np.zeros((2, n_groups, len(limits)))
    np.add.at(per_group[0], codes, kept)
    np.add.at(per_group[1], codes, kept & (y_true == y_pred)[:, None])
    n_kept, n_right = per_group.sum(axis=1)
    drawn, drawn_right = counts @ per_group
    draws = np.divide(
        drawn_right, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0
    )
    low, high = interval(draws, confidence_level)
    wilson_low, wilson_high = _wilson(n_right, n_kept, confidence_level)
    return pd.DataFrame(
        {
            "reject_below": limits,
            "coverage": n_kept / len(y_true),
            "n_kept": n_kept.astype(int),
            "accuracy": n_right / n_kept,
            "low": np.minimum(low, wilson_low),
            "high": np.maximum(high, wilson_high),
        }
    )


def _limits(confidence):
    """Choose up to 100 limits at even steps of coverage."""
    n_most = max(0, len(confidence) - _FEWEST_CLIPS)
    ranks = np.unique(np.linspace(0, n_most, 100).astype(int))
    return np.unique(np.sort(confidence)[ranks])


def _wilson(n_right, n, confidence_level):
    """Compute Wilson's interval of a share."""
    z = ndtri((1 + confidence_level) / 2)
    share = n_right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    spread = share * (1 - share) / n + z**2 / (4 * n**2)
    half = z * np.sqrt(spread) / (1 + z**2 / n)
    return centre - half, centre + half
