"""Find phases in sound that arrives in blocks, with a fixed delay."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from ..phases.breath_statistics import breath_statistics
from ..phases.phase_table import SILENT_NOTE, UNLIKE_NOTE, phase_table
from .decoder import LagDecoder, log_likelihoods, segment_times

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd
    from numpy.typing import ArrayLike
    from sklearn.utils import Bunch

    from .decoder import PhaseModel
    from .frame_layout import FrameLayout
    from .frames import FrameStream

__all__ = ["PhaseStream"]

_SHORTEST_S = 0.5
_CLIPPED_SHARE = 0.01
_UNLIKE_SHARE = 0.3
# Of recordings of other people, 11 of 23 with an F1 below 0.8 have phases of a lower
# mean probability, and 4 of 50 others (benchmarks/results/bench_phases_people.txt).
_LEAST_PROBABILITY = 0.75
# A running stream is judged by at least as many phases.
_LEAST_PHASES = 3
# Length in s of the sound that a running stream describes: its note and its rate.
_NOTE_S, _RATE_S = 15.0, 60.0
# Breathing is quiet for a few seconds at most, and a noise gate makes that zeros.
_SILENT_S = 5.0
# Statistics are computed at each phase, and this often in s while there is none.
_RATE_STEP_S = 2.0


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
    start : float, default=0.0
        Time of the first sample in s.

    Attributes
    ----------
    latency : float
        Longest delay in s of audio between the end of a phase and its emission.
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
        start: float = 0.0,
    ) -> None:
        self.latency, self._start_s = latency, start
        self._frames, self._scorer, self._rate = frames, scorer, input_rate
        self._labels, self._hop_s = layout.labels, layout.hop_s
        self._lag = layout.lag_frames
        self._decoder = LagDecoder(model, self._lag)
        self._weight, self._log_prior = emission_weight, log_prior
        self._n_decoded = self._n_active = self._n_unlike = self._n_phases = 0
        self._sums = np.zeros((1, 2 * len(layout.labels)))  # of probabilities, by frame
        self._probability = 0.0  # sum over phases
        self._finished, self._nothing = False, phase_table()
        self._columns = self._nothing.columns
        self._recent_rows: deque[Any] = deque()  # phases of the last _RATE_S
        self._recent: Any = None
        self._recent_key = -1, -1
        self._counts = deque([self._count()])  # of the last _NOTE_S, each second

    @property
    def note(self) -> str:
        """Reasons to doubt the phases, or "".

        While the stream runs, it describes the last 15 s: silent, without a signal (as
        of an unplugged microphone), clipped, unlike the training, or uncertain. After
        :meth:`finish` it describes the whole recording.
        """
        return self._doubts() if self._finished else self._doubts_now()

    @property
    def rate_per_min(self) -> float:
        """Breathing rate of the last 60 s, NaN if it is unknown."""
        return float(self.recent.summary["rate_per_min"])

    @property
    def recent(self) -> Bunch:
        """Statistics of the last 60 s, as of :func:`skbreath.breath_statistics`.

        The first two labels are taken for inhale and exhale. Times are of the
        recording.
        """
        now = max(self._n_decoded - self._lag, 0) * self._hop_s
        key = self._n_phases, int(now / _RATE_STEP_S)
        if key != self._recent_key:
            self._recent, self._recent_key = self._statistics(now), key
        return self._recent

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
        return label, self._start_s + segment_times(first, first, self._hop_s)[0]

    def push(self, block: ArrayLike) -> pd.DataFrame:
        """Take samples; get the phases that are now complete.

        Parameters
        ----------
        block : array-like of shape (n_samples,)
            The next samples, at the rate given to
            :meth:`~skbreath.PhaseSegmenter.partial`; any number of them. Floating-point
            numbers within -1..1, or int16.

        Returns
        -------
        phases : DataFrame
            ``start_s``, ``end_s``, ``label``, ``probability``. Often empty, and then
            the same table as before unless you changed it.

        Raises
        ------
        ValueError
            If samples are NaN, infinite or integers other than int16, not
            one-dimensional, or the stream was finished.
        """
        self._check_open()
        block = np.asarray(block)
        if block.ndim != 1:
            raise ValueError(
                f"a block must be one-dimensional, got the shape {block.shape}; pass "
                "one channel, such as block[:, 0]."
            )
        if block.dtype == np.int16:
            block = block * np.float32(2.0**-15)
        elif block.dtype.kind in "iu" and len(block):
            raise ValueError(
                "a block must hold floating-point numbers or int16, got integer "
                f"samples ({block.dtype}); scale them: block / 2**31 for int32."
            )
        block = block.astype(np.float32, copy=False)
        rows = self._take(self._frames.push(block))
        n_samples, counts = self._frames.n_samples, self._counts
        if n_samples - counts[-1][0] >= self._rate:
            counts.append(self._count())
            while counts[1][0] <= n_samples - _NOTE_S * self._rate:
                counts.popleft()
        return self._table(rows)

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
        return self._table([] if self.is_unusable else segments)

    def _check_open(self):
        if self._finished:
            raise ValueError("the stream is finished; make a new one by partial().")

    def _take(self, bands):
        if not len(bands) and not len(self._frames.latest):
            return []
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
            probability = total[label] / (stop - first)
            self._n_phases += 1
            self._probability += probability
            times = segment_times(first, stop, self._hop_s)
            rows.append((*times, self._labels[label], probability))
        self._recent_rows.extend(rows)
        self._sums = self._sums[-(self._lag + 3) :].copy()
        return rows

    def _table(self, rows):
        duration = self._frames.n_samples / self._rate
        if self._finished:  # the last frame may extend beyond the end
            rows = [
                (s, min(e, duration), *rest) for s, e, *rest in rows if s < duration
            ]
        if not rows:
            # Making or copying a table would take most of the time of a small block.
            nothing = self._nothing
            if len(nothing) or nothing.columns is not self._columns:  # user changed it
                self._nothing = phase_table()
                self._columns = self._nothing.columns
            return self._nothing
        start = self._start_s
        return phase_table([(start + s, start + e, *rest) for s, e, *rest in rows])

    def _statistics(self, now):
        """Compute the statistics of the last _RATE_S s before `now`."""
        rows, first = self._recent_rows, max(0.0, now - _RATE_S)
        while rows and rows[0][0] < first:
            rows.popleft()
        labels = (*self._labels, "")[:2]
        inside = [(s - first, e - first, *r) for s, e, *r in rows if r[0] in labels]
        table = phase_table(inside)
        table.attrs["note"] = self.note
        found = breath_statistics(
            table,
            max([now - first, self._hop_s, *table["end_s"][-1:]]),
            inhale=labels[0],
            exhale=labels[1],
        )
        for times in (found.breaths, found.over_time, found.pauses):
            for name in {"onset_s", "start_s", "end_s"} & {*times}:
                times[name] += self._start_s + first
        return found

    def _count(self):
        """Count what the note depends on, up to now."""
        frames = self._frames
        n_samples, n_clipped = frames.n_samples, frames.n_clipped
        counts = n_samples, n_clipped, self._n_active, self._n_unlike
        return np.array([*counts, self._n_phases, self._probability])

    @property
    def is_unusable(self) -> bool:
        """Check whether the recording so far is silent or too short to hold phases."""
        return self._frames.is_silent or self._is_short()

    def _is_short(self):
        return self._frames.n_samples < _SHORTEST_S * self._rate

    def _doubts(self):
        """List reasons to doubt the result of a whole recording, or return ""."""
        frames = self._frames
        if frames.n_samples == 0:
            return "is empty: it has no samples"
        if self._is_short():
            seconds = frames.n_samples / self._rate
            return f"is too short: {seconds:.2f} s, less than {_SHORTEST_S} s"
        if frames.is_silent:
            return f"{SILENT_NOTE}: no sample is louder than two steps of 16 bits"
        doubts = self._doubts_of(self._count())
        if not doubts and not self._n_phases:
            return "has no sound that was recognized as a phase"
        return doubts

    def _doubts_now(self):
        """List reasons to doubt the phases of the last seconds, or return ""."""
        constant, silent = (n / self._rate for n in self._frames.n_quiet)
        if constant >= _SILENT_S:
            return (
                f"has had no signal for {constant:.0f} s: all samples are equal (is "
                "the microphone unplugged or muted?)"
            )
        if silent >= _SILENT_S:
            return (
                f"has been silent for {silent:.0f} s: no sample is louder than two "
                "steps of 16 bits"
            )
        counts = self._count() - self._counts[0]
        if counts[4] < _LEAST_PHASES:  # their mean probability says nothing
            counts[4] = 0
        return self._doubts_of(counts)

    def _doubts_of(self, counts):
        """List what is wrong with the part of a recording of these counts."""
        n_samples, n_clipped, n_active, n_unlike, n_phases, probability = counts
        doubts = []
        clipped = n_clipped / max(n_samples, 1)
        if clipped > _CLIPPED_SHARE:
            doubts.append(
                f"is clipped: {clipped:.0%} of its samples are at full scale "
                "(record it again at a lower gain)"
            )
        unlike = n_unlike / max(n_active, 1)
        if unlike > _UNLIKE_SHARE:
            doubts.append(
                f"{UNLIKE_NOTE} in {unlike:.0%} of its sounds (speech, or another "
                "microphone?): low confidence"
            )
        elif n_phases and probability / n_phases < _LEAST_PROBABILITY:
            doubts.append(
                "has uncertain phases: their mean probability is "
                f"{probability / n_phases:.2f} (quiet breathing, noise, speech, or "
                "another microphone?)"
            )
        return "; ".join(doubts)
