"""
A first classifier and its evaluation
=====================================

Features, a linear model, and a cross-validation whose folds share no subject.
"""

# %%
# Everything is a scikit-learn estimator, so a pipeline is the whole model.

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import BreathFeatures, SummaryPooling, evaluate, make_breath_sounds

sounds = make_breath_sounds(400, n_subjects=20, difficulty=0.5, random_state=0)
model = make_pipeline(
    BreathFeatures(groups=("mel",), n_mels=32, fmax=2000),
    SummaryPooling(n_bins=8),
    StandardScaler(),
    LogisticRegression(C=0.01),
)

# %%
# :func:`~skbreath.evaluate` predicts every clip once, by a model that was not fitted on
# its subject. The intervals come from a bootstrap over subjects.

result = evaluate(model, sounds.waveforms, sounds.target, sounds.subject)
result.table.round(3)

# %%
# The displays of scikit-learn can plot the predictions.

predictions = result.predictions
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    predictions.y_true,
    predictions.y_pred,
    display_labels=["Exhale", "Inhale"],
    cmap="Blues",
    colorbar=False,
    ax=left,
)
RocCurveDisplay.from_predictions(
    predictions.y_true,
    predictions.y_score,
    pos_label="I",
    name="Inhale",
    plot_chance_level=True,
    ax=right,
)
plt.show()

# %%
# The subjects with the lowest accuracy:

result.by_group.head(4).round(2)
