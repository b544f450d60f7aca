"""
Custom feature, network and augmentation
========================================

Three small classes that are combined like the estimators of skbreath.
"""

# %%
# A feature is a transformer from waveforms to a table, or to
# ``(n_clips, n_channels, n_frames)``. This one computes the energy in each quarter of a
# clip.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    CircularShift,
    ResidualCNNClassifier,
    WeightedVotingClassifier,
    evaluate,
    make_breath_sounds,
)


class EnergyByQuarter(TransformerMixin, BaseEstimator):
    """Share of the energy in each quarter of a clip."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X):
        quarters = np.asarray(X).reshape(len(X), 4, -1)
        energy = (quarters**2).sum(axis=2)
        return energy / energy.sum(axis=1, keepdims=True)


# %%
# The constructor of a network takes the numbers of channels and outputs. The network
# returns logits.


class TwoConvolutions(nn.Module):
    """A small network over time."""

    def __init__(
        self, n_channels, n_outputs, *, hidden_channels=64, kernel_size=3, dropout=0.5
    ):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(n_channels, hidden_channels, kernel_size, padding="same"),
            nn.BatchNorm1d(hidden_channels),
            nn.ReLU(),
            nn.Conv1d(hidden_channels, hidden_channels, kernel_size, padding="same"),
            nn.ReLU(),
            nn.AdaptiveAvgPool1d(4),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(4 * hidden_channels, n_outputs),
        )

    def forward(self, X):
        return self.layers(X)


# %%
# An augmentation is a callable that takes and returns a training batch and its targets.
# This one changes the level of clips.


class Louder:
    """Add up to one standard deviation to all channels of a clip."""

    def __call__(self, X, targets):
        return X + torch.randn(len(X), 1, 1), targets


# %%
# The models by themselves, and in a vote:

sounds = make_breath_sounds(300, n_subjects=15, difficulty=0.4, random_state=0)
feature = make_pipeline(EnergyByQuarter(), LogisticRegression(C=100))
network = make_pipeline(
    BreathFeatures(groups=("mel",), n_mels=32, fmax=2000, hop_length=512),
    ChannelScaler(),
    ResidualCNNClassifier(
        module=TwoConvolutions,
        hidden_channels=16,
        max_epochs=12,
        lr=3e-3,
        augmentations=[CircularShift(0.1), Louder()],
        random_state=0,
    ),
)
vote = WeightedVotingClassifier([("feature", feature), ("network", network)])
models = {"custom feature": feature, "custom network": network, "vote of both": vote}
tables = {
    name: evaluate(model, sounds.waveforms, sounds.target, sounds.subject, cv=3).table
    for name, model in models.items()
}

figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for height, table in enumerate(tables.values()):
    row = table.loc["roc_auc"]
    error = [[row.value - row.low], [row.high - row.value]]
    ax.errorbar(row.value, height, xerr=error, fmt="o", capsize=4, color="#0072b2")
ax.set(
    xlabel="AUC by subject, with 95 % interval",
    yticks=range(3),
    yticklabels=list(tables),
    ylim=(-0.5, 2.5),
)
plt.show()
