"""Turn frames and samples into probabilities of pause and labels, block by block.

A classifier of clips can be slid over a recording. It predicts which phase a clip is,
not whether there is one: that is decided by the level, compared with the quietest
level shortly before.
"""

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = [
    "ActivityScorer",
    "ActivityStream",
    "ClipStream",
    "FrameScorer",
    "TrainingRows",
]

# The floor of a band follows its level: down by this share per s, up by so many dB
# per s, fast enough for a rising noise, slow enough for a long exhale.
_DOWN, _UP_DB = 12.0, 1.5
_SMOOTH_S = 0.08
# A band counts from so far above its floor, which lies below the mean of a noise, to
# a ceiling; breathing is likely where the loudest bands exceed `_HEARD_DB` on average.
_MARGIN_DB, _CEILING_DB, _HEARD_DB, _WIDTH_DB = 6.0, 20.0, 1.5, 0.75
_SHARE = 6


class _Lockstep:
    """Align rows of several sources: pass them on when all sources have them."""

    def __init__(self, n_sources):
        self._waiting = [[] for _ in range(n_sources)]

    def push(self, *parts):
        """Add to each source (None: nothing); get as many rows of each as all have."""
        for waiting, part in zip(self._waiting, parts, strict=True):
            if part is not None and len(part):
                waiting.append(part)
        n = min(sum(map(len, waiting)) for waiting in self._waiting)
        if n == 0:
            return None
        out = []
        for k, waiting in enumerate(self._waiting):
            rows = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            out.append(rows[:n])
            self._waiting[k] = [rows[n:]] if len(rows) > n else []
        return out

    def n_waiting(self, source):
        """Count the rows of a source that wait for the others."""
        return sum(map(len, self._waiting[source]))


class ClipStream:
    """Compute log probabilities of the labels for each frame, from windows around it.

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
        """Return how many frames must follow a frame before it has a value."""
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
        """Get the last `n_frames` rows: after the end there is silence."""
        rows = [np.zeros((0, len(self._columns)))]
        while sum(map(len, rows)) < n_frames:
            rows.append(self.push(np.zeros(self._window, dtype=np.float32)))
        return np.concatenate(rows)[:n_frames]


class ActivityStream:
    """Compute the probability of breathing from levels of bands above their floors."""

    def __init__(self, hop_s):
        self._smooth = max(1, round(_SMOOTH_S / hop_s))
        self._down, self._up = 1 - np.exp(-_DOWN * hop_s), _UP_DB * hop_s
        self._bands = self._floor = None

    def push(self, bands):
        """Take mel bands of frames in dB; get as many probabilities."""
        from .kernels import follow_floor

        if len(bands) == 0:
            return np.zeros(0)
        if self._bands is None:
            self._bands = np.repeat(bands[:1], self._smooth - 1, 0)
            self._floor = bands[0].copy()
        bands = np.concatenate([self._bands, bands])
        self._bands = bands[len(bands) - self._smooth + 1 :].copy()
        above = np.empty((len(bands) - self._smooth + 1, bands.shape[1]))
        follow_floor(bands, self._smooth, self._floor, self._down, self._up, above)
        heard = np.sort(np.clip(above - _MARGIN_DB, 0, _CEILING_DB), axis=1)
        heard = np.ascontiguousarray(heard[:, -(bands.shape[1] // _SHARE) :])
        return 1 / (1 + np.exp(-(heard.mean(axis=1) - _HEARD_DB) / _WIDTH_DB))


class TrainingRows:
    """Make rows for the frame classifier from bands and samples.

    The log probabilities of `clips`, a ClipStream or None, are further columns.
    """

    def __init__(self, context, clips=None):
        self._context, self._clips = context, clips
        self._steps = _Lockstep(2)

    def push(self, bands, samples):
        """Take frames and samples; get rows, or None."""
        rows = self._context.push(bands)
        if self._clips is None:
            return rows
        return self._join(self._steps.push(rows, self._clips.push(samples)))

    def finish(self):
        """Get the last rows, or None."""
        rows = self._context.finish()
        if self._clips is None:
            return rows
        parts = [self._steps.push(rows, None)]
        n = self._steps.n_waiting(0)
        parts.append(self._steps.push(None, self._clips.finish(n)))
        parts = [self._join(part) for part in parts if part is not None]
        return np.concatenate(parts) if parts else None

    @staticmethod
    def _join(parts):
        return None if parts is None else np.column_stack(parts).astype(np.float32)


class FrameScorer:
    """Compute probabilities by a fitted FrameModel from new TrainingRows."""

    def __init__(self, rows, model):
        self._rows, self._model = rows, model
        self._threads = ThreadpoolController()

    def push(self, bands, samples):
        """Take frames and samples; get (probability, familiar) of frames."""
        return self._predict(self._rows.push(bands, samples))

    def finish(self):
        """Get those of the last frames."""
        return self._predict(self._rows.finish())

    def _predict(self, rows):
        if rows is None:
            return np.zeros((0, self._model.n_classes)), np.zeros(0, dtype=bool)
        # Blocks are small: threads would cost more than they gain.
        with self._threads.limit(limits=1):
            return self._model.predict(rows)


class ActivityScorer:
    """Compute probabilities from the level and a clip classifier alone."""

    def __init__(self, activity, clips, n_labels):
        self._activity, self._clips, self._n_labels = activity, clips, n_labels
        self._steps = _Lockstep(2)

    def push(self, bands, samples):
        """Take frames and samples; get (probability, familiar) of frames."""
        active = self._activity.push(bands[:, :-1])
        return self._mix(self._steps.push(active, self._clips.push(samples)))

    def finish(self):
        """Get those of the last frames."""
        n = self._steps.n_waiting(0)
        return self._mix(self._steps.push(None, self._clips.finish(n)))

    def _mix(self, parts):
        if parts is None:
            return np.zeros((0, 1 + self._n_labels)), np.zeros(0, dtype=bool)
        active, odds = parts
        labels = np.exp(odds)
        labels *= (active / labels.sum(axis=1))[:, None]
        return np.column_stack([1 - active, labels]), np.ones(len(active), dtype=bool)
