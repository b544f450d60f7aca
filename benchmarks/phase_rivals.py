"""What the segmenter is compared with."""

import numpy as np
from scipy.ndimage import median_filter
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks.phase_data import RATE
from skbreath import BreathFeatures
from skbreath.phases.phase_table import COLUMNS, label_frames, phase_table
from skbreath.segmentation.frame_scores import default_classifier

HOP_S = 256 / RATE
# Columns of the segmenter's table that hold levels: the 17th of each span and memory.
N_SHAPE, N_COARSE = 33, 16
LEVELS = [N_SHAPE + 18 * k + N_COARSE for k in range(6)]
LEVELS += [N_SHAPE + 18 * 6 + 17 * k + N_COARSE for k in range(3)]


def _levels(rows):
    return rows[:, LEVELS]


def _all_but_levels(rows):
    return np.delete(rows, LEVELS, axis=1)


def level_only():
    """The segmenter's classifier, given nothing but relative levels."""
    return make_pipeline(FunctionTransformer(_levels), default_classifier())


def without_level():
    """The segmenter's classifier, given spectra of unit level and nothing else."""
    return make_pipeline(FunctionTransformer(_all_but_levels), default_classifier())


def to_phases(classes, hop_s, labels=("I", "E"), shortest_s=0.15):
    """Runs of equal classes, those shorter than `shortest_s` left out."""
    edges = np.flatnonzero(np.diff(classes)) + 1
    edges = np.concatenate([[0], edges, [len(classes)]])
    rows = [
        (max(0.0, (a - 0.5) * hop_s), (b - 0.5) * hop_s, labels[classes[a] - 1])
        for a, b in zip(edges[:-1], edges[1:], strict=True)
        if classes[a] and (b - a) * hop_s >= shortest_s
    ]
    return phase_table(rows, COLUMNS)


class FrameBoosting:
    """Boosted trees on a frame's mel bands and those around it, then a median filter.

    No durations, no order; levels as they are.
    """

    def __init__(self, random_state=0):
        self.model = HistGradientBoostingClassifier(
            max_iter=150, learning_rate=0.08, random_state=random_state
        )

    @staticmethod
    def _rows(waveform):
        features = BreathFeatures(groups=("mel",), n_mels=32, fmin=50.0)
        bands = features.fit_transform(waveform[None])[0].T
        frame = np.arange(len(bands))
        around = [
            bands[np.clip(frame + k, 0, len(bands) - 1)] for k in (-20, -8, 0, 8, 20)
        ]
        return np.concatenate(around, axis=1)

    def fit(self, waveforms, tables):
        rows = [self._rows(waveform) for waveform in waveforms]
        classes = [
            label_frames(table, ("I", "E"), np.arange(len(row)) * HOP_S)
            for row, table in zip(rows, tables, strict=True)
        ]
        rows, classes = np.concatenate(rows)[::2], np.concatenate(classes)[::2]
        self.model.fit(rows, classes)
        return self

    def predict(self, waveforms):
        return [
            to_phases(median_filter(self.model.predict(self._rows(w)), 15), HOP_S)
            for w in waveforms
        ]


def slide_naively(classifier, waveform, hop_s=0.1):
    """A classifier of one-second clips at every 0.1 s; quiet seconds are pauses.

    The label of a moment is that of the clip around it; it is a pause where the
    tenth of a second there is more than 12 dB below the loudest twentieth.
    """
    hop = round(hop_s * RATE)
    padded = np.pad(waveform, RATE // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, RATE)[::hop]
    inhale = classifier.predict_proba(np.ascontiguousarray(windows))
    inhale = inhale[:, list(classifier.classes_).index("I")]
    near = windows[:, RATE // 2 - hop // 2 : RATE // 2 + hop // 2]
    level = 10 * np.log10(np.mean(np.square(near, dtype=float), axis=1) + 1e-12)
    active = level > np.percentile(level, 95) - 12
    classes = np.where(active, np.where(inhale >= 0.5, 1, 2), 0)
    return to_phases(classes, hop_s)
