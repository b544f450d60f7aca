"""Find phases in sound that arrives in blocks, with a fixed delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..phases.phase_table import UNLIKE_NOTE, phase_table
from .decoder import LagDecoder, log_likelihoods, segment_times

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd
    from numpy.typing import ArrayLike

    from .decoder import PhaseModel
    from .frame_layout import FrameLayout
    from .frames import FrameStream

__all__ = ["PhaseStream"]

_SHORTEST_S = 0.5
_CLIPPED_SHARE = 0.01
_UNLIKE_SHARE = 0.3
# Of recordings of other people, 12 of 25 with an F1 below 0.8 have phases of a lower
# mean probability, and 1 of 48 others (benchmarks/results/bench_phases_people.txt).
_LEAST_PROBABILITY = 0.75


class PhaseStream:
    """Find the phases of one recording that arrives in blocks.

    Made by :meth:`skbreath.PhaseSegmenter.partial`. The phases are exactly those that
    :meth:`~skbreath.PhaseSegmenter.predict` gives for the whole recording, for any size
    of the blocks. Each is returned at most ``latency`` s of audio after its end, and is
    final.

    Parameters
    ----------
    frames : FrameStream
        Makes frames from samples.
    scorer : FrameScorer or ActivityScorer
        Makes probabilities of pause and labels from frames.
    model : PhaseModel
        Durations and transitions for the decoder.
    layout : FrameLayout
        Labels, and the times of the frames.
    input_rate : int
        Rate of the blocks in Hz.
    emission_weight : float
        Weight of the frame scores against durations and sequence.
    log_prior : ndarray of shape (1 + n_labels,)
        Log of the class shares in training, which the probabilities are divided by.
    latency : float
        Value of the attribute.

    Attributes
    ----------
    latency : float
        Longest delay in s of audio between the end of a phase and its emission.
    note : str
        After :meth:`finish`: reasons to doubt the result, or "".
    """

    def __init__(
        self,
        frames: FrameStream,
        scorer: Any,
        model: PhaseModel,
        layout: FrameLayout,
        *,
        input_rate: int,
        emission_weight: float,
        log_prior: np.ndarray,
        latency: float,
    ) -> None:
        self.latency, self.note = latency, ""
        self._frames, self._scorer, self._rate = frames, scorer, input_rate
        self._labels, self._hop_s = layout.labels, layout.hop_s
        self._lag = layout.lag_frames
        self._decoder = LagDecoder(model, self._lag)
        self._weight, self._log_prior = emission_weight, log_prior
        self._n_decoded = self._n_active = self._n_unlike = self._n_phases = 0
        self._sums = np.zeros((1, 2 * len(layout.labels)))  # of probabilities, by frame
        self._probability = 0.0  # sum over phases
        self._finished, self._nothing = False, phase_table()

    @property
    def current(self) -> tuple[str | None, float] | None:
        """Phase of the latest final frame, `latency` s ago.

        Returns
        -------
        phase : tuple (label or None, start_s), or None
            The label is None in a pause; None instead of the tuple at the very
            beginning.
        """
        now = self._decoder.current
        if now is None:
            return None
        state, first = now
        label = self._labels[state // 2] if state % 2 == 0 else None
        return label, segment_times(first, first, self._hop_s)[0]

    def push(self, block: ArrayLike) -> pd.DataFrame:
        """Take samples; get the phases that are now complete.

        Parameters
        ----------
        block : array-like of shape (n_samples,)
            The next samples, at the rate given to
            :meth:`~skbreath.PhaseSegmenter.partial`; any number of them.

        Returns
        -------
        phases : DataFrame
            ``start_s``, ``end_s``, ``label``, ``probability``; often empty.

        Raises
        ------
        ValueError
            If samples are NaN, infinite or integers, not one-dimensional, or the
            stream was finished.
        """
        self._check_open()
        block = np.asarray(block)
        if block.ndim != 1:
            raise ValueError(
                f"a block must be one-dimensional, got the shape {block.shape}; pass "
                "one channel, such as block[:, 0]."
            )
        if block.dtype.kind in "iu" and len(block):
            raise ValueError(
                "a block must hold floating-point numbers, got integer samples "
                f"({block.dtype}); scale them to -1..1: block / 32768 for int16."
            )
        block = block.astype(np.float32, copy=False)
        return self._table(self._take(self._frames.push(block)))

    def finish(self) -> pd.DataFrame:
        """End the recording; get the phases that are left.

        Returns
        -------
        phases : DataFrame
            As from :meth:`push`.
        """
        self._check_open()
        self._finished = True
        segments = self._take(self._frames.finish())
        segments += self._score(*self._scorer.finish())
        segments += self._rows(self._decoder.finish())
        self.note = self._doubts()
        if self.is_unusable:
            segments = []
        elif not self._n_phases and not self.note:
            self.note = "has no sound that was recognized as a phase"
        return self._table(segments)

    def _check_open(self):
        if self._finished:
            raise ValueError("the stream is finished; make a new one by partial().")

    def _take(self, bands):
        return self._score(*self._scorer.push(bands, self._frames.latest))

    def _score(self, probability, familiar):
        """Decode the probabilities of new frames; get rows of complete phases."""
        if len(probability) == 0:
            return []
        scores = log_likelihoods(probability, self._log_prior)
        active = probability[:, 0] < 0.5
        self._n_active += int(active.sum())
        self._n_unlike += int((active & ~familiar).sum())
        # Unfamiliar frames count as 0 in the confidence of a phase.
        values = np.concatenate(
            [probability[:, 1:] * familiar[:, None], probability[:, 1:]], axis=1
        )
        sums = np.cumsum(np.concatenate([self._sums[-1:], values]), axis=0)
        self._sums = np.concatenate([self._sums, sums[1:]])
        self._n_decoded += len(probability)
        return self._rows(self._decoder.push(self._weight * scores))

    def _rows(self, segments):
        """Turn decoded segments into rows of phases, with mean probabilities."""
        rows = []
        origin = self._n_decoded + 1 - len(self._sums)
        for state, first, stop in segments:
            if first == 0:
                self._start = np.zeros_like(self._sums[0])
            total = self._sums[stop - origin] - self._start
            self._start = self._sums[stop - origin].copy()
            if state % 2:
                continue
            label = state // 2
            self._n_phases += 1
            self._probability += total[label] / (stop - first)
            rows.append(
                (
                    *segment_times(first, stop, self._hop_s),
                    self._labels[label],
                    total[label] / (stop - first),
                )
            )
        self._sums = self._sums[-(self._lag + 3) :].copy()
        return rows

    def _table(self, rows):
        duration = self._frames.n_samples / self._rate
        if self._finished:  # the last frame may extend beyond the end
            rows = [
                (s, min(e, duration), *rest) for s, e, *rest in rows if s < duration
            ]
        # Making a table takes most of the time of a small block.
        return phase_table(rows) if rows else self._nothing.copy()

    @property
    def is_unusable(self) -> bool:
        """Check whether the recording so far is silent or too short to hold phases."""
        return self._frames.is_silent or self._is_short()

    def _mean_probability(self):
        return self._probability / self._n_phases

    def _is_short(self):
        return self._frames.n_samples < _SHORTEST_S * self._rate

    def _doubts(self):
        """List reasons to doubt the result, or return ""."""
        frames = self._frames
        if frames.n_samples == 0:
            return "is empty: it has no samples"
        if self._is_short():
            seconds = frames.n_samples / self._rate
            return f"is too short: {seconds:.2f} s, less than {_SHORTEST_S} s"
        if frames.is_silent:
            return "is silent: no sample is louder than two steps of 16 bits"
        doubts = []
        clipped = frames.n_clipped / frames.n_samples
        if clipped > _CLIPPED_SHARE:
            doubts.append(
                f"is clipped: {clipped:.0%} of its samples are at full scale "
                "(record it again at a lower gain)"
            )
        unlike = self._n_unlike / max(self._n_active, 1)
        if unlike > _UNLIKE_SHARE:
            doubts.append(
                f"{UNLIKE_NOTE} in {unlike:.0%} of its sounds (speech, or another "
                "microphone?): low confidence"
            )
        elif self._n_phases and self._mean_probability() < _LEAST_PROBABILITY:
            doubts.append(
                "has uncertain phases: their mean probability is "
                f"{self._mean_probability():.2f} (quiet breathing, noise, speech, or "
                "another microphone?)"
            )
        return "; ".join(doubts)
