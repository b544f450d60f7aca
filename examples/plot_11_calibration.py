"""
Calibrating probabilities
=========================

Are eight in ten clips with the probability 0.8 inhales?
"""

# %%
# Naive Bayes is overconfident, because its inputs are not independent. A vote of one
# member with ``calibration`` learns the correction from out-of-fold probabilities.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from skbreath import (
    BreathFeatures,
    SummaryPooling,
    WeightedVotingClassifier,
    evaluate,
    make_breath_sounds,
)

sounds = make_breath_sounds(800, n_subjects=40, difficulty=0.5, random_state=0)
X = make_pipeline(
    BreathFeatures(groups=("mel",), n_mels=32, fmax=2000, hop_length=512),
    SummaryPooling(n_bins=8, relative=True),
).fit_transform(sounds.waveforms)

results = {
    name: evaluate(
        WeightedVotingClassifier([("bayes", GaussianNB())], calibration=calibration),
        X,
        sounds.target,
        sounds.subject,
    )
    for name, calibration in [("uncalibrated", None), ("calibrated", "sigmoid")]
}

# %%
# The curve of a calibrated model is on the diagonal. Ten bins with equal numbers of
# clips:

figure, ax = plt.subplots(figsize=(5, 4.6), layout="constrained")
ax.plot([0, 1], [0, 1], ":", color="black", linewidth=1)
for (name, result), color, marker in zip(results.items(), ("#d55e00", "#0072b2"), "so"):
    predictions = result.predictions.sort_values("y_score")
    bins = np.array_split(np.arange(len(predictions)), 10)
    predicted = [predictions.y_score.iloc[rows].mean() for rows in bins]
    found = [(predictions.y_true.iloc[rows] == "I").mean() for rows in bins]
    ax.plot(predicted, found, marker=marker, color=color, label=name)
ax.set(
    xlabel="Mean predicted probability of an inhale",
    ylabel="Share of inhales",
    xlim=(0, 1),
    ylim=(0, 1),
    aspect="equal",
)
ax.legend()
plt.show()

# %%
# :func:`~skbreath.evaluate` computes the calibration error, and the error that a
# perfectly calibrated model has by chance.

pd.DataFrame(
    {
        name: result.table.loc[
            ["log_loss", "calibration_error", "perfect_calibration"], "value"
        ]
        for name, result in results.items()
    }
).round(3)
