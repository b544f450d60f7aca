"""
Leaving unsure labels to a human ear
====================================

How many clips to hand over, and how right the rest then are.
"""

# %%
# :func:`~skbreath.evaluate` keeps the confidence of every out-of-fold prediction.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    AccuracyCoverageDisplay,
    BreathFeatures,
    SummaryPooling,
    accuracy_coverage_curve,
    evaluate,
    make_breath_sounds,
    predict_with_rejection,
)

sounds = make_breath_sounds(800, n_subjects=40, difficulty=0.7, random_state=0)
X = make_pipeline(
    BreathFeatures(groups=("mel",), n_mels=32, fmax=2000, hop_length=512),
    SummaryPooling(n_bins=8),
    StandardScaler(),
).fit_transform(sounds.waveforms)
new = np.isin(sounds.subject, np.unique(sounds.subject)[:10])
models = {"linear": LogisticRegression(C=0.01), "naive Bayes": GaussianNB()}
columns = ["y_true", "y_pred", "confidence", "group"]
found = {
    name: evaluate(
        model, X[~new], sounds.target[~new], sounds.subject[~new]
    ).predictions
    for name, model in models.items()
}

# %%
# From right to left ever more of the least sure labels are rejected, and a model that
# knows what it does not know climbs. Naive Bayes hardly does, and its curve ends early:
# of all further labels it is equally certain, right or wrong. The shade is a 95 %
# interval, drawing whole subjects.

curves = {
    name: accuracy_coverage_curve(*(predictions[column] for column in columns))
    for name, predictions in found.items()
}
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, curve), color in zip(curves.items(), ("#0072b2", "#d55e00")):
    AccuracyCoverageDisplay(curve, name=name).plot(ax=ax, color=color)
plt.show()

# %%
# Choose the limit by the lower end of the interval: of a hundred limits the luckiest
# looks better than it is.

curve = curves["linear"]
curve.iloc[::12].round(3)

# %%
# Here, nine in ten labels are to be right. ``labels`` has one for every clip, also for
# those rejected.

limit = curve["reject_below"][curve["low"].ge(0.9).idxmax()]
model = models["linear"].fit(X[~new], sounds.target[~new])
labels, rejected = predict_with_rejection(model, X[new], reject_below=limit)
right = labels == sounds.target[new]
print(f"limit {limit:.2f}: keeps {1 - rejected.mean():.0%} of new clips")
print(
    f"accuracy of all {right.mean():.2f}, of those kept {right[~rejected].mean():.2f}"
)
