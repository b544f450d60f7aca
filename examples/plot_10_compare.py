"""
Is one model better than another?
=================================

Overlapping intervals do not answer this. Compare the models on the same clips, in
pairs.
"""

# %%
# Do time bins improve on the mean and the standard deviation of each channel?

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    BreathFeatures,
    SummaryPooling,
    compare_predictions,
    evaluate,
    make_breath_sounds,
)

sounds = make_breath_sounds(600, n_subjects=30, difficulty=0.5, random_state=0)


def model(n_bins):
    return make_pipeline(
        BreathFeatures(groups=("mel",), n_mels=32, fmax=2000, hop_length=512),
        SummaryPooling(n_bins=n_bins),
        StandardScaler(),
        LogisticRegression(C=0.01),
    )


without, with_bins = (
    evaluate(model(n_bins), sounds.waveforms, sounds.target, sounds.subject)
    for n_bins in (0, 8)
)
comparison = compare_predictions(without.predictions, with_bins.predictions)
comparison.table.round(3)

# %%
# Two models tend to make errors on the same clips, so the interval of the difference is
# narrower than those of the values.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 2.8), width_ratios=[3, 2], layout="constrained"
)
for height, result in enumerate([without, with_bins]):
    row = result.table.loc["accuracy"]
    error = [[row.value - row.low], [row.high - row.value]]
    left.errorbar(row.value, height, xerr=error, fmt="o", capsize=4, color="#0072b2")
left.set(
    xlabel="Accuracy",
    yticks=[0, 1],
    yticklabels=["without bins", "with bins"],
    ylim=(-0.5, 1.5),
    title="Each model",
)
row = comparison.table.loc["accuracy"]
error = [[row.difference - row.low], [row.high - row.difference]]
right.errorbar(row.difference, 0, xerr=error, fmt="o", capsize=4, color="#d55e00")
right.axvline(0, color="black", linestyle=":", linewidth=1)
right.set(
    xlabel="Difference in accuracy",
    yticks=[],
    ylim=(-0.5, 0.5),
    title="Paired difference",
)
plt.show()
