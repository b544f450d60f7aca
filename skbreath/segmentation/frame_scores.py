"""Turn frames and samples into probabilities of pause and labels, block by block.

There are two ways. A :class:`FrameModel`, fitted on annotated recordings, classifies
frames. Without annotations a classifier of clips is slid over the recording; it
predicts which phase a clip is, and the level, compared with the quietest level shortly
before, decides whether there is a phase.
"""

import numpy as np
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import HistGradientBoostingClassifier

from ..audio.clip_warnings import batch_of_run
from ..ensemble.boosted_trees import fast_version
from ..utils.contexts import one_thread
from .frame_network import FrameNetwork

__all__ = [
    "ActivityScorer",
    "ClipStream",
    "FrameModel",
    "FrameScorer",
    "RowsWithBase",
    "TRAINING_STEP",
    "TrainingRows",
    "default_classifier",
]

# Neighbouring frames are nearly equal: every other one is enough for training.
TRAINING_STEP = 2
# The floor of a band follows its level: down by this share per s, and up by this many
# dB per s, which is fast enough for a rising noise and slow enough for a long exhale.
_DOWN, _UP_DB = 12.0, 1.5
_SMOOTH_S = 0.08
# The level of a band counts between a margin above its floor, which lies below the mean
# of a noise, and a ceiling. Breathing is likely where the loudest sixth of the bands
# exceeds `_BREATH_DB` on average.
_MARGIN_DB, _CEILING_DB, _BREATH_DB, _WIDTH_DB = 6.0, 20.0, 1.5, 0.75
_LOUDEST = 6
# Share of the training frames that count as unfamiliar.
_UNFAMILIAR_SHARE = 0.002
_TOLERANCE_DB = 4.0
# Bands are limited to this far below the loudest one.
_DYNAMIC_RANGE_DB = 40.0


