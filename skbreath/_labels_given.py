"""Labels and groups: one for every row."""

import numpy as np
from sklearn.utils import column_or_1d

__all__ = ["check_present", "label_column", "one_column"]

_ADVICE = "give the label of every row, or leave these rows out"


def check_present(values, name, *, advice=_ADVICE):
    """Refuse values of which some are missing.

    Parameters
    ----------
    values : array-like of shape (n_rows,) or (n_rows, n_columns)
        Missing are None, NaN and what else pandas takes for it.
    name : str
        Of the argument that they came as.
    advice : str
        What to do.

    Raises
    ------
    ValueError
        If values are missing; it says in how many rows, and which is the first.

    Examples
    --------
    >>> check_present(["I", "E", None], "y")
    Traceback (most recent call last):
    ...
    ValueError: y has 1 missing value, the first at row 2: give the label of every
    row, or leave these rows out.
    """
    from pandas import isna

    # As objects: numpy makes text of None and NaN in a list of labels.
    values = np.asarray(values, dtype=None if hasattr(values, "dtype") else object)
    if values.ndim == 0 or values.size == 0:  # none at all is told by others
        return
    missing = np.asarray(isna(values)).reshape(len(values), -1).any(axis=1)
    rows = np.flatnonzero(missing)
    if len(rows):
        noun = "value" if len(rows) == 1 else "values"
        raise ValueError(
            f"{name} has {len(rows)} missing {noun}, the first at row {rows[0]}: "
            f"{advice}."
        )


def one_column(values, name):
    """Get values as a 1-D array; one column of a 2-D array is fine, two are an error.

    scikit-learn would call all of them ``y`` in the error.
    """
    values = np.asarray(values)
    if values.ndim != 1 and values.shape[1:] != (1,):
        raise ValueError(
            f"{name} must have one column, got an array of shape {values.shape}."
        )
    return column_or_1d(values)


def label_column(values, name):
    """Get labels, none of them missing, as a 1-D array."""
    check_present(values, name)
    return one_column(values, name)
