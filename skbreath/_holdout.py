"""Rows held back from training for early stopping."""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

__all__ = ["hold_back"]


def hold_back(codes, groups, fraction, random_state):
    """Split rows into those to train on and those to stop by.

    skorch's own split takes the first unshuffled fold and knows no groups. This
    one is stratified, and with groups holds back whole groups.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Classes as 0, 1, ...
    groups : ndarray of shape (n_rows,) or None
        Group of each row.
    fraction : float
        Part to hold back; with groups one part of ``round(1 / fraction)``.
    random_state : RandomState
        Source of the seed of the split.

    Returns
    -------
    split : tuple of two ndarrays, or None
        Training rows and held-back rows; None if there are too few rows or groups
        to hold any back.

    Raises
    ------
    ValueError
        If every split by group takes all rows of some class.

    Examples
    --------
    >>> import numpy as np
    >>> codes, groups = np.tile([0, 1], 10), np.repeat(np.arange(5), 4)
    >>> train, held = hold_back(codes, groups, 0.2, np.random.RandomState(0))
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