class _Lockstep:
    """Align the rows of two sources, which arrive at different times."""

    def __init__(self):
        self._waiting = [[], []]

    def push(self, *parts):
        """Add rows to each source (None: no rows); get the rows that both have."""
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
    """Compute log probabilities of the labels for each frame, from a window around it.

    `classifier` is fitted on waveforms. `window` and `hop`, from frame to frame, are in
    samples; `stride`, from window to window, in frames: between windows, values are
    interpolated.
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
        """Count the frames that must follow a frame before its value is computed."""
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
        # A window is not a clip of one phase: it may be silent, or mostly pause.
        with one_thread(), batch_of_run({"drift", "silence"}):
            values = self._classifier.predict_proba(windows)[:, self._columns]
        values = np.log(np.clip(values, 1e-3, 1 - 1e-3))
        if self._latest is not None:
            values = np.concatenate([self._latest[None], values])
        self._latest = values[-1]
        share = np.arange(self._stride)[:, None] / self._stride
        between = values[:-1, None] * (1 - share) + values[1:, None] * share
        return between.reshape(-1, len(self._columns))

    def finish(self, n_frames):
        """Get the last `n_frames` rows, with silence after the end."""
        rows = [np.zeros((0, len(self._columns)))]
        while sum(map(len, rows)) < n_frames:
            rows.append(self.push(np.zeros(self._window, dtype=np.float32)))
        return np.concatenate(rows)[:n_frames]


class _ActivityStream:
    """Compute the probability of breathing from levels of bands above their floors."""

    def __init__(self, hop_s):
        self._smooth = max(1, round(_SMOOTH_S / hop_s))
        self._down, self._up = 1 - np.exp(-_DOWN * hop_s), _UP_DB * hop_s
        self._bands = self._floor = None

    def push(self, bands):
        """Take mel bands of frames in dB; get a probability for each frame."""
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
        loud = np.sort(np.clip(above - _MARGIN_DB, 0, _CEILING_DB), axis=1)
        loud = np.ascontiguousarray(loud[:, -(bands.shape[1] // _LOUDEST) :])
        return 1 / (1 + np.exp(-(loud.mean(axis=1) - _BREATH_DB) / _WIDTH_DB))


class RowsWithBase:
    """Make rows from frames, with the log probabilities of another model appended.

    `context` makes the rows, `model` is a FrameModel.
    """

    def __init__(self, context, model):
        self.n_ahead = context.n_ahead + model.n_ahead
        self._context, self._model = context, model.stream()
        self._steps = _Lockstep()

    def push(self, bands):
        """Take frames; get rows of those with enough frames after them, or None."""
        return self._score(self._context.push(bands))

    def finish(self):
        """Get the last rows, or None."""
        parts = [self._score(self._context.finish())]
        with one_thread(user_api=None):
            probability, _ = self._model.finish()
        parts.append(_join(self._steps.push(None, _log(probability))))
        parts = [part for part in parts if part is not None]
        return np.concatenate(parts) if parts else None

    def _score(self, rows):
        if rows is None:
            return None
        with one_thread(user_api=None):
            probability, _ = self._model.push(rows)
        return _join(self._steps.push(rows, _log(probability)))


def _join(parts):
    """Put the rows of two sources side by side; None stays None."""
    return None if parts is None else np.column_stack(parts).astype(np.float32)


def _log(probability):
    return np.log(np.maximum(probability, 1e-3))


class TrainingRows:
    """Make rows for the frame classifier from bands and samples.

    `clips` is a ClipStream, whose log probabilities are further columns, or None.
    """

    def __init__(self, context, clips=None):
        self._context, self._clips = context, clips
        self._steps = _Lockstep()

    def push(self, bands, samples):
        """Take frames and samples; get rows, or None."""
        rows = self._context.push(bands)
        if self._clips is None:
            return rows
        return _join(self._steps.push(rows, self._clips.push(samples)))

    def finish(self):
        """Get the last rows, or None."""
        rows = self._context.finish()
        if self._clips is None:
            return rows
        parts = [self._steps.push(rows, None)]
        n = self._steps.n_waiting(0)
        parts.append(self._steps.push(None, self._clips.finish(n)))
        parts = [_join(part) for part in parts if part is not None]
        return np.concatenate(parts) if parts else None


def default_classifier():
    """Make boosted trees, which are fast and do not depend on the block size."""
    return HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
    )


class FrameModel:
    """Classify frames as pause (class 0) or label, and detect unfamiliar frames.

    A Gaussian model of the training spectra, the first `n_spectrum` columns of a row,
    detects frames unlike them.
    """

    def __init__(self, classifier, n_classes, n_spectrum):
        self.classifier = clone(classifier)
        self.n_classes, self.n_spectrum = n_classes, n_spectrum

    def fit(self, recordings, classes):
        """Fit on float32 rows of recordings and their classes, 0 for a pause."""
        rows = np.concatenate(recordings)
        params = {"lengths": list(map(len, recordings))} if self.is_network else {}
        classes = np.concatenate(classes)
        with one_thread():
            self.classifier.fit(rows, classes, **params)
        self.fast_classifier = fast_version(self.classifier)
        counts = np.bincount(classes, minlength=self.n_classes)
        self.log_prior = np.log((counts + 1) / (counts + 1).sum())
        spectra = self._spectra(rows)
        model = LedoitWolf().fit(spectra)
        self.centre = model.location_
        # Another filter or sample width should not make a sound unfamiliar.
        tolerance = _TOLERANCE_DB**2 * np.eye(spectra.shape[1])
        values, vectors = np.linalg.eigh(model.covariance_ + tolerance)
        self.whitening = vectors / np.sqrt(values)
        distance = self.distance(rows)
        self.farthest = np.quantile(distance, 1 - _UNFAMILIAR_SHARE)
        return self

    def __getstate__(self):
        state = dict(self.__dict__)
        state.pop("fast_classifier", None)
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        if hasattr(self.classifier, "classes_"):
            self.fast_classifier = fast_version(self.classifier)

    def _spectra(self, rows):
        """Get spectra in dB relative to their loudest band."""
        spectra = rows[:, : self.n_spectrum].astype(np.float64)
        loudest = spectra.max(axis=1, keepdims=True)
        return np.maximum(spectra - loudest, -_DYNAMIC_RANGE_DB)

    def distance(self, rows):
        """Compute squared Mahalanobis distances from the spectra of the training.

        Rows begin with mel bands in dB, up to a constant.
        """
        spectra = self._spectra(rows) - self.centre
        return np.square(spectra @ self.whitening).sum(axis=1)

    @property
    def n_ahead(self):
        """Number of rows that must follow a row before its probabilities."""
        return TRAINING_STEP * self.classifier.n_ahead if self.is_network else 0

    @property
    def is_network(self):
        """Check whether the classifier uses the order of frames."""
        return isinstance(self.classifier, FrameNetwork)

    def predict(self, rows):
        """Predict probabilities of the rows of a recording, and if they are familiar.

        The former are (n_rows, n_classes), the latter (n_rows,).
        """
        stream = self.stream()
        probability, familiar = zip(stream.push(rows), stream.finish(), strict=True)
        return np.concatenate(probability), np.concatenate(familiar)

    def stream(self):
        """Begin a recording whose rows arrive in blocks."""
        return NetworkRows(self) if self.is_network else IndependentRows(self)

    def familiar(self, rows):
        """Check which rows sound like those of the training."""
        return self.distance(rows) <= self.farthest

    def complete(self, probability):
        """Put probabilities of the classes in training into columns of all classes."""
        table = np.zeros((len(probability), self.n_classes))
        table[:, self.fast_classifier.classes_] = probability
        return table


class IndependentRows:
    """Predict rows that arrive in blocks, each by itself."""

    def __init__(self, model):
        self._model = model

    def push(self, rows):
        """Take rows; get probabilities and whether they are familiar."""
        if not len(rows):
            return np.zeros((0, self._model.n_classes)), np.zeros(0, dtype=bool)
        probability = self._model.fast_classifier.predict_proba(rows)
        return self._model.complete(probability), self._model.familiar(rows)

    def finish(self):
        """Get the last rows: none."""
        return np.zeros((0, self._model.n_classes)), np.zeros(0, dtype=bool)


class NetworkRows:
    """Predict rows that arrive in blocks by a network, which has every other row."""

    def __init__(self, model):
        self._model, self._stream = model, model.classifier.stream()
        self._n_rows, self._familiar = 0, np.zeros(0, dtype=bool)
        self._probability = np.zeros((0, model.n_classes))

    def push(self, rows):
        """Take rows; get probabilities of earlier ones, and if they are familiar."""
        chosen = rows[-self._n_rows % TRAINING_STEP :: TRAINING_STEP]
        self._n_rows += len(rows)
        familiar = self._model.familiar(rows)
        self._familiar = np.concatenate([self._familiar, familiar])
        return self._take(self._stream.push(chosen))

    def finish(self):
        """Get the last rows."""
        return self._take(self._stream.finish())

    def _take(self, probability):
        probability = np.repeat(self._model.complete(probability), TRAINING_STEP, 0)
        probability = np.concatenate([self._probability, probability])
        n = min(len(probability), len(self._familiar))
        familiar, self._familiar = self._familiar[:n], self._familiar[n:]
        self._probability = probability[n:]
        return probability[:n], familiar


class FrameScorer:
    """Compute probabilities by a fitted FrameModel from rows of TrainingRows."""

    def __init__(self, rows, model):
        self._rows, self._model = rows, model.stream()
        self._nothing = np.zeros((0, model.n_classes)), np.zeros(0, dtype=bool)

    def push(self, bands, samples):
        """Take frames and samples; get (probability, familiar) of frames."""
        return self._predict(self._rows.push(bands, samples))

    def _predict(self, rows):
        if rows is None:
            return self._nothing
        # BLAS too: the result must not depend on the size of the blocks.
        with one_thread(user_api=None):
            return self._model.push(rows)

    def finish(self):
        """Get (probability, familiar) of the last frames."""
        parts = [self._predict(self._rows.finish())]
        with one_thread(user_api=None):
            parts.append(self._model.finish())
        probability, familiar = zip(*parts, strict=True)
        return np.concatenate(probability), np.concatenate(familiar)


class ActivityScorer:
    """Compute probabilities from the level and a clip classifier alone."""

    def __init__(self, hop_s, clips, n_labels):
        self._activity = _ActivityStream(hop_s)
        self._clips, self._n_labels = clips, n_labels
        self._steps = _Lockstep()

    def push(self, bands, samples):
        """Take frames and samples; get (probability, familiar) of frames."""
        active = self._activity.push(bands[:, :-1])
        return self._mix(self._steps.push(active, self._clips.push(samples)))

    def finish(self):
        """Get (probability, familiar) of the last frames."""
        n = self._steps.n_waiting(0)
        return self._mix(self._steps.push(None, self._clips.finish(n)))

    def _mix(self, parts):
        if parts is None:
            return np.zeros((0, 1 + self._n_labels)), np.zeros(0, dtype=bool)
        active, odds = parts
        labels = np.exp(odds)
        labels *= (active / labels.sum(axis=1))[:, None]
        return np.column_stack([1 - active, labels]), np.ones(len(active), dtype=bool)
