import numpy as np
import pytest
from optuna.distributions import (
    CategoricalDistribution,
)
from searches import C, X, search_for, y
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB

from skbreath import WeightedVotingClassifier, top_estimators


def test_top_estimators_are_distinct_unfitted_and_ready_for_the_vote():
    space = {"var_smoothing": CategoricalDistribution([1e-9, 0.1, 10.0, 1000.0])}
    search = search_for(GaussianNB(priors=[0.5, 0.5]), space, n_trials=20).fit(X, y)
    members = top_estimators(search, k=3)
    numbers = [int(name.removeprefix("trial_")) for name, _ in members]
    scores = search.cv_results_["mean_test_score"][numbers]
    assert (np.diff(scores) <= 0).all()
    assert scores[0] == search.best_score_
    values = [member.var_smoothing for _, member in members]
    assert len(set(values)) == 3
    for number, (_, member) in zip(numbers, members, strict=True):
        assert search.study_.trials[number].params["var_smoothing"] == (
            member.var_smoothing
        )
        assert member.priors == [0.5, 0.5] and not hasattr(member, "classes_")
    assert WeightedVotingClassifier(members).fit(X, y).score(X, y) > 0.7
    with pytest.raises(ValueError, match="only 4 of the 20 complete trials"):
        top_estimators(search, k=5)


@pytest.mark.parametrize(
    "search", [GridSearchCV(GaussianNB(), {"var_smoothing": [0.1, 1.0]}, cv=3), None]
)
def test_top_estimators_are_those_of_an_optuna_search(search):
    if search is not None:
        search.fit(X, y)
    with pytest.raises(TypeError, match="a fitted OptunaSearchCV, got (Gr|No)"):
        top_estimators(search, 2)


def test_top_estimators_can_be_distinct_in_some_parameters():
    space = {**C, "fit_intercept": CategoricalDistribution([True, False])}
    search = search_for(LogisticRegression(), space, n_trials=10).fit(X, y)
    members = top_estimators(search, k=2, distinct=["fit_intercept"])
    assert {member.fit_intercept for _, member in members} == {True, False}
    with pytest.raises(ValueError, match="only 2 of the 10"):
        top_estimators(search, k=3, distinct=["fit_intercept"])
    with pytest.raises(ValueError, match="'penalty', which was not searched"):
        top_estimators(search, distinct=["penalty"])
    with pytest.raises(ValueError, match="an integer k of at least 1"):
        top_estimators(search, k=0)
