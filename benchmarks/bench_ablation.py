"""Ablation: what each idea gains or loses for the network of the presets.

``python -m benchmarks.bench_ablation --data FOLDER [--ideas "no mixup"] [--save]``

One idea at a time is put into, or taken out of, the network over frequency and time of
`make_spectrogram_member`; each is trained on two folds by day and compared with the
network as it is, clip by clip. Training is random: the network as it is is trained with
three seeds, and an idea that gains less than these differ has shown nothing. Each fit
is kept in ``--folder``; a run goes on with what is missing.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn

from benchmarks import harness
from skbreath import AudioReader, ResidualCNN2d, load_kaggle_breath
from skbreath.augmentation import MaskFrames
from skbreath.evaluation import compare_predictions
from skbreath.presets import make_spectrogram_member

FOLDS = (0, 1)
BASE = "as it is"
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


def changed(**params):
    """The member with parameters of its network changed."""
    return lambda seed: make_spectrogram_member(random_state=seed, **params)


def features(**params):
    """The member with parameters of its features changed."""
    return lambda seed: make_spectrogram_member(random_state=seed).set_params(
        **{f"features__{name}": value for name, value in params.items()}
    )


def without(kind):
    """The member without one of its augmentations."""

    def make(seed):
        member = make_spectrogram_member(random_state=seed)
        kept = [a for a in member["net"].augmentations if type(a).__name__ != kind]
        return member.set_params(net__augmentations=kept)

    return make


def with_first(augmentation):
    """The member with one augmentation more, before all others."""

    def make(seed):
        member = make_spectrogram_member(random_state=seed)
        return member.set_params(
            net__augmentations=[augmentation, *member["net"].augmentations]
        )

    return make


def relative(*axes):
    """The member with levels taken out of its bands."""

    def make(seed):
        member = make_spectrogram_member(random_state=seed)
        member.steps.insert(1, ("relative", RelativeBands(axes)))
        return member

    return make


def no_loop(seed):
    """The member that does not see where in its loop a frame lies."""
    member = make_spectrogram_member(random_state=seed, net_params={})
    return member.set_params(features__groups=("mel",))


IDEAS = {
    "no loop planes": no_loop,
    "no circular shift": without("CircularShift"),
    "no CutMix": without("CutMix"),
    "no mixup": without("Mixup"),
    "no masked frames": without("MaskFrames"),
    "no masked bands": without("MaskChannels"),
    "wider masked frames (0.4)": lambda seed: without("MaskFrames")(seed).set_params(
        net__augmentations=[
            *without("MaskFrames")(seed)["net"].augmentations,
            MaskFrames(0.4),
        ]
    ),
    "random gain": with_first(RandomGain()),
    "noise": with_first(Noise()),
    "MixStyle": with_first(MixStyle()),
    "label smoothing 0.1": with_first(SmoothLabels()),
    "bands to 8 kHz": features(fmax=None),
    "bands to 4 kHz": features(fmax=4000),
    "32 bands": features(n_mels=32),
    "96 bands": features(n_mels=96),
    "frames of 10 ms": features(hop_length=160),
    "windows of 32 ms": features(n_fft=512),
    "levels relative to the clip": relative(1, 2),
    "bands relative to the clip": relative(2),
    "GRU head": changed(module=RecurrentHead),
    "attention head": changed(module=AttentionHead),
    "24 channels": changed(hidden_channels=24),
    "60 epochs": changed(max_epochs=60),
    "15 epochs": changed(max_epochs=15),
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
    options.add_argument("--ideas", nargs="*", default=list(IDEAS), metavar="IDEA")
    options.add_argument("--folder", help="keeps each fit; a temporary one if absent")
    options.add_argument("--report", action="store_true", help="fit nothing more")
    options.add_argument("--save", action="store_true")
    options = options.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    data = load_kaggle_breath(options.data)
    labels, waveforms = data.target, AudioReader().fit_transform(list(data.paths))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    splits = list(folds.split(labels, labels, data.day))

    def predictions(name, make, seed):
        """Of both folds; None if they are not there and nothing is to be fitted."""
        frames = []
        for fold in FOLDS:
            train, test = splits[fold]
            file = folder / f"{name}-{seed}-{fold}.npy"
            if not file.is_file():
                if options.report:
                    return None
                began = time.process_time()
                scores = fitted_scores(make, seed, waveforms, labels, train, test)
                np.save(file, scores)
                print(f"{file.name} {time.process_time() - began:.0f} s", flush=True)
            frames.append(frame_of(test, np.load(file)))
        return pd.concat(frames)

    def frame_of(test, scores):
        return pd.DataFrame(
            {
                "row": test,
                "group": data.recording[test],
                "y_true": labels[test],
                "y_pred": np.where(scores > 0.5, "I", "E"),
                "y_score": scores,
            }
        )

    base = [predictions(BASE, changed(), seed) for seed in SEEDS]
    base = [frame for frame in base if frame is not None]
    rows = []

    def add(name, first, second):
        table = compare_predictions(first, second).table
        rows.append(
            (
                name,
                f"{table.loc['roc_auc', 'second']:.3f}",
                *(
                    "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(
                        **table.loc[metric]
                    )
                    for metric in ("roc_auc", "accuracy")
                ),
            )
        )

    for one, other in combinations(range(len(base)), 2):
        add(f"{BASE}, seed {other} after {one}", base[one], base[other])
    for idea in options.ideas:
        frame = predictions(idea, IDEAS[idea], SEEDS[0])
        if frame is not None:
            add(idea, base[0], frame)
    report = harness.Report("bench_ablation")
    report.line("one network, two folds by day; differences to seed 0 as it is")
    report.table(
        "95 % intervals by recording",
        ("", "AUC", "difference of AUC", "difference of accuracy"),
        rows,
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
