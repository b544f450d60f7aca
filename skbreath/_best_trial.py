"""The best trial of a search: chosen, and fitted on all rows."""

import time

import numpy as np
from sklearn.base import clone

from ._fit_log import inside_fit

__all__ = ["choose_best", "refit_best"]


def choose_best(search):
    """Set `best_index_` and what follows from it; failed trials cannot win.

    Parameters
    ----------
    search : OptunaSearchCV
        With `cv_results_`.
    """
    results = search.cv_results_
    metric = search.refit if search.multimetric_ else "score"
    if callable(search.refit):
        search.best_index_ = search._select_best_index(search.refit, metric, results)
    else:
        complete = results["trial_state"] == "COMPLETE"
        scores = np.where(complete, results[f"mean_test_{metric}"], -np.inf)
        search.best_index_ = int(scores.argmax())
        search.best_score_ = float(scores[search.best_index_])
    search.best_params_ = results["params"][search.best_index_]


def refit_best(search, X, y, fit_params, root):
    """Fit the best parameters on all rows.

    Parameters
    ----------
    search : OptunaSearchCV
        With `best_params_`; gets `best_estimator_` and what follows from it.
    X, y : sequences of length n_samples
    fit_params : dict
        Metadata of the estimator.
    root : CallbackContext
        Of the search.
    """
    # The parameters are cloned too: they may be estimators.
    search.best_estimator_ = clone(search.estimator).set_params(
        **clone(search.best_params_, safe=False)
    )
    context = root.subcontext("refit-with-best-params")
    with context.propagate_callback_context(search.best_estimator_):
        context.call_on_fit_task_begin(estimator=search, X=X, y=y)
        started = time.perf_counter()
        target = () if y is None else (y,)
        with inside_fit():
            search.best_estimator_.fit(X, *target, **fit_params)
        search.refit_time_ = time.perf_counter() - started
    context.call_on_fit_task_end(estimator=search, X=X, y=y)
    if hasattr(search.best_estimator_, "feature_names_in_"):
        search.feature_names_in_ = search.best_estimator_.feature_names_in_
