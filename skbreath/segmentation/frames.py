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
# Percentiles of levels are over the last seconds, with this time between values in s.
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
    full scale) and `peak` are of all blocks so far; `n_quiet` are the numbers of equal
    and of silent samples at the end, in whole blocks; `latest` is the latest block
    after resampling.
    """

    def __init__(self, features, input_rate):
        sample_rate = features.sample_rate
        self.n_samples, self.n_clipped, self.peak = 0, 0, 0.0
        self.n_quiet, self._last = (0, 0), np.float32(0)
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
        self._ratio = input_rate / sample_rate
        self._waiting, self._n_waiting, self._n_wanted = [], 0, 1
        self._nothing = np.zeros((0, features.n_mels + 1))

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
        self._waiting.append(samples)
        self._n_waiting += len(samples)
        if self._n_waiting < self._n_wanted:  # too few for a frame
            self.latest = samples[:0]
            return self._nothing
        self.latest = self._resampled()
        return self._frames(self.latest)

    def finish(self):
        """Get the last frames, which extend beyond the end of the sound."""
        self.latest = tail = self._resampled(last=True)
        # The same number of frames as for a clip of this length: one at each hop.
        tail = np.concatenate([tail, np.zeros(self._lead, dtype=np.float32)])
        return self._frames(tail)

    def _resampled(self, last=False):
        """Get the samples that wait, at the final rate."""
        samples = np.concatenate([np.zeros(0, np.float32), *self._waiting])
        self._waiting, self._n_waiting = [], 0
        if self._resampler is None:
            return samples
        return self._resampler.resample_chunk(samples, last=last)

    def _watch(self, samples):
        """Check samples, and update peak, clipping and length."""
        if len(samples) == 0:
            return
        lowest, highest = samples.min(), samples.max()
        peak = float(max(-lowest, highest))
        if not peak <= MAX_AMPLITUDE:  # NaN, too
            bad = int(np.argmax(~(np.abs(samples) <= MAX_AMPLITUDE)))
            raise ValueError(
                "samples must be finite and not overly large, got NaN or others near "
                f"sample {self.n_samples + bad}; export the recording again."
            )
        constant, silent = self.n_quiet
        constant = len(samples) + (constant if samples[0] == self._last else 0)
        constant *= bool(lowest == highest)
        self.n_quiet = constant, 0 if peak > _SILENCE else silent + len(samples)
        self._last = samples[-1]
        self.peak = max(self.peak, peak)
        if self.peak > _FLOAT_PEAK:
            self.n_clipped = 0
        elif peak >= _FULL_SCALE:
            self.n_clipped += int(np.count_nonzero(np.abs(samples) >= _FULL_SCALE))
        self.n_samples += len(samples)

    def _frames(self, samples):
        """Compute the frames that are complete with new samples at the final rate."""
        self._samples = np.concatenate([self._samples, samples])
        lead, hop = self._lead, self._hop
        n_ready = (len(self._samples) - 2 * lead) // hop + 1
        self._n_wanted = self._ratio * (2 * lead - len(self._samples) + 0.5)
        if n_ready <= 0:
            return self._nothing
        parts = []
        for first in range(0, n_ready, _FRAMES_AT_ONCE):
            stop = min(first + _FRAMES_AT_ONCE, n_ready)
            clip = self._samples[first * hop : (stop - 1) * hop + 2 * lead]
            features = self._extract(clip)[self._n_edge : self._n_edge + stop - first]
            parts.append(features)
        self._samples = self._samples[n_ready * hop :].copy()
        self._n_wanted += self._ratio * n_ready * hop
        return np.concatenate(parts)

    def _extract(self, clip):
        """Compute the frames of one clip, with mel powers in dB."""
        from ..features.kernels import extract

        # As transform, without its checks and threads, which take longer than a frame.
        params = self._features
        n_frames = 1 + len(clip) // self._hop
        features = np.empty((1, params.n_mels + 1, n_frames), dtype=params.dtype)
        extract(clip[None], params._plan(n_frames), features)
        bands = np.ascontiguousarray(features[0].T, dtype=np.float64)
        levels = np.maximum(np.ascontiguousarray(bands[:, :-1]), _LOWEST)
        return np.column_stack([10 * np.log10(levels), bands[:, -1]])


class FrameContext:
    """Make rows for a classifier from frames, block by block.

    A row needs the frames up to `lookahead_s`, more than 0.1 s, after its own.
    """

    def __init__(self, hop_s, lookahead_s):
        self.n_ahead = max(1, round(lookahead_s / hop_s))
        ends = {"lookahead": self.n_ahead}
        spans = [
            (
                1 if a is None else round(a / hop_s),
                -1 if b is None else ends.get(b) or round(b / hop_s),
            )
            for a, b in _SPANS
        ]
        self._spans, self._n_before = np.array(spans), -spans[0][0]
        memories = [round(s / hop_s) + self.n_ahead for s in _MEMORIES]
        step = max(1, round(_PERCENTILE_STEP / hop_s))
        n_values = round(_PERCENTILE_MEMORY / hop_s / step), self.n_ahead // step
        self._percentiles = (step, *n_values, _LEAST_RANGE_DB)
        self._memories = np.array(memories)
        self._n_kept = max(*memories, self._n_before, (n_values[0] + 1) * step)
        self._n_kept += self.n_ahead + 2
        self._seen = 0  # frames
        self._latest = self._buffers = None

    def push(self, bands):
        """Take frames; get rows of those with enough frames after them, or None."""
        from .kernels import context_rows

        if len(bands) == 0:
            return None
        if self._latest is None:
            # Frames before the beginning repeat the first one.
            self._append(np.repeat(bands[:1], self._n_before, 0))
        self._append(bands)
        self._latest = bands[-1:]
        low = max(0, self._seen - self.n_ahead)
        self._seen += len(bands)
        n = self._seen - self.n_ahead - low
        if n <= 0:
            return None
        shapes, series = self._buffers[:2]
        # Of bands and zero crossings, spans, memories and percentiles.
        width = shapes.shape[1] + 1 + len(self._spans) * series.shape[1]
        width += len(self._memories) * (series.shape[1] - 1) + 4 * len(_GROUPS)
        rows = np.empty((n, width), dtype=np.float32)
        first = self._n_filled - self.n_ahead - n
        context_rows(
            first, low, self._spans, self._memories, self._percentiles,
            *self._buffers, rows,
        )  # fmt: skip
        return rows

    def finish(self):
        """Get the last rows; frames after the end repeat the last one."""
        if self._latest is None:
            return None
        return self.push(np.repeat(self._latest, self.n_ahead, 0))

    def _append(self, bands):
        """Append what rows need of frames to the buffers."""
        from .kernels import append_frames

        n_mels = bands.shape[1] - 1
        if self._buffers is None:
            widths = (n_mels, n_mels // 2 + 2, len(_GROUPS), n_mels // 2 + 2)
            self._buffers = [np.zeros((1, width)) for width in widths]
            self._n_filled = 0
            bounds = [(round(a * n_mels), round(b * n_mels)) for a, b in _GROUPS]
            self._groups = np.array(bounds)
        if self._n_filled + len(bands) >= len(self._buffers[0]):
            # Drop the frames that no later row needs.
            first = max(0, self._n_filled - self._n_kept)
            self._n_filled -= first
            size = self._n_kept + max(len(bands), self._n_kept // 2) + 1
            for k, old in enumerate(self._buffers):
                new = np.zeros((size, old.shape[1]))
                new[: self._n_filled + 1] = old[first : first + self._n_filled + 1]
                self._buffers[k] = new
        append_frames(bands, self._groups, self._n_filled, *self._buffers)
        self._n_filled += len(bands)
