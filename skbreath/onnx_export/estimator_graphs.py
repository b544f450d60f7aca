"""Compute what fitted estimators compute with torch operations, for export.

Intermediate values are of double precision, to stay close to those of the estimators.
"""

import numpy as np
import torch
from torch import nn

from ..ensemble.boosted_trees import BoostedTrees
from ..features import filters
from ..features.feature_set import ALL_GROUPS
from ..features.kernels import SHORTEST_MATCH
from ..networks.residual_cnn import class_probabilities

__all__ = [
    "FeatureGraph",
    "LinearGraph",
    "LoopGraph",
    "PoolingGraph",
    "ScalingGraph",
    "TreesGraph",
]


def _constant(values, dtype=torch.float64):
    """Convert values to a tensor for a buffer."""
    return torch.as_tensor(np.asarray(values), dtype=dtype)


class FeatureGraph(nn.Module):
    """Compute the features of a fitted `BreathFeatures` from waveforms."""

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
            self.register_buffer("window", _constant(window))
        if "mel" in self.groups:
            self.register_buffer("mel_weights", _constant(mel_filters))
        if self.cepstral:
            self.register_buffer("cepstral_weights", _constant(mfcc_filters))
            cosines = filters.dct_basis(stack.n_mfcc, filters.N_MFCC_MELS)
            self.register_buffer("cosines", _constant(cosines))
        for order, group in enumerate(("delta", "delta2"), start=1):
            if group in self.groups:
                matrix = _derivative_matrix(self.n_frames, order)
                self.register_buffer(group, _constant(matrix))
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
        self.register_buffer("first", _constant(np.maximum(first, 0), torch.int64))
        self.register_buffer("stop", _constant(stop, torch.int64))

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
        """Compute the power spectrum of each frame."""
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
    """Convert power to dB, cut off far below the maximum of each clip."""
    levels = 10.0 * torch.log10(values.clamp(min=filters.LOWEST_POWER))
    highest = levels.amax(dim=(1, 2), keepdim=True)
    return torch.maximum(levels, highest - filters.DYNAMIC_RANGE_DB)


def _derivative_matrix(n_frames, order):
    """Make the matrix that, multiplied from the right, takes the derivative."""
    taps = filters.delta_taps(n_frames, order)
    matrix = np.zeros((n_frames, n_frames))
    half = len(taps) // 2
    for frame in range(n_frames if len(taps) else 0):
        middle = min(max(frame, half), n_frames - 1 - half)
        matrix[middle - half : middle + half + 1, frame] = taps
    return matrix


class LoopGraph(nn.Module):
    """Compute the two channels of the group ``"loop"`` for periods from `shortest` on.

    A clip has the period p if its samples without the last p equal those without the
    first p. Both are compared for all p at once by their fingerprints, polynomials in
    the samples modulo two primes (Karp and Rabin, 1987, "Efficient randomized
    pattern-matching algorithms"): 16,000 numbers each instead of 100 million
    comparisons. All periods are found. Different sounds have the same fingerprints
    with a probability below 1e-6 per clip. Samples are compared to 1e-12 of full scale.
    """

    # Products of two remainders, and sums of a million of them, fit into 63 bits.
    PRIMES = (2147483647, 2147483629)
    BASES = (1093284911, 1726489303)
    RESOLUTION = 2.0**40

    def __init__(self, n_samples, n_frames, hop_length, shortest):
        super().__init__()
        self.n_samples = n_samples
        self.first = min(shortest, n_samples)
        self.stop = max(self.first, n_samples - SHORTEST_MATCH + 1)
        lags = np.arange(self.first, self.stop)
        self.register_buffer("lags", _constant(lags, torch.int64))
        for number, (prime, base) in enumerate(
            zip(self.PRIMES, self.BASES, strict=True)
        ):
            powers = [1]
            while len(powers) < n_samples:
                powers.append(powers[-1] * base % prime)
            powers = _constant(powers, torch.int64)
            self.register_buffer(f"powers{number}", powers)
        centres = np.arange(n_frames) * hop_length
        self.register_buffer("centres", _constant(centres, torch.int64))

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
            # Fingerprints of the first 0, 1, 2, ... samples.
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


class ScalingGraph(nn.Module):
    """Subtract a mean and divide by a scale, by channel; None skips either.

    The result has the type `dtype`; None means that of the input.
    """

    def __init__(self, mean, scale, dtype):
        super().__init__()
        self.dtype = dtype
        self.register_buffer("mean", None if mean is None else _constant(mean))
        self.register_buffer("scale", None if scale is None else _constant(scale))

    def forward(self, x):
        values = x.double()
        shape = (1, -1) + (1,) * (x.dim() - 2)
        if self.mean is not None:
            values = values - self.mean.reshape(shape)
        if self.scale is not None:
            values = values / self.scale.reshape(shape)
        return values.to(x.dtype if self.dtype is None else self.dtype)


