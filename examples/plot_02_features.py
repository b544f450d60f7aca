"""
The 112 channels
================

From a waveform to what a network sees: seven groups of channels over time, all from
one Fourier transform.
"""

import matplotlib.pyplot as plt
import numpy as np

from skbreath import BreathFeatures, ChannelScaler, SummaryPooling, make_breath_sounds

sounds = make_breath_sounds(80, n_subjects=8, difficulty=0.2, random_state=0)
features = BreathFeatures(sample_rate=sounds.sample_rate)
channels = features.fit_transform(sounds.waveforms)
channels.shape  # clips, channels, frames

# %%
# The groups have different units: dB, shares, cepstral coefficients.
# :class:`~skbreath.ChannelScaler` brings every channel to mean 0 and variance 1, as
# learned from the training clips. Below is one inhale, scaled.

scaled = ChannelScaler().fit_transform(channels)
clip = int(np.flatnonzero(sounds.target == "I")[3])
groups = {"mel": 64, "rms": 1, "zcr": 1, "contrast": 7, "mfcc": 13, "delta": 13}
groups["delta2"] = 13

figure, ax = plt.subplots(figsize=(8, 6.5), layout="constrained")
image = ax.imshow(
    scaled[clip],
    aspect="auto",
    origin="lower",
    cmap="PuOr_r",
    vmin=-3,
    vmax=3,
    extent=(0, 1, 0, 112),
)
start = 0
for name, size in groups.items():
    ax.axhline(start, color="black", linewidth=0.8)
    if size > 1:
        ax.annotate(name, (1.01, start + size / 2), va="center", annotation_clip=False)
    start += size
ax.set(xlabel="Time (s)", ylabel="Channel", title="One inhale")
figure.colorbar(image, ax=ax, label="Standard deviations", pad=0.12)
plt.show()

# %%
# Every channel has a name.

features.channel_names_[[0, 64, 65, 66, 73, 86, 99]].tolist()

# %%
# A classifier that takes a plain table gets one row per clip from
# :class:`~skbreath.SummaryPooling`: mean, deviation, and the means of eight stretches
# of the clip, which keep the order in time.

pooling = SummaryPooling(n_bins=8).fit(channels)
pooling.transform(channels).shape
