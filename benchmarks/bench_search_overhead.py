"""OptunaSearchCV: time of a search of cheap fits against scikit-learn's and Optuna's.

``python -m benchmarks.bench_search_overhead [--trials 200] [--save]``

Logistic regression, 3 folds, trials in memory. The reference is RandomizedSearchCV
with as many candidates, plus the time in which Optuna's sampler proposes as many trials
to an objective that returns at once.
"""

import warnings
from functools import partial

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from scipy.stats import loguniform
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV

from benchmarks import harness
from skbreath import OptunaSearchCV

C = FloatDistribution(1e-3, 1e3, log=True)
X, y = make_classification(n_samples=300, n_features=20, random_state=0)
TARGET = 1.5


def randomized(n_trials):
    """Fit scikit-learn's search."""
    RandomizedSearchCV(
        LogisticRegression(), {"C": loguniform(C.low, C.high)}, n_iter=n_trials, cv=3
    ).fit(X, y)


def sample(n_trials):
    """Propose trials without fitting anything."""
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(
        lambda trial: (
            -(np.log10(trial.suggest_float("C", C.low, C.high, log=True)) ** 2)
        ),
        n_trials,
    )


def search(n_trials):
    """Fit the package's search."""
    OptunaSearchCV(
        LogisticRegression(), {"C": C}, n_trials=n_trials, cv=3, random_state=0
    ).fit(X, y)


def integration(n_trials):
    """Fit the search of optuna_integration."""
    from optuna_integration import OptunaSearchCV as TheirSearch

    TheirSearch(
        LogisticRegression(), {"C": C}, n_trials=n_trials, cv=3, random_state=0
    ).fit(X, y)


def main():
    options = harness.parser(__doc__, repeats=5)
    options.add_argument("--trials", type=int, default=200)
    options = options.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    report = harness.Report("bench_search_overhead")
    candidates = {
        "RandomizedSearchCV": randomized,
        "Optuna's sampler alone": sample,
        "OptunaSearchCV": search,
        "optuna_integration.OptunaSearchCV": integration,
    }
    calls = {name: partial(call, options.trials) for name, call in candidates.items()}
    timings = harness.measure(calls, repeats=options.repeats)
    random, sampler = list(timings.values())[:2]
    sums = [one + other for one, other in zip(random.wall, sampler.wall, strict=True)]
    reference = harness.Timing([], sums)
    timings["RandomizedSearchCV and the sampler"] = reference
    report.table(
        f"{options.trials} trials of 3 fits each, in memory; wall time",
        ("", "seconds", "times the reference"),
        [
            (name, t.text("wall", scale=1), f"{1 / t.ratio_to(reference, 'wall'):.2f}")
            for name, t in timings.items()
        ],
    )
    report.line(
        "The reference is RandomizedSearchCV and the sampler; OptunaSearchCV is to "
        f"take at most {TARGET} times as long."
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
