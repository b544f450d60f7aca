"""A classifier of clips slid over a recording, and what can be told without it.

The classifier says which phase it hears, not whether there is one: that is left to
the level, which stands out from what was the quietest shortly before.
"""

import numpy as np

__all__ = ["ActivityStream", "ClipStream"]

# How fast the floor and the ceiling of the level follow it, in shares per s: at once
# where it goes beyond, slowly where it does not.
_FAST, _SLOW = 12.0, 0.15
_SMOOTH_S = 0.08
_LEAST_RANGE_DB = 8.0


class ClipStream:
    """Log probabilities of the labels, for each frame, from windows around it.

    Parameters
    ----------
    classifier : classifier
        Fitted, from waveforms (n, n_samples) to probabilities.
    labels : sequence of str
        Labels, all among its classes.
    window : int
        Samples of a clip.
    hop : int
        Samples from frame to frame.
    stride : int
        Frames from window to window; between them values are interpolated.
    """

    def __init__(self, classifier, labels, *, window, hop, stride):
        classes = list(classifier.classes_)
        self._columns = [classes.index(label) for label in labels]
        self._classifier, self._window = classifier, window
        self._step, self._stride = hop * stride, stride
        # The first window is centred on the first frame.
        self._samples = np.zeros(window // 2, dtype=np.float32)
        self._latest = None

    @staticmethod
    def n_ahead(window, hop, stride):
        """Frames that must follow one before it has a value."""
        return -(-(window - window // 2) // hop) + stride

    def push(self, samples):
        """Take samples; get rows of log probabilities, one for each frame."""
        self._samples = np.concatenate([self._samples, samples])
        n = (len(self._samples) - self._window) // self._step + 1
        if n <= 0:
            return np.zeros((0, len(self._columns)))
        windows = np.lib.stride_tricks.sliding_window_view(self._samples, self._window)
        windows = np.ascontiguousarray(windows[: n * self._step : self._step])
        self._samples = self._samples[n * self._step :].copy()
        values = self._classifier.predict_proba(windows)[:, self._columns]
        values = np.log(np.clip(values, 1e-3, 1 - 1e-3))
        if self._latest is not None:
            values = np.concatenate([self._latest[None], values])
        self._latest = values[-1]
        share = np.arange(self._stride)[:, None] / self._stride
        between = values[:-1, None] * (1 - share) + values[1:, None] * share
        return between.reshape(-1, len(self._columns))

    def finish(self, n_frames):
        """Get the last `n_frames` rows: nothing is heard after the end."""
        rows = [np.zeros((0, len(self._columns)))]
        while sum(map(len, rows)) < n_frames:
            rows.append(self.push(np.zeros(self._window, dtype=np.float32)))
        return np.concatenate(rows)[:n_frames]


class ActivityStream:
    """Probability that somebody is heard breathing, from the level alone.

    Parameters
    ----------
    hop_s : float
        From frame to frame, in s.
    """

    def __init__(self, hop_s):
        self._smooth = max(1, round(_SMOOTH_S / hop_s))
        self._fast, self._slow = 1 - np.exp(-_FAST * hop_s), 1 - np.exp(-_SLOW * hop_s)
        self._levels = None
        self._low = self._high = None

    def push(self, levels):
        """Take levels of frames in dB; get as many probabilities."""
        if len(levels) == 0:
            return np.zeros(0)
        if self._levels is None:
            self._levels = np.full(self._smooth - 1, levels[0])
        levels = np.concatenate([self._levels, levels])
        self._levels = levels[len(levels) - self._smooth + 1 :].copy()
        windows = np.lib.stride_tricks.sliding_window_view(levels, self._smooth)
        smooth = np.ascontiguousarray(windows).mean(axis=1)
        low, high = (np.empty_like(smooth) for _ in range(2))
        if self._low is None:
            self._low = self._high = smooth[0]
        a, b = self._low, self._high
        for k, level in enumerate(smooth.tolist()):
            a += (level - a) * (self._fast if level < a else self._slow)
            b += (level - b) * (self._fast if level > b else self._slow)
            low[k], high[k] = a, b
        self._low, self._high = a, b
        span = np.maximum(high - low, _LEAST_RANGE_DB)
        middle = low + 0.4 * span
        return 1 / (1 + np.exp(-(smooth - middle) / (0.08 * span)))
