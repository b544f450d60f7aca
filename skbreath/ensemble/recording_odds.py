"""Compare the odds of a clip with those of the other clips of its recording.

A recording holds inhales and exhales. So where most of its clips seem to be inhales,
the microphone or the person, not the phase, makes them look so. A share of the mean
log-odds of the other clips is subtracted from those of each clip.

This is done member by member, and not with the mean of a vote: members that see the
recordings in their features would be corrected twice. They are also those that know the
clips of their training best, so that the odds of such clips, beside which others may be
predicted, say more about their labels than about their recording.
"""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import softmax

__all__ = ["learn_share", "subtract_others"]

_LEAST = 1e-12  # a probability of 0 has no logarithm


def subtract_others(proba, recordings, share):
    """Subtract a share of the other clips' log-odds; get probabilities again.

    `proba` is (n_clips, n_classes). The sum over the other clips is divided by the
    number of all clips, so that a single other clip counts less. A clip without others
    keeps its probabilities.

    >>> subtract_others(np.array([[0.2, 0.8], [0.4, 0.6]]), ["a", "a"], 0.5).round(2)
    array([[0.22, 0.78],
           [0.49, 0.51]])
    """
    return _Comparison(proba, recordings).subtract(share)


def learn_share(proba, y, recordings, classes):
    """Find the share from 0 to 1 that minimises the log loss; 0 without recordings."""
    if len(np.unique(recordings)) == len(y):
        return 0.0
    hit = np.arange(len(y)), np.searchsorted(classes, y)
    comparison = _Comparison(proba, recordings)

    def loss(share):
        corrected = comparison.subtract(share)
        return -np.log(np.maximum(corrected[hit], _LEAST)).mean()

    found = minimize_scalar(loss, bounds=(0, 1), method="bounded")
    return float(found.x) if found.fun < loss(0) else 0.0


class _Comparison:
    """Hold what is the same for all shares."""

    def __init__(self, proba, recordings):
        codes = pd.factorize(np.asarray(recordings))[0]
        logs = np.log(np.maximum(proba, _LEAST))
        odds = logs - logs.mean(axis=1, keepdims=True)
        totals = np.empty_like(odds)
        for column, total in zip(odds.T, totals.T, strict=True):
            # In the order of the values, so that the order of the clips has no
            # influence.
            order = np.lexsort((column, codes))
            total[:] = np.bincount(codes[order], column[order])[codes]
        self._proba, self._odds, self._others = proba, odds, totals - odds
        self._counts = np.bincount(codes)[codes][:, None]

    def subtract(self, share):
        """Get the probabilities after a share of the others is subtracted."""
        odds = self._odds - share * self._others / self._counts
        return np.where(self._counts > 1, softmax(odds, axis=1), self._proba)
