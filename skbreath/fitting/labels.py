"""Check labels and groups: one for every row, and the classes a model expects."""

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from ..utils.sklearn_compat import _num_samples

__all__ = [
    "check_at_most_two_classes",
    "check_fitted_classes",
    "check_lengths",
    "check_present",
    "check_two_classes",
    "label_column",
    "one_column",
]

_ADVICE = "give the label of every row, or leave these rows out"


def check_present(values, name, *, advice=_ADVICE):
    """Raise an error if values are missing, with their number and the first row.

    None, NaN, infinite numbers and what else pandas counts as missing are errors.
    `name` is the name of the argument; `advice` ends the message.
    """
    from pandas import isna

    # As objects: numpy makes text of None and NaN in a list of labels.
    values = np.asarray(values, dtype=None if hasattr(values, "dtype") else object)
    if values.ndim == 0 or values.size == 0:  # empty values are reported elsewhere
        return
    missing, what = np.asarray(isna(values)), "missing"
    if values.dtype.kind == "f" and np.isinf(values).any():
        missing, what = ~np.isfinite(values), "missing or infinite"
    rows = np.flatnonzero(missing.reshape(len(values), -1).any(axis=1))
    if len(rows):
        noun = "value" if len(rows) == 1 else "values"
        raise ValueError(
            f"{name} has {len(rows)} {what} {noun}, the first at row {rows[0]}: "
            f"{advice}."
        )


def check_fitted_classes(fitted, classes, name):
    """Raise an error if `classes`, those of y, are not the `fitted` ones of a model."""
    if not np.array_equal(fitted, classes):
        raise ValueError(
            f"Expected y to have the classes of {name}, {np.asarray(fitted).tolist()}, "
            f"got {np.asarray(classes).tolist()}; give labels of exactly these classes."
        )


def check_lengths(X, **arguments):
    """Raise an error that names an argument without one value for each row of `X`."""
    n_rows = _num_samples(X)
    for name, values in arguments.items():
        if values is not None and _num_samples(values) != n_rows:
            raise ValueError(
                f"Found inconsistent numbers of samples: X has {n_rows}, {name} has "
                f"{_num_samples(values)}."
            )


def check_two_classes(classes):
    """Raise an error if labels have only one class."""
    if len(classes) < 2:
        raise ValueError(
            f"y has only one class, {np.asarray(classes).tolist()}; give rows of at "
            "least two classes."
        )


def one_column(values, name):
    """Get values as a 1-D array, from a 1-D array or from one column of a 2-D array.

    Unlike scikit-learn's function, the error names the argument, not always ``y``.
    """
    values = np.asarray(values)
    if values.ndim != 1 and values.shape[1:] != (1,):
        raise ValueError(
            f"{name} must have one column, got an array of shape {values.shape}."
        )
    return column_or_1d(values)


def check_at_most_two_classes(y):
    """Raise an error if labels have more than two classes."""
    if type_of_target(y) == "multiclass":
        classes = np.unique(np.asarray(y)).tolist()
        # scikit-learn's check of estimators looks for the first words.
        raise ValueError(
            "Only binary classification is supported. Expected labels of 2 classes, "
            f"got {len(classes)}: {classes}; leave out the rows of the others. A model "
            "of make_breath_classifier takes them without its threshold: "
            "model.set_params(classifier=model['classifier'].estimator)."
        )


def label_column(values, name):
    """Get labels as a 1-D array, after a check that none is missing."""
    check_present(values, name)
    return one_column(values, name)
