"""Check what a network is fitted on, split it, and find the weights to start from."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, validate_data

from ..fitting.labels import check_present
from ..utils.sklearn_compat import _check_sample_weight

__all__ = [
    "TrainingRows",
    "as_clips",
    "early_stopping_split",
    "first_not_finite",
    "set_starting_weights",
    "starting_weights",
    "training_rows",
    "validation_split",
]


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
    """Check the arguments of ``fit``, and set `n_features_in_` of the classifier."""
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


def validation_split(codes, groups, fraction, random_state):
    """Split rows into training and validation rows, whole groups at a time.

    Stratified. skorch's own split takes the first unshuffled fold and ignores groups.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Classes as 0, 1, ...
    groups : ndarray of shape (n_rows,) or None
    fraction : float
        Share of validation rows; with groups one part of ``round(1 / fraction)``.
    random_state : RandomState

    Returns
    -------
    split : tuple of two ndarrays, or None
        Training rows and validation rows; None if there are too few rows or groups
        to hold any back.

    Raises
    ------
    ValueError
        If every split by group takes all rows of some class.

    Examples
    --------
    >>> import numpy as np
    >>> codes, groups = np.tile([0, 1], 10), np.repeat(np.arange(5), 4)
    >>> train, held = validation_split(codes, groups, 0.2, np.random.RandomState(0))
    >>> len(train), len(held), len(set(groups[train]) & set(groups[held]))
    (16, 4, 0)
    """
    n_classes = codes.max() + 1
    n_held = int(np.ceil(fraction * len(codes)))
    n_units = np.bincount(codes).min() if groups is None else len(np.unique(groups))
    if n_units < 2 or n_held < n_classes:
        return None
    seed = int(random_state.randint(np.iinfo(np.int32).max))
    if groups is None:
        splitter = StratifiedShuffleSplit(1, test_size=n_held, random_state=seed)
        return next(splitter.split(codes, codes))
    n_splits = min(n_units, round(1 / fraction))
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    for train, held in splitter.split(codes, codes, groups):
        # One group may hold all rows of a class.
        if len(np.unique(codes[train])) == n_classes:
            return train, held
    raise ValueError(
        "No group can be held back for early stopping without losing a class; "
        "pass finer groups or early_stopping=False."
    )


def early_stopping_split(classifier, codes, groups, random_state):
    """Split the rows of a fit; without early stopping all are training rows.

    The caller of the fit is warned where nothing can be held back.
    """
    split = None
    if classifier.early_stopping:
        split = validation_split(
            codes, groups, classifier.validation_fraction, random_state
        )
        if split is None:
            warnings.warn(
                f"Too few {'rows' if groups is None else 'groups'} to hold some back "
                f"for early stopping: training for all {classifier.max_epochs} epochs. "
                "early_stopping=False says that this is intended.",
                UserWarning,
                stacklevel=4,
            )
    rows = np.arange(len(codes))
    return (rows, rows[:0]) if split is None else split


def starting_weights(classifier, classes):
    """Get the weights that a fit starts from; None means random ones."""
    if not _goes_on(classifier):
        return classifier.initial_weights
    if not np.array_equal(classes, classifier.classes_):
        raise ValueError(
            f"warm_start=True goes on with the classes {classifier.classes_.tolist()}, "
            f"but y has {classes.tolist()}."
        )
    return classifier.get_weights()


def _goes_on(classifier):
    return classifier.warm_start and hasattr(classifier, "net_")


def set_starting_weights(classifier, module, weights):
    """Load what :func:`starting_weights` returned into a new network."""
    if _goes_on(classifier):
        source = "the weights of the last fit (warm_start=True)"
        advice = "set warm_start=False to start from random weights"
    else:
        source = "initial_weights"
        advice = "take those of a network with the same parameters"
    if misfit := _first_misfit(weights, module.state_dict()):
        raise ValueError(f"{source} do not fit the network: {misfit}; {advice}.")
    classifier._set_weights(module, weights)
    if name := first_not_finite(module):
        raise ValueError(
            f"{source} cannot be used: {name!r} has NaN or infinite values; {advice}."
        )


def _first_misfit(weights, expected):
    """Describe how weights differ from those of a network; None if they do not."""
    for name, tensor in expected.items():
        if name not in weights:
            return f"{name!r} is missing"
        shape, needed = np.shape(weights[name]), tuple(tensor.shape)
        if shape != needed:
            return f"{name!r} has the shape {shape}, where the network has {needed}"
    unknown = [name for name in weights if name not in expected]
    return f"it has no weight {unknown[0]!r}" if unknown else None


def first_not_finite(module):
    """Get the name of a weight with NaN or infinite values; None if all are finite."""
    for name, weights in module.named_parameters():
        if not weights.isfinite().all():
            return name
    for name, buffer in module.named_buffers():
        if buffer.isnan().any():  # a mask may well be infinite
            return name
    return None
