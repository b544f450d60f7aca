"""
Training the residual network
=============================

The network over time, its history, and early stopping.
"""

import matplotlib.pyplot as plt
import numpy as np

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    LearningCurveDisplay,
    ResidualCNNClassifier,
    make_breath_sounds,
)

sounds = make_breath_sounds(400, n_subjects=20, difficulty=0.4, random_state=0)
features = BreathFeatures(groups=("mel",), n_mels=32, fmax=2000, hop_length=512)
X = ChannelScaler().fit_transform(features.fit_transform(sounds.waveforms))

# %%
# With ``groups``, the validation clips for early stopping are of subjects that the
# network is not trained on.

net = ResidualCNNClassifier(
    hidden_channels=32, lr=2e-3, max_epochs=25, patience=5, random_state=0
)
test = np.isin(sounds.subject, np.unique(sounds.subject)[:4])
net.fit(X[~test], sounds.target[~test], groups=sounds.subject[~test])

# %%
# ``history_`` has a row per epoch, and :class:`~skbreath.LearningCurveDisplay` plots
# it. Training stopped when the validation loss had not improved for five epochs. The
# weights of the epoch with the lowest validation loss were kept.

LearningCurveDisplay.from_estimator(net)
plt.show()

# %%
# Accuracy on the four test subjects:

print(f"accuracy {net.score(X[test], sounds.target[test]):.2f} of {test.sum()} clips")
