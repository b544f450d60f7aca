"""What a search is given: rows and labels checked before the first trial."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _num_samples

from ._labels_given import check_present, check_two_classes

__all__ = ["check_target"]


def check_target(estimator, X, y, groups=None):
    """Refuse data that no trial could be fitted on.

    Parameters
    ----------
    estimator : estimator
        What is tuned.
    X : sequence of length n_samples
        Only counted.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), or None
        Target.
    groups : array-like of shape (n_samples,), default=None
        Only counted.

    Returns
    -------
    classes : list or None
        The sorted classes of a classifier with one column of labels.

    Raises
    ------
    ValueError
        If lengths differ, `y` is missing though the estimator needs it, has missing
        or infinite values or, for a classifier, is not a column of classes or has fewer
        than two.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> check_target(GaussianNB(), [[0.0], [1.0]], ["I", "E"])
    ['E', 'I']
    """
    n_rows = _num_samples(X)
    for name, values in {"y": y, "groups": groups}.items():
        if values is not None and _num_samples(values) != n_rows:
            raise ValueError(
                f"X has {n_rows} rows, but {name} has {_num_samples(values)}: give one "
                "value for each row."
            )
    if y is None:
        if get_tags(estimator).target_tags.required:
            # The first words are what scikit-learn's check of estimators looks for.
            raise ValueError(
                f"{type(estimator).__name__} requires y to be passed, but the target y "
                "is None: give the label of each row."
            )
        return None
    if not issparse(y):
        # As objects: numpy makes text of None and NaN in a list of labels.
        values = np.asarray(y, dtype=None if hasattr(y, "dtype") else object)
        check_present(values, "y")
        _check_types(values)
    if not is_classifier(estimator):
        return None
    return _classes(y)


def _check_types(values):
    if values.dtype.kind != "O":
        return
    kinds = {str if isinstance(v, str) else type(v) for v in values.ravel()}
    types = sorted(kind.__name__ for kind in kinds)
    if str in kinds and len(kinds) > 1:  # which cannot be sorted
        raise ValueError(
            f"y mixes types of labels: {', '.join(types)}; make all of them text."
        )


def _classes(y):
    check_classification_targets(y)
    if type_of_target(y) not in ("binary", "multiclass"):
        return None  # several columns of labels
    classes = np.unique(np.asarray(y)).tolist()
    check_two_classes(classes)
    return classes
