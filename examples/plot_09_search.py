"""
Tuning with Optuna
==================

A search over a complete pipeline, its history, and a vote of its best trials.
"""

# %%
# The search space has parameters of any step. Trials are scored on folds that share no
# subject, and Optuna proposes each trial from the results of earlier ones.

import matplotlib.pyplot as plt
import numpy as np
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    BreathFeatures,
    OptunaSearchCV,
    SummaryPooling,
    WeightedVotingClassifier,
    make_breath_sounds,
    top_estimators,
)

sounds = make_breath_sounds(240, n_subjects=12, difficulty=0.6, random_state=0)
model = Pipeline(
    [
        ("features", BreathFeatures(groups=("mel",), hop_length=512)),
        ("pooling", SummaryPooling()),
        ("scaler", StandardScaler()),
        ("linear", LogisticRegression(max_iter=300)),
    ]
)
space = {
    "features__n_mels": CategoricalDistribution([16, 32, 64]),
    "features__fmax": CategoricalDistribution([1000, 2000, 4000]),
    "pooling__n_bins": IntDistribution(0, 12, step=2),
    "linear__C": FloatDistribution(1e-4, 1.0, log=True),
}
search = OptunaSearchCV(
    model, space, n_trials=30, scoring="roc_auc", cv=4, random_state=0
)
search.fit(sounds.waveforms, sounds.target, groups=sounds.subject)
search.best_params_

# %%
# ``cv_results_`` has the form of scikit-learn's searches. The most important parameters
# here are the regularisation of the linear model and the number of time bins.

results = search.cv_results_
scores = results["mean_test_score"]

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.6), sharey=True, layout="constrained"
)
left.plot(scores, "o", color="#999999", markersize=4, label="trial")
left.plot(np.maximum.accumulate(scores), color="#0072b2", label="best so far")
left.set(xlabel="Trial", ylabel="AUC by subject")
left.legend()
points = right.scatter(
    results["param_linear__C"].astype(float),
    scores,
    c=results["param_pooling__n_bins"].astype(int),
    cmap="viridis",
)
right.set(xscale="log", xlabel="linear__C")
figure.colorbar(points, ax=right, label="pooling__n_bins")
plt.show()

# %%
# ``search.study_`` is an Optuna study, so Optuna's plots work with it. The best trials
# with different features can be combined in a vote.

best = top_estimators(search, 3, distinct=["features__n_mels"])
vote = WeightedVotingClassifier(best, weights="learned", cv=4)
vote.fit(sounds.waveforms, sounds.target, groups=sounds.subject)
dict(zip((name for name, _ in best), vote.weights_.round(2).tolist()))
