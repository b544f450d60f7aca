"""
Data augmentation
=================

Augmentations change training batches slightly, which reduces overfitting of networks.
"""

import matplotlib.pyplot as plt
import torch

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    CircularShift,
    CutMix,
    MaskChannels,
    MaskFrames,
    Mixup,
    make_breath_sounds,
)

sounds = make_breath_sounds(40, n_subjects=4, difficulty=0.0, random_state=3)
features = BreathFeatures(groups=("mel",), n_mels=48, fmax=2000, n_fft=2048)
X = ChannelScaler().fit_transform(features.fit_transform(sounds.waveforms))
batch = torch.from_numpy(X)
targets = torch.from_numpy((sounds.target == "I").astype("float32"))[:, None]

# %%
# An augmentation is a callable from a batch and its targets to a batch and its targets.
# Mixup and CutMix change the target too: for a clip that is 70 % inhale, the target
# probability of an inhale is 0.7. Time is never reversed, because the course of the
# level distinguishes the phases.

clip = int((sounds.target == "I").argmax())
steps = {
    "unchanged": lambda X, y: (X, y),
    "CircularShift(0.25)": CircularShift(0.25),
    "MaskFrames(0.4)": MaskFrames(0.4),
    "MaskChannels(0.4)": MaskChannels(0.4),
    "Mixup(0.4)": Mixup(0.4),
    "CutMix(1.0)": CutMix(1.0),
}
figure, axes = plt.subplots(
    2, 3, figsize=(9, 5), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, change) in zip(axes.flat, steps.items()):
    torch.manual_seed(2)
    changed, new_targets = change(batch.clone(), targets.clone())
    image = ax.imshow(
        changed[clip].numpy(),
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-2,
        vmax=3,
        extent=(0, 1, 0, 48),
    )
    ax.set_title(f"{name}\ntarget {new_targets[clip].item():.2f}", fontsize=10)
for ax in axes[1]:
    ax.set_xlabel("Time (s)")
for ax in axes[:, 0]:
    ax.set_ylabel("Mel band")
figure.colorbar(image, ax=axes, label="Standard deviations")
plt.show()

# %%
# ``ResidualCNNClassifier(augmentations=[...])`` takes a list and applies it in order,
# to training batches only.
