"""The best trials of a search, as members of an ensemble."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from typing import Any

__all__ = ["top_estimators"]


def top_estimators(
    search: Any, k: int = 3, *, distinct: list[str] | None = None
) -> list[tuple[str, Any]]:
    """Get the best trials of a search as named, unfitted estimators.

    Parameters
    ----------
    search : OptunaSearchCV
        Fitted. With several metrics, `refit` says which one decides.
    k : int, default=3
        Number of estimators.
    distinct : list of str, default=None
        Searched parameters that must not all be equal between two of the estimators;
        of trials that agree in them the best is taken. None means all parameters.
        ``["features__n_mels"]`` gives members that differ in their input.

    Returns
    -------
    estimators : list of (str, estimator)
        Best first, the earlier trial first where scores are equal; named
        ``trial_<number>``, ready for :class:`WeightedVotingClassifier`.

    Raises
    ------
    TypeError
        If `search` is no OptunaSearchCV.
    ValueError
        If there are fewer than `k` distinct complete trials, no trial has a
        parameter of `distinct`, or several metrics have equal rights.

    Examples
    --------
    >>> from optuna.distributions import CategoricalDistribution
    >>> from skbreath import OptunaSearchCV
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> space = {"n_neighbors": CategoricalDistribution([1, 5, 15, 50])}
    >>> search = OptunaSearchCV(KNeighborsClassifier(), space, random_state=0)
    >>> search = search.fit(*load_iris(return_X_y=True))
    >>> for name, estimator in top_estimators(search, k=2):
    ...     print(name, estimator)
    trial_1 KNeighborsClassifier()
    trial_0 KNeighborsClassifier(n_neighbors=15)
    """
    from .search import OptunaSearchCV  # that module names this function, too

    if not isinstance(search, OptunaSearchCV):
        raise TypeError(
            "top_estimators takes a fitted OptunaSearchCV, got an object of the class "
            f"{type(search).__name__}."
        )
    check_is_fitted(search, "cv_results_")
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be an integer of at least 1, got {k!r}.")
    results = search.cv_results_
    if isinstance(distinct, str):
        raise TypeError(f"distinct must be a list of names, such as [{distinct!r}].")
    for name in distinct or ():
        if f"param_{name}" not in results:
            raise ValueError(f"distinct names {name!r}, which was not searched.")
    metric = search.refit if search.multimetric_ else "score"
    if not isinstance(metric, str):
        raise ValueError(
            "the search has several metrics: only a refit that names one of them says "
            "which trials are the best."
        )
    complete = np.flatnonzero(results["trial_state"] == "COMPLETE")
    scores = results[f"mean_test_{metric}"][complete]
    estimators, taken = [], []
    for index in complete[np.argsort(-scores, kind="stable")]:
        params = results["params"][index]
        key = {name: params.get(name) for name in distinct or params}
        if key in taken:
            continue
        taken.append(key)
        # The parameters are cloned too: they may be estimators.
        estimator = clone(search.estimator).set_params(**clone(params, safe=False))
        estimators.append((f"trial_{results['trial_number'][index]}", estimator))
        if len(estimators) == k:
            return estimators
    raise ValueError(
        f"k={k} estimators asked for, but only {len(estimators)} of the "
        f"{len(complete)} complete trials are distinct."
    )
