"""Sound of any length to frames of features, block by block.

Frames, and every value in them, are the same however the sound is cut into blocks:
a frame is computed from its own samples and from nothing else, and sums over time
are continued where the last block left them.
"""

import numpy as np
import soxr

from ._audio_file import MAX_AMPLITUDE
from .features import BreathFeatures

__all__ = ["FrameStream", "frame_features"]

_LOWEST = 1e-12
# Frames computed at once: bounds memory, and is a multiple of the kernels' lanes.
_FRAMES_AT_ONCE = 2048
# Samples at least this close to full scale count as clipped.
_FULL_SCALE = 0.999
# Two steps of 16 bits: what is never louder is taken for silence.
_SILENCE = 2 * 2.0**-15


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
    """Mel bands of frames, in dB, from blocks of samples.

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
    heard : ndarray of shape (n,), float32
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
        # The extractor centres its frames: these at both ends of what it is given
        # hold samples that are not there.
        self._n_edge = -(-(features.n_fft // 2) // self._hop)
        self._lead = self._n_edge * self._hop
        self._samples = np.zeros(self._lead, dtype=np.float32)

    @property
    def is_silent(self):
        """Whether nothing louder than two steps of 16 bits has come."""
        return self.peak <= _SILENCE

    def push(self, samples):
        """Take samples; get the frames that are complete.

        Parameters
        ----------
        samples : ndarray of shape (n,), float32
            At `input_rate`.

        Returns
        -------
        bands : ndarray of shape (n_frames, n_mels + 1), float64
            Mel powers in dB, not below -120, and the zero crossing rate.
        """
        self._watch(samples)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        self.heard = samples
        return self._frames(samples)

    def finish(self):
        """Get the last frames, which reach beyond the end of the sound."""
        tail = np.zeros(0, dtype=np.float32)
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(tail, last=True)
        self.heard = tail
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
