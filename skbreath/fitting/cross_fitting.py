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

from ..utils.sklearn_compat import _check_method_params, _safe_indexing
from .labels import check_fitted_classes, check_present
from .training_record import inside_fit, log_each_fit

__all__ = [
    "check_group_cv",
    "out_of_fold",
    "out_of_fold_each",
]


def check_group_cv(cv=None, y=None, groups=None, *, classifier=True):
    """Make a splitter from `cv`, grouped whenever `groups` are given.

    scikit-learn turns an integer into a plain stratified k-fold and then ignores
    `groups` without a warning. Here an integer together with `groups` means
    :class:`~sklearn.model_selection.StratifiedGroupKFold`.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) or None, default=None
        As in scikit-learn; None means 5 folds.
    y : array-like of shape (n_samples,), default=None
        Class labels, or any target if `classifier` is False.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, such as the recording or the patient.
    classifier : bool, default=True
        Whether the folds serve a classifier. If not, or if `y` does not hold
        classes, nothing is stratified and an integer with `groups` means
        :class:`~sklearn.model_selection.GroupKFold`.

    Returns
    -------
    splitter : object
        With ``split(X, y, groups)`` and ``get_n_splits(X, y, groups)``.

    Raises
    ------
    ValueError
        If there are fewer groups than folds, or not one group for each row.

    Examples
    --------
    >>> check_group_cv(3, y=[0, 1] * 6, groups=[0, 0, 1, 1, 2, 2] * 2)
    StratifiedGroupKFold(n_splits=3, random_state=None, shuffle=False)
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


def _fit_and_predict(
    estimator, X, y, train, test, methods, fit_params, keep_estimators
):
    with inside_fit():
        estimator.fit(
            _safe_indexing(X, train),
            _safe_indexing(y, train),
            **_check_method_params(X, fit_params, indices=train),
        )
    X_test = _safe_indexing(X, test)
    output = {
        method: (
            method(estimator, X_test)
            if callable(method)
            else getattr(estimator, method)(X_test)
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
    """Fit a clone of `estimator` per split and predict the rows it has not seen.

    Parameters
    ----------
    estimator : classifier
        Cloned for each split, never changed itself.
    X : sequence of length n_samples
        Input of `estimator`: paths, waveforms or features.
    y : array-like of shape (n_samples,)
        Class labels.
    splits : list of (train, test)
        Index arrays. Test parts need not cover all rows.
    methods : tuple of str or callable, default=("predict_proba",)
        Prediction methods to call on the test rows; a function is called with the
        fitted clone and the rows.
    fit_params : dict, default=None
        Passed to ``fit``; values with one entry per row are cut to the training
        rows.
    keep_estimators : bool, default=False
        Whether each output has the fitted clone too, as ``"estimator"``.
    n_jobs : int, default=None
        Splits fitted in parallel, as in joblib.

    Returns
    -------
    results : list of (test, dict)
        One per split, in order: the test indices, and the output of each method.
        Columns of ``predict_proba`` follow the sorted classes of all of `y`.

    Raises
    ------
    ValueError
        If a training part lacks a class that `y` has (before anything is fitted),
        or if the fitted clone has other classes than `y`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = np.arange(8.0).reshape(-1, 1), np.array(list("EIEIEIEI"))
    >>> splits = [(np.arange(4), np.arange(4, 8)), (np.arange(4, 8), np.arange(4))]
    >>> for test, output in out_of_fold(GaussianNB(), X, y, splits):
    ...     print(test, output["predict_proba"].shape)
    [4 5 6 7] (4, 2)
    [0 1 2 3] (4, 2)
    """
    (results,) = out_of_fold_each(
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


def out_of_fold_each(
    estimators,
    X,
    y,
    splits,
    *,
    methods=("predict_proba",),
    fit_params,
    keep_estimators=False,
    n_jobs=None,
):
    """Run :func:`out_of_fold` for several estimators, all their fits in one pool.

    Parameters
    ----------
    estimators : list of classifier
        Each is cloned for each split.
    X, y, splits, methods, n_jobs
        As in :func:`out_of_fold`.
    fit_params : list of dict or None
        One per estimator.
    keep_estimators : bool, default=False
        Whether each output has the fitted clone too, as ``"estimator"``.

    Returns
    -------
    results : list of list of (test, dict)
        The result of :func:`out_of_fold` for each estimator.

    Raises
    ------
    ValueError
        As :func:`out_of_fold`.
    """
    splits = list(splits)
    classes = np.unique(np.asarray(y))
    for train, _ in splits:
        seen = np.unique(_safe_indexing(np.asarray(y), train))
        if len(seen) < len(classes):
            missing = sorted(set(classes.tolist()) - set(seen.tolist()))
            raise ValueError(
                "a training part of the cross-validation does not have rows of class "
                f"{missing}; use fewer folds or other groups."
            )
    outputs = Parallel(n_jobs=n_jobs, return_as="generator")(
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
    )
    outputs = log_each_fit(outputs, "cross-fitted one fold")
    results = []
    for estimator in estimators:
        results.append([])
        for _, test in splits:
            output, seen = next(outputs)
            check_fitted_classes(seen, classes, type(estimator).__name__)
            results[-1].append((np.asarray(test), output))
    return results
