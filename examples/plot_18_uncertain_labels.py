"""
Refer uncertain labels for manual review
========================================

The number of clips to review, and the accuracy of the other labels.
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
# From right to left, more labels with low confidence are rejected. The accuracy of a
# model with meaningful confidence rises. That of naive Bayes hardly rises, and its
# curve ends early, because all other labels have the same confidence, whether correct
# or not. The shaded area is a 95 % interval from a bootstrap over subjects.

curves = {
    name: accuracy_coverage_curve(*(predictions[column] for column in columns))
    for name, predictions in found.items()
}
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, curve), color in zip(curves.items(), ("#0072b2", "#d55e00")):
    AccuracyCoverageDisplay(curve, name=name).plot(ax=ax, color=color)
plt.show()

# %%
# Choose the limit by the lower end of the interval, because the best of a hundred
# limits is optimistically biased.

curve = curves["linear"]
curve.iloc[::12].round(3)

# %%
# Here, nine in ten labels should be correct. ``labels`` has a label for every clip,
# also for rejected ones.

limit = curve["reject_below"][curve["low"].ge(0.9).idxmax()]
model = models["linear"].fit(X[~new], sounds.target[~new])
labels, rejected = predict_with_rejection(model, X[new], reject_below=limit)
correct = labels == sounds.target[new]
print(f"limit {limit:.2f}: keeps {1 - rejected.mean():.0%} of new clips")
print(
    f"accuracy of all {correct.mean():.2f}, of those kept "
    f"{correct[~rejected].mean():.2f}"
)
