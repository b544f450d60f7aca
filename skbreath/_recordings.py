"""Recordings from files or arrays, read once from beginning to end."""

import os

import numpy as np

from ._audio_decode import iter_blocks, open_audio

__all__ = ["Recording", "as_recordings"]

_BLOCK_SECONDS = 30


class Recording:
    """One recording: a path, or a waveform with its rate.

    Parameters
    ----------
    source : str or ndarray of shape (n_samples,)
    sample_rate : int
        Of a waveform, in Hz.
    name : str
        What errors call it.
    allow_empty : bool, default=False
        Whether a file may hold no samples.
    """

    def __init__(self, source, sample_rate, name, allow_empty=False):
        self.source, self.sample_rate, self.name = source, sample_rate, name
        self.allow_empty = allow_empty

    def blocks(self):
        """Read it once, from beginning to end.

        Yields
        ------
        sample_rate : int
            In Hz, always the same.
        block : ndarray of shape (n,), float32
            The next mono samples; one empty block if there are none.
        """
        # A generator, not a context manager: errors of the caller's own must not
        # pass for errors of the file.
        if isinstance(self.source, str):
            with open_audio(self.source, allow_empty=self.allow_empty) as sound:
                if sound.frames == 0:
                    yield sound.samplerate, np.zeros(0, dtype=np.float32)
                for block in iter_blocks(sound):
                    yield sound.samplerate, block
            return
        size = _BLOCK_SECONDS * self.sample_rate
        for first in range(0, max(len(self.source), 1), size):
            yield self.sample_rate, self.source[first : first + size]


def as_recordings(recordings, sample_rate, *, allow_empty=False):
    """Tell what recordings are, and name each.

    Parameters
    ----------
    recordings : sequence of paths, or of 1-D waveforms
    sample_rate : int
        Of waveforms, in Hz.
    allow_empty : bool, default=False
        Whether a recording may have no samples.

    Returns
    -------
    recordings : list of Recording

    Raises
    ------
    ValueError
        If something is neither a path nor a finite 1-D waveform.
    """
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
            raise ValueError(f"{name} has no samples.")
        made.append(Recording(waveform, sample_rate, name))
    if not made:
        raise ValueError("there are no recordings.")
    return made
