"""Compute frames of features, and rows for a classifier, of sound of any length.

Frames, and every value in them, are the same however the sound is cut into blocks:
a frame is computed from its own samples and from nothing else, and sums over time
are continued where the last block left them.

No value of a row depends on the level of the recording: spectra are taken relative to
their own mean, levels relative to those before and shortly after. A row needs frames
up to a fixed number ahead, and none later.
"""

import numpy as np
import soxr

from ..audio.files import MAX_AMPLITUDE
from ..features.breath_features import BreathFeatures

__all__ = ["FrameContext", "FrameStream", "frame_features"]

_LOWEST = 1e-12
# Frames computed at once: bounds memory, and is a multiple of the kernels' lanes.
_FRAMES_AT_ONCE = 2048
# Samples at least this close to full scale count as clipped.
_FULL_SCALE = 0.999
# Two steps of 16 bits: a recording that is never louder counts as silent.
_SILENCE = 2 * 2.0**-15
# Neighbourhoods in s, from and to, relative to the frame; None is next to it.
_SPANS = (
    (-0.8, -0.4),
    (-0.4, -0.2),
    (-0.2, -0.1),
    (-0.1, None),
    (None, 0.1),
    (0.1, "lookahead"),
)
# Running means over the past, in s, that levels are compared with.
_MEMORIES = (2.0, 5.0, 10.0)


def frame_features(**params):
    """Make the fitted extractor of a :class:`FrameStream`.

    Parameters
    ----------
    **params
        Rate, lengths and bands of :class:`~skbreath.BreathFeatures`.

    Returns
    -------
    features : BreathFeatures
        Of linear mel bands and zero crossings.
    """
    features = BreathFeatures(groups=("mel", "zcr"), log_scale=False, **params)
    return features.fit(np.zeros((1, features.n_fft), dtype=np.float32))


class FrameStream:
    """Compute mel bands of frames, in dB, from blocks of samples.

    Frame ``t`` is centred on sample ``t * hop_length`` of the sound at `sample_rate`,
    with zeros before the beginning and after the end.

    Parameters
    ----------
    features : BreathFeatures
        Fitted, from :func:`frame_features`.
    input_rate : int
        Rate of the blocks; they are resampled to that of the features.

    Attributes
    ----------
    n_samples : int
        Samples taken so far, at `input_rate`.
    peak : float
        Highest magnitude so far.
    n_clipped : int
        Samples at full scale so far.
    latest : ndarray of shape (n,), float32
        Samples of the latest block, at `sample_rate`.
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
        # The extractor centres its frames and pads: this many frames at both ends of
        # a block hold padding.
        self._n_edge = -(-(features.n_fft // 2) // self._hop)
        self._lead = self._n_edge * self._hop
        self._samples = np.zeros(self._lead, dtype=np.float32)

    @property
    def is_silent(self):
        """Whether no sample so far is louder than two steps of 16 bits."""
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
        """Get the last frames, which reach beyond the end of the sound."""
        tail = np.zeros(0, dtype=np.float32)
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(tail, last=True)
        self.latest = tail
        # As many frames as a clip of this length has: one at each hop within it.
        tail = np.concatenate([tail, np.zeros(self._lead, dtype=np.float32)])
        return self._frames(tail)

    def _watch(self, samples):
        if len(samples) == 0:
            return
        loud = np.abs(samples)
        peak = float(loud.max())
        if not peak <= MAX_AMPLITUDE:
            raise ValueError(
                "the recording has NaN, infinite or overly large samples near "
                f"sample {self.n_samples + int(np.argmax(~(loud <= MAX_AMPLITUDE)))}; "
                "export it again, or repair them."
            )
        self.peak = max(self.peak, peak)
        self.n_clipped += int(np.count_nonzero(loud >= _FULL_SCALE))
        self.n_samples += len(samples)

    def _frames(self, samples):
        # One copy for all of a long block; the rest is views of it.
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
        features = self._features._compute(clip[None])[0].astype(np.float64)
        bands = np.ascontiguousarray(features.T)
        levels = np.maximum(np.ascontiguousarray(bands[:, :-1]), _LOWEST)
        return np.column_stack([10 * np.log10(levels), bands[:, -1]])


class FrameContext:
    """Make rows for a classifier from frames, continued from block to block.

    A row looks `lookahead_s`, more than 0.1 s, or `n_ahead` frames ahead.
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

    def push(self, bands):
        """Take frames; get rows of those with enough frames after them, or None."""
        if len(bands) == 0 and self._bands is None:
            return None
        first = self._bands is None
        if first:
            # Frames before the beginning repeat the first one.
            bands = np.concatenate([np.repeat(bands[:1], self._n_before, 0), bands])
        return self._rows(self._derive(bands, first))

    def finish(self):
        """Get the last rows; frames after the end repeat the last one."""
        if self._bands is None:
            return None
        return self.push(np.repeat(self._bands[-1:, :], self.n_ahead, 0))

    def _derive(self, bands, first):
        """Append the series and their sums over time; count the new frames."""
        levels = bands[:, :-1].mean(axis=1)
        shape = bands[:, :-1] - levels[:, None]
        coarse = 0.5 * (shape[:, 0::2] + shape[:, 1::2])
        series = np.column_stack([coarse, levels, bands[:, -1]])
        if first:
            self._bands = bands[:0]
            self._shape, self._series = shape[:0], series[:0]
            self._sums = np.zeros((1, series.shape[1]))  # up to each frame, exclusive
        sums = np.cumsum(np.concatenate([self._sums[-1:], series]), axis=0)
        self._sums = np.concatenate([self._sums, sums[1:]])
        self._bands = np.concatenate([self._bands, bands])
        self._shape = np.concatenate([self._shape, shape])
        self._series = np.concatenate([self._series, series])
        return len(bands)

    def _rows(self, n_new):
        # Buffers begin at frame `origin`; rows are made for `low` to `high`.
        self._seen += n_new
        origin = self._seen - len(self._series)
        low = max(self._n_before, self._seen - n_new - self.n_ahead)
        high = self._seen - self.n_ahead
        if high <= low:
            return None
        here = slice(low - origin, high - origin)
        frame = np.arange(low, high)
        # The buffer of sums may reach further back than that of the frames.
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
        self._forget()
        return np.concatenate(columns, axis=1).astype(np.float32)

    def _forget(self):
        keep = self._n_before + self.n_ahead + 1
        for name in ("_bands", "_shape", "_series"):
            setattr(self, name, getattr(self, name)[-keep:].copy())
        longest = max(*self._memories, keep) + self.n_ahead + 2
        self._sums = self._sums[-longest:].copy()
