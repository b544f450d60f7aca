"""A classifier of clips slid over a recording, and what can be told without it.

The classifier says which phase it hears, not whether there is one: that is left to
the level, which stands out from what was the quietest shortly before.
"""

import numpy as np

__all__ = ["ActivityStream", "ClipStream"]

# The floor of a band follows its level: down by this share per s, up by so many dB
# per s, which neither a long exhale nor a rising noise outruns.
_DOWN, _UP_DB = 12.0, 1.5
_SMOOTH_S = 0.08
# A band is heard if it is so far above its floor, which lies below the mean of a
# noise; somebody is, if the bands heard best are that far above on average.
_MARGIN_DB, _CEILING_DB, _HEARD_DB, _WIDTH_DB = 6.0, 20.0, 1.5, 0.75
_SHARE = 6


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
    """Probability that somebody is heard breathing, from levels above their floors.

    Parameters
    ----------
    hop_s : float
        From frame to frame, in s.
    """

    def __init__(self, hop_s):
        self._smooth = max(1, round(_SMOOTH_S / hop_s))
        self._down, self._up = 1 - np.exp(-_DOWN * hop_s), _UP_DB * hop_s
        self._bands = self._floor = None

    def push(self, bands):
        """Take mel bands of frames in dB; get as many probabilities."""
        from ._floor_kernel import follow

        if len(bands) == 0:
            return np.zeros(0)
        if self._bands is None:
            self._bands = np.repeat(bands[:1], self._smooth - 1, 0)
            self._floor = bands[0].copy()
        bands = np.concatenate([self._bands, bands])
        self._bands = bands[len(bands) - self._smooth + 1 :].copy()
        above = np.empty((len(bands) - self._smooth + 1, bands.shape[1]))
        follow(bands, self._smooth, self._floor, self._down, self._up, above)
        heard = np.sort(np.clip(above - _MARGIN_DB, 0, _CEILING_DB), axis=1)
        heard = np.ascontiguousarray(heard[:, -(bands.shape[1] // _SHARE) :])
        return 1 / (1 + np.exp(-(heard.mean(axis=1) - _HEARD_DB) / _WIDTH_DB))
