"""Pool, scale and classify tables with torch operations, for export."""

import numpy as np
import torch
from torch import nn

from ..ensemble.boosted_trees import BoostedTrees
from ..networks.residual_cnn import class_probabilities

__all__ = ["LinearGraph", "PoolingGraph", "ScalingGraph", "TreesGraph", "constant"]


def constant(values, dtype=torch.float64):
    """Convert values to a tensor for a buffer."""
    return torch.as_tensor(np.asarray(values), dtype=dtype)


class ScalingGraph(nn.Module):
    """`ChannelScaler`, or scikit-learn's StandardScaler.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_channels,) or None
        Subtracted, and divided by; None for neither.
    dtype : torch.dtype or None
        Of the result; None for that of the input.
    """

    def __init__(self, mean, scale, dtype):
        super().__init__()
        self.dtype = dtype
        self.register_buffer("mean", None if mean is None else constant(mean))
        self.register_buffer("scale", None if scale is None else constant(scale))

    def forward(self, x):
        values = x.double()
        shape = (1, -1) + (1,) * (x.dim() - 2)
        if self.mean is not None:
            values = values - self.mean.reshape(shape)
        if self.scale is not None:
            values = values / self.scale.reshape(shape)
        return values.to(x.dtype if self.dtype is None else self.dtype)


class PoolingGraph(nn.Module):
    """`SummaryPooling`.

    The number of frames that count differs between clips, so sums over frames are
    products with weights that are 0 for the other frames.
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
        if self.period_channel is None:
            return torch.full((1, 1), values.shape[2])
        period = values[:, self.period_channel, :1].clamp(0.0, 1.0)
        return 1 + torch.round(period * (values.shape[2] - 1)).to(torch.int64)

    def _bin_means(self, values, frames, used):
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


class TreesGraph(nn.Module):
    """Histogram gradient boosting: all rows go down all trees, level by level.

    Parameters
    ----------
    classifiers : list of HistGradientBoostingClassifier
        Fitted on tables of the same columns, none of them categorical; their
        probabilities are averaged.
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
        # Which output of which classifier a tree adds to.
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
            self.register_buffer(name, constant(np.concatenate(parts), torch.int64))
        numbers = {
            "thresholds": np.concatenate([trees._thresholds for trees in every]),
            "values": np.concatenate([trees._values for trees in every]),
            "baseline": np.concatenate([trees._baseline for trees in every]),
            "adds_to": adds_to,
        }
        for name, values in numbers.items():
            self.register_buffer(name, constant(values))

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
    """Logistic regression."""

    def __init__(self, classifier):
        super().__init__()
        self.register_buffer("coefficients", constant(classifier.coef_.T))
        self.register_buffer("intercept", constant(classifier.intercept_))

    def forward(self, table):
        """Give probabilities of shape ``(n_clips, n_classes)``."""
        logits = torch.matmul(table.double(), self.coefficients) + self.intercept
        return class_probabilities(logits)
