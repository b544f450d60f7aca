"""Compute frames of features, and rows for a classifier, from blocks of sound.

Frames and rows do not depend on how the sound is cut into blocks: a frame is computed
from its own samples only, and sums over time continue from block to block.

Rows do not depend on the level of the recording: spectra are relative to their mean,
levels to those before and shortly after.
"""

import numpy as np
import soxr

from ..audio.files import MAX_AMPLITUDE
from ..features.breath_features import BreathFeatures

__all__ = ["FrameContext", "FrameStream", "frame_features"]

_LOWEST = 1e-12
# Frames computed at once, to limit memory; a multiple of the kernels' lanes.
_FRAMES_AT_ONCE = 2048
# Floating-point samples beyond this are not clipped: a filter or a lossy format moves
# clipped ones less.
_FLOAT_PEAK = 1.5
# Samples at least this close to full scale count as clipped.
_FULL_SCALE = 0.999
# Two steps of 16 bits: a recording that is never louder counts as silent.
_SILENCE = 2 * 2.0**-15
# Spans in s, from and to, relative to the frame; None is the frame next to it.
_SPANS = (
    (-0.8, -0.4),
    (-0.4, -0.2),
    (-0.2, -0.1),
    (-0.1, None),
    (None, 0.1),
    (0.1, "lookahead"),
)
# Lengths in s of the running means that levels are compared with.
_MEMORIES = (2.0, 5.0, 10.0)
# Percentiles of the levels of the last seconds, and the time between two values in s.
_PERCENTILES = np.array([0.1, 0.5, 0.95])
_PERCENTILE_MEMORY, _PERCENTILE_STEP = 10.0, 0.128
# Bands whose levels are compared with their percentiles, as shares of all bands: those
# where breath is heard, and each third.
_GROUPS = ((0.1, 0.94), (0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1))
# The level counts on the way from quiet to loud if they are at least this far apart.
_LEAST_RANGE_DB = 3.0


def frame_features(**params):
    """Make a fitted extractor of linear mel bands and zero crossings."""
    features = BreathFeatures(groups=("mel", "zcr"), log_scale=False, **params)
    return features.fit(np.zeros((1, features.n_fft), dtype=np.float32))


