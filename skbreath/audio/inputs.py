"""Validate inputs: paths in any container, waveforms, or whole recordings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_array

from ..utils.text import ROW_NUMBERING_NOTE, shorten
from .decoding import iter_blocks
from .files import open_audio, warn

if TYPE_CHECKING:
    from ..utils.typing import Clips

# Scale of integer samples by type, as a decoder of such a file would: (zero, full).
_PCM = {"uint8": (128, 2**7), "int16": (0, 2**15), "int32": (0, 2**31)}
_BLOCK_SECONDS = 30


def as_paths_or_waveforms(X: Clips) -> list[str] | np.ndarray:
    """Validate paths or waveforms, and return them in one form.

    Parameters
    ----------
    X : list, tuple, 1-D array or Series of paths, or one-column DataFrame of paths, \
            or array-like of shape (n_clips, n_samples)
        Paths are str or :class:`os.PathLike`. Waveforms are numbers; the integer
        types of PCM audio are scaled to -1..1 as a decoder would (uint8 around 128,
        int16 by 2**15, int32 by 2**31), numbers of any other type are taken as
        they are.

    Returns
    -------
    clips : list of str, or ndarray of shape (n_clips, n_samples), float32
        The paths in order, or the waveforms.

    Raises
    ------
    ValueError
        If `X` is empty, mixes paths with other things (the message says where), has
        several columns of text, is 1-D and numeric, or has NaN or infinite samples
        (the message names the rows).

    Examples
    --------
    >>> as_paths_or_waveforms(("a.wav", "b.wav"))
    ['a.wav', 'b.wav']
    >>> as_paths_or_waveforms([[0.0, 0.5], [0.25, 0.0]]).shape
    (2, 2)
    """
    paths = as_paths(X)
    if paths is not None:
        return paths
    X = check_array(check_rows(X), dtype="numeric", ensure_all_finite=False)
    return as_float32(X)


def as_paths(X):
    """Return paths as a list of str, or None if `X` does not hold any text."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"X is the single path {X!r}; pass a list: [path].")
    if isinstance(X, (list, tuple)):
        entries, shape = X, (len(X),)
    else:
        X = np.asarray(X)
        if X.dtype.kind not in "OSUT" or X.ndim == 0:
            return None
        entries, shape = X.ravel().tolist(), X.shape
    if shape == (0,):
        raise ValueError("X is empty: expected one clip or more.")
    is_path = [isinstance(entry, (str, os.PathLike)) for entry in entries]
    if not any(is_path):
        return None
    if len(shape) > 1 and shape[1:] != (1,):
        raise ValueError(
            f"X has {shape[1]} columns and some of them hold text; pass the one column "
            "with the paths, such as X['path']."
        )
    wrong = [
        f"{position} ({'empty text' if good else type(entry).__name__})"
        for position, (entry, good) in enumerate(zip(entries, is_path, strict=True))
        if not good or not os.fspath(entry)
    ]
    if wrong:
        raise ValueError(
            f"X holds paths, but {len(wrong)} of its {len(entries)} entries are not "
            f"paths, at positions {shorten(wrong)} {ROW_NUMBERING_NOTE}; leave these "
            "rows out or fill them."
        )
    return [os.fspath(entry) for entry in entries]


def check_rows(X):
    """Check the shape of waveforms; scikit-learn's own checks follow."""
    if isinstance(X, (list, tuple)):
        lengths = {len(row) if hasattr(row, "__len__") else None for row in X}
        if len(lengths) > 1 and None not in lengths:
            raise ValueError(
                f"X holds waveforms of different lengths ({min(lengths)} to "
                f"{max(lengths)} samples); pad them to one length, or pass paths."
            )
        X = np.asarray(X)
    if getattr(X, "ndim", 2) == 1:
        raise ValueError(
            f"X is 1-D and its {len(X)} entries are not paths; waveforms are 2-D, "
            "(n_clips, n_samples). Reshape your data with X.reshape(1, -1) if it is "
            "one clip, or pass paths as text."
        )
    return X


def as_float32(X):
    """Scale integers as audio decoders do, and check for NaN and infinity."""
    if X.dtype.name in _PCM:
        zero, full = _PCM[X.dtype.name]
        return (X.astype(np.float32) - np.float32(zero)) / np.float32(full)
    with np.errstate(over="ignore"):  # too large values become infinite: an error below
        X = X.astype(np.float32, copy=False)
    wrong = np.flatnonzero(~np.isfinite(X).all(axis=1)).tolist()
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(X)} waveforms have NaN or infinite (inf) samples: "
            f"rows {shorten(wrong)} {ROW_NUMBERING_NOTE}; leave these rows out or "
            "repair them."
        )
    return X


class Recording:
    """Recording in a file, or a waveform with its rate in Hz; errors use its name."""

    def __init__(self, source, sample_rate, name, allow_empty=False):
        self.source, self.sample_rate, self.name = source, sample_rate, name
        self.allow_empty = allow_empty

    def blocks(self):
        """Yield the rate in Hz and the next mono float32 samples, once through.

        If there are no samples, yields one empty block.
        """
        # A generator, not a context manager: errors of the caller must not be
        # reported as errors of the file.
        if isinstance(self.source, str):
            with open_audio(self.source, allow_empty=self.allow_empty) as sound:
                if sound.subtype in ("PCM_U8", "PCM_S8"):
                    warn(
                        f"{self.name} has 8 bits a sample: sounds below -42 dB of full "
                        "scale are lost in its steps; record with 16 bits."
                    )
                if sound.frames == 0:
                    yield sound.samplerate, np.zeros(0, dtype=np.float32)
                for block in iter_blocks(sound):
                    yield sound.samplerate, block
            return
        size = _BLOCK_SECONDS * self.sample_rate
        for first in range(0, max(len(self.source), 1), size):
            yield self.sample_rate, self.source[first : first + size]


def as_recordings(recordings, sample_rate, *, allow_empty=False):
    """Convert paths and 1-D waveforms at `sample_rate` to a list of recordings."""
    if isinstance(recordings, (str, bytes, os.PathLike)):
        raise ValueError(
            f"recordings is the single path {recordings!r}; pass a list: [path]."
        )
    made = []
    for number, source in enumerate(recordings):
        if isinstance(source, (str, os.PathLike)):
            path = os.fspath(source)
            made.append(Recording(path, None, repr(path), allow_empty))
            continue
        name = f"recording {number}"
        waveform = np.asarray(source)
        if waveform.ndim != 1 or waveform.dtype.kind not in "fiu":
            raise ValueError(
                f"{name} must be a path or a 1-D waveform of numbers, got "
                f"{type(source).__name__} of shape {waveform.shape}; one recording "
                "goes into a list: [waveform]."
            )
        if waveform.dtype.kind in "iu":
            raise ValueError(
                f"{name} has integer samples ({waveform.dtype}); scale them to -1..1, "
                "such as waveform / 32768 for 16 bits."
            )
        waveform = waveform.astype(np.float32, copy=False)
        if not np.isfinite(waveform).all():
            raise ValueError(f"{name} has NaN or infinite samples; repair them.")
        if len(waveform) == 0 and not allow_empty:
            raise ValueError(f"{name} is empty: expected one sample or more.")
        made.append(Recording(waveform, sample_rate, name))
    if not made:
        raise ValueError("recordings is empty: expected one recording or more.")
    return made
