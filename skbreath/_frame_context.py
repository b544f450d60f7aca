"""What a frame is judged by: its spectrum, and how it differs from what is around it.

No value depends on the level of the recording: spectra are taken relative to their
own mean, levels relative to those before and shortly after. Everything needs frames
up to a fixed number ahead, and none later.
"""

import numpy as np

__all__ = ["FrameContext"]

# Neighbourhoods in s, from and to, relative to the frame; None is next to it.
_SPANS = (
    (-0.8, -0.4),
    (-0.4, -0.2),
    (-0.2, -0.1),
    (-0.1, None),
    (None, 0.1),
    (0.1, "lookahead"),
)
# Running means over the past, in s, that levels are compared with.
_MEMORIES = (2.0, 5.0, 10.0)


class FrameContext:
    """Rows of a table from frames, continued from block to block.

    Parameters
    ----------
    hop_s : float
        From one frame to the next, in s.
    lookahead_s : float
        How far ahead a row may look, in s, more than 0.1.

    Attributes
    ----------
    n_ahead : int
        Frames that a row looks ahead.
    """

    def __init__(self, hop_s, lookahead_s):
        self.n_ahead = max(1, round(lookahead_s / hop_s))
        ends = {"lookahead": self.n_ahead}
        self._spans = [
            (
                1 if a is None else round(a / hop_s),
                -1 if b is None else ends.get(b) or round(b / hop_s),
            )
            for a, b in _SPANS
        ]
        self._n_before = -self._spans[0][0]
        self._memories = [round(s / hop_s) + self.n_ahead for s in _MEMORIES]
        self._seen = 0  # frames, the made-up ones before the beginning included
        self._bands = None

    def push(self, bands):
        """Take frames; get the rows of those that have enough frames after them.

        Parameters
        ----------
        bands : ndarray of shape (n_frames, n_mels + 1)
            From :class:`~skbreath._frame_stream.FrameStream`.

        Returns
        -------
        rows : ndarray of shape (n_rows, n_columns), float32, or None
            None if there are none.
        """
        if len(bands) == 0 and self._bands is None:
            return None
        first = self._bands is None
        if first:
            # Before the beginning all was like the first frame.
            bands = np.concatenate([np.repeat(bands[:1], self._n_before, 0), bands])
        return self._rows(self._derive(bands, first))

    def finish(self):
        """Get the last rows: after the end all is like the last frame."""
        if self._bands is None:
            return None
        return self.push(np.repeat(self._bands[-1:, :], self.n_ahead, 0))

    def _derive(self, bands, first):
        """Append what is summed over time; the sums go on from the last block."""
        levels = bands[:, :-1].mean(axis=1)
        shape = bands[:, :-1] - levels[:, None]
        coarse = 0.5 * (shape[:, 0::2] + shape[:, 1::2])
        series = np.column_stack([coarse, levels, bands[:, -1]])
        if first:
            self._bands = bands[:0]
            self._shape, self._series = shape[:0], series[:0]
            self._sums = np.zeros((1, series.shape[1]))  # up to each frame, exclusive
        sums = np.cumsum(np.concatenate([self._sums[-1:], series]), axis=0)
        self._sums = np.concatenate([self._sums, sums[1:]])
        self._bands = np.concatenate([self._bands, bands])
        self._shape = np.concatenate([self._shape, shape])
        self._series = np.concatenate([self._series, series])
        return len(bands)

    def _rows(self, n_new):
        # Buffers begin at frame `origin`; rows are made for `low` to `high`.
        self._seen += n_new
        origin = self._seen - len(self._series)
        low = max(self._n_before, self._seen - n_new - self.n_ahead)
        high = self._seen - self.n_ahead
        if high <= low:
            return None
        here = slice(low - origin, high - origin)
        frame = np.arange(low, high)
        # The buffer of sums may reach further back than that of the frames.
        at = frame - (self._seen + 1 - len(self._sums))
        now, n_coarse = self._series[here], self._series.shape[1] - 2
        columns = [self._shape[here], now[:, -1:]]
        for a, b in self._spans:
            mean = (self._sums[at + b + 1] - self._sums[at + a]) / (b - a + 1)
            columns.append(mean - now)
        ahead = at + self.n_ahead + 1
        for memory in self._memories:
            # Made-up frames do not count, so the mean grows in at the beginning.
            n = np.minimum(memory + 1, frame + self.n_ahead + 1 - self._n_before)
            mean = (self._sums[ahead] - self._sums[ahead - n]) / n[:, None]
            columns.append((now - mean)[:, : n_coarse + 1])
        self._forget()
        return np.concatenate(columns, axis=1).astype(np.float32)

    def _forget(self):
        keep = self._n_before + self.n_ahead + 1
        for name in ("_bands", "_shape", "_series"):
            setattr(self, name, getattr(self, name)[-keep:].copy())
        longest = max(*self._memories, keep) + self.n_ahead + 2
        self._sums = self._sums[-longest:].copy()
