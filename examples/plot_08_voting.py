"""
Learning the weights of a vote
==============================

A vote of three models, compared with its members.
"""

# %%
# Members are complete pipelines and may use different features. A vote needs
# probabilities; for a support vector machine they come from calibration.

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skbreath import (
    BreathFeatures,
    SummaryPooling,
    VotingWeightsDisplay,
    WeightedVotingClassifier,
    evaluate,
    make_breath_sounds,
)

sounds = make_breath_sounds(300, n_subjects=15, difficulty=0.6, random_state=0)
members = [
    (
        "linear",
        make_pipeline(
            BreathFeatures(groups=("mel",), n_mels=32, fmax=2000, hop_length=512),
            SummaryPooling(n_bins=8),
            StandardScaler(),
            LogisticRegression(C=0.01),
        ),
    ),
    (
        "cepstrum",
        make_pipeline(
            BreathFeatures(groups=("mfcc",), hop_length=512),
            SummaryPooling(n_bins=4),
            StandardScaler(),
            CalibratedClassifierCV(SVC(C=0.5), ensemble=False),
        ),
    ),
    (
        "trees",
        make_pipeline(
            BreathFeatures(groups=("mel",), n_mels=16, fmax=2000, hop_length=512),
            SummaryPooling(n_bins=8, relative=True),
            HistGradientBoostingClassifier(max_iter=40, random_state=0),
        ),
    ),
]

# %%
# ``weights="learned"`` fits every member once per fold and chooses the weights for
# which the out-of-fold probabilities predict the labels best. A member whose
# predictions are redundant may get the weight 0, even if it is good by itself.

vote = WeightedVotingClassifier(members, weights="learned", cv=4)
vote.fit(sounds.waveforms, sounds.target, groups=sounds.subject)

VotingWeightsDisplay.from_estimator(vote)
plt.show()

# %%
# The dots are the weights learned without the clips of one fold. If the dots of a
# member are far apart, its weight is uncertain.
#
# Learned weights must be evaluated on held-out clips. The complete vote is fitted again
# in each outer fold.

tables = {
    name: evaluate(model, sounds.waveforms, sounds.target, sounds.subject, cv=4).table
    for name, model in [*members, ("vote", vote)]
}

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for height, (name, table) in enumerate(tables.items()):
    row = table.loc["roc_auc"]
    error = [[row.value - row.low], [row.high - row.value]]
    color = "#d55e00" if name == "vote" else "#0072b2"
    ax.errorbar(row.value, height, xerr=error, fmt="o", capsize=4, color=color)
ax.set(
    xlabel="AUC by subject, with 95 % interval",
    yticks=range(len(tables)),
    yticklabels=list(tables),
    ylim=(-0.5, len(tables) - 0.5),
)
plt.show()
