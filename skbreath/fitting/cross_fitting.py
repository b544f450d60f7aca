"""Cross-fit estimators by groups: make splits, and predict rows not fitted on.

The vote, the threshold, the search and the evaluation all use these functions, so
that "out of fold" has one meaning.
"""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import (
    GroupKFold,
    StratifiedGroupKFold,
    check_cv,
)
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.parallel import Parallel, delayed

from ..utils.contexts import quiet_restarts
from ..utils.sklearn_compat import _check_method_params, _safe_indexing
from .labels import check_fitted_classes, check_present
from .routing import requested
from .training_record import inside_fit, log_each_fit

__all__ = [
    "check_group_cv",
    "check_rows",
    "check_splits",
    "out_of_fold",
    "out_of_fold_each",
    "run_fits",
]


def check_group_cv(cv=None, y=None, groups=None, *, classifier=True):
    """Make a splitter from `cv` (None: 5), grouped whenever `groups` are given.

    scikit-learn turns an integer into a plain stratified k-fold and then ignores
    `groups` without a warning. Here an integer together with `groups` means
    :class:`~sklearn.model_selection.StratifiedGroupKFold`, or
    :class:`~sklearn.model_selection.GroupKFold` if the folds do not serve a
    `classifier`, or `y` does not hold classes.
    """
    cv = 5 if cv is None else cv
    if groups is not None:
        advice = "name the recording of every row, or leave groups out"
        check_present(groups, "groups", advice=advice)
    if groups is not None and y is not None:
        check_consistent_length(y, groups)
    if groups is None or not isinstance(cv, Integral):
        return check_cv(cv, y, classifier=classifier)
    n_groups = len(np.unique(np.asarray(groups)))
    if n_groups < cv:
        raise ValueError(
            f"cv={cv} folds need at least {cv} different groups, got {n_groups}; "
            "lower cv or pass finer groups."
        )
    has_classes = y is not None and type_of_target(y) in ("binary", "multiclass")
    if classifier and has_classes:
        return StratifiedGroupKFold(n_splits=int(cv))
    return GroupKFold(n_splits=int(cv))


def check_rows(rows, name):
    """Raise an error if a part of a fold is empty. `rows` are indices or a mask."""
    rows = np.asarray(rows)
    if not (rows.any() if rows.dtype == bool else len(rows)):
        raise ValueError(
            f"Expected rows in every part of the folds, but {name} is empty: use "
            "fewer folds or another cv."
        )


def check_splits(splits, y, classes):
    """Raise an error for a fold with an empty part, or untrained classes."""
    for number, (train, test) in enumerate(splits):
        check_rows(train, f"the training part of fold {number}")
        check_rows(test, f"the test part of fold {number}")
        seen = np.unique(_safe_indexing(np.asarray(y), train))
        if len(seen) < len(classes):
            missing = sorted(set(classes.tolist()) - set(seen.tolist()))
            raise ValueError(
                f"Expected rows of every class in the training part of fold {number}, "
                f"but it has none of {missing}; use fewer folds or other groups."
            )


def _fit_and_predict(
    estimator, X, y, train, test, methods, fit_params, keep_estimators
):
    """Fit an estimator on a training part; return its outputs for the test part.

    Predictions get the recordings of the clips if there are any in `fit_params`.
    """
    recordings = {k: v for k, v in fit_params.items() if k == "recordings"}
    recordings = _check_method_params(X, recordings, indices=test)
    with inside_fit():
        estimator.fit(
            _safe_indexing(X, train),
            _safe_indexing(y, train),
            **_check_method_params(X, fit_params, indices=train),
        )
        X_test = _safe_indexing(X, test)
        output = {
            method: (
                method(estimator, X_test, **recordings)
                if callable(method)
                else getattr(estimator, method)(
                    X_test, **requested(estimator, method, recordings)
                )
            )
            for method in methods
        }
    if keep_estimators:
        output["estimator"] = estimator
    return output, estimator.classes_


def out_of_fold(
    estimator,
    X,
    y,
    splits,
    *,
    methods=("predict_proba",),
    fit_params=None,
    keep_estimators=False,
    n_jobs=None,
):
    """Fit a clone of `estimator` per split, and predict the rows it is not fitted on.

    `methods` are names of prediction methods, or functions called with the fitted clone
    and the rows. `fit_params` with one entry per row are cut to the training rows.

    Returns a list of (test, dict), one per split: the test indices, and the output of
    each method, and with `keep_estimators` the fitted clone, as ``"estimator"``.
    Columns of ``predict_proba`` follow the sorted classes of all of `y`.
    """
    (results,), _ = out_of_fold_each(
        [estimator],
        X,
        y,
        splits,
        methods=methods,
        fit_params=[fit_params],
        keep_estimators=keep_estimators,
        n_jobs=n_jobs,
    )
    return results


def run_fits(calls, n_jobs, message):
    """Run delayed fits in one pool, and log `message` for each; list their results."""
    with quiet_restarts():
        results = Parallel(n_jobs=n_jobs, return_as="generator")(calls)
        return list(log_each_fit(results, message))


def out_of_fold_each(
    estimators,
    X,
    y,
    splits,
    *,
    methods=("predict_proba",),
    fit_params,
    keep_estimators=False,
    first=(),
    n_jobs=None,
):
    """Run :func:`out_of_fold` for several estimators, all their fits in one pool.

    `fit_params` has one entry per estimator, and so has the list that is returned.
    `first` are further fits, delayed, that the same pool begins with: those on all
    rows take longest. Their results are returned as a second list.
    """
    splits = list(splits)
    classes = np.unique(np.asarray(y))
    check_splits(splits, y, classes)
    calls = [
        delayed(_fit_and_predict)(
            clone(estimator),
            X,
            y,
            train,
            test,
            methods,
            params or {},
            keep_estimators,
        )
        for estimator, params in zip(estimators, fit_params, strict=True)
        for train, test in splits
    ]
    outputs = run_fits([*first, *calls], n_jobs, "fitted one member or fold")
    fitted, outputs = outputs[: len(first)], iter(outputs[len(first) :])
    results = []
    for estimator in estimators:
        results.append([])
        for _, test in splits:
            output, seen = next(outputs)
            check_fitted_classes(seen, classes, type(estimator).__name__)
            results[-1].append((np.asarray(test), output))
    return results, fitted