class FrameStream:
    """Compute mel bands of frames, in dB, from blocks of samples.

    Blocks are resampled from `input_rate` to the rate of the `features`, made by
    :func:`frame_features`. Frame ``t`` is centred on sample ``t * hop_length``, with
    zeros before the beginning and after the end. `n_samples`, `n_clipped` (samples at
    full scale) and `peak` are of all blocks so far; `latest` is the latest block after
    resampling.
    """

    def __init__(self, features, input_rate):
        sample_rate = features.sample_rate
        self.n_samples, self.n_clipped, self.peak = 0, 0, 0.0
        self._resampler = None
        if input_rate != sample_rate:
            self._resampler = soxr.ResampleStream(
                input_rate, sample_rate, 1, dtype="float32"
            )
        self._features, self._hop = features, features.hop_length
        # The extractor centres and pads its frames, so that this many at both ends of a
        # block contain padding.
        self._n_edge = -(-(features.n_fft // 2) // self._hop)
        self._lead = self._n_edge * self._hop
        self._samples = np.zeros(self._lead, dtype=np.float32)

    @property
    def is_silent(self):
        """Check whether all samples so far are at most two steps of 16 bits."""
        return self.peak <= _SILENCE

    def push(self, samples):
        """Take samples at `input_rate`; get the frames that are complete.

        Frames (n_frames, n_mels + 1) hold mel powers in dB, not below -120, and the
        zero crossing rate.
        """
        self._watch(samples)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        self.latest = samples
        return self._frames(samples)

    def finish(self):
        """Get the last frames, which extend beyond the end of the sound."""
        tail = np.zeros(0, dtype=np.float32)
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(tail, last=True)
        self.latest = tail
        # The same number of frames as for a clip of this length: one at each hop.
        tail = np.concatenate([tail, np.zeros(self._lead, dtype=np.float32)])
        return self._frames(tail)

    def _watch(self, samples):
        """Check samples, and update peak, clipping and length."""
        if len(samples) == 0:
            return
        loud = np.abs(samples)
        peak = float(loud.max())
        if not peak <= MAX_AMPLITUDE:
            raise ValueError(
                "samples must be finite and not overly large, got NaN or others near "
                f"sample {self.n_samples + int(np.argmax(~(loud <= MAX_AMPLITUDE)))}; "
                "export the recording again."
            )
        self.peak = max(self.peak, peak)
        self.n_clipped += int(np.count_nonzero(loud >= _FULL_SCALE))
        if self.peak > _FLOAT_PEAK:
            self.n_clipped = 0
        self.n_samples += len(samples)

    def _frames(self, samples):
        """Compute the frames that are complete with new samples at the final rate."""
        self._samples = np.concatenate([self._samples, samples])
        lead, hop = self._lead, self._hop
        n_ready = (len(self._samples) - 2 * lead) // hop + 1
        if n_ready <= 0:
            return np.zeros((0, self._features.n_mels + 1))
        parts = []
        for first in range(0, n_ready, _FRAMES_AT_ONCE):
            stop = min(first + _FRAMES_AT_ONCE, n_ready)
            clip = self._samples[first * hop : (stop - 1) * hop + 2 * lead]
            features = self._extract(clip)[self._n_edge : self._n_edge + stop - first]
            parts.append(features)
        self._samples = self._samples[n_ready * hop :].copy()
        return np.concatenate(parts)

    def _extract(self, clip):
        """Compute the frames of one clip, with mel powers in dB."""
        features = self._features._compute(clip[None])[0].astype(np.float64)
        bands = np.ascontiguousarray(features.T)
        levels = np.maximum(np.ascontiguousarray(bands[:, :-1]), _LOWEST)
        return np.column_stack([10 * np.log10(levels), bands[:, -1]])


class _Percentiles:
    """Compare levels with their percentiles over the last seconds, block by block.

    A percentile includes `n_ahead` frames that follow.
    """

    def __init__(self, hop_s, n_ahead):
        self._step = max(1, round(_PERCENTILE_STEP / hop_s))
        self._n_ahead = n_ahead // self._step
        self._n_before = round(_PERCENTILE_MEMORY / hop_s / self._step)
        self._n_frames, self._first = 0, 0  # so far, and that of the first value kept
        self._values = None

    def push(self, levels):
        """Take levels (n_frames, n_groups) in dB."""
        chosen = levels[-self._n_frames % self._step :: self._step]
        self._n_frames += len(levels)
        if self._values is None:
            # Missing values are last in order, so that they count as none.
            before = np.full((self._n_before, levels.shape[1]), np.nan)
            self._first, self._values = -self._n_before, before
        self._values = np.concatenate([self._values, chosen])

    def compare(self, levels, first):
        """Compute columns of levels whose first frame has the number `first`."""
        numbers = np.arange(first, first + len(levels)) // self._step
        low, high = numbers[0], numbers[-1] + 1
        start = low - self._n_before - self._first
        length = self._n_before + 1 + self._n_ahead
        windows = np.lib.stride_tricks.sliding_window_view(
            self._values[start : start + high - low + length - 1], length, axis=0
        )
        ordered = np.sort(windows, axis=2)
        count = np.count_nonzero(~np.isnan(windows[:, 0]), axis=1)
        rank = np.round(_PERCENTILES * (count[:, None] - 1)).astype(int)
        found = np.take_along_axis(ordered, rank[:, None, :], axis=2)
        quiet, middle, loud = np.moveaxis(found[numbers - low], 2, 0)
        self._values = self._values[start:]
        self._first += start
        share = (levels - quiet) / np.maximum(loud - quiet, _LEAST_RANGE_DB)
        return np.concatenate(
            [
                np.clip(levels - quiet, -20, 60),
                np.clip(levels - middle, -40, 40),
                np.clip(levels - loud, -60, 20),
                np.clip(share, -1, 2),
            ],
            axis=1,
        )


def _group_levels(bands):
    """Compute the levels in dB of groups of bands (n_frames, n_bands) in dB."""
    power, n = 10 ** (bands / 10), bands.shape[1]
    groups = [power[:, round(a * n) : round(b * n)].sum(axis=1) for a, b in _GROUPS]
    return 10 * np.log10(np.maximum(np.stack(groups, axis=1), _LOWEST))


class FrameContext:
    """Make rows for a classifier from frames, block by block.

    A row needs the frames up to `lookahead_s`, more than 0.1 s, after its own.
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
        self._seen = 0  # frames, with those added before the beginning
        self._bands = None
        self._percentiles = _Percentiles(hop_s, self.n_ahead)

    def push(self, bands):
        """Take frames; get rows of those with enough frames after them, or None."""
        if len(bands) == 0 and self._bands is None:
            return None
        first = self._bands is None
        if first:
            # Frames before the beginning repeat the first one.
            bands = np.concatenate([np.repeat(bands[:1], self._n_before, 0), bands])
        self._append(bands, first)
        return self._rows(len(bands))

    def finish(self):
        """Get the last rows; frames after the end repeat the last one."""
        if self._bands is None:
            return None
        return self.push(np.repeat(self._bands[-1:, :], self.n_ahead, 0))

    def _append(self, bands, first):
        """Append shape and level of frames and their sums over time to the buffers."""
        levels = bands[:, :-1].mean(axis=1)
        shape = bands[:, :-1] - levels[:, None]
        coarse = 0.5 * (shape[:, 0::2] + shape[:, 1::2])
        series = np.column_stack([coarse, levels, bands[:, -1]])
        groups = _group_levels(bands[:, :-1])
        self._percentiles.push(groups[self._n_before if first else 0 :])
        if first:
            self._bands = bands[:0]
            self._shape, self._series = shape[:0], series[:0]
            self._groups = groups[:0]
            self._sums = np.zeros((1, series.shape[1]))  # up to each frame, exclusive
        sums = np.cumsum(np.concatenate([self._sums[-1:], series]), axis=0)
        self._sums = np.concatenate([self._sums, sums[1:]])
        self._bands = np.concatenate([self._bands, bands])
        self._shape = np.concatenate([self._shape, shape])
        self._series = np.concatenate([self._series, series])
        self._groups = np.concatenate([self._groups, groups])

    def _rows(self, n_new):
        """Compute the rows that are complete with new frames, or None."""
        # Buffers begin at frame `origin`; rows are made for `low` to `high`.
        self._seen += n_new
        origin = self._seen - len(self._series)
        low = max(self._n_before, self._seen - n_new - self.n_ahead)
        high = self._seen - self.n_ahead
        if high <= low:
            return None
        here = slice(low - origin, high - origin)
        frame = np.arange(low, high)
        # The buffer of sums may be longer than that of the frames.
        at = frame - (self._seen + 1 - len(self._sums))
        now, n_coarse = self._series[here], self._series.shape[1] - 2
        columns = [self._shape[here], now[:, -1:]]
        for a, b in self._spans:
            mean = (self._sums[at + b + 1] - self._sums[at + a]) / (b - a + 1)
            columns.append(mean - now)
        ahead = at + self.n_ahead + 1
        for memory in self._memories:
            # Added frames do not count: at the beginning the mean is over fewer frames.
            n = np.minimum(memory + 1, frame + self.n_ahead + 1 - self._n_before)
            mean = (self._sums[ahead] - self._sums[ahead - n]) / n[:, None]
            columns.append((now - mean)[:, : n_coarse + 1])
        groups = self._groups[here]
        columns.append(self._percentiles.compare(groups, low - self._n_before))
        self._forget()
        return np.concatenate(columns, axis=1).astype(np.float32)

    def _forget(self):
        """Drop the frames that no later row needs."""
        keep = self._n_before + self.n_ahead + 1
        for name in ("_bands", "_shape", "_series", "_groups"):
            setattr(self, name, getattr(self, name)[-keep:].copy())
        longest = max(*self._memories, keep) + self.n_ahead + 2
        self._sums = self._sums[-longest:].copy()
