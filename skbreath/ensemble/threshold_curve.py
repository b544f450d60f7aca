"""Compute a metric at every decision threshold, and choose the best one."""

import warnings
from numbers import Integral

import numpy as np
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UndefinedMetricWarning

__all__ = [
    "base_score",
    "best_threshold",
    "candidate_thresholds",
    "scores_at_thresholds",
]

# A metric without a formula in counts is called once per threshold, which takes about a
# millisecond.
_MAX_CALLS = 1000


def candidate_thresholds(response, thresholds):
    """Get the thresholds to try, ascending, and how far each may move without effect.

    `response` are the scores of the positive class. ``"all"`` gives the middles between
    neighbouring distinct scores, after the smallest score (all rows positive) and
    before a value just above the largest (all rows negative). An integer gives an even
    grid, and an array is the grid.

    >>> candidates, *_ = candidate_thresholds(np.array([0.2, 0.6, 0.6]), "all")
    >>> candidates.round(6)
    array([0.2, 0.4, 0.6])
    """
    if not isinstance(thresholds, str):
        if isinstance(thresholds, Integral):
            candidates = np.linspace(response.min(), response.max(), thresholds)
        else:
            candidates = np.unique(np.asarray(thresholds, dtype=float))
        if not len(candidates) or not np.isfinite(candidates).all():
            raise ValueError("thresholds must be finite numbers, at least one.")
        return candidates, candidates, candidates
    distinct = np.unique(response)
    above = np.nextafter(distinct[-1], np.inf)
    lower = np.concatenate([distinct[:1], distinct])
    upper = np.concatenate([distinct, [above]])
    middle = lower + (upper - lower) / 2
    # Adjacent floats have no middle; a row at the lower score must stay negative, so
    # the upper is taken.
    middle[1:] = np.where(middle[1:] <= lower[1:], upper[1:], middle[1:])
    return middle, lower, upper


def scores_at_thresholds(scorer, response, y, classes, pos_label, thresholds, params):
    """Score the labels that each of the ascending thresholds gives.

    `response` are the scores of `pos_label`, and `params` further arguments of the
    scorer with a value per row. A metric that has to be called for each threshold is
    computed at 1,000 of them at most, and is NaN at the others.
    """
    formula = None if params else _formula(scorer, pos_label)
    if formula is not None:
        positive = y == pos_label
        n_true = np.array([positive.sum(), (~positive).sum()])
        # Rows below a threshold, counted within each true class.
        below_true = np.searchsorted(np.sort(response[positive]), thresholds)
        below_false = np.searchsorted(np.sort(response[~positive]), thresholds)
        tp, fp = n_true[0] - below_true, n_true[1] - below_false
        return scorer._sign * formula(tp, fp, below_true, below_false)
    scores = np.full(len(thresholds), np.nan)
    chosen = np.arange(len(thresholds))
    if len(chosen) > _MAX_CALLS:
        chosen = np.linspace(0, len(chosen) - 1, _MAX_CALLS).round().astype(int)
    labels = _GivenDecisions(classes, pos_label)
    with warnings.catch_warnings():
        # At the ends of the curve all rows have the same label.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        for index in chosen:
            scores[index] = scorer(labels, response >= thresholds[index], y, **params)
    return scores


def base_score(scorer, pos_label, base_rate):
    """Get the better score of the two models that predict one label for all rows.

    `base_rate` is the share of rows of `pos_label`. None for a metric without a formula
    in counts.

    >>> base_score(metrics.make_scorer(metrics.accuracy_score), 1, 0.3)
    0.7
    """
    formula = _formula(scorer, pos_label)
    if formula is None:
        return None
    tp, fp = np.array([base_rate, 0.0]), np.array([1.0 - base_rate, 0.0])
    scores = formula(tp, fp, base_rate - tp, 1.0 - base_rate - fp)
    return float(scorer._sign * np.max(scorer._sign * scores))


def best_threshold(candidates, lower, upper, scores):
    """Get the index of the middle of the widest run of best candidates.

    There, small changes of the scores change the labels least. Of equally wide runs the
    lowest is taken.

    >>> grid = np.array([0.1, 0.2, 0.3, 0.4, 0.9])
    >>> best_threshold(grid, grid, grid, np.array([0.5, 0.8, 0.8, 0.8, 0.8]))
    3
    """
    known = np.flatnonzero(~np.isnan(scores))
    if not len(known):
        raise ValueError(
            "the metric must be a number at some threshold, got NaN at all of them; "
            "choose another scoring."
        )
    is_best = scores[known] >= scores[known].max() - 1e-12
    edges = np.flatnonzero(np.diff(np.r_[False, is_best, False].astype(int)))
    first, last = known[edges[::2]], known[edges[1::2] - 1]
    widest = np.argmax(upper[last] - lower[first])
    run = known[(known >= first[widest]) & (known <= last[widest])]
    centre = (lower[first[widest]] + upper[last[widest]]) / 2
    return int(run[np.abs(candidates[run] - centre).argmin()])


class _GivenDecisions(ClassifierMixin, BaseEstimator):
    """Predict the labels of `X`, which is True for positive rows."""

    def __init__(self, classes, pos_label):
        self.classes = classes
        self.pos_label = pos_label
        self.classes_ = classes

    def predict(self, X):
        positive = self.classes_ == self.pos_label
        return self.classes_[np.where(X, positive.argmax(), positive.argmin())]


def _ratio(numerator, denominator):
    """Divide; 0 where the denominator is 0."""
    zero = np.zeros(np.broadcast(numerator, denominator).shape)
    return np.divide(numerator, denominator, out=zero, where=denominator != 0)


def _f_beta(beta):
    """Make the function that computes F-beta from tp, fp, fn, tn."""
    square = beta**2

    def score(tp, fp, fn, tn):
        return _ratio((1 + square) * tp, (1 + square) * tp + square * fn + fp)

    return score


def _formula(scorer, pos_label):
    """Get the metric as a function of tp, fp, fn, tn; None for other metrics."""
    kwargs = dict(getattr(scorer, "_kwargs", {}))
    if kwargs.pop("pos_label", pos_label) != pos_label:
        return None
    if kwargs.pop("average", "binary") != "binary":
        return None
    function = getattr(scorer, "_score_func", None)
    if function is metrics.fbeta_score and set(kwargs) == {"beta"}:
        return _f_beta(kwargs["beta"])
    return None if kwargs else _FORMULAS.get(function)


_FORMULAS = {
    metrics.f1_score: _f_beta(1),
    metrics.precision_score: lambda tp, fp, fn, tn: _ratio(tp, tp + fp),
    metrics.recall_score: lambda tp, fp, fn, tn: _ratio(tp, tp + fn),
    metrics.jaccard_score: lambda tp, fp, fn, tn: _ratio(tp, tp + fp + fn),
    metrics.accuracy_score: lambda tp, fp, fn, tn: _ratio(tp + tn, tp + fp + fn + tn),
    metrics.balanced_accuracy_score: lambda tp, fp, fn, tn: (
        (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2
    ),
}
