"""Check a model for leaks between training and evaluation, one function per check."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, column_or_1d, indexable

from ..audio.inputs import as_paths
from ..ensemble.inspection import training_record, unwrap, unwrap_steps
from ..ensemble.rejection import check_recordings
from ..fitting.cross_fitting import check_group_cv
from ..fitting.routing import metadata_context, requested, requests_groups
from ..fitting.training_record import clip_digests
from ..utils.contexts import one_thread
from ..utils.sklearn_compat import _safe_indexing
from .scores import METRICS, bootstrap_scores, check_binary, grouped_scores

if TYPE_CHECKING:
    from typing import Any

    from ..utils.typing import Clips, Column, Folds, Seed

__all__ = ["check_leakage", "known_clips"]

# The last bits of predictions may depend on the batch size.
_TOLERANCE = 1e-5


class _Checks(pd.DataFrame):
    """Table that is printed in full, where pandas cuts texts after 50 characters."""

    def __repr__(self):
        return self.to_string()

    def _repr_html_(self):
        with pd.option_context("display.max_colwidth", None):
            return super()._repr_html_()


def check_leakage(
    model: Any,
    paths: Clips,
    y: Column,
    groups: Column,
    *,
    recordings: Column | None = None,
    cv: Folds = 5,
    pos_label: Any = "I",
    random_state: Seed = 0,
) -> pd.DataFrame:
    """Check for leaks between the training and the evaluation of a model.

    Fits clones of the model twice, on one fold's training rows.

    Parameters
    ----------
    model : classifier
        Model to evaluate. If this package fitted it, the check includes whether it
        was fitted on these clips.
    paths : sequence of paths, or array-like of shape (n_clips, ...)
        Clips to evaluate it on.
    y : array-like of shape (n_clips,)
        Labels, two classes.
    groups : array-like of shape (n_clips,)
        Recording, day or patient of each clip.
    recordings : array-like of shape (n_clips,), default=None
        Which clips were recorded together, for a model that uses it. A clip is then
        expected to depend on the sound of the clips of its recording.
    cv : int, splitter or iterable, default=5
        Folds; the first one is used.
    pos_label : label, default="I"
        The positive class.
    random_state : int, RandomState instance or None, default=0
        Seed of all shuffling.

    Returns
    -------
    table : DataFrame
        One row per check, by name, with ``leaks`` (bool) and ``detail`` (text):

        - ``known clips``: the fitted model was trained on some of the clips, which is
          expected if they are its training data.
        - ``copies``: clips of the same content are in different groups, or in one
          group under different labels.
        - ``groups``: a part of the model holds rows out (early stopping, a
          threshold, weights) without receiving the groups, so that its own splits
          divide recordings.
        - ``folds``: a fold shares groups between its two sides.
        - ``names``: predictions change with the names of the files. For paths only.
        - ``order``: predictions change with the order or number of the clips, or of
          the recordings.
        - ``labels``: trained on permuted labels, the model still ranks the held-out
          clips, themselves under permuted labels, better than chance explains once
          in a thousand times.

    Raises
    ------
    ValueError
        If lengths differ, or `y` does not have exactly two classes.

    Notes
    -----
    A table without leaks does not prove that there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import check_leakage
    >>> X, y = make_classification(200, random_state=0)
    >>> X[1] = X[0]  # the same clip, in two recordings
    >>> table = check_leakage(LogisticRegression(), X, y, np.arange(200), pos_label=1)
    >>> table.index[table["leaks"]].tolist()
    ['copies']
    >>> table.loc["copies", "detail"]
    '1 clip also in another group or under another label: rows 0 and 1'
    """
    X, y, groups, recordings = indexable(
        *(paths, column_or_1d(y), column_or_1d(groups), recordings)
    )
    check_binary(y, pos_label)
    check_recordings(unwrap_steps(model), X, recordings)
    if recordings is not None:
        recordings = np.unique(column_or_1d(recordings), return_inverse=True)[1]
    random_state = check_random_state(random_state)
    splits = list(check_group_cv(cv, y, groups).split(np.zeros(len(y)), y, groups))
    rows = [
        _known_clips(model, X),
        _copies(X, y, groups),
        _inner_splits(model, len(splits[0][0])),
        _folds(splits, groups),
    ]
    train, test = splits[0]
    fitted = _fit(model, X, y, groups, recordings, train)
    column = list(fitted.classes_).index(pos_label)
    held_out = _safe_indexing(X, test)
    companions = np.arange(len(test)) if recordings is None else recordings[test]

    def predict(clips, rows=slice(None)):
        of_clips = None if recordings is None else companions[rows]
        with one_thread(), metadata_context(recordings=of_clips) as metadata:
            params = requested(fitted, "predict_proba", metadata) if metadata else {}
            return fitted.predict_proba(clips, **params)[:, column]

    expected = predict(held_out)
    rows += [
        _names(predict, held_out, expected, random_state),
        _order(predict, held_out, companions, expected, random_state),
    ]
    permuted = random_state.permutation(y)
    fitted = _fit(model, X, permuted, groups, recordings, train)
    rows.append(_labels(predict(held_out), permuted[test], groups[test], pos_label))
    rows = [row for row in rows if row is not None]
    checks, *columns = zip(*rows, strict=True)
    index = pd.Index(checks, name="check")
    return _Checks(dict(zip(["leaks", "detail"], columns, strict=True)), index=index)


def _fit(model, X, y, groups, recordings, train):
    """Fit a clone of a model on some rows, with the metadata it requests."""
    recordings = None if recordings is None else recordings[train]
    given = {"groups": groups[train], "recordings": recordings}
    with metadata_context(**given) as metadata:
        params = requested(model, "fit", metadata)
        with one_thread():
            return clone(model).fit(_safe_indexing(X, train), y[train], **params)


def known_clips(model: Any, X: Clips) -> int | None:
    """Count the clips of X that a fitted model was trained on, by their content.

    None if this package fitted neither the model nor its last step.
    """
    record = training_record(model)
    if record is None or record["clips"] is None:
        return None
    inner = unwrap(model)
    has_record = any(hasattr(part, "training_record_") for part in (model, inner))
    if isinstance(inner, Pipeline) and not has_record:
        X = inner[:-1].transform(X)  # the record holds the input of the last step
    digests = clip_digests(X)
    return None if digests is None else int(np.isin(digests, record["clips"]).sum())


def _known_clips(model, X):
    """Check whether the model was trained on some of the clips."""
    known = known_clips(model, X)
    if known is None:
        return None
    detail = f"trained on {known} of these clips"
    if known:
        detail += (
            " (expected if they are its training data); evaluate the fitted model on "
            "other clips"
        )
    return "known clips", known > 0, detail


def _copies(X, y, groups):
    """Check for equal clips in different groups or under different labels."""
    digests = clip_digests(X)
    if digests is None:
        return None
    frame = pd.DataFrame({"clip": digests, "group": groups, "label": y})
    kinds = frame.groupby("clip", sort=False)[["group", "label"]].nunique()
    torn = kinds.index[(kinds > 1).any(axis=1)]
    detail = f"all clips differ, or share group and label ({len(digests)} clips)"
    if len(torn):
        pair = np.flatnonzero(digests == torn[0])[:2]
        several = "s" if len(torn) > 1 else ""
        detail = (
            f"{len(torn)} clip{several} also in another group or under another label: "
            f"rows {pair[0]} and {pair[1]}" + (", ..." if several else "")
        )
    return "copies", len(torn) > 0, detail


def _inner_splits(model, n_clips):
    """Check whether parts that hold rows out take groups."""
    parts = {"the model": model, **model.get_params(deep=True)}
    without_groups = [
        name
        for name, part in parts.items()
        if hasattr(part, "fit") and not isinstance(part, type)
        if _holds_rows_out(part, n_clips) and not requests_groups(part)
    ]
    detail = "every part that holds rows out takes groups, or none does"
    if without_groups:
        detail = f"hold rows out, but do not take groups: {', '.join(without_groups)}"
    return "groups", bool(without_groups), detail


def _holds_rows_out(part, n_clips):
    """Check whether the fit of an estimator holds rows out."""
    stops = getattr(part, "early_stopping", False)
    if stops == "auto":  # of scikit-learn's boosting
        stops = n_clips > 10_000
    return stops is True or hasattr(part, "cv")


def _folds(splits, groups):
    """Check for groups on both sides of a fold."""
    shared = {
        str(group)
        for train, test in splits
        for group in set(groups[train].tolist()) & set(groups[test].tolist())
    }
    detail = f"{len(splits)} folds share no group"
    if shared:
        detail = f"{len(shared)} groups are on both sides of a fold: {min(shared)}, ..."
    return "folds", bool(shared), detail


def _names(predict, clips, expected, random_state):
    """Check whether predictions depend on the names of files."""
    try:
        paths = as_paths(clips)
    except ValueError:  # X is not audio; the estimator defines its own input format
        return None
    if paths is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        numbers = random_state.permutation(10**6)[: len(paths)]
        renamed = []
        for path, number in zip(paths, numbers, strict=True):
            name = Path(folder, f"{number}{Path(path).suffix}")
            try:
                os.symlink(os.path.abspath(path), name)
            except OSError:  # links are not supported or not permitted
                shutil.copyfile(path, name)
            renamed.append(str(name))
        return _differences("names", "under another name", predict(renamed), expected)


def _order(predict, clips, companions, expected, random_state):
    """Check whether predictions depend on the order or number of recordings."""
    order = random_state.permutation(len(expected))
    shuffled = np.empty_like(expected)
    shuffled[order] = predict(_safe_indexing(clips, order), order)
    for row in order[:3]:
        rows = np.flatnonzero(companions == companions[row])
        alone = predict(_safe_indexing(clips, rows), rows)[rows == row][0]
        if abs(alone - expected[row]) > abs(shuffled[row] - expected[row]):
            shuffled[row] = alone
    return _differences("order", "in another order, or alone", shuffled, expected)


def _differences(check, how, found, expected):
    """Make the row of a check from predictions that should be equal."""
    changed = int((np.abs(found - expected) > _TOLERANCE).sum())
    largest = np.abs(found - expected).max()
    detail = (
        f"predictions of {changed} of {len(expected)} clips change {how} (at most by "
        f"{largest:.2g})"
    )
    return check, changed > 0, detail


def _labels(score, labels, groups, pos_label):
    """Check whether a model of permuted labels ranks clips better than chance."""
    if len(np.unique(labels)) < 2 or len(np.unique(groups)) < 2:
        return None
    scores = grouped_scores(labels, labels, score, groups, pos_label)
    auc = METRICS.index("roc_auc")
    value = scores.of_all()[auc]
    draws = bootstrap_scores([scores], 2000, np.random.default_rng(0))[0][:, auc]
    lowest = np.nanquantile(draws, 0.001)
    detail = f"AUC {value:.3f} with permuted labels, at least {lowest:.3f}"
    return "labels", bool(lowest > 0.5), detail
