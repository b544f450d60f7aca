"""Cross-fitting that respects groups: splits, and scores of rows never fitted on.

The vote, the threshold and the evaluation all stand on these two functions, so
that what "out of fold" means is decided in one place.
"""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params

__all__ = ["check_group_cv", "out_of_fold"]


def check_group_cv(cv=None, y=None, groups=None):
    """Make a splitter from `cv`, grouped whenever `groups` are given.

    scikit-learn turns an integer into a plain stratified k-fold and then ignores
    `groups` without a word. Here an integer together with `groups` means
    :class:`~sklearn.model_selection.StratifiedGroupKFold`.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) or None, default=None
        As in scikit-learn; None means 5 folds.
    y : array-like of shape (n_samples,), default=None
        Class labels.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, such as the recording or the patient.

    Returns
    -------
    splitter : object
        With ``split(X, y, groups)`` and ``get_n_splits(X, y, groups)``.

    Raises
    ------
    ValueError
        If there are fewer groups than folds.

    Examples
    --------
    >>> check_group_cv(3, y=[0, 1] * 6, groups=[0, 0, 1, 1, 2, 2] * 2)
    StratifiedGroupKFold(n_splits=3, random_state=None, shuffle=False)
    """
    cv = 5 if cv is None else cv
    if groups is None or not isinstance(cv, Integral):
        return check_cv(cv, y, classifier=True)
    n_groups = len(np.unique(np.asarray(groups)))
    if n_groups < cv:
        raise ValueError(
            f"cv={cv} folds need at least {cv} different groups, got {n_groups}; "
            "lower cv or pass finer groups."
        )
    return StratifiedGroupKFold(n_splits=int(cv))


def _fit_and_predict(estimator, X, y, train, test, methods, fit_params):
    estimator.fit(
        _safe_indexing(X, train),
        _safe_indexing(y, train),
        **_check_method_params(X, fit_params, indices=train),
    )
    X_test = _safe_indexing(X, test)
    return {method: getattr(estimator, method)(X_test) for method in methods}, (
        estimator.classes_
    )


def out_of_fold(
    estimator, X, y, splits, *, methods=("predict_proba",), fit_params=None, n_jobs=None
):
    """Fit a clone of `estimator` per split and predict the rows it has not seen.

    Parameters
    ----------
    estimator : classifier
        Cloned for each split, never changed itself.
    X : sequence of length n_samples
        Paths, waveforms, features: whatever `estimator` takes.
    y : array-like of shape (n_samples,)
        Class labels.
    splits : list of (train, test)
        Index arrays. Test parts need not cover all rows.
    methods : tuple of str, default=("predict_proba",)
        Prediction methods to call on the test rows.
    fit_params : dict, default=None
        Passed to ``fit``; values with one entry per row are cut to the training
        rows.
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
        If a training part lacks a class that `y` has.
    """
    classes = np.unique(np.asarray(y))
    fit_params = {} if fit_params is None else fit_params
    outputs = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_predict)(
            clone(estimator), X, y, train, test, methods, fit_params
        )
        for train, test in splits
    )
    results = []
    for (_, test), (output, seen) in zip(splits, outputs, strict=True):
        if len(seen) < len(classes):
            missing = sorted(set(classes.tolist()) - set(np.asarray(seen).tolist()))
            raise ValueError(
                f"a training part of the cross-validation has no row of class "
                f"{missing}; use fewer folds or other groups."
            )
        results.append((np.asarray(test), output))
    return results
