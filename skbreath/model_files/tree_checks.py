"""Decision trees from a file of unknown origin: every index within its bounds.

scikit-learn follows the indices in a tree in C, unchecked: a forged one would read
memory that is not the tree's, or never come to an end.
"""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.tree import BaseDecisionTree

from ..utils.sklearn_compat import (
    PREDICTOR_RECORD_DTYPE,
    BaseForest,
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    Tree,
    TreePredictor,
)
from .container import ModelFileError

__all__ = ["check_trees"]

# Those that check the columns of X themselves and then hand it to trees unchecked.
_ENSEMBLES = (
    BaseForest,
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    IsolationForest,
)


def check_trees(model):
    """Refuse a model with a tree that could lead out of itself.

    Parameters
    ----------
    model : object
        All that is reachable from it by attributes and containers is looked at.

    Raises
    ------
    ModelFileError
        If an index of a node or of a column is out of bounds.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> check_trees(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]))
    """
    seen = set()
    # An object, and the columns of X that its trees may look at.
    todo = [(model, 0)]
    while todo:
        value, n_columns = todo.pop()
        if isinstance(value, Tree):
            _check_tree(value, n_columns)
        elif isinstance(value, TreePredictor):
            _check_predictor(value, n_columns)
        if isinstance(value, dict):
            inside = list(value.values())
        elif isinstance(value, list | tuple | set):
            inside = list(value)
        elif isinstance(value, np.ndarray) and value.dtype == object:
            inside = value.ravel().tolist()
        else:
            inside = list(getattr(value, "__dict__", {}).values())
        if isinstance(value, BaseEstimator):
            n_columns = _n_columns(value, n_columns)
        # An object shared by two owners is looked at under each.
        if inside and (id(value), n_columns) not in seen:
            seen.add((id(value), n_columns))
            todo += [(part, n_columns) for part in inside]


def _n_columns(estimator, of_owner):
    n_columns = getattr(estimator, "n_features_in_", 0)
    if not isinstance(n_columns, int | np.integer):
        raise ModelFileError(
            f"its {type(estimator).__name__} has n_features_in_={n_columns!r}."
        )
    if isinstance(estimator, _ENSEMBLES):
        return n_columns
    if isinstance(estimator, BaseDecisionTree):
        # Alone it checks X itself; in an ensemble that does.
        return min(n_columns, of_owner) if of_owner else n_columns
    return 0


def _check_tree(tree, n_columns):
    n_nodes = tree.node_count
    left, right = tree.children_left, tree.children_right
    inner = left != -1  # as scikit-learn marks leaves
    here = np.arange(n_nodes)[inner]
    _check(
        n_nodes > 0
        and tree.n_features <= n_columns
        and _forward(here, left[inner], n_nodes)
        and _forward(here, right[inner], n_nodes)
        and _within(tree.feature[inner], tree.n_features)
    )


def _check_predictor(predictor, n_columns):
    nodes = getattr(predictor, "nodes", None)
    if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE:
        raise ModelFileError("it has boosted trees without nodes.")
    n_nodes = len(nodes)
    inner = nodes["is_leaf"] == 0
    here = np.arange(n_nodes)[inner]
    _check(
        n_nodes > 0
        and _forward(here, nodes["left"][inner], n_nodes)
        and _forward(here, nodes["right"][inner], n_nodes)
        and _within(nodes["feature_idx"][inner], n_columns)
    )
    if nodes["is_categorical"].any():
        raise ModelFileError(
            "it has boosted trees with categorical features, which cannot be checked."
        )


def _forward(parents, children, n_nodes):
    """Children come after their parents: no way through the tree is endless."""
    return _within(children, n_nodes) and bool((children > parents).all())


def _within(indices, n):
    return bool(((indices >= 0) & (indices < n)).all())


def _check(good):
    if not good:
        raise ModelFileError("it has a decision tree whose indices are out of bounds.")
