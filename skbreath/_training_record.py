"""What a model was fitted on, in digests that tell whether a clip was among it."""

import hashlib
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import pandas as pd

from ._fit_log import is_inside_fit
from ._inner_model import inner_model

__all__ = ["clip_digests", "find_record", "known_metadata", "recording"]

_RECORDING = ContextVar("recording_training", default=False)


@contextmanager
def recording(estimator, X, y, groups):
    """Note in `estimator` what it is being fitted on, once the block has ended well.

    Only the outermost estimator notes anything: not those fitted within its fit.

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
    """One number per clip, by its content.

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
    from ._audio_input import as_paths

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
        # Sparse, ragged, no files: the estimator has its own opinion of that.
        return None
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


def find_record(model):
    """Get the training record of a model, or of the last step of a pipeline.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    record : dict or None
    """
    record = getattr(model, "training_record_", None)
    if record is None and (inner := inner_model(model)) is not model:
        return find_record(inner)
    if record is None and hasattr(model, "steps"):
        return find_record(model.steps[-1][1])
    return record


def known_metadata(model):
    """Get what the file said of a model that was loaded, or of what it came from.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    metadata : dict
        Empty if nothing is known; a fit forgets it, as weights are other then.
    """
    return (find_record(model) or {}).get("metadata", {})
