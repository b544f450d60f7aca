"""Classify frames as pause or phase, and detect frames unlike the training data."""

import numpy as np
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import HistGradientBoostingClassifier

from ..ensemble.boosted_trees import fast_version

__all__ = ["FrameModel", "default_classifier"]

# Share of the training frames that count as unfamiliar.
_STRANGE_SHARE = 0.002
_TOLERANCE_DB = 4.0
# Bands are cut off this far below the loudest one.
_AUDIBLE_DB = 40.0


def default_classifier():
    """Make boosted trees: independent of the block size, and fast."""
    return HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
    )


class FrameModel:
    """A classifier of frames, and a Gaussian model of the spectra it was trained on.

    Parameters
    ----------
    classifier : classifier
        From rows to probabilities; cloned.
    n_classes : int
        1 + number of labels; class 0 is the pause.
    n_spectrum : int
        First columns of a row that make its spectrum.
    """

    def __init__(self, classifier, n_classes, n_spectrum):
        self.classifier = clone(classifier)
        self.n_classes, self.n_spectrum = n_classes, n_spectrum

    def fit(self, rows, classes):
        """Fit on float32 rows and their classes, 0 for a pause."""
        self.classifier.fit(rows, classes)
        self.fast_classifier = fast_version(self.classifier)
        counts = np.bincount(classes, minlength=self.n_classes)
        self.log_prior = np.log((counts + 1) / (counts + 1).sum())
        spectra = self._spectra(rows)
        model = LedoitWolf().fit(spectra)
        self.centre = model.location_
        # A different filter or sample width should not make a sound unfamiliar.
        tolerance = _TOLERANCE_DB**2 * np.eye(spectra.shape[1])
        values, vectors = np.linalg.eigh(model.covariance_ + tolerance)
        self.whitening = vectors / np.sqrt(values)
        distance = self._distance(rows)
        self.farthest = np.quantile(distance, 1 - _STRANGE_SHARE)
        return self

    def __getstate__(self):
        state = dict(self.__dict__)
        state.pop("fast_classifier", None)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        if hasattr(self.classifier, "classes_"):
            self.fast_classifier = fast_version(self.classifier)

    def _spectra(self, rows):
        spectra = rows[:, : self.n_spectrum].astype(np.float64)
        loudest = spectra.max(axis=1, keepdims=True)
        return np.maximum(spectra - loudest, -_AUDIBLE_DB)

    def _distance(self, rows):
        spectra = self._spectra(rows) - self.centre
        return np.square(spectra @ self.whitening).sum(axis=1)

    def predict(self, rows):
        """Return probabilities, (n_rows, n_classes), and whether rows look familiar."""
        probability = np.zeros((len(rows), self.n_classes))
        fast = self.fast_classifier
        probability[:, fast.classes_] = fast.predict_proba(rows)
        return probability, self._distance(rows) <= self.farthest
