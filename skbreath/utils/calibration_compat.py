"""Calibrate by temperature, which scikit-learn does itself from 1.8 on.

Model files store the classes under their names in scikit-learn 1.8.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn import calibration
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV

__all__ = ["fit_calibrator"]

try:
    from sklearn.calibration import _CalibratedClassifier, _TemperatureScaling

    _HAS_TEMPERATURE = True
except ImportError:
    _HAS_TEMPERATURE = False

    class _TemperatureScaling(BaseEstimator):  # type: ignore[no-redef]
        """Multiply logits by the inverse of a temperature."""

        def fit(self, logits, y, sample_weight):
            def loss(log_beta):
                log_proba = log_softmax(np.exp(log_beta) * logits, axis=1)
                likelihood = log_proba[np.arange(len(y)), y]
                return -np.average(likelihood, weights=sample_weight)

            settings = {"xatol": 64 * np.finfo(float).eps}  # as in scikit-learn
            found = minimize_scalar(loss, bounds=(-10, 10), options=settings)
            self.beta_ = np.exp(found.x)
            return self

        def predict(self, logits):
            return softmax(self.beta_ * logits, axis=1)

    class _CalibratedClassifier(  # type: ignore[no-redef]
        calibration._CalibratedClassifier
    ):
        """Apply any calibration to a fitted classifier."""

        def predict_proba(self, X):
            if self.method != "temperature":
                return super().predict_proba(X)
            return self.calibrators[0].predict(_logits(self.estimator, X))


def _logits(classifier, X):
    """Compute what scikit-learn's temperature scaling multiplies."""
    if hasattr(classifier, "decision_function"):
        scores = classifier.decision_function(X)
        return scores if scores.ndim == 2 else np.column_stack([-scores, scores])
    proba = classifier.predict_proba(X)
    if proba.shape[1] == 2:
        proba = np.column_stack([1 - proba[:, 1], proba[:, 1]])
    return np.log(proba + 1e-12)


def fit_calibrator(classifier, method, X, y, sample_weight):
    """Fit a `CalibratedClassifierCV` around a classifier that needs no fit."""
    everything = np.arange(len(y))
    calibrator = CalibratedClassifierCV(
        classifier,
        method=method,
        # A single part of all rows: only the calibrator is fitted.
        cv=[(everything, everything)],
        ensemble=False,
    )
    if _HAS_TEMPERATURE or method != "temperature":
        return calibrator.fit(X, y, sample_weight)
    classes, numbers = np.unique(y, return_inverse=True)
    logits = _logits(classifier, X)
    scaling = _TemperatureScaling().fit(logits, numbers, sample_weight)
    calibrator.classes_ = classes
    calibrator.calibrated_classifiers_ = [
        _CalibratedClassifier(classifier, [scaling], classes=classes, method=method)
    ]
    return calibrator
