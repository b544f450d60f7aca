"""Mix the members' probabilities with weights, then calibrate the mixture."""

from dataclasses import dataclass

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils import Bunch

from .weights import GivenProbabilities, learn_weights

__all__ = ["Mixture", "MixtureLearner", "cross_fit_mixture"]


@dataclass
class Mixture:
    """Hold the weights of the members, and a calibrator of their mean or None."""

    weights: np.ndarray
    calibrator: CalibratedClassifierCV | None = None

    def __call__(self, proba):
        """Mix ``(n_members, n_samples, n_classes)`` to ``(n_samples, n_classes)``."""
        return self.calibrate(np.tensordot(self.weights, proba, axes=1))

    def calibrate(self, mixed):
        """Calibrate weighted means."""
        if self.calibrator is None:
            return mixed
        return self.calibrator.predict_proba(mixed)


@dataclass
class MixtureLearner:
    """Learn mixtures from out-of-fold probabilities.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The sorted classes.
    weights : ndarray of shape (n_members,) or None
        Given weights; None means that they are learned.
    scorer : callable or None
        As in :func:`skbreath.ensemble.weights.learn_weights`.
    calibration : {"sigmoid", "isotonic", "temperature"} or None
        As in :class:`~sklearn.calibration.CalibratedClassifierCV`.
    """

    classes: np.ndarray
    weights: np.ndarray | None = None
    scorer: object = None
    calibration: str | None = None

    def learn(self, proba, y, mixed=None):
        """Learn from rows that the members have not seen.

        Parameters
        ----------
        proba : ndarray of shape (n_members, n_samples, n_classes)
            Probabilities of the members.
        y : ndarray of shape (n_samples,)
            Class labels.
        mixed : ndarray of shape (n_samples, n_classes), default=None
            Weighted means to learn the calibration from; None means those of `proba`.

        Returns
        -------
        mixture : Mixture
        """
        weights = self.weights
        if weights is None:
            weights = learn_weights(proba, y, self.classes, self.scorer)
        if self.calibration is None:
            return Mixture(weights)
        if mixed is None:
            mixed = np.tensordot(weights, proba, axes=1)
        sample_weight = None
        if self.calibration == "temperature":
            mixed, y, sample_weight = _smoothed(mixed, y, self.classes)
        everything = np.arange(len(y))
        calibrator = CalibratedClassifierCV(
            GivenProbabilities(self.classes),
            method=self.calibration,
            # One part: there is nothing to fit but the calibrator itself.
            cv=[(everything, everything)],
            ensemble=False,
        )
        return Mixture(weights, calibrator.fit(mixed, y, sample_weight))


def _smoothed(mixed, y, classes):
    """Repeat each row as every class, weighted by the probability of that label.

    The smoothed targets of Platt (1999), as scikit-learn's sigmoid has them: where few
    rows are all classified correctly, no temperature is low enough otherwise, and
    every probability becomes 0 or 1.
    """
    _, number, counts = np.unique(y, return_inverse=True, return_counts=True)
    doubt = 1 / (counts + 2)[number]
    others = doubt / max(1, len(classes) - 1)
    weights = [np.where(y == label, 1 - doubt, others) for label in classes]
    rows = np.tile(np.arange(len(y)), len(classes))
    return mixed[rows], np.repeat(classes, len(y)), np.concatenate(weights)


def cross_fit_mixture(learner, folds, y):
    """Learn a mixture for all rows, and for each fold one without its rows.

    Parameters
    ----------
    learner : MixtureLearner
    folds : list of list of (test, dict)
        Of each member, from :func:`skbreath.fitting.cross_fitting.out_of_fold_each`.
    y : ndarray of shape (n_samples,)
        Class labels.

    Returns
    -------
    learned : Bunch
        ``mixture`` from all rows; ``fold_weights`` (n_splits, n_members); ``proba``
        (n_samples, n_classes), each fold mixed by the fold's mixture; ``member_proba``
        (n_members, n_samples, n_classes). Rows in several test parts are averaged,
        rows in none are NaN.
    """
    tests = [test for test, _ in folds[0]]
    rows, proba = _pooled(folds)
    sizes = np.cumsum([len(test) for test in tests])[:-1]
    mixtures, plain, mixed = [], [], []
    for test, fold_proba in zip(tests, np.split(proba, sizes, axis=1), strict=True):
        # By row, not by fold: repeated folds hold the same row more than once.
        other = ~np.isin(rows, test)
        mixtures.append(learner.learn(proba[:, other], y[rows[other]]))
        plain.append(np.tensordot(mixtures[-1].weights, fold_proba, axes=1))
        mixed.append(mixtures[-1].calibrate(plain[-1]))
    return Bunch(
        mixture=learner.learn(proba, y[rows], np.concatenate(plain)),
        fold_weights=np.array([mixture.weights for mixture in mixtures]),
        proba=_mean_by_row(rows, np.concatenate(mixed), len(y)),
        member_proba=np.array([_mean_by_row(rows, member, len(y)) for member in proba]),
    )


def _pooled(folds):
    """Concatenate the rows of all folds, and the members' probabilities of them."""
    rows = np.concatenate([test for test, _ in folds[0]])
    proba = [
        np.concatenate([np.asarray(out["predict_proba"], float) for _, out in member])
        for member in folds
    ]
    return rows, np.array(proba)


def _mean_by_row(rows, values, n_samples):
    """Average the values that share a row; rows without a value are NaN."""
    total = np.zeros((n_samples, values.shape[1]))
    np.add.at(total, rows, values)
    count = np.bincount(rows, minlength=n_samples)[:, np.newaxis]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