class PoolingGraph(nn.Module):
    """Summarize frames as a `SummaryPooling` does.

    The number of used frames differs between clips, so sums over frames are products
    with weights that are 0 for unused frames.
    """

    def __init__(self, pooling):
        super().__init__()
        self.statistics = tuple(pooling.statistics)
        self.n_bins, self.relative = pooling.n_bins, pooling.relative
        self.period_channel = pooling.period_channel
        bins = torch.arange(pooling.n_bins, dtype=torch.int64)[None]
        self.register_buffer("bins", bins)

    def forward(self, x):
        """Compute a table of shape ``(n_clips, n_channels * n_kinds)``."""
        values = (
            x.double().flatten(start_dim=2) if x.dim() > 2 else x.double()[..., None]
        )
        frames = torch.arange(values.shape[2])[None]
        used = self._frames_used(values)
        columns = []
        counted = (frames < used)[:, None]
        mean = _means(values, counted)[..., 0]
        for name in self.statistics:
            if name == "mean":
                columns.append(mean)
            elif name == "std":
                squares = (values - mean[..., None]).square()
                columns.append(_means(squares, counted)[..., 0].sqrt())
            elif name == "min":
                columns.append(torch.where(counted, values, torch.inf).amin(dim=2))
            else:
                columns.append(torch.where(counted, values, -torch.inf).amax(dim=2))
        if self.n_bins:
            columns += self._bin_means(values, frames, used)
        return torch.cat(columns, dim=1).to(x.dtype)

    def _frames_used(self, values):
        """Count the frames of one period in each clip."""
        if self.period_channel is None:
            return torch.full((1, 1), values.shape[2])
        period = values[:, self.period_channel, :1].clamp(0.0, 1.0)
        return 1 + torch.round(period * (values.shape[2] - 1)).to(torch.int64)

    def _bin_means(self, values, frames, used):
        """Compute the mean of each channel in each bin."""
        first = torch.div(self.bins * used, self.n_bins, rounding_mode="floor")
        after = torch.div((self.bins + 1) * used, self.n_bins, rounding_mode="floor")
        stop = torch.maximum(after, first + 1)
        inside = (frames[:, None] >= first[..., None]) & (
            frames[:, None] < stop[..., None]
        )
        means = _means(values, inside)
        if self.relative:
            level = means.mean(dim=2, keepdim=True)
            means = torch.cat([level, means - level], dim=2)
        return list(means.unbind(dim=2))


def _means(values, inside):
    """Average over frames: ``(n, channels, frames)`` and masks ``(n, k, frames)``."""
    weights = inside.double()
    sums = torch.matmul(values, weights.transpose(1, 2))
    return sums / weights.sum(dim=2)[:, None]


class ContextGraph(nn.Module):
    """Add the differences of channels to their mean over a single clip."""

    def __init__(self, context):
        super().__init__()
        self.n_planes = context.n_planes

    def forward(self, x):
        n_compared = x.shape[1] - self.n_planes
        channels, planes = x[:, :n_compared], x[:, n_compared:]
        if x.dim() == 2:
            relative = torch.zeros_like(channels)
        else:
            mean = channels.double().mean(dim=2, keepdim=True)
            relative = (channels - mean).to(x.dtype)
        return torch.cat([channels, relative, planes], dim=1)


class TreesGraph(nn.Module):
    """Average the probabilities of several HistGradientBoostingClassifier.

    All rows go down all trees at once, level by level. The classifiers are fitted on
    the same columns, none of them categorical.
    """

    def __init__(self, classifiers):
        super().__init__()
        self.classifiers = list(classifiers)
        every = [BoostedTrees(classifier) for classifier in classifiers]
        self.n_outputs = len(every[0]._baseline)
        self.depth = max(int(trees._depths.max(initial=0)) for trees in every)
        sizes = [len(trees._values) for trees in every]
        offsets = np.cumsum([0, *sizes[:-1]])
        owners = np.concatenate(
            [np.full(trees._roots.size, own) for own, trees in enumerate(every)]
        )
        # Number of the output, within its classifier, that a tree adds to.
        column = np.concatenate(
            [np.arange(trees._roots.size) % self.n_outputs for trees in every]
        )
        adds_to = np.eye(len(every) * self.n_outputs)[owners * self.n_outputs + column]
        shifted = zip(every, offsets, strict=True)
        roots, children = zip(
            *((t._roots.ravel() + o, t._children.ravel() + o) for t, o in shifted),
            strict=True,
        )
        whole = {
            "roots": roots,
            "next_nodes": children,
            "features": [trees._features for trees in every],
        }
        for name, parts in whole.items():
            self.register_buffer(name, _constant(np.concatenate(parts), torch.int64))
        numbers = {
            "thresholds": np.concatenate([trees._thresholds for trees in every]),
            "values": np.concatenate([trees._values for trees in every]),
            "baseline": np.concatenate([trees._baseline for trees in every]),
            "adds_to": adds_to,
        }
        for name, values in numbers.items():
            self.register_buffer(name, _constant(values))

    def forward(self, table):
        """Give probabilities of shape ``(n_clips, n_classes)``."""
        rows = table.double()
        nodes = self.roots.expand(rows.shape[0], -1)
        for _ in range(self.depth):
            above = rows.gather(1, self.features[nodes]) > self.thresholds[nodes]
            nodes = self.next_nodes[2 * nodes + above.to(torch.int64)]
        logits = self.baseline + torch.matmul(self.values[nodes], self.adds_to)
        each = [class_probabilities(part) for part in logits.split(self.n_outputs, 1)]
        return torch.stack(each).mean(dim=0)


class LinearGraph(nn.Module):
    """Compute the probabilities of a logistic regression."""

    def __init__(self, classifier):
        super().__init__()
        self.register_buffer("coefficients", _constant(classifier.coef_.T))
        self.register_buffer("intercept", _constant(classifier.intercept_))

    def forward(self, table):
        """Give probabilities of shape ``(n_clips, n_classes)``."""
        logits = torch.matmul(table.double(), self.coefficients) + self.intercept
        return class_probabilities(logits)
