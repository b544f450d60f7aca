"""Record what a model is fitted on, as digests that identify each clip."""

import hashlib
import logging
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import pandas as pd

from ..audio.inputs import as_paths

__all__ = ["clip_digests", "recording"]

_LOGGER = logging.getLogger("skbreath")
_INSIDE = ContextVar("inside_fit", default=False)
_RECORDING = ContextVar("recording_training", default=False)


@contextmanager
def recording(estimator, X, y, groups):
    """Record in `estimator` what it is fitted on, when the block ends without error.

    Only the outermost estimator keeps a record, not those fitted within its fit.

    Parameters
    ----------
    estimator : estimator
        Gets the attribute ``training_record_``: a dict of ``n_clips``, ``classes``
        (rows by label, as text), ``n_groups`` (None without groups), ``digest``
        (of all rows, whatever their order) and ``clips`` (what
        :func:`clip_digests` gives, sorted; None if it gives none).
    X, y, groups
        Arguments of its fit.
    """
    vars(estimator).pop("training_record_", None)  # of an earlier fit
    if _RECORDING.get() or is_inside_fit():
        yield
        return
    token = _RECORDING.set(True)
    try:
        yield
    finally:
        _RECORDING.reset(token)
    if y is not None:
        estimator.training_record_ = _record(X, y, groups)


def _record(X, y, groups):
    y = np.asarray(y).astype(str)
    labels, counts = np.unique(y, return_counts=True)
    clips = clip_digests(X)
    whole = hashlib.sha256()
    if clips is not None:
        rows = zip(clips.tolist(), y.tolist(), strict=True)
        for row in sorted(rows):
            whole.update(repr(row).encode())
        clips = np.sort(clips)
    return {
        "n_clips": len(y),
        "classes": dict(zip(labels.tolist(), counts.tolist(), strict=True)),
        "n_groups": None if groups is None else len(pd.unique(np.asarray(groups))),
        "digest": None if clips is None else whole.hexdigest(),
        "clips": clips,
    }


def clip_digests(X):
    """Compute one number per clip from its content.

    Parameters
    ----------
    X : sequence of paths, or array-like of shape (n_clips, ...)
        Files count by their bytes, arrays by their values as float32.

    Returns
    -------
    digests : ndarray of shape (n_clips,), uint64, or None
        None if `X` holds neither files nor numbers.

    Examples
    --------
    >>> one, other, same = clip_digests([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> bool(one == same), bool(one == other)
    (True, False)
    """
    try:
        paths = as_paths(X)
        if paths is None:
            rows = np.asarray(X)
            if rows.ndim < 2 or rows.dtype.kind not in "biuf":
                return None
            rows = (np.ascontiguousarray(row, dtype=np.float32) for row in rows)
        else:
            rows = map(_bytes_of, paths)
        digests = [hashlib.blake2b(row, digest_size=8).digest() for row in rows]
    except (OSError, TypeError, ValueError):
        # Sparse, ragged or unreadable: left to the estimator's own validation.
        return None
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


@contextmanager
def inside_fit():
    """Stop meta-estimators that are fitted in this block from logging."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


def is_inside_fit():
    """Return whether a meta-estimator is fitting here."""
    return _INSIDE.get()


def log_fits(number, message, *args):
    """Log that `number` more fits are finished, with a message and its arguments.

    Examples
    --------
    >>> with inside_fit():
    ...     log_fits(1, "not logged: part of a larger fit")
    """
    if not _INSIDE.get():
        _LOGGER.info(message, *args, extra={"finished_fits": number})


def log_each_fit(results, message):
    """Yield results as they come, logging a finished fit for each."""
    for result in results:
        log_fits(1, message)
        yield result
