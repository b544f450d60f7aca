"""
What an inhale and an exhale look like
======================================

Seen through a stethoscope both are noise. What differs is how the noise rises and
falls, and how fast its spectrum falls off.
"""

# %%
# :func:`~skbreath.make_breath_sounds` makes clips as a chest stethoscope might hear
# them, with heart sounds behind. At ``difficulty=0`` the two phases differ clearly.

import matplotlib.pyplot as plt
import numpy as np

from skbreath import SpectrogramDisplay, make_breath_sounds

sounds = make_breath_sounds(60, n_subjects=6, difficulty=0.0, random_state=1)
inhale, exhale = (sounds.waveforms[sounds.target == label][2] for label in ("I", "E"))

figure, axes = plt.subplots(2, 2, figsize=(9, 5.5), layout="constrained")
times = np.arange(len(inhale)) / sounds.sample_rate
for column, (clip, name, color) in enumerate(
    [(inhale, "Inhale", "#0072b2"), (exhale, "Exhale", "#d55e00")]
):
    axes[0, column].plot(times, clip, color=color, linewidth=0.4)
    axes[0, column].set(title=name, xlabel="Time (s)", ylabel="Amplitude", xlim=(0, 1))
    SpectrogramDisplay.from_waveform(clip, sounds.sample_rate, ax=axes[1, column])

# %%
# Averaged over many clips, the difference in time becomes plain: an inhale swells
# towards its middle, an exhale peaks early and dies away. The envelope is that of each
# clip divided by its mean, so that the level plays no part.

sounds = make_breath_sounds(400, n_subjects=20, difficulty=0.0, random_state=0)
envelope = np.sqrt((sounds.waveforms.reshape(400, 50, -1) ** 2).mean(axis=2))
envelope /= envelope.mean(axis=1, keepdims=True)

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
middles = (np.arange(50) + 0.5) / 50
for label, name, color, style in [
    ("I", "Inhale", "#0072b2", "-"),
    ("E", "Exhale", "#d55e00", "--"),
]:
    low, middle, high = np.quantile(
        envelope[sounds.target == label], [0.25, 0.5, 0.75], axis=0
    )
    ax.plot(middles, middle, style, color=color, label=name)
    ax.fill_between(middles, low, high, color=color, alpha=0.15, linewidth=0)
ax.set(xlabel="Time (s)", ylabel="Level / mean level", xlim=(0, 1))
ax.legend(title="Median and quartiles")
plt.show()

# %%
# Phases shorter than a second are repeated until the second is full, as in published
# data sets, which blurs this average. The group ``"loop"`` of
# :class:`~skbreath.BreathFeatures` finds the period and undoes it.
