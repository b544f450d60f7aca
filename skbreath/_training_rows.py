"""What a network is fitted on: features, labels, groups and weights, checked."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    validate_data,
)

from ._labels_given import check_present

__all__ = ["TrainingRows", "as_clips", "training_rows"]


@dataclass
class TrainingRows:
    """Rows of non-zero weight.

    Attributes
    ----------
    X : ndarray of shape (n_clips, n_channels, n_frames), float32
    y : ndarray of shape (n_clips,)
        Labels.
    codes : ndarray of shape (n_clips,)
        Their positions in `classes`.
    classes : ndarray of shape (n_classes,)
    groups : ndarray of shape (n_clips,) or None
    weights : ndarray of shape (n_clips,)
        As given; weights of the classes are not in them.
    """

    X: np.ndarray
    y: np.ndarray
    codes: np.ndarray
    classes: np.ndarray
    groups: np.ndarray | None
    weights: np.ndarray

    def targets(self):
        """Make one target column per output of the network."""
        if len(self.classes) == 2:
            return self.codes[:, None]
        return np.eye(len(self.classes))[self.codes]

    def loss_weights(self, class_weight):
        """Get the weight of each row in the loss, 1 on average."""
        weights = self.weights * compute_sample_weight(class_weight, self.y)
        return weights / weights.mean()


def training_rows(classifier, X, y, groups=None, sample_weight=None):
    """Check what is given to ``fit``.

    Parameters
    ----------
    classifier : ResidualCNNClassifier
        Gets `n_features_in_`.
    X, y, groups, sample_weight
        As in its ``fit``.

    Returns
    -------
    rows : TrainingRows

    Raises
    ------
    ValueError
        If X is not finite or not of such a shape, lengths differ, or y has missing
        labels or fewer than two classes.
    """
    check_present(y, "y")
    X, y = validate_data(
        classifier, X, y, allow_nd=True, dtype=np.float32, order="C", multi_output=False
    )
    X = as_clips(X)
    check_classification_targets(y)
    if groups is not None:
        groups = column_or_1d(groups)
        check_consistent_length(X, groups)
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    # Rows of no weight must not count, not even in the batch statistics.
    if not weights.all():
        rows = np.flatnonzero(weights)
        X, y, weights = X[rows], y[rows], weights[rows]
        groups = None if groups is None else groups[rows]
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"{type(classifier).__name__} needs at least two classes, got "
            f"{len(classes)} class in the rows of non-zero weight."
        )
    return TrainingRows(X, y, codes, classes, groups, weights)


def as_clips(X):
    """Give features their axis of frames."""
    if X.ndim == 2:
        return X[:, :, None]
    if X.ndim != 3:
        raise ValueError(
            "X must have the shape (n_clips, n_channels, n_frames) or "
            f"(n_clips, n_channels), got {X.ndim} dimensions."
        )
    return X
