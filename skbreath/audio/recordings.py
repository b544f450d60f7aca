"""Read recordings from files or arrays, block by block."""

import os

import numpy as np

from .decoding import iter_blocks
from .files import open_audio

__all__ = ["Recording", "as_recordings"]

_BLOCK_SECONDS = 30


class Recording:
    """A path, or a waveform with its rate in Hz; `name` is used in errors."""

    def __init__(self, source, sample_rate, name, allow_empty=False):
        self.source, self.sample_rate, self.name = source, sample_rate, name
        self.allow_empty = allow_empty

    def blocks(self):
        """Yield the rate in Hz and the next mono float32 samples, once through.

        One empty block if there are no samples.
        """
        # A generator, not a context manager: errors of the caller must not be
        # reported as errors of the file.
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
            raise ValueError(f"{name} has no samples.")
        made.append(Recording(waveform, sample_rate, name))
    if not made:
        raise ValueError("there are no recordings.")
    return made
