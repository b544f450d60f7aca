"""Parts that ideas of `ablation_ideas` need and the package does not have."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import cross_val_predict
from torch import nn

from skbreath import ResidualCNN2d, make_boosting_member, make_frame_member


class RelativeBands(TransformerMixin, BaseEstimator):
    """Take the mean over the clip out of each band, or out of all together."""

    def __init__(self, axes=(2,), n_planes=2):
        self.axes = axes
        self.n_planes = n_planes

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = X.copy()
        bands = X[:, : X.shape[1] - self.n_planes]
        bands -= bands.mean(axis=self.axes, keepdims=True)
        return X


@dataclass(frozen=True)
class AddsToBands:
    """Add something random to the scaled bands, not to the planes beside them."""

    deviation: float
    n_planes: int = 2

    def __call__(self, X, targets):
        X = X.clone()
        bands = X[:, : -self.n_planes]
        bands += self.drawn(bands)
        return X, targets


@dataclass(frozen=True)
class RandomGain(AddsToBands):
    """Add a random level, in standard deviations of the scaled bands."""

    deviation: float = 0.2

    def drawn(self, bands):
        return self.deviation * torch.randn(len(bands), 1, 1)


@dataclass(frozen=True)
class Noise(AddsToBands):
    """Add noise, of a random level for each clip."""

    deviation: float = 0.3

    def drawn(self, bands):
        level = self.deviation * torch.rand(len(bands), 1, 1)
        return level * torch.randn(bands.shape)


@dataclass(frozen=True)
class RandomFilter(AddsToBands):
    """Add a random smooth curve over the bands, as another microphone would.

    The idea is that of FilterAugment (Nam et al. 2022), with linear pieces.
    """

    deviation: float = 0.5
    n_knots: int = 5

    def drawn(self, bands):
        knots = self.deviation * torch.randn(len(bands), 1, self.n_knots)
        return nn.functional.interpolate(
            knots, bands.shape[1], mode="linear", align_corners=True
        ).transpose(1, 2)


@dataclass(frozen=True)
class MixStyle:
    """Mix mean and deviation of the bands with those of another clip (Zhou 2021)."""

    probability: float = 0.7
    alpha: float = 0.3
    n_planes: int = 2

    def __call__(self, X, targets):
        if torch.rand(()) >= self.probability:
            return X, targets
        bands, planes = X[:, : -self.n_planes], X[:, -self.n_planes :]
        mean = bands.mean(dim=2, keepdim=True)
        scale = bands.std(dim=2, keepdim=True) + 1e-3
        alpha = torch.tensor(self.alpha)
        keep = torch.distributions.Beta(alpha, alpha).sample((len(X), 1, 1))
        other = torch.randperm(len(X))
        new_mean = keep * mean + (1 - keep) * mean[other]
        new_scale = keep * scale + (1 - keep) * scale[other]
        bands = (bands - mean) / scale * new_scale + new_mean
        return torch.cat([bands, planes], dim=1), targets


@dataclass(frozen=True)
class SmoothLabels:
    """Pull all targets towards one half."""

    amount: float = 0.1

    def __call__(self, X, targets):
        return X, targets * (1 - self.amount) + 0.5 * self.amount


class RecurrentHead(ResidualCNN2d):
    """A bidirectional GRU over the frames that the blocks leave."""

    def __init__(self, n_channels, n_outputs=1, *, hidden_channels=16, **params):
        super().__init__(
            n_channels, n_outputs, hidden_channels=hidden_channels, **params
        )
        n_last = 8 * hidden_channels
        self.gru = nn.GRU(2 * n_last, n_last // 2, bidirectional=True, batch_first=True)

    def pool(self, images):
        frames = torch.cat([images.mean(dim=2), images.amax(dim=2)], dim=1)
        frames, _ = self.gru(frames.transpose(1, 2))
        return torch.cat([frames.mean(dim=1), frames.amax(dim=1)], dim=1)


class AttentionHead(ResidualCNN2d):
    """A learned weighted mean beside the maximum."""

    def __init__(self, n_channels, n_outputs=1, *, hidden_channels=16, **params):
        super().__init__(
            n_channels, n_outputs, hidden_channels=hidden_channels, **params
        )
        self.attention = nn.Linear(8 * hidden_channels, 1)

    def pool(self, images):
        places = images.flatten(start_dim=2).transpose(1, 2)
        weights = self.attention(places).softmax(dim=1)
        return torch.cat([(weights * places).sum(dim=1), places.amax(dim=1)], dim=1)


class SqueezeExcite(nn.Module):
    """Weigh the channels by what the whole image says of them (Hu et al. 2018)."""

    def __init__(self, n_channels):
        super().__init__()
        narrow = n_channels // 4
        self.gate = nn.Sequential(
            nn.Linear(n_channels, narrow),
            nn.ReLU(),
            nn.Linear(narrow, n_channels),
            nn.Sigmoid(),
        )

    def forward(self, images):
        return images * self.gate(images.mean(dim=(2, 3)))[:, :, None, None]


class SqueezeExciteBlocks(ResidualCNN2d):
    """Squeeze and excitation at the end of each residual block, before its skip."""

    def __init__(self, n_channels, n_outputs=1, *, hidden_channels=16, **params):
        super().__init__(
            n_channels, n_outputs, hidden_channels=hidden_channels, **params
        )
        for number, block in enumerate(self.blocks):
            block.body.append(SqueezeExcite(hidden_channels * 2 ** (number + 1)))


class ChannelEnergy(TransformerMixin, BaseEstimator):
    """Per-channel energy normalisation of linear bands (Wang et al. 2017)."""

    def __init__(self, sample_rate=16000, hop_length=256, n_planes=2):
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_planes = n_planes

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        # Not above: all other ideas do without this optional package.
        import librosa

        n_bands = X.shape[1] - self.n_planes
        # librosa's advice for floating point: its defaults expect 32 bit integers.
        bands = librosa.pcen(
            X[:, :n_bands] * 2.0**31, sr=self.sample_rate, hop_length=self.hop_length
        )
        return np.concatenate([bands, X[:, n_bands:]], axis=1).astype(np.float32)


class WithoutDoubtful(BaseEstimator):
    """Train without the clips whose label boosted trees do not believe.

    The trees judge clips that they have not heard, in three folds.
    """

    def __init__(self, member, at_least=0.15):
        self.member = member
        self.at_least = at_least

    def fit(self, X, y):
        trees = make_boosting_member(random_state=0)
        probabilities = cross_val_predict(trees, X, y, cv=3, method="predict_proba")
        own = probabilities[np.arange(len(y)), np.searchsorted(np.unique(y), y)]
        kept = own >= self.at_least
        self.member_ = clone(self.member).fit(X[kept], y[kept])
        self.classes_ = self.member_.classes_
        return self

    def predict_proba(self, X):
        return self.member_.predict_proba(X)


@dataclass(frozen=True)
class TeachersTargets:
    """Pull the targets towards what a teacher says, who comes as the last channel."""

    trust: float = 0.5

    def __call__(self, X, targets):
        teacher = X[:, -1:, 0]
        X = X.clone()
        X[:, -1] = 0
        return X, (1 - self.trust) * targets + self.trust * teacher


class LearnsFromTeachers(BaseEstimator):
    """Train on soft targets: the label, and teachers who have not heard the clip.

    The teachers are the boosted trees and a network over frames, in three folds.
    """

    def __init__(self, member, trust=0.5):
        self.member = member
        self.trust = trust

    def fit(self, X, y):
        teachers = [
            make_boosting_member(random_state=0),
            make_frame_member(random_state=0),
        ]
        said = [
            cross_val_predict(teacher, X, y, cv=3, method="predict_proba")[:, 1]
            for teacher in teachers
        ]
        member = clone(self.member)
        self.features_ = member[:-1].fit(X)
        net = member["net"]
        n_planes = net.net_params["module__n_planes"] + 1
        self.net_ = net.set_params(
            augmentations=[TeachersTargets(self.trust), *net.augmentations],
            net_params={"module__n_planes": n_planes},
        ).fit(self._with_channel(X, np.mean(said, axis=0)), y)
        self.classes_ = self.net_.classes_
        return self

    def _with_channel(self, X, values):
        features = self.features_.transform(X)
        channel = np.broadcast_to(
            np.reshape(values, (-1, 1, 1)), (len(X), 1, features.shape[2])
        )
        return np.concatenate([features, channel], axis=1).astype(np.float32)

    def predict_proba(self, X):
        return self.net_.predict_proba(self._with_channel(X, np.zeros(len(X))))


class FillsMasks(BaseEstimator):
    """First learn without labels to fill masked stretches of the spectrogram.

    A linear decoder on top of the blocks has to give back the bands of 60 % of the
    frames, masked in stretches of four. The head starts from random weights.
    """

    def __init__(self, member, n_epochs=20, batch_size=64):
        self.member = member
        self.n_epochs = n_epochs
        self.batch_size = batch_size

    def fit(self, X, y):
        member = clone(self.member)
        features = torch.from_numpy(member[:-1].fit_transform(X))
        net = member["net"]
        torch.manual_seed(net.random_state)
        network = ResidualCNN2d(
            features.shape[1],
            hidden_channels=net.hidden_channels,
            dropout=net.dropout,
            n_planes=2,
        )
        whole = self._pretrain(network, features)
        weights = {name: value.numpy().copy() for name, value in whole.items()}
        self.member_ = member.set_params(net__initial_weights=weights).fit(X, y)
        self.classes_ = self.member_.classes_
        return self

    def _pretrain(self, network, features):
        n_bands, n_frames = features.shape[1] - 2, features.shape[2]
        network.pool = lambda images: images
        width = network.head[1].in_features // 2
        decoder = nn.Sequential(nn.Conv2d(width, 256, 1), nn.PixelShuffle(16))
        steps = -(-len(features) // self.batch_size) * self.n_epochs
        optimizer = torch.optim.AdamW(
            [*network.parameters(), *decoder.parameters()], lr=2e-3, weight_decay=1e-2
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
        network.train()
        for _ in range(self.n_epochs):
            for rows in torch.randperm(len(features)).split(self.batch_size):
                true = features[rows]
                hidden = torch.rand(len(rows), 1, -(-n_frames // 4)) < 0.6
                hidden = hidden.repeat_interleave(4, dim=2)[:, :, :n_frames]
                given = true.clone()
                given[:, :n_bands] *= ~hidden
                filled = decoder(network.embed(given))[:, 0, :n_bands, :n_frames]
                error = (filled - true[:, :n_bands]).square() * hidden
                optimizer.zero_grad()
                (error.sum() / hidden.sum() / n_bands).backward()
                optimizer.step()
                schedule.step()
        return network.state_dict()

    def predict_proba(self, X):
        return self.member_.predict_proba(X)
