"""Define the frames of a segmenter, and make the objects that compute them."""

from dataclasses import dataclass

from sklearn.utils.validation import check_is_fitted

from .frame_scores import ActivityScorer, ClipStream, RowsWithBase, TrainingRows
from .frames import FrameContext, frame_features

__all__ = ["FrameLayout"]

_HOP_S = 0.016
_HOPS_PER_FRAME = 4
_CLIP_STRIDE = 8
# Delay of the resampling filter, in s, measured at 44.1 to 16 kHz and rounded up.
_RESAMPLING_S = 0.035


@dataclass(frozen=True)
class FrameLayout:
    """Hold the parameters of :class:`~skbreath.PhaseSegmenter` that define its frames.

    `clip_classifier` and `base`, a segmenter, are fitted, or None.
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
    base: object = None

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
                    f"the clip classifier must have the classes {list(self.labels)}, "
                    f"got {classes} without {missing[0]!r}; set labels= to its classes."
                )
        if self.base is not None:
            check_is_fitted(self.base)
            for name in ("labels", "sample_rate", "n_mels", "fmin", "fmax"):
                own, other = getattr(self, name), getattr(self.base.layout_, name)
                if own != other:
                    raise ValueError(
                        f"{name} must be that of the base, {other!r}, got {own!r}."
                    )
        self.features()  # raises an error if the bands do not fit the rate

    @property
    def hop(self):
        """Number of samples from frame to frame."""
        return max(1, round(_HOP_S * self.sample_rate))

    @property
    def hop_s(self):
        """Time from frame to frame in s."""
        return self.hop / self.sample_rate

    @property
    def lag_frames(self):
        """Number of frames that the decoder waits."""
        return round(self.lag / self.hop_s)

    @property
    def _window(self):
        return max(2, round(self.clip_duration * self.sample_rate))

    def latency(self, sample_rate, frame_model):
        """Compute the longest delay from the end of a phase to its output, in s.

        `sample_rate` is that of the blocks; `frame_model` is None if there is only a
        classifier of clips.
        """
        clip = ClipStream.n_ahead(self._window, self.hop, _CLIP_STRIDE)
        frames = self.context().n_ahead + _HOPS_PER_FRAME // 2
        if self.clip_classifier is not None:
            frames = max(frames, clip) if frame_model else clip
        frames += frame_model.n_ahead if frame_model else 0
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
        """Make the stream that turns frames into rows."""
        context = FrameContext(self.hop_s, self.lookahead)
        if self.base is None:
            return context
        return RowsWithBase(context, self.base.frame_model_)

    def _clips(self):
        return ClipStream(
            self.clip_classifier,
            self.labels,
            window=self._window,
            hop=self.hop,
            stride=_CLIP_STRIDE,
        )

    def rows(self):
        """Make the stream that turns frames and samples into rows for a classifier."""
        clips = None if self.clip_classifier is None else self._clips()
        return TrainingRows(self.context(), clips)

    def activity_scorer(self):
        """Make the scorer that uses only the clip classifier and the level."""
        return ActivityScorer(self.hop_s, self._clips(), len(self.labels))
