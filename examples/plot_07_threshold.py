"""
Setting the decision threshold
==============================

The threshold 0.5 is not always the best one.
"""

# %%
# An inhale is predicted where its probability reaches the threshold.
# :class:`~skbreath.ThresholdClassifier` chooses it on out-of-fold probabilities, pooled
# over the folds.

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    BreathFeatures,
    SummaryPooling,
    ThresholdClassifier,
    ThresholdCurveDisplay,
    compare_predictions,
    evaluate,
    make_breath_sounds,
)

sounds = make_breath_sounds(400, n_subjects=20, difficulty=0.6, random_state=0)
X = make_pipeline(
    BreathFeatures(groups=("mel",), n_mels=32, fmax=2000), SummaryPooling()
).fit_transform(sounds.waveforms)
linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))

# %%
# The best threshold depends on the metric. F1 of inhales does not count true negatives,
# so it accepts more false inhales than accuracy.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, metric in zip(axes, ("f1", "accuracy")):
    model = ThresholdClassifier(linear, pos_label="I", scoring=metric)
    model.fit(X, sounds.target, groups=sounds.subject)
    ThresholdCurveDisplay.from_estimator(model, ax=ax)
plt.show()

# %%
# The score at the chosen threshold is optimistically biased, because it was maximised
# on the same clips. To measure the gain of tuning, compare predictions of held-out
# clips in pairs.

results = [
    evaluate(model, X, sounds.target, sounds.subject, n_resamples=500).predictions
    for model in (
        ThresholdClassifier(linear, pos_label="I", thresholds=[0.5]),
        ThresholdClassifier(linear, pos_label="I", scoring="f1"),
    )
]
compare_predictions(*results).table.loc[["accuracy", "f1"]].round(3)

# %%
# ``first`` is the fixed threshold of 0.5, and ``second`` is the tuned one.
