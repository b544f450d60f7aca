"""
Why folds must not share a recording
====================================

Clips of one person resemble each other. With a random split, the same people are in the
training and in the test data, and the scores are optimistically biased.
"""

# %%
# This example uses a task that cannot be solved: with ``difficulty=1`` the phases sound
# the same. Half of the subjects are recorded mostly while they inhale, and half mostly
# while they exhale. The model is a random forest, which memorises its training data.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

from skbreath import BreathFeatures, SummaryPooling, evaluate, make_breath_sounds

sounds = make_breath_sounds(900, n_subjects=24, difficulty=1.0, random_state=0)
rng = np.random.default_rng(0)
halves = rng.permutation(np.repeat(["I", "E"], 12))
favourite = dict(zip(np.unique(sounds.subject), halves))
usual = np.array([favourite[subject] for subject in sounds.subject])
kept = (sounds.target == usual) | (rng.random(900) < 0.1)
waveforms, target, subject = (
    part[kept] for part in (sounds.waveforms, sounds.target, sounds.subject)
)

model = make_pipeline(
    BreathFeatures(groups=("mel",), n_mels=32, fmax=2000, hop_length=512),
    SummaryPooling(n_bins=0),
    RandomForestClassifier(random_state=0),
)

# %%
# The same model on the same clips, split in two ways.

rows = {
    "random split": evaluate(model, waveforms, target).table.loc["roc_auc"],
    "split by subject": evaluate(model, waveforms, target, subject).table.loc[
        "roc_auc"
    ],
}

figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for height, row in enumerate(rows.values()):
    error = [[row.value - row.low], [row.high - row.value]]
    ax.errorbar(row.value, height, xerr=error, fmt="o", capsize=4, color="#0072b2")
    ax.annotate(f"{row.value:.2f}", (row.value, height + 0.12), ha="center")
ax.axvline(0.5, color="black", linestyle=":", linewidth=1)
ax.annotate("chance", (0.5, 1.45), ha="center")
ax.set(
    xlabel="AUC with 95 % interval",
    yticks=[0, 1],
    yticklabels=list(rows),
    ylim=(-0.5, 1.7),
)
plt.show()

# %%
# With the random split the model appears to work. It has learned to recognise the
# subjects, not the phases. Real data are less extreme: on the clips of the competition
# the accuracy of a random split is about two points too high.
# :func:`~skbreath.check_leakage` tests for this and other leaks.
