"""Score binary predictions, for many resamples of their groups at once.

Every score but the AUC is a ratio of sums over clips, and thus of sums over groups, so
that the scores of all resamples are matrix products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length, check_random_state, gen_batches

if TYPE_CHECKING:
    from typing import Any

    from ..utils.typing import Column, Seed

__all__ = [
    "METRICS",
    "GroupedScores",
    "bootstrap_counts",
    "bootstrap_generator",
    "bootstrap_scores",
    "check_binary",
    "group_codes",
    "grouped_scores",
    "interval",
    "score_predictions",
]

METRICS = ("accuracy", "f1", "roc_auc", "log_loss", "calibration_error")
_N_BINS = 10
# Weights of the rows in a batch of resamples: 32 MB.
_BATCH_VALUES = 4_000_000


class GroupedScores:
    """Compute scores of predictions, with each group counted a given number of times.

    `truth` and `predicted` are True for the positive class, `codes` number the groups
    from 0. Log loss and calibration are NaN if `score` is not a probability.

    The calibration error is the mean over clips of the distance between share of
    positives and mean probability in their bin. The bins hold a tenth of all clips
    each, and do not depend on the counts of the groups.
    """

    def __init__(self, truth, predicted, score, codes):
        self.n_groups = int(codes.max()) + 1
        self._codes = codes
        self._truth, self._score = truth, score
        sums = [
            np.ones(len(truth)),
            truth == predicted,
            truth & predicted,
            truth,
            predicted,
            self._losses(),
        ]
        self._sums = np.column_stack([self._per_group(values) for values in sums])
        self._gaps = self._gaps_per_group()
        self._order = np.argsort(score, kind="stable")
        ordered = score[self._order]
        # Start of each distinct score, since ties count half.
        self._levels = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def _per_group(self, values):
        """Sum values of clips over each group."""
        return np.bincount(self._codes, values, self.n_groups)

    def is_probability(self):
        """Check whether all scores can be probabilities."""
        return bool(((self._score >= 0) & (self._score <= 1)).all())

    def bins(self):
        """Get the bin of each clip; ties share a bin."""
        edges = np.quantile(self._score, np.arange(1, _N_BINS) / _N_BINS)
        return np.searchsorted(edges, self._score, side="right")

    def _losses(self):
        """Compute the log loss of each clip."""
        if not self.is_probability():
            return np.full(len(self._score), np.nan)
        smallest = np.finfo(np.float64).eps  # as scikit-learn's log_loss
        probability = np.clip(self._score, smallest, 1 - smallest)
        return -np.log(np.where(self._truth, probability, 1 - probability))

    def _gaps_per_group(self):
        """Compute positives minus expected positives, (n_groups, n_bins)."""
        if not self.is_probability():
            return np.full((self.n_groups, _N_BINS), np.nan)
        cells = self._codes * _N_BINS + self.bins()
        gaps = np.bincount(cells, self._truth - self._score, self.n_groups * _N_BINS)
        return gaps.reshape(self.n_groups, _N_BINS)

    def __call__(self, counts):
        """Compute the scores for counts of the groups, (n_draws, n_groups).

        Scores (n_draws, n_metrics) are in the order of `METRICS`. The AUC is NaN where
        one class is missing.
        """
        n, correct, hits, positives, predicted, losses = (counts @ self._sums).T
        named = positives + predicted
        f1 = np.divide(2 * hits, named, out=np.zeros_like(n), where=named > 0)
        calibration = np.abs(counts @ self._gaps).sum(axis=1) / n
        size = max(1, _BATCH_VALUES // len(self._truth))
        auc = [self._auc(counts[batch]) for batch in gen_batches(len(counts), size)]
        return np.column_stack(
            [correct / n, f1, np.concatenate(auc), losses / n, calibration]
        )

    def of_all(self):
        """Compute the scores of all clips, (n_metrics,)."""
        return self(np.ones((1, self.n_groups)))[0]

    def _auc(self, counts):
        """Compute the AUC: Mann and Whitney's U divided by the number of pairs."""
        weights = counts[:, self._codes[self._order]].astype(np.float64)
        truth = self._truth[self._order]
        positives = np.add.reduceat(weights * truth, self._levels, axis=1)
        negatives = np.add.reduceat(weights * ~truth, self._levels, axis=1)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        wins = (positives * below).sum(axis=1)
        return np.divide(wins, pairs, out=np.full(len(wins), np.nan), where=pairs > 0)

    def perfect_calibration(self, n_draws, rng):
        """Draw the calibration errors of a perfectly calibrated model.

        If labels follow the probabilities, the gap of a bin is a sum of independent
        terms, and approximately normal.
        """
        if not self.is_probability():
            return np.full(n_draws, np.nan)
        variance = np.bincount(self.bins(), self._score * (1 - self._score), _N_BINS)
        gaps = rng.normal(size=(n_draws, _N_BINS)) * np.sqrt(variance)
        return np.abs(gaps).sum(axis=1) / len(self._score)


