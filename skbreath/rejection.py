"""Leave unsure clips to a human ear: rejection beside a binary ``predict``.

A third label in ``predict`` would break ``classes_``, F1 and everything that counts
labels. Rejection is therefore a mask beside the labels, made from a confidence.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from ._scores import group_codes

if TYPE_CHECKING:
    from typing import Any

    from ._typing import Column, Seed

__all__ = [
    "RejectionMixin",
    "accuracy_coverage_curve",
    "labels_and_confidence",
    "labels_and_probabilities",
    "predict_with_rejection",
    "rejection_mask",
]

# Clips below which the share of right ones says nothing.
_FEWEST_CLIPS = 10
_MODEL = {"model": "no_validation", "X": "no_validation"}
_BELOW = {"reject_below": [Interval(Real, 0, 1, closed="both")]}


@validate_params(_MODEL | _BELOW, prefer_skip_nested_validation=True)
def predict_with_rejection(
    model: Any, X: Any, *, reject_below: float
) -> tuple[np.ndarray, np.ndarray]:
    """Predict labels, and say which of them are too unsure to be used.

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
        If the model gives no probabilities.

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
    what would cost most, on either side of the threshold.

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
    """Tell which clips a model is too unsure of.

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


class RejectionMixin:
    """Methods of classifiers with a decision threshold, which may be undecided."""

    def predict_with_rejection(
        self, X: Any, *, reject_below: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Predict labels, and say which are too unsure to be used.

        Parameters
        ----------
        X : sequence of length n_samples
            As for `predict`.
        reject_below : float
            See :func:`~skbreath.predict_with_rejection`, which takes a whole
            Pipeline.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            As from `predict`.
        rejected : ndarray of bool of shape (n_samples,)
        """
        return predict_with_rejection(self, X, reject_below=reject_below)

    def rejection_mask(self, X: Any, *, reject_below: float) -> np.ndarray:
        """Tell which rows are too unsure.

        Parameters
        ----------
        X, reject_below : sequence of length n_samples, and float
            As for `predict_with_rejection`.

        Returns
        -------
        rejected : ndarray of bool of shape (n_samples,)
        """
        return rejection_mask(self, X, reject_below=reject_below)


def labels_and_confidence(
    model: Any, X: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict labels, probabilities and confidence.

    Parameters
    ----------
    model : classifier
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
    if not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{type(model).__name__} gives no probabilities, so its labels have no "
            "confidence; use a classifier with predict_proba, or calibrate this one."
        )
    labels, proba = labels_and_probabilities(model, X)
    last = _thresholded(model)
    if last is None:
        columns = np.searchsorted(model.classes_, labels)
        return labels, proba, proba[np.arange(len(proba)), columns]
    positive = proba[:, last.classes_.tolist().index(last.pos_label_)]
    return labels, proba, _confidence(positive, last.best_threshold_)


def labels_and_probabilities(model: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predict both, in one pass where the last step has a threshold on probabilities.

    Parameters
    ----------
    model, X
        As for :func:`labels_and_confidence`.

    Returns
    -------
    labels : ndarray of shape (n_clips,)
    proba : ndarray of shape (n_clips, n_classes)
    """
    proba = np.asarray(model.predict_proba(X))
    last = _thresholded(model)
    if last is None:
        return np.asarray(model.predict(X)), proba
    return last.apply_threshold(proba), proba


def _thresholded(model):
    """The last step, if it has a threshold on its probabilities, or None."""
    last = model[-1] if hasattr(model, "steps") else model
    # By what it can do: the module of ThresholdClassifier rests on this one.
    able = isinstance(last, RejectionMixin)
    return last if able and last.decides_on_probabilities() else None


def _confidence(positive, threshold):
    """Distance from the threshold, 0.5 there and 1 where nothing is left of it."""
    above = positive >= threshold
    threshold = min(max(threshold, 0.0), 1.0)  # one out of reach labels all alike
    cost = np.where(above, 1 - positive, positive)
    most = np.where(above, 1 - threshold, threshold)
    return 1 - np.divide(cost, 2 * most, out=np.zeros_like(cost), where=most > 0)


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
    """How accurate are the labels that are left when unsure ones are rejected?

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_clips,)
        True labels, and those of a model that has not seen the clips.
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
        If lengths differ, there are fewer than 10 clips or fewer than two groups, or
        values are missing.

    Notes
    -----
    The interval is that of a percentile bootstrap over groups at the same limit,
    never narrower than Wilson's for as many independent clips: where all kept labels
    are right the bootstrap knows no doubt. Limits that keep fewer than 10 clips are
    left out. All limits stand on the same clips: choosing the best-looking one
    flatters it.

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
    y_true, y_pred, confidence = map(np.asarray, (y_true, y_pred, confidence))
    check_consistent_length(y_true, y_pred, confidence, groups)
    if len(y_true) < _FEWEST_CLIPS:
        raise ValueError(
            f"a curve needs at least {_FEWEST_CLIPS} clips, got {len(y_true)}."
        )
    confidence = confidence.astype(np.float64)
    if not np.isfinite(confidence).all():
        raise ValueError("confidence holds NaN or infinity.")
    codes = group_codes(groups, len(y_true))
    n_groups = codes.max() + 1
    if n_groups < 2:
        raise ValueError("An interval needs clips of at least two groups, got one.")

    limits = _limits(confidence)
    kept = confidence[:, None] >= limits
    per_group = np.zeros((2, n_groups, len(limits)))
    np.add.at(per_group[0], codes, kept)
    np.add.at(per_group[1], codes, kept & (y_true == y_pred)[:, None])
    n_kept, n_right = per_group.sum(axis=1)
    rng = np.random.default_rng(check_random_state(random_state).randint(2**31))
    counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_resamples)
    drawn, drawn_right = counts @ per_group
    draws = np.divide(
        drawn_right, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0
    )
    tail = (1 - confidence_level) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail], axis=0)
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
    """Up to 100 limits at even steps of the share of clips kept."""
    n_most = max(0, len(confidence) - _FEWEST_CLIPS)
    ranks = np.unique(np.linspace(0, n_most, 100).astype(int))
    return np.unique(np.sort(confidence)[ranks])


def _wilson(n_right, n, confidence_level):
    z = ndtri((1 + confidence_level) / 2)
    share = n_right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    spread = share * (1 - share) / n + z**2 / (4 * n**2)
    half = z * np.sqrt(spread) / (1 + z**2 / n)
    return centre - half, centre + half
