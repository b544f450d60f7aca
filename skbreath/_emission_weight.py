"""How much to trust frames against durations: what works on held-out recordings."""

import warnings

import numpy as np
from sklearn.base import clone

from ._phase_metrics import event_scores
from .crossfit import check_group_cv

__all__ = ["choose_emission_weight"]

_CANDIDATES = (0.1, 0.2, 0.4, 0.8)
_WITHOUT_CHOICE = 0.4
# Found at all, and found well, count alike.
_OVERLAPS = (0.5, 0.8)


def choose_emission_weight(segmenter, recordings, tables, groups=None):
    """Choose the weight with the highest mean F1 of events in two folds.

    Parameters
    ----------
    segmenter : PhaseSegmenter
        Cloned; never changed itself.
    recordings : list of str or ndarray
        As ``fit`` takes them.
    tables : list of DataFrame
        Checked.
    groups : array-like of shape (n_recordings,), default=None
        Recordings of a group stay in one fold.

    Returns
    -------
    weight : float
        0.4 if there are fewer than two groups, or a fold lacks a label.

    Raises
    ------
    ValueError
        If `groups` has another length than `recordings`.
    """
    groups = np.arange(len(recordings)) if groups is None else np.asarray(groups)
    if len(groups) != len(recordings):
        raise ValueError(f"{len(recordings)} recordings, but {len(groups)} groups.")
    if len(np.unique(groups)) < 2:
        return _WITHOUT_CHOICE
    found = {weight: [None] * len(recordings) for weight in _CANDIDATES}
    folds = check_group_cv(2, groups=groups, classifier=False)
    for train, test in folds.split(recordings, groups=groups):
        if _labels(tables, train) < set(segmenter.labels):
            return _WITHOUT_CHOICE
        model = clone(segmenter).set_params(emission_weight=_WITHOUT_CHOICE)
        model.fit([recordings[i] for i in train], [tables[i] for i in train])
        for weight, phases in found.items():
            model.emission_weight_ = weight
            with warnings.catch_warnings():  # about recordings the user knows
                warnings.simplefilter("ignore", UserWarning)
                predicted = model.predict([recordings[i] for i in test])
            for i, table in zip(test, predicted, strict=True):
                phases[i] = table
    return max(_CANDIDATES, key=lambda weight: _score(tables, found[weight]))


def _labels(tables, rows):
    return {label for i in rows for label in tables[i]["label"]}


def _score(truth, predicted):
    return sum(
        event_scores(truth, predicted, min_iou=min_iou)["f1"].mean()
        for min_iou in _OVERLAPS
    )