def bootstrap_generator(random_state):
    """Make a numpy Generator from an int, a RandomState or None."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31))


def bootstrap_counts(n_groups, n_resamples, rng):
    """Draw how often each group counts in each resample, (n_resamples, n_groups)."""
    if n_groups < 2:
        raise ValueError(
            "an interval needs clips of at least two groups, got one; add clips of "
            "others, or leave out groups."
        )
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_resamples)


def bootstrap_scores(sides, n_resamples, rng):
    """Score bootstrap resamples of the groups, the same resamples for all sides.

    Returns an array (n_resamples, n_metrics) for each GroupedScores in `sides`.
    """
    n_groups = sides[0].n_groups
    draws = [[] for _ in sides]
    for batch in gen_batches(n_resamples, max(1, _BATCH_VALUES // n_groups)):
        counts = bootstrap_counts(n_groups, batch.stop - batch.start, rng)
        for side, parts in zip(sides, draws, strict=True):
            parts.append(side(counts))
    return [np.concatenate(parts) for parts in draws]


def interval(draws, confidence_level):
    """Compute the percentile interval of each column."""
    tail = (1 - confidence_level) / 2
    known = ~np.isnan(draws).all(axis=0)
    limits = np.full((2, draws.shape[1]), np.nan)
    limits[:, known] = np.nanquantile(draws[:, known], [tail, 1 - tail], axis=0)
    return limits


def score_predictions(
    y_true: Column,
    y_pred: Column,
    y_score: Column,
    groups: Column | None = None,
    *,
    pos_label: Any = "I",
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Seed = 0,
) -> pd.DataFrame:
    """Score given predictions, with bootstrap intervals.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_clips,)
        True and predicted labels.
    y_score : array-like of shape (n_clips,)
        Probability of `pos_label`; for other scores log loss and calibration are NaN.
    groups : array-like of shape (n_clips,), default=None
        The bootstrap draws whole groups; None draws clips.
    pos_label, n_resamples, confidence_level, random_state : label, int, float, int
        As in :func:`~skbreath.evaluate`.

    Returns
    -------
    table : DataFrame
        Columns ``value``, ``low``, ``high``; a row for each of ``accuracy``, ``f1``,
        ``roc_auc``, ``log_loss`` and ``calibration_error`` (10 bins of equal mass),
        and ``perfect_calibration``: the calibration error that chance gives a
        perfectly calibrated model with these probabilities, its mean and range. A
        calibration error within that range is no evidence against the model.

        A percentile bootstrap (Efron and Tibshirani 1993, chapter 13). Resampling
        biases the calibration error upwards, since it is never negative: its interval
        is the reflected one, which removes the bias, widened to hold the value.

    Raises
    ------
    ValueError
        If lengths differ, `y_true` does not have exactly two classes, `pos_label` is
        not one of them, scores are not finite, or there is only one group.

    References
    ----------
    Efron B., Tibshirani R. J. (1993). An introduction to the bootstrap.
    Chapman & Hall.

    Guo C. et al. (2017). On calibration of modern neural networks. ICML.

    Examples
    --------
    >>> from skbreath import score_predictions
    >>> y = ["I", "E"] * 50
    >>> score_predictions(y, y, [0.9, 0.1] * 50).loc["accuracy"].tolist()
    [1.0, 1.0, 1.0]
    """
    scores = grouped_scores(y_true, y_pred, y_score, groups, pos_label)
    rng = bootstrap_generator(random_state)
    value = scores.of_all()
    (draws,) = bootstrap_scores([scores], n_resamples, rng)
    low, high = interval(draws, confidence_level)
    last = METRICS.index("calibration_error")
    low[last], high[last] = (
        max(0, min(value[last], 2 * value[last] - high[last])),
        max(value[last], 2 * value[last] - low[last]),
    )
    table = pd.DataFrame({"value": value, "low": low, "high": high}, index=METRICS)
    perfect = scores.perfect_calibration(n_resamples, rng)
    table.loc["perfect_calibration"] = [
        perfect.mean(),
        *interval(perfect[:, None], confidence_level)[:, 0],
    ]
    return table


def grouped_scores(y_true, y_pred, y_score, groups, pos_label):
    """Check predictions and prepare their scores."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    y_score = np.asarray(y_score, dtype=np.float64)
    check_consistent_length(y_true, y_pred, y_score, groups)
    check_binary(y_true, pos_label)
    if not np.isfinite(y_score).all():
        raise ValueError(
            "y_score must be finite, got NaN or infinity; drop these clips."
        )
    codes = group_codes(groups, len(y_true))
    return GroupedScores(y_true == pos_label, y_pred == pos_label, y_score, codes)


def group_codes(groups, n_clips):
    """Number groups 0, 1, ...; if None, each clip is a group."""
    if groups is None:
        return np.arange(n_clips)
    codes = pd.factorize(np.asarray(groups))[0]
    if (codes < 0).any():
        raise ValueError("groups must not be missing; give every clip its group.")
    return codes


def check_binary(y, pos_label):
    """Check that there are two classes, one of them the positive one."""
    classes = np.unique(y)
    if len(classes) != 2:
        raise ValueError(f"y must have two classes, got {classes.tolist()}.")
    if pos_label not in classes.tolist():
        raise ValueError(
            f"pos_label must be one of the labels {classes.tolist()}, got "
            f"{pos_label!r}."
        )
