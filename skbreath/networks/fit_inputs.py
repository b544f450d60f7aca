"""Check and split the training data of a network, and set its initial weights."""

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
    "check_device",
    "TrainingRows",
    "as_clips",
    "check_device",
    "early_stopping_split",
    "first_not_finite",
    "set_starting_weights",
    "starting_weights",
    "training_rows",
    "validation_split",
]


@dataclass
class TrainingRows:
    """Hold the checked training rows of non-zero weight."""

    X: np.ndarray
    """(n_clips, n_channels, n_frames), float32."""
    y: np.ndarray
    """Labels."""
    codes: np.ndarray
    """Positions of the labels in `classes`."""
    classes: np.ndarray
    groups: np.ndarray | None
    weights: np.ndarray
    """Sample weights as given, without the weights of the classes."""

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
    # Rows of zero weight must not count, not even in the batch statistics.
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
    """Add the axis of frames to 2-D features, and check the shape of others."""
    if X.ndim == 2:
        return X[:, :, None]
    if X.ndim != 3:
        raise ValueError(
            "X must have the shape (n_clips, n_channels, n_frames) or "
            f"(n_clips, n_channels), got {X.ndim} dimensions."
        )
    return X


def validation_split(codes, groups, fraction, random_state):
    """Split rows into training and validation rows, stratified and by whole groups.

    None if there are too few rows or groups. `codes` are the classes as 0, 1, ...;
    skorch's own split takes the first unshuffled fold and ignores groups.
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
        "early stopping needs a group that can be held back without removing a class "
        "from the training rows, and there is none; pass finer groups or "
        "early_stopping=False."
    )


def early_stopping_split(classifier, codes, groups, random_state):
    """Split the rows of a fit; without early stopping all are training rows.

    Warns if there are too few rows to hold some back.
    """
    rows = np.arange(len(codes))
    if not classifier.early_stopping:
        return rows, rows[:0]
    split = validation_split(
        codes, groups, classifier.validation_fraction, random_state
    )
    if split is None:
        warnings.warn(
            f"Too few {'rows' if groups is None else 'groups'} to hold some back for "
            f"early stopping: training for all {classifier.max_epochs} epochs. Set "
            "early_stopping=False if this is intended.",
            UserWarning,
            stacklevel=4,
        )
        return rows, rows[:0]
    return split


def starting_weights(classifier, classes):
    """Get the weights that a fit starts from; None means random ones."""
    if not _continues(classifier):
        return classifier.initial_weights
    if not np.array_equal(classes, classifier.classes_):
        raise ValueError(
            "warm_start=True needs the classes of the last fit, "
            f"{classifier.classes_.tolist()}, got {classes.tolist()}; set "
            "warm_start=False for other classes."
        )
    return classifier.get_weights()


def _continues(classifier):
    """Check whether a fit continues from the weights of the last fit."""
    return classifier.warm_start and hasattr(classifier, "net_")


def set_starting_weights(classifier, module, weights):
    """Load the result of :func:`starting_weights` into a new network."""
    if _continues(classifier):
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
        if buffer.isnan().any():  # a buffer, such as a mask, may be infinite
            return name
    return None


def check_device(device):
    """Raise an error if torch cannot compute on a device here."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (AssertionError, RuntimeError, TypeError) as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(
            f"device={device!r} is not available here ({why}); take one that torch "
            "finds on this machine, such as 'cpu'."
        ) from error
