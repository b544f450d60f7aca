"""Get the best trials of a search as members of an ensemble."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .optuna_search import OptunaSearchCV

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
        Fitted. With several metrics, `refit` must name the one to rank by.
    k : int, default=3
        Number of estimators.
    distinct : list of str, default=None
        Searched parameters in which the estimators must differ: of trials that have
        the same values of them only the best is taken. None means all parameters.
        ``["features__n_mels"]`` gives members that differ in their input.

    Returns
    -------
    estimators : list of (str, estimator)
        Best first, the earlier trial first if scores are equal; named
        ``trial_<number>``, as :class:`WeightedVotingClassifier` takes them.

    Raises
    ------
    TypeError
        If `search` is not an OptunaSearchCV, or `distinct` not a list.
    ValueError
        If there are fewer than `k` distinct complete trials, no trial has a
        parameter of `distinct`, or `refit` names none of several metrics.

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
    if not isinstance(search, OptunaSearchCV):
        raise TypeError(
            f"Expected a fitted OptunaSearchCV, got {type(search).__name__}: "
            "top_estimators needs its trials."
        )
    check_is_fitted(search, "cv_results_")
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"Expected an integer k of at least 1, got {k!r}.")
    results = search.cv_results_
    if isinstance(distinct, str):
        raise TypeError(
            f"Expected a list as distinct, got {distinct!r}; write [{distinct!r}]."
        )
    for name in distinct or ():
        if f"param_{name}" not in results:
            raise ValueError(
                f"Expected searched parameters in distinct, got {name!r}, which was "
                "not searched."
            )
    metric = search.refit if search.multimetric_ else "score"
    if not isinstance(metric, str):
        raise ValueError(
            f"Expected refit to name one of the search's several metrics, got "
            f"{search.refit!r}: set it to the metric to rank the trials by."
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
        f"Expected at least k={k} distinct complete trials, got only "
        f"{len(estimators)} of the {len(complete)} complete trials: decrease k, or run "
        "more trials."
    )
