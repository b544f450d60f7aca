"""
What an inhale and an exhale look like
======================================

In stethoscope recordings both phases are noise. They differ in the course of the level
and in the slope of the spectrum.
"""

# %%
# :func:`~skbreath.make_breath_sounds` simulates clips of a chest stethoscope, with
# heart sounds in the background. At ``difficulty=0`` the two phases differ clearly.

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
# Averages over many clips show the difference in time: an inhale rises towards its
# middle, and an exhale peaks early and decays. The envelope of each clip is divided by
# its mean, so that the level has no effect.

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
# data sets. This blurs the average. The feature group ``"loop"`` of
# :class:`~skbreath.BreathFeatures` finds the period.
