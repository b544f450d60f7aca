"""Small searches for several tests."""

import numpy as np
from optuna.distributions import FloatDistribution

from skbreath import OptunaSearchCV

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = np.where(X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=60) > 0, "I", "E")
groups = np.arange(60) // 5
SMOOTHING = {"var_smoothing": FloatDistribution(1e-9, 10, log=True)}
C = {"C": FloatDistribution(1e-3, 1e3, log=True)}


def search_for(estimator, space, **params):
    defaults = {"n_trials": 4, "cv": 3, "random_state": 0}
    return OptunaSearchCV(estimator, space, **{**defaults, **params})
