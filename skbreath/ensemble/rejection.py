"""Reject labels of low confidence.

Rejection is a mask beside the labels: a third label in ``predict`` would break
``classes_``, F1 and everything that counts labels.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_consistent_length

from ..fitting.labels import check_present
from ..fitting.routing import metadata_context, requested
from ..utils.contexts import one_thread
from ..utils.sklearn_compat import Interval, validate_params
from ..utils.text import ROW_NUMBERING_NOTE, shorten
from .inspection import UnwrappedModel, unwrap_steps
from .threshold import ThresholdClassifier

if TYPE_CHECKING:
    from typing import Any

    from ..utils.typing import Column

__all__ = [
    "check_recordings",
    "confidence_at",
    "labels_and_confidence",
    "labels_and_probabilities",
    "predict_with_rejection",
    "rejection_mask",
]

_MODEL = {"model": "no_validation", "X": "no_validation"}
_BELOW = {
    "reject_below": [Interval(Real, 0, 1, closed="both")],
    "recordings": ["array-like", None],
}


@validate_params(_MODEL | _BELOW, prefer_skip_nested_validation=True)
def predict_with_rejection(
    model: Any, X: Any, *, reject_below: float, recordings: Column | None = None
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
    recordings : array-like of shape (n_clips,), default=None
        Which clips were recorded together, for a model that uses it; see
        :class:`~skbreath.RecordingContext`.

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
    The confidence is the probability of the predicted label, except for a
    :class:`~skbreath.ThresholdClassifier` whose threshold t on the probability is not
    0.5. Such a classifier labels a clip positive from the probability p = t on, and is
    least sure there. Its confidence is::

        1 - (1 - p) / (1 - t) / 2    where p >= t, labelled positive
        1 - p / t / 2                where p < t

    This is 0.5 at the threshold and 1 where p is 0 or 1: Chow's rule of rejection for
    the costs of the two kinds of errors that make t the best threshold. The threshold
    may be in the last step of a Pipeline, in the best estimator of a search, or in a
    :class:`~skbreath.FineTunedClassifier`.

    Which share of the labels above a limit is correct has to be measured on clips that
    the model was not fitted on: see :func:`accuracy_coverage_curve`.

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
    labels, _, confidence = labels_and_confidence(model, X, recordings)
    return labels, confidence < reject_below


@validate_params(_MODEL | _BELOW, prefer_skip_nested_validation=True)
def rejection_mask(
    model: Any, X: Any, *, reject_below: float, recordings: Column | None = None
) -> np.ndarray:
    """Mark the clips whose label has too low a confidence.

    Parameters
    ----------
    model, X, reject_below : classifier, sequence of length n_clips, and float
        As for :func:`predict_with_rejection`.
    recordings : array-like of shape (n_clips,), default=None
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
    return labels_and_confidence(model, X, recordings)[2] < reject_below


def labels_and_confidence(
    model: Any | UnwrappedModel, X: Any, recordings: Column | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict labels, probabilities (n_clips, n_classes) and confidence (n_clips,).

    The confidence is defined in the Notes of :func:`predict_with_rejection`.
    """
    model = unwrap_steps(model)
    labels, proba = labels_and_probabilities(model, X, recordings)
    last = model.classifier
    if not _has_probability_threshold(last):
        columns = np.searchsorted(last.classes_, labels)
        return labels, proba, proba[np.arange(len(proba)), columns]
    positive = proba[:, last.classes_.tolist().index(last.pos_label_)]
    return labels, proba, confidence_at(positive, last.best_threshold_)


def labels_and_probabilities(
    model: Any | UnwrappedModel, X: Any, recordings: Column | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Predict labels and probabilities with one pass through a Pipeline.

    Raises an error if probabilities are NaN, since their labels look like any other.
    """
    model = unwrap_steps(model)
    last = model.classifier
    check_recordings(model, X, recordings)
    if not hasattr(last, "predict_proba"):
        raise ValueError(
            f"{type(last).__name__} has no predict_proba, so its labels have no "
            "confidence. Use a classifier with predict_proba, or calibrate this one."
        )
    with one_thread(), metadata_context(recordings=recordings) as metadata:
        X = model.prepare(X, **metadata)
        params = requested(last, "predict_proba", metadata) if metadata else {}
        proba = np.asarray(last.predict_proba(X, **params))
    wrong = np.flatnonzero(~np.isfinite(proba).all(axis=1)).tolist()
    if wrong:
        raise ValueError(
            f"the probabilities of {type(last).__name__} must be finite, got NaN for "
            f"{len(wrong)} of {len(proba)} clips: rows {shorten(wrong)} "
            f"{ROW_NUMBERING_NOTE}; check its training and these clips."
        )
    if _has_probability_threshold(last):
        return last.apply_threshold(proba), proba
    with one_thread(), metadata_context(recordings=recordings):
        return np.asarray(last.predict(X, **params)), proba


def check_recordings(model: UnwrappedModel, X: Any, recordings: Column | None) -> None:
    """Raise an error for recordings that are malformed, or that a model cannot use."""
    if recordings is None:
        return
    check_consistent_length(X, recordings)
    advice = "name the recording of every clip, or leave recordings out"
    check_present(recordings, "recordings", advice=advice)
    if not model.uses_recordings():
        raise ValueError(
            "recordings were given, but no part of the "
            f"{type(model.classifier).__name__} uses them: leave them out, or take a "
            "model with a RecordingContext, such as make_breath_classifier makes."
        )


def _has_probability_threshold(classifier):
    """Check whether labels come from a tuned threshold on ``predict_proba``."""
    return (
        isinstance(classifier, ThresholdClassifier)
        and classifier.decides_on_probabilities()
    )


def confidence_at(positive, threshold):
    """Compute the confidence from the probability of the positive class."""
    above = positive >= threshold
    threshold = min(max(threshold, 0.0), 1.0)  # outside, all labels are the same
    cost = np.where(above, 1 - positive, positive)
    most = np.where(above, 1 - threshold, threshold)
    return 1 - np.divide(cost, 2 * most, out=np.zeros_like(cost), where=most > 0)
