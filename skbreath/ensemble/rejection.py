"""Reject uncertain labels, beside a binary ``predict``.

A third label in ``predict`` would break ``classes_``, F1 and everything that counts
labels. Rejection is therefore a mask beside the labels, made from a confidence.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from ..utils.sklearn_compat import Interval, validate_params
from ..utils.text import ROW_NUMBERING_NOTE, shorten
from .inspection import UnwrappedModel, unwrap_steps
from .threshold import ThresholdClassifier

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "labels_and_confidence",
    "labels_and_probabilities",
    "predict_with_rejection",
    "rejection_mask",
]

_MODEL = {"model": "no_validation", "X": "no_validation"}
_BELOW = {"reject_below": [Interval(Real, 0, 1, closed="both")]}


@validate_params(_MODEL | _BELOW, prefer_skip_nested_validation=True)
def predict_with_rejection(
    model: Any, X: Any, *, reject_below: float
) -> tuple[np.ndarray, np.ndarray]:
    """Predict labels, and mark those whose confidence is too low.

    Parameters
    ----------
    model : classifier
        Fitted, such as :func:`~skbreath.make_breath_classifier` or any classifier
        with ``predict_proba``.
    X : sequence of length n_clips
        Whatever `model` takes.
    reject_below : float
        Confidence from which on a label is used, 0 to 1; see Notes.

    Returns
    -------
    labels : ndarray of shape (n_clips,)
        As ``model.predict(X)`` gives them, also for what is rejected.
    rejected : ndarray of bool of shape (n_clips,)
        Where the confidence is below `reject_below`.

    Raises
    ------
    ValueError
        If the model has no ``predict_proba``, or gives NaN; the rows are named.

    See Also
    --------
    rejection_mask : The mask alone.
    accuracy_coverage_curve : What a limit costs and brings.

    Notes
    -----
    The confidence is the probability of the label given. Only for a
    :class:`~skbreath.ThresholdClassifier` whose threshold t on the probability is not
    0.5 it is something else: such a classifier labels a clip positive from the
    probability p = t on, and is least sure there. Its confidence is::

        1 - (1 - p) / (1 - t) / 2    where p >= t, labelled positive
        1 - p / t / 2                where p < t

    0.5 at the threshold and 1 where p is 0 or 1. That is Chow's rule of rejection for
    the costs of the two kinds of errors that make t the best threshold: rejected is
    what would cost most, on either side of the threshold. The threshold may be in the
    last step of a Pipeline, in the best estimator of a search, or in a
    :class:`~skbreath.FineTunedClassifier`.

    How many labels are right above a limit is a question to clips that the model has
    not seen: see :func:`accuracy_coverage_curve`.

    References
    ----------
    C. K. Chow, "On optimum recognition error and reject tradeoff", IEEE Transactions
    on Information Theory 16, 1970.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import predict_with_rejection
    >>> model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], list("EEII"))
    >>> labels, rejected = predict_with_rejection(
    ...     model, [[-2.0], [1.4], [4.0]], reject_below=0.9
    ... )
    >>> labels, rejected
    (array(['E', 'E', 'I'], dtype='<U1'), array([False,  True, False]))
    """
    labels, _, confidence = labels_and_confidence(model, X)
    return labels, confidence < reject_below


@validate_params(_MODEL | _BELOW, prefer_skip_nested_validation=True)
def rejection_mask(model: Any, X: Any, *, reject_below: float) -> np.ndarray:
    """Mark the clips whose label has too low a confidence.

    Parameters
    ----------
    model, X, reject_below : classifier, sequence of length n_clips, and float
        As for :func:`predict_with_rejection`.

    Returns
    -------
    rejected : ndarray of bool of shape (n_clips,)

    Raises
    ------
    ValueError
        As :func:`predict_with_rejection`.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import rejection_mask
    >>> model = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], list("EEII"))
    >>> rejection_mask(model, [[1.4], [4.0]], reject_below=0.9)
    array([ True, False])
    """
    return labels_and_confidence(model, X)[2] < reject_below


def labels_and_confidence(
    model: Any | UnwrappedModel, X: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict labels, probabilities and confidence.

    Parameters
    ----------
    model : classifier or UnwrappedModel
        Fitted, with ``predict_proba``.
    X : sequence of length n_clips

    Returns
    -------
    labels : ndarray of shape (n_clips,)
        As from ``predict``.
    proba : ndarray of shape (n_clips, n_classes)
    confidence : ndarray of shape (n_clips,)
        Defined in the Notes of :func:`predict_with_rejection`.
    """
    model = unwrap_steps(model)
    labels, proba = labels_and_probabilities(model, X)
    last = model.classifier
    if not _has_probability_threshold(last):
        columns = np.searchsorted(last.classes_, labels)
        return labels, proba, proba[np.arange(len(proba)), columns]
    positive = proba[:, last.classes_.tolist().index(last.pos_label_)]
    return labels, proba, _confidence(positive, last.best_threshold_)


def labels_and_probabilities(
    model: Any | UnwrappedModel, X: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Predict both; what comes before the last step of a Pipeline runs once.

    Parameters
    ----------
    model, X
        As for :func:`labels_and_confidence`.

    Returns
    -------
    labels : ndarray of shape (n_clips,)
    proba : ndarray of shape (n_clips, n_classes)

    Raises
    ------
    ValueError
        If there are no probabilities, or some are NaN: the label beside them would
        look like any other.
    """
    model = unwrap_steps(model)
    last = model.classifier
    if not hasattr(last, "predict_proba"):
        raise ValueError(
            f"{type(last).__name__} has no predict_proba, so its labels have no "
            "confidence. Use a classifier with predict_proba, or calibrate this one."
        )
    X = model.prepare(X)
    proba = np.asarray(last.predict_proba(X))
    wrong = np.flatnonzero(~np.isfinite(proba).all(axis=1)).tolist()
    if wrong:
        raise ValueError(
            f"The probabilities of {type(last).__name__} are NaN for {len(wrong)} of "
            f"{len(proba)} clips: rows {shorten(wrong)} {ROW_NUMBERING_NOTE}. Check "
            "its training and these clips."
        )
    if _has_probability_threshold(last):
        return last.apply_threshold(proba), proba
    return np.asarray(last.predict(X)), proba


def _has_probability_threshold(classifier):
    return (
        isinstance(classifier, ThresholdClassifier)
        and classifier.decides_on_probabilities()
    )


def _confidence(positive, threshold):
    """Distance from the threshold, 0.5 there and 1 where nothing is left of it."""
    above = positive >= threshold
    threshold = min(max(threshold, 0.0), 1.0)  # one out of reach labels all alike
    cost = np.where(above, 1 - positive, positive)
    most = np.where(above, 1 - threshold, threshold)
    return 1 - np.divide(cost, 2 * most, out=np.zeros_like(cost), where=most > 0)
