"""Write labels and sound as they come, to files that are complete after each write."""

import wave

import numpy as np

from ..phases.label_formats import FORMATS, sniff
from ..phases.phase_table import phase_table

__all__ = ["GROWING", "LabelFile", "SoundFile"]

GROWING = ("audacity", "csv", "hf_lung", "raven")
"""Formats of labels to which phases can be appended."""
_MOST_BYTES = 2**32 - 2**16  # of a WAV file


class LabelFile:
    """Append phases to a label track in a format of `GROWING`, None: by the suffix."""

    def __init__(self, path, format=None):
        self._format = sniff(path.suffix) if format is None else format
        if self._format not in GROWING:
            raise ValueError(
                f"labels that are written as they are found cannot be {self._format} "
                f"({path}); choose one of {', '.join(GROWING)}."
            )
        self.n_phases = 0
        self._file = open(path, "w", encoding="utf-8", newline="")
        self._write(phase_table())

    def write(self, phases):
        """Append a table of phases."""
        for k in range(len(phases)):
            self.n_phases += 1
            self._write(phases.iloc[k : k + 1])

    def _write(self, phases):
        text = FORMATS[self._format].write(phases, None)
        if self._format in ("csv", "raven") and self.n_phases:
            text = text.partition("\n")[2]
        if self._format == "raven" and self.n_phases:
            text = f"{self.n_phases}\t{text.partition(chr(9))[2]}"
        self._file.write(text)
        self._file.flush()

    def close(self):
        """Close the file."""
        self._file.close()


class SoundFile:
    """Append mono blocks to a WAV file of 16 bits, whose header is always right."""

    def __init__(self, path, rate):
        self._path, self._file = path, open(path, "wb")
        self._wave = wave.open(self._file, "wb")
        self._wave.setparams((1, 2, rate, 0, "NONE", ""))
        self._wave.writeframes(b"")
        self._n_bytes = 0

    def write(self, block):
        """Append a block of int16 or floating-point samples."""
        if block.dtype != np.int16:
            block = np.clip(np.round(block * 2.0**15), -(2**15), 2**15 - 1)
        data = block.astype("<i2").tobytes()
        self._n_bytes += len(data)
        if self._n_bytes > _MOST_BYTES:
            raise ValueError(
                f"{self._path} is full: a WAV file holds 4 GB, half a day of sound; "
                "start again with another --record."
            )
        self._wave.writeframes(data)
        self._file.flush()

    def close(self):
        """Close the file."""
        self._wave.close()
        self._file.close()
