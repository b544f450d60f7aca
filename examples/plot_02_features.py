"""
The 112 channels
================

From a waveform to what a network sees: seven groups of channels over time, all from
one Fourier transform.
"""

import matplotlib.pyplot as plt
import numpy as np

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    FeatureMapDisplay,
    SummaryPooling,
    make_breath_sounds,
)

sounds = make_breath_sounds(80, n_subjects=8, difficulty=0.2, random_state=0)
features = BreathFeatures(sample_rate=sounds.sample_rate)
channels = features.fit_transform(sounds.waveforms)
channels.shape  # clips, channels, frames

# %%
# The groups have different units: dB, shares, cepstral coefficients. So
# :class:`~skbreath.FeatureMapDisplay` colours each channel over its own range; the mel
# bands share one, and so make a spectrogram.

clip = int(np.flatnonzero(sounds.target == "I")[3])
FeatureMapDisplay.from_estimator(features, sounds.waveforms[clip], title="One inhale")
plt.show()

# %%
# Every channel has a name.

features.channel_names_[[0, 64, 65, 66, 73, 86, 99]].tolist()

# %%
# For a network :class:`~skbreath.ChannelScaler` brings every channel to mean 0 and
# variance 1, as learned from the training clips.

scaled = ChannelScaler().fit_transform(channels)
print(f"before: mean {channels.mean():.1f}, deviation {channels.std():.1f}")
print(f"after:  mean {scaled.mean():.1f}, deviation {scaled.std():.1f}")

# %%
# A classifier that takes a plain table gets one row per clip from
# :class:`~skbreath.SummaryPooling`: mean, deviation, and the means of eight stretches
# of the clip, which keep the order in time.

pooling = SummaryPooling(n_bins=8).fit(channels)
pooling.transform(channels).shape
