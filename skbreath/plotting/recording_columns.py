"""Read envelope and spectrogram of a recording of any length in bounded memory."""

import numpy as np

__all__ = ["N_COLUMNS", "merge_columns", "read_columns"]

N_COLUMNS = 2400
"""Columns of a picture, at most: more than the pixels of a screen are of no use."""


def read_columns(recording, start_s, end_s):
    """Read the part of a recording from `start_s` to `end_s` (None: its end).

    Returns
    -------
    envelope : ndarray of shape (2, n_columns)
        Lowest and highest sample of each column of 20 to 40 ms.
    power : ndarray of shape (n_bins, n_merged)
        Mean power of up to `N_COLUMNS` columns, each of one column or more.
    rate, n_fft, n_samples : int
        Rate in Hz, samples of a column, and samples read.

    Raises
    ------
    ValueError
        If the recording ends before `start_s`.
    """
    columns, first = None, 0
    for rate, block in recording.blocks():
        if columns is None:
            columns = _Columns(rate)
            begin = round(start_s * rate)
            end = np.inf if end_s is None else max(round(end_s * rate), begin + 1)
        columns.push(
            block[max(begin - first, 0) : max(min(end - first, len(block)), 0)]
        )
        first += len(block)
        if first >= end:
            break
    if first <= begin:
        raise ValueError(
            f"Expected start_s before the end of {recording.name} "
            f"({first / rate:g} s), got {start_s:g} s."
        )
    return *columns.finish(), rate, columns.n_fft, columns.n_samples


def merge_columns(envelope, n_columns=N_COLUMNS):
    """Merge the columns of an envelope to `n_columns` or fewer.

    Returns the envelope, and how many columns each of its columns holds.
    """
    merge = max(1, -(-envelope.shape[1] // n_columns))
    edges = np.arange(0, envelope.shape[1], merge)
    low = np.minimum.reduceat(envelope[0], edges)
    return np.stack([low, np.maximum.reduceat(envelope[1], edges)]), merge


class _Columns:
    """Collect lowest and highest samples of columns, and their power in pairs.

    The envelope of an hour takes 1 MB. Its spectra would take hundreds, so they are
    added up in pairs each time there are more than `N_COLUMNS`.
    """

    def __init__(self, rate):
        self.n_fft = 2 ** int(np.ceil(np.log2(0.02 * rate)))
        self.n_samples, self._n, self._merge = 0, 0, 1
        self._window = np.hanning(self.n_fft)
        self._power = np.zeros((N_COLUMNS, self.n_fft // 2 + 1), dtype=np.float32)
        self._envelope, self._left = [], np.zeros(0, dtype=np.float32)

    def push(self, block):
        """Add samples."""
        self.n_samples += len(block)
        samples, size = np.concatenate([self._left, block]), self.n_fft
        # In parts, as a block may be minutes long.
        for first in range(0, len(samples) - size + 1, 512 * size):
            part = samples[first : first + 512 * size]
            self._add(part[: len(part) // size * size].reshape(-1, size))
        self._left = samples[len(samples) // size * size :]

    def finish(self):
        """Return the envelope and the mean power."""
        if len(self._left):  # the last column is filled with zeros
            self._add(np.pad(self._left, (0, self.n_fft - len(self._left)))[None])
        edges = np.arange(0, self._n, self._merge)
        counts = np.diff(edges, append=self._n)
        power = self._power[: len(edges)] / counts[:, None]
        return np.concatenate(self._envelope, axis=1), power.T

    def _add(self, columns):
        self._envelope.append(np.stack([columns.min(axis=1), columns.max(axis=1)]))
        spectra = np.fft.rfft(columns * self._window, axis=1)
        power = (spectra.real**2 + spectra.imag**2).astype(np.float32)
        while self._n + len(power) > N_COLUMNS * self._merge:
            pairs = self._power[::2] + self._power[1::2]
            self._power[: len(pairs)], self._power[len(pairs) :] = pairs, 0
            self._merge *= 2
        place = (self._n + np.arange(len(power))) // self._merge
        edges = np.flatnonzero(np.diff(place, prepend=-1))
        self._power[place[0] : place[-1] + 1] += np.add.reduceat(power, edges, axis=0)
        self._n += len(power)
