"""Rows held back from training for early stopping."""

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

__all__ = ["hold_back", "split_to_stop_by"]


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


def split_to_stop_by(classifier, codes, groups, random_state):
    """Split the rows of a fit; warn its caller where nothing can be held back.

    Parameters
    ----------
    classifier : ResidualCNNClassifier
        Its `early_stopping`, `validation_fraction` and `max_epochs` count.
    codes, groups, random_state
        As for :func:`hold_back`.

    Returns
    -------
    train, held : ndarray
        Training rows and held-back rows; none of these without early stopping.
    """
    split = None
    if classifier.early_stopping:
        split = hold_back(codes, groups, classifier.validation_fraction, random_state)
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
