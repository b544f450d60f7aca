"""
The 112 channels
================

From a waveform to the input of a network: seven groups of channels over time, computed
from one Fourier transform.
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
# The groups have different units: dB, shares, cepstral coefficients. Therefore
# :class:`~skbreath.FeatureMapDisplay` scales the colours of each channel to its range.
# The mel bands share one range and form a spectrogram.

clip = int(np.flatnonzero(sounds.target == "I")[3])
FeatureMapDisplay.from_estimator(features, sounds.waveforms[clip], title="One inhale")
plt.show()

# %%
# Every channel has a name.

features.channel_names_[[0, 64, 65, 66, 73, 86, 99]].tolist()

# %%
# For a network, :class:`~skbreath.ChannelScaler` scales every channel to mean 0 and
# variance 1 over the training clips.

scaled = ChannelScaler().fit_transform(channels)
print(f"before: mean {channels.mean():.1f}, deviation {channels.std():.1f}")
print(f"after:  mean {scaled.mean():.1f}, deviation {scaled.std():.1f}")

# %%
# For classifiers that take a table, :class:`~skbreath.SummaryPooling` computes one row
# per clip: mean, standard deviation, and the means of eight stretches of the clip,
# which keep the order in time.

pooling = SummaryPooling(n_bins=8).fit(channels)
pooling.transform(channels).shape
