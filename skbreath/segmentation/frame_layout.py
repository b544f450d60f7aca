"""Define the frames of a segmenter, and make the objects that compute them."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..phases.phase_table import COLUMNS, phase_table
from .frame_scores import ActivityScorer, ActivityStream, ClipStream, TrainingRows
from .frames import FrameContext, frame_features

__all__ = ["FrameLayout", "textbook_phases"]

_HOP_S = 0.016
_HOPS_PER_FRAME = 4
_CLIP_STRIDE = 8
# Delay of the resampling filter, in s, measured at 44.1 to 16 kHz and rounded up.
_RESAMPLING_S = 0.035


@dataclass(frozen=True)
class FrameLayout:
    """Parameters of :class:`~skbreath.PhaseSegmenter` that define its frames.

    `clip_classifier` is fitted, or None.
    """

    sample_rate: int
    labels: tuple
    n_mels: int
    fmin: float
    fmax: float | None
    lookahead: float
    lag: float
    clip_classifier: object
    clip_duration: float

    def check(self):
        """Check that the parameters fit together."""
        if len(set(self.labels)) < len(self.labels) or not self.labels:
            raise ValueError(f"labels must be distinct names, got {self.labels!r}.")
        if self.n_mels % 2:
            raise ValueError(f"n_mels must be even, got {self.n_mels}.")
        if self.clip_classifier is not None:
            check_is_fitted(self.clip_classifier)
            classes = list(self.clip_classifier.classes_)
            missing = [label for label in self.labels if label not in classes]
            if missing:
                raise ValueError(
                    f"the clip classifier has the classes {classes}, without "
                    f"{missing[0]!r}; name them by labels=."
                )
        self.features()  # raises an error for impossible bands

    @property
    def hop(self):
        """Samples from frame to frame."""
        return max(1, round(_HOP_S * self.sample_rate))

    @property
    def hop_s(self):
        """Seconds from frame to frame."""
        return self.hop / self.sample_rate

    @property
    def lag_frames(self):
        """Frames that the decoder waits."""
        return round(self.lag / self.hop_s)

    @property
    def _window(self):
        return max(2, round(self.clip_duration * self.sample_rate))

    def latency(self, sample_rate, fitted):
        """Compute the longest delay from the end of a phase to its emission, in s.

        `sample_rate` is that of the blocks, `fitted` whether there is a model of
        frames.
        """
        clip = ClipStream.n_ahead(self._window, self.hop, _CLIP_STRIDE)
        frames = self.context().n_ahead + _HOPS_PER_FRAME // 2
        if self.clip_classifier is not None:
            frames = max(frames, clip) if fitted else clip
        resampling = _RESAMPLING_S if sample_rate != self.sample_rate else 0.0
        return (frames + self.lag_frames + 1) * self.hop_s + resampling

    def features(self):
        """Make the fitted extractor of the frames."""
        return frame_features(
            sample_rate=self.sample_rate,
            n_mels=self.n_mels,
            n_fft=_HOPS_PER_FRAME * self.hop,
            hop_length=self.hop,
            fmin=self.fmin,
            fmax=self.fmax,
        )

    def context(self):
        """Make the stream from frames to rows."""
        return FrameContext(self.hop_s, self.lookahead)

    def _clips(self):
        return ClipStream(
            self.clip_classifier,
            self.labels,
            window=self._window,
            hop=self.hop,
            stride=_CLIP_STRIDE,
        )

    def rows(self):
        """Make the stream from frames and samples to rows for a classifier."""
        clips = None if self.clip_classifier is None else self._clips()
        return TrainingRows(self.context(), clips)

    def activity_scorer(self):
        """Make the scorer that uses only the clip classifier and the level."""
        activity = ActivityStream(self.hop_s)
        return ActivityScorer(activity, self._clips(), len(self.labels))


def textbook_phases(labels, random_state=0):
    """Make tables of phases of typical breathing, to use without annotations.

    10 to 28 breaths a minute, I:E 1:1 to 1:2.5, and a turn and a rest of varying
    length. Labels follow each other in the given order.
    """
    rng = np.random.default_rng(random_state)
    tables = []
    for _ in range(12):
        time, rows = 0.0, []
        cycle = 60 / rng.uniform(10, 28)
        turn, rest = rng.uniform(0.02, 0.12), rng.uniform(0.02, 0.25)
        shares = rng.dirichlet(np.full(len(labels), 12.0)) * (1 - turn - rest)
        for _ in range(12):
            for number, (label, share) in enumerate(zip(labels, shares, strict=True)):
                end = time + cycle * share * rng.uniform(0.8, 1.25)
                rows.append((time, end, label))
                last = number == len(labels) - 1
                gap = cycle * (rest if last else turn) * rng.uniform(0.7, 1.4)
                time = end + gap
        tables.append(phase_table(rows, COLUMNS))
    return tables
