"""Compute the values of `BreathFeatures` with torch operations, for export.

In double precision except for the result; features computed in single precision differ
by rounding.
"""

import numpy as np
import torch
from torch import nn

from ..features import filters
from ..features.feature_set import ALL_GROUPS
from ..features.kernels import SHORTEST_MATCH
from .table_graphs import constant

__all__ = ["FeatureGraph", "LoopGraph"]


class FeatureGraph(nn.Module):
    """Compute features from waveforms of one length.

    Parameters
    ----------
    features : BreathFeatures
        Fitted.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skbreath import BreathFeatures
    >>> from skbreath.onnx_export.feature_graph import FeatureGraph
    >>> clips = np.random.default_rng(0).normal(size=(2, 4000)).astype("float32")
    >>> features = BreathFeatures(groups=("mel", "rms")).fit(clips)
    >>> graph = FeatureGraph(features)
    >>> found = graph(torch.from_numpy(clips)).numpy()
    >>> bool(np.allclose(found, features.transform(clips), atol=1e-3))
    True
    """

    def __init__(self, features):
        super().__init__()
        stack = self.stack = features._stack
        n_samples = self.n_samples = features.n_features_in_
        self.n_frames = stack.n_frames(n_samples)
        mel_filters, mfcc_filters = features._mel_filters()
        self.groups = [group for group in ALL_GROUPS if group in stack.groups]
        self.cepstral = stack.is_cepstral
        self.spectral = self.cepstral or not {"mel", "contrast"}.isdisjoint(self.groups)
        self.dtype = getattr(torch, stack.dtype)
        if self.spectral:
            window = filters.hann_window(stack.n_fft)
            self.register_buffer("window", constant(window))
        if "mel" in self.groups:
            self.register_buffer("mel_weights", constant(mel_filters))
        if self.cepstral:
            self.register_buffer("cepstral_weights", constant(mfcc_filters))
            cosines = filters.dct_basis(stack.n_mfcc, filters.N_MFCC_MELS)
            self.register_buffer("cosines", constant(cosines))
        for order, group in enumerate(("delta", "delta2"), start=1):
            if group in self.groups:
                matrix = _derivative_matrix(self.n_frames, order)
                self.register_buffer(group, constant(matrix))
        if not {"rms", "zcr"}.isdisjoint(self.groups):
            self._register_edges()
        if "contrast" in self.groups:
            _, self.bands = filters.contrast_bands(
                stack.sample_rate, stack.n_fft, stack.n_contrast_bands
            )
        if "loop" in self.groups:
            self.loop = LoopGraph(
                n_samples, self.n_frames, stack.hop_length, stack.shortest_loop()
            )

    def _register_edges(self):
        """Register first and end sample of each frame, cut to the clip."""
        first = np.arange(self.n_frames) * self.stack.hop_length - self.stack.n_fft // 2
        stop = np.minimum(first + self.stack.n_fft, self.n_samples)
        self.register_buffer("first", constant(np.maximum(first, 0), torch.int64))
        self.register_buffer("stop", constant(stop, torch.int64))

    def forward(self, waveforms):
        """Compute features of shape ``(n_clips, n_channels, n_frames)``."""
        samples = waveforms.double()
        power = self._power(samples) if self.spectral else None
        mfcc = None
        if self.cepstral:
            levels = _decibels(torch.matmul(self.cepstral_weights, power))
            mfcc = torch.matmul(self.cosines, levels)
        groups = []
        for group in self.groups:
            if group == "mel":
                bands = torch.matmul(self.mel_weights, power)
                groups.append(_decibels(bands) if self.stack.log_scale else bands)
            elif group == "rms":
                groups.append(self._rms(samples))
            elif group == "zcr":
                groups.append(self._crossings(samples))
            elif group == "contrast":
                groups.append(self._contrast(power))
            elif group == "loop":
                groups.append(self.loop(samples))
            elif group == "mfcc":
                groups.append(mfcc)
            else:
                groups.append(torch.matmul(mfcc, getattr(self, group)))
        return torch.cat(groups, dim=1).to(self.dtype)

    def _power(self, samples):
        n_fft = self.stack.n_fft
        padded = nn.functional.pad(samples, (n_fft // 2, n_fft // 2))
        spectrum = torch.stft(
            padded,
            n_fft,
            self.stack.hop_length,
            window=self.window,
            center=False,
            return_complex=True,
        )
        return torch.view_as_real(spectrum).square().sum(dim=-1)

    def _per_frame(self, values, first, stop):
        """Average `values` from first to stop, for each frame."""
        total = nn.functional.pad(torch.cumsum(values, dim=1), (1, 0))
        above, below = total.index_select(1, stop), total.index_select(1, first)
        return (above - below) / self.stack.n_fft

    def _rms(self, samples):
        mean = self._per_frame(samples.square(), self.first, self.stop)[:, None]
        return _decibels(mean) if self.stack.log_scale else mean.clamp(min=0).sqrt()

    def _crossings(self, samples):
        negative = samples < -filters.CROSSING_THRESHOLD
        changes = (negative[:, 1:] != negative[:, :-1]).double()
        # A change counts in a frame that contains both of its samples.
        return self._per_frame(changes, self.first, self.stop - 1)[:, None]

    def _contrast(self, power):
        valleys, peaks = [], []
        for first, stop, n_extreme in self.bands.tolist():
            bins = power[:, first:stop]
            for largest, levels in ((False, valleys), (True, peaks)):
                extremes = torch.topk(bins, n_extreme, dim=1, largest=largest).values
                levels.append(extremes.sqrt().mean(dim=1, keepdim=True))
        return _decibels(torch.cat(peaks, dim=1)) - _decibels(torch.cat(valleys, dim=1))


def _decibels(values):
    levels = 10.0 * torch.log10(values.clamp(min=filters.LOWEST_POWER))
    highest = levels.amax(dim=(1, 2), keepdim=True)
    return torch.maximum(levels, highest - filters.DYNAMIC_RANGE_DB)


def _derivative_matrix(n_frames, order):
    """Make the matrix that, from the right, takes the derivative over frames."""
    taps = filters.delta_taps(n_frames, order)
    matrix = np.zeros((n_frames, n_frames))
    half = len(taps) // 2
    for frame in range(n_frames if len(taps) else 0):
        middle = min(max(frame, half), n_frames - 1 - half)
        matrix[middle - half : middle + half + 1, frame] = taps
    return matrix


class LoopGraph(nn.Module):
    """Compute the two channels of the group ``"loop"``.

    A clip has the period p if all but its last p samples are all but its first p.
    Both are compared for all p at once by their fingerprints, which are polynomials
    in the samples modulo two primes [1]_: 16,000 numbers each instead of a hundred
    million comparisons. Periods are never missed. Two different sounds have the same
    fingerprints with a probability below 1e-6 per clip, for any two sounds.

    Parameters
    ----------
    n_samples, n_frames, hop_length : int
        Samples and frames of a clip, samples between frames.
    shortest : int
        Shortest period looked for, in samples.

    Notes
    -----
    Samples are compared to 1e-12 of full scale, and must be below 8 million times it.

    References
    ----------
    .. [1] R. M. Karp, M. O. Rabin, "Efficient randomized pattern-matching
       algorithms", IBM Journal of Research and Development 31 (2), 1987.
    """

    # Products of two remainders, and sums of a million, fit into 63 bits.
    PRIMES = (2147483647, 2147483629)
    BASES = (1093284911, 1726489303)
    RESOLUTION = 2.0**40

    def __init__(self, n_samples, n_frames, hop_length, shortest):
        super().__init__()
        self.n_samples = n_samples
        # Lags from first to before stop.
        self.first = min(shortest, n_samples)
        self.stop = max(self.first, n_samples - SHORTEST_MATCH + 1)
        lags = np.arange(self.first, self.stop)
        self.register_buffer("lags", constant(lags, torch.int64))
        for number, (prime, base) in enumerate(
            zip(self.PRIMES, self.BASES, strict=True)
        ):
            powers = [1]
            while len(powers) < n_samples:
                powers.append(powers[-1] * base % prime)
            powers = constant(powers, torch.int64)
            self.register_buffer(f"powers{number}", powers)
        centres = np.arange(n_frames) * hop_length
        self.register_buffer("centres", constant(centres, torch.int64))

    def periods(self, samples):
        """Find periods in samples, of shape ``(n_clips, 1)``."""
        none = torch.full_like(samples[:, :1], self.n_samples, dtype=torch.int64)
        if self.first == self.stop:
            return none
        first, stop, n_samples = self.first, self.stop, self.n_samples
        whole = torch.round(samples * self.RESOLUTION).to(torch.int64)
        repeats = None
        for number, prime in enumerate(self.PRIMES):
            powers = getattr(self, f"powers{number}")
            terms = torch.remainder(whole, prime) * powers
            sums = torch.cumsum(torch.remainder(terms, prime), dim=1)
            # Fingerprints of the first n samples, n from 0 on.
            prints = torch.remainder(nn.functional.pad(sums, (1, 0)), prime)
            ends = prints[:, -1:] - prints[:, first:stop]
            starts = prints[:, n_samples - stop + 1 : n_samples - first + 1].flip(1)
            starts = starts * powers[first:stop]
            equal = torch.remainder(starts - ends, prime) == 0
            repeats = equal if repeats is None else repeats & equal
        found = torch.where(repeats, self.lags, n_samples)
        return found.amin(dim=1, keepdim=True)

    def forward(self, samples):
        """Compute channels of shape ``(n_clips, 2, n_frames)``."""
        periods = self.periods(samples)
        within = torch.remainder(self.centres, periods).double()
        position = 2.0 * within / periods.double() - 1.0
        period = (periods.double() / self.n_samples).expand_as(position)
        return torch.stack([position, period], dim=1)
