"""Ablation: what each idea gains or loses for the networks of the presets.

``python -m benchmarks.bench_ablation --data FOLDER [--ideas "no mixup"] [--save]``

One idea at a time is put into, or taken out of, the two networks of the presets (that
over frequency and time trained for 30 epochs only); each is trained on two folds by day
and compared with the network as it is, clip by clip. Training is random: the networks
as they are are trained with three seeds, and an idea that gains less than these differ
has shown nothing. Each fit is kept in ``--folder``; a run goes on with what is missing.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from benchmarks import harness
from skbreath import AudioReader, ResidualCNN2d, load_kaggle_breath
from skbreath._feature_stack import GROUPS
from skbreath.augmentation import (
    CircularShift,
    CutMix,
    MaskChannels,
    MaskFrames,
    Mixup,
)
from skbreath.evaluation import compare_predictions
from skbreath.presets import (
    REFERENCE_TRIALS,
    make_frame_member,
    make_net_member,
    make_spectrogram_member,
)

FOLDS = (0, 1)
SEEDS = (0, 1, 2)


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
class RandomGain:
    """Add a random level, in standard deviations of the scaled bands."""

    deviation: float = 0.2
    n_planes: int = 2

    def __call__(self, X, targets):
        X = X.clone()
        X[:, : -self.n_planes] += self.deviation * torch.randn(len(X), 1, 1)
        return X, targets


@dataclass(frozen=True)
class Noise:
    """Add noise to the scaled bands."""

    deviation: float = 0.3
    n_planes: int = 2

    def __call__(self, X, targets):
        X = X.clone()
        bands = X[:, : -self.n_planes]
        bands += self.deviation * torch.rand(len(X), 1, 1) * torch.randn(bands.shape)
        return X, targets


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


def spectrogram(**params):
    """The network over frequency and time, at half as many epochs as in the presets."""
    return make_spectrogram_member(**({"max_epochs": 30} | params))


def changed(make, **params):
    """The member with parameters of its network changed."""
    return lambda seed: make(random_state=seed, **params)


def features(make, **params):
    """The member with parameters of its features changed."""
    return lambda seed: make(random_state=seed).set_params(
        **{f"features__{name}": value for name, value in params.items()}
    )


def without(make, *kinds):
    """The member without some of its augmentations."""

    def remake(seed):
        member = make(random_state=seed)
        kept = [a for a in member["net"].augmentations if not isinstance(a, kinds)]
        return member.set_params(net__augmentations=kept)

    return remake


def with_first(make, augmentation):
    """The member with one augmentation more, before all others."""

    def remake(seed):
        member = make(random_state=seed)
        return member.set_params(
            net__augmentations=[augmentation, *member["net"].augmentations]
        )

    return remake


def relative(make, *axes):
    """The member with levels taken out of its bands."""

    def remake(seed):
        member = make(random_state=seed)
        member.steps.insert(1, ("relative", RelativeBands(axes)))
        return member

    return remake


def no_planes(seed):
    """The network over the spectrogram without knowledge of loops."""
    member = spectrogram(random_state=seed, net_params={})
    return member.set_params(features__groups=("mel",))


def trial_54(seed):
    """The network over frames as the original entry trained it, on decibels."""
    return make_net_member(random_state=seed, **REFERENCE_TRIALS["trial_54"])


# The first of each is the one that the others are compared with.
IDEAS = {
    "spectrogram": {
        "as it is": changed(spectrogram),
        "no loop planes": no_planes,
        "no circular shift": without(spectrogram, CircularShift),
        "no CutMix": without(spectrogram, CutMix),
        "no mixup": without(spectrogram, Mixup),
        "no masks": without(spectrogram, MaskFrames, MaskChannels),
        "random gain": with_first(spectrogram, RandomGain()),
        "noise": with_first(spectrogram, Noise()),
        "MixStyle": with_first(spectrogram, MixStyle()),
        "label smoothing 0.1": with_first(spectrogram, SmoothLabels()),
        "bands to 8 kHz": features(spectrogram, fmax=None),
        "bands to 4 kHz": features(spectrogram, fmax=4000),
        "32 bands": features(spectrogram, n_mels=32),
        "96 bands": features(spectrogram, n_mels=96),
        "frames of 10 ms": features(spectrogram, hop_length=160),
        "windows of 32 ms": features(spectrogram, n_fft=512),
        "levels relative to the clip": relative(spectrogram, 1, 2),
        "bands relative to the clip": relative(spectrogram, 2),
        "GRU head": changed(spectrogram, module=RecurrentHead),
        "attention head": changed(spectrogram, module=AttentionHead),
        "24 channels": changed(spectrogram, hidden_channels=24),
        "15 epochs": changed(spectrogram, max_epochs=15),
        "60 epochs": changed(spectrogram, max_epochs=60),
        "120 epochs": changed(spectrogram, max_epochs=120),
    },
    "frames": {
        "as it is": changed(make_frame_member),
        "trained as the original entry was": trial_54,
        "no loop channels": features(make_frame_member, groups=GROUPS),
        "no mixup": without(make_frame_member, Mixup),
        "no CutMix": without(make_frame_member, CutMix),
        "no masks": without(make_frame_member, MaskFrames, MaskChannels),
        "circular shift": with_first(make_frame_member, CircularShift(0.25)),
        "96 channels": changed(make_frame_member, hidden_channels=96),
        "20 epochs": changed(make_frame_member, max_epochs=20),
        "80 epochs": changed(make_frame_member, max_epochs=80),
    },
}


def fitted_scores(make, seed, waveforms, labels, train, test):
    """Train on some clips; give the probability of inhale of others."""
    torch.set_num_threads(1)
    member = make(seed).fit(waveforms[train], labels[train])
    return member.predict_proba(waveforms[test])[:, list(member.classes_).index("I")]


def main():
    """Run the benchmark."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", required=True, help="folder in the Kaggle layout")
    options.add_argument("--networks", nargs="+", choices=IDEAS, default=list(IDEAS))
    options.add_argument("--ideas", nargs="*", metavar="IDEA", help="not all of them")
    options.add_argument("--folder", help="keeps each fit; a temporary one if absent")
    options.add_argument("--report", action="store_true", help="fit nothing more")
    options.add_argument("--save", action="store_true")
    options = options.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    data = load_kaggle_breath(options.data)
    labels, waveforms = data.target, AudioReader().fit_transform(list(data.paths))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    splits = [list(folds.split(labels, labels, data.day))[fold] for fold in FOLDS]

    def scores_of(network, name, seed, fold, train, test):
        """From the folder, or fitted; None if nothing is to be fitted."""
        file = folder / f"{network}-{name}-{seed}-{fold}.npy"
        if not file.is_file():
            if options.report:
                return None
            began = time.process_time()
            make = IDEAS[network][name]
            np.save(file, fitted_scores(make, seed, waveforms, labels, train, test))
            print(f"{file.name} {time.process_time() - began:.0f} s", flush=True)
        return np.load(file)

    def predictions(network, name, seed):
        """Of all folds; None if one is missing."""
        found = [
            scores_of(network, name, seed, fold, *split)
            for fold, split in zip(FOLDS, splits, strict=True)
        ]
        if any(scores is None for scores in found):
            return None
        rows = np.concatenate([test for _, test in splits])
        scores = np.concatenate(found)
        return pd.DataFrame(
            {
                "row": rows,
                "group": data.recording[rows],
                "y_true": labels[rows],
                "y_pred": np.where(scores > 0.5, "I", "E"),
                "y_score": scores,
            }
        )

    report = harness.Report("bench_ablation")
    report.line("two folds by day; differences to the first seed as it is")
    for network in options.networks:
        base, *ideas = IDEAS[network]
        first = predictions(network, base, SEEDS[0])
        tried = [(f"{base}, seed {seed}", base, seed) for seed in SEEDS[1:]]
        tried += [(idea, idea, SEEDS[0]) for idea in ideas]
        if options.ideas is not None:
            tried = [entry for entry in tried if entry[1] in options.ideas]
        rows = []
        for title, idea, seed in tried:
            frame = predictions(network, idea, seed)
            if frame is not None:
                rows.append((title, *compared(first, frame)))
        report.table(
            f"Network: {network}; 95 % intervals by recording",
            ("", "AUC", "difference of AUC", "difference of accuracy"),
            [(f"{base}, seed {SEEDS[0]}", *compared(first, first)), *rows],
        )
    if options.save:
        report.save()


def compared(first, second):
    """Cells of a row: the AUC, and differences with intervals."""
    table = compare_predictions(first, second).table
    return (
        f"{table.loc['roc_auc', 'second']:.3f}",
        *(
            "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**table.loc[metric])
            for metric in ("roc_auc", "accuracy")
        ),
    )


if __name__ == "__main__":
    main()
