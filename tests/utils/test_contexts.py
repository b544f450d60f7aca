"""Threads of the boosted trees that this package fits and predicts with."""

from functools import wraps

import numpy as np
import pytest
from optuna.distributions import IntDistribution
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from skbreath import (
    OptunaSearchCV,
    PhaseSegmenter,
    ThresholdClassifier,
    WeightedVotingClassifier,
    check_dataset,
    check_leakage,
    evaluate,
    make_breath_recording,
    predict_with_rejection,
)

TREES = HistGradientBoostingClassifier(max_iter=2, early_stopping=False)
X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = np.where(X[:, 0] > 0, "I", "E")
GROUPS = np.arange(60) // 2


def vote(folder):
    members = [("first", TREES), ("second", TREES)]
    model = WeightedVotingClassifier(members, weights="learned", cv=2)
    model.fit(X, Y).predict(X)


def threshold(folder):
    ThresholdClassifier(TREES, pos_label="I", cv=2).fit(X, Y).predict(X)


def search(folder):
    model = OptunaSearchCV(TREES, {"max_iter": IntDistribution(1, 2)}, n_trials=1, cv=2)
    model.fit(X, Y)


def evaluation(folder):
    evaluate(TREES, X, Y, GROUPS, cv=2)


def leakage(folder):
    check_leakage(TREES, X, Y, GROUPS, cv=2)


def rejection(folder):
    with threadpool_limits(1, user_api="openmp"):
        TREES.fit(X, Y)
    predict_with_rejection(TREES, X, reject_below=0.5)


def data_set(folder):
    check_dataset(folder)


def segmenter(folder):
    made = [make_breath_recording(10, random_state=seed) for seed in (0, 1)]
    trees = clone(TREES).set_params(max_iter=20)
    phases = PhaseSegmenter(classifier=trees, emission_weight=0.4)
    phases.fit([one.waveform for one in made], [one.phases for one in made])
    phases.predict([made[0].waveform])


WAYS = (vote, threshold, search, evaluation, leakage, rejection, data_set, segmenter)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_boosted_trees_run_on_one_thread(way, breath_folder, monkeypatch):
    seen = []

    def spy(name):
        method = getattr(HistGradientBoostingClassifier, name)

        @wraps(method)
        def noting(self, *args, **kwargs):
            pools = threadpool_info()
            seen.extend(p["num_threads"] for p in pools if p["user_api"] == "openmp")
            return method(self, *args, **kwargs)

        monkeypatch.setattr(HistGradientBoostingClassifier, name, noting)

    spy("fit")
    spy("predict_proba")
    with threadpool_limits(2, user_api="openmp"):
        way(breath_folder)
        after = [p["num_threads"] for p in threadpool_info() if "omp" in p["prefix"]]
    assert set(seen) == {1}
    assert set(after) == {2}
