"""Record the data a model is fitted on, and log finished fits to show progress.

Only the outermost estimator records and logs: fits within its fit may run in other
processes, whose log records would be lost. A log record of the logger ``skbreath`` has
level INFO and the attribute ``finished_fits``.
"""

import hashlib
import logging
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import pandas as pd

from ..audio.inputs import as_paths
from ..utils.contexts import one_thread

__all__ = ["clip_digests", "data_record", "recording"]

_LOGGER = logging.getLogger("skbreath")
_INSIDE = ContextVar("inside_fit", default=False)
_RECORDING = ContextVar("recording_training", default=False)


@contextmanager
def recording(estimator, X, y, groups):
    """Record in `estimator` what it is fitted on, when the block ends without error.

    The attribute ``training_record_`` is a dict of ``n_clips``, ``classes`` (rows by
    label, as text), ``n_groups`` (None without groups), ``digest`` (of all rows,
    whatever their order) and ``clips`` (from :func:`clip_digests`, sorted).
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
        estimator.training_record_ = data_record(X, y, groups)


def data_record(X, y, groups):
    """Make the record of `X`, `y` and `groups`."""
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
    """Compute a uint64 per clip from its content.

    None if `X` holds neither files nor numbers. Files count by their bytes, arrays by
    their values as float32.
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
    """Read the bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


@contextmanager
def inside_fit():
    """Fit in this block on one thread, without logs of meta-estimators."""
    token = _INSIDE.set(True)
    try:
        with one_thread():
            yield
    finally:
        _INSIDE.reset(token)


def is_inside_fit():
    """Return whether a meta-estimator is being fitted in this context."""
    return _INSIDE.get()


def log_fits(number, message, *args):
    """Log that `number` more fits are finished, with a message and its arguments."""
    if not _INSIDE.get():
        _LOGGER.info(message, *args, extra={"finished_fits": number})


def log_each_fit(results, message):
    """Yield results as they come, logging a finished fit for each."""
    for result in results:
        log_fits(1, message)
        yield result
