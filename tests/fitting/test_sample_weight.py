"""Weights of rows reach the classifiers inside, with metadata routing and without."""

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbreath import (
    OptunaSearchCV,
    ThresholdClassifier,
    WeightedVotingClassifier,
    make_breath_classifier,
    make_breath_sounds,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 3))
y = np.where(X[:, 0] + rng.normal(size=90) > 0, "I", "E")
groups = np.arange(90) // 6
weight = rng.uniform(0.1, 2, 90)
linear = LogisticRegression(C=0.1)
piped = make_pipeline(StandardScaler(), linear)
SPACE = {"logisticregression__C": FloatDistribution(0.01, 10, log=True)}


def vote(member):
    return WeightedVotingClassifier(
        [("linear", member), ("bayes", GaussianNB())], weights="learned", cv=3
    )


def search(member):
    return OptunaSearchCV(
        member, SPACE, n_trials=2, cv=3, scoring="accuracy", random_state=0
    )


def threshold(member):
    return ThresholdClassifier(member, pos_label="I", cv=3)


def requesting(estimator):
    """Request weights in all parts, as users do with routing enabled."""
    estimator = clone(estimator)
    for part in estimator.get_params(deep=True).values():
        if isinstance(part, LogisticRegression | GaussianNB):
            part.set_fit_request(sample_weight=True)
            part.set_score_request(sample_weight=False)
        elif isinstance(part, StandardScaler):
            part.set_fit_request(sample_weight=False)
    return estimator


@pytest.mark.parametrize("given_groups", [None, groups])
@pytest.mark.parametrize(
    "make, name",
    [
        (lambda: vote(linear), "sample_weight"),
        (lambda: vote(piped), "sample_weight"),
        (lambda: threshold(vote(piped)), "sample_weight"),
        (lambda: threshold(piped), "logisticregression__sample_weight"),
        (lambda: search(piped), "logisticregression__sample_weight"),
        (lambda: threshold(search(piped)), "logisticregression__sample_weight"),
    ],
)
def test_weights_are_passed_on_as_with_routing(make, name, given_groups):
    plain = make().fit(X, y, given_groups, **{name: weight})
    with config_context(enable_metadata_routing=True):
        routed = requesting(make()).fit(X, y, given_groups, sample_weight=weight)
    assert np.array_equal(plain.predict_proba(X), routed.predict_proba(X))
    unweighted = make().fit(X, y, given_groups)
    assert not np.array_equal(plain.predict_proba(X), unweighted.predict_proba(X))
    # The parameters are as they were.
    assert str(plain) == str(unweighted)


def test_weights_reach_the_ready_made_classifier():
    sounds = make_breath_sounds(60, n_subjects=10, random_state=0)
    X, y, groups = sounds.waveforms, sounds.target, sounds.groups
    weight = (np.arange(60) % 10 != 3).astype(float)
    model = make_breath_classifier(preset="fast", max_epochs=1, random_state=0)
    # After one epoch the temperature brings all probabilities to 0.5.
    model.set_params(classifier__estimator__calibration=None)
    model.fit(X, y, classifier__groups=groups, classifier__sample_weight=weight)
    weighted = model.predict_proba(X)
    plain = model.fit(X, y, classifier__groups=groups).predict_proba(X)
    assert not np.allclose(weighted, plain)


def test_a_member_that_takes_no_weights_is_named():
    model = vote(KNeighborsClassifier())
    with pytest.raises(ValueError, match="KNeighborsClassifier does not take weights"):
        model.fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="Expected weights for one step"):
        threshold(piped).fit(X, y, a__sample_weight=weight, b__sample_weight=weight)
    with pytest.raises(ValueError, match="svc__sample_weight was given, but"):
        threshold(piped).fit(X, y, svc__sample_weight=weight)
