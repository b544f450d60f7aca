"""Measure how well names, order, format and level predict labels without the sound."""

import os
import re

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from ..fitting.cross_fitting import check_group_cv, out_of_fold

__all__ = [
    "auc_margin",
    "cross_validated_auc",
    "make_splits",
    "name_columns",
    "sibling_score",
]

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
# Numbers used from the end of each name, and words used of all names.
_N_NUMBERS, _N_WORDS = 6, 30


def name_columns(paths, groups=None):
    """Turn file names into numeric columns; NaN where a number is missing.

    The last numbers of a name with their parity, its length, and which of the common
    words are in it. Names of `groups` are left out: no other recording has them.

    >>> name_columns(["in_7.wav", "out_08.wav"])[:, :3].tolist()
    [[7.0, 1.0, 4.0], [8.0, 0.0, 6.0]]
    """
    stems = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    if groups is not None:
        stems = [
            stem.replace(str(group), "")
            for stem, group in zip(stems, groups, strict=True)
        ]
    numbers = [_NUMBER.findall(stem)[::-1][:_N_NUMBERS] for stem in stems]
    width = max(map(len, numbers), default=0)
    values = np.full((len(stems), 2 * width + 1), np.nan)
    for row, found in enumerate(numbers):
        for place, text in enumerate(found):
            values[row, 2 * place] = float(text)
            values[row, 2 * place + 1] = int(text[-1]) % 2
    values[:, -1] = [len(stem) for stem in stems]
    words = [set(map(str.lower, _WORD.findall(stem))) for stem in stems]
    counts = pd.Series([word for one in words for word in one], dtype=object)
    common = counts.value_counts()
    common = common[common < len(stems)].index[:_N_WORDS]
    present = [[word in one for word in common] for one in words]
    return np.hstack([values, np.array(present, dtype=float).reshape(len(stems), -1)])


def make_splits(positive, groups):
    """Make five folds that share no group, or random ones without groups.

    None if there are fewer than 20 clips of a class or fewer than five groups.
    """
    n_groups = len(positive) if groups is None else len(np.unique(groups))
    if min(positive.sum(), (~positive).sum()) < 20 or n_groups < 5:
        return None
    cv = 5
    if groups is None:  # unshuffled folds of a sorted list would hold whole recordings
        cv = StratifiedKFold(5, shuffle=True, random_state=0)
    shape = np.zeros(len(positive))
    return list(check_group_cv(cv, positive, groups).split(shape, positive, groups))


def cross_validated_auc(columns, positive, splits):
    """Cross-validate boosted trees on columns, and return their AUC."""
    trees = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=8, early_stopping=False, random_state=0
    )
    score = np.full(len(positive), np.nan)
    for test, output in out_of_fold(trees, columns, positive, splits):
        score[test] = output["predict_proba"][:, 1]
    return float(roc_auc_score(positive, score))


def sibling_score(positive, groups, place):
    """Score each clip by the labels of the other clips of its recording.

    Phases alternate: a neighbour an odd number of places away has the other label.
    0 without siblings.

    >>> labels = np.array([True, False, True, False])
    >>> sibling_score(labels, np.zeros(4), np.arange(4)).round(2).tolist()
    [1.75, -2.5, 2.5, -1.75]
    """
    sign = np.where(positive, 1.0, -1.0)
    score = np.zeros(len(positive))
    for rows in pd.Series(np.arange(len(groups))).groupby(np.asarray(groups)):
        rows = rows[1].to_numpy()
        apart = np.abs(place[rows][:, None] - place[rows])
        weight = np.where(apart == 0, 0.0, 0.5 ** np.maximum(apart - 1.0, 0.0))
        weight *= np.where(apart % 2 == 1, -1.0, 1.0)
        score[rows] = weight @ sign[rows]
    return score


def auc_margin(positive):
    """Return how far from 0.5 an AUC is by chance at most once in a thousand times."""
    n, m = int(positive.sum()), int((~positive).sum())
    # Standard error of Mann and Whitney's U without ties, doubled for clips of a
    # recording that resemble each other.
    return 2 * 3.3 * np.sqrt((n + m + 1) / (12 * n * m))
