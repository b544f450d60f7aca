"""Weights of a soft vote: given ones checked, good ones learned."""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Bunch

from ._weight_search import climb, propose, select

__all__ = ["check_weights", "cross_fit_weights", "learn_weights"]


def check_weights(weights, estimators):
    """Check given weights and scale those of the members in use to sum 1.

    Parameters
    ----------
    weights : array-like, dict of str to float, or None
        One weight per estimator, dropped ones included; by name, dropped ones may
        be left out; None weighs all alike.
    estimators : list of (str, estimator)
        As in the vote; ``"drop"`` stands for no estimator.

    Returns
    -------
    weights : ndarray of shape (n_members,)
        Of the estimators that are not dropped; not negative, sum 1.

    Raises
    ------
    ValueError
        If the names or the number are wrong, a weight is negative or not a finite
        number, or none is above zero.

    Examples
    --------
    >>> check_weights({"cnn": 3, "svc": 1}, [("cnn", ...), ("svc", ...)])
    array([0.75, 0.25])
    """
    names = [name for name, _ in estimators]
    used = [name for name, member in estimators if not _is_dropped(member)]
    if weights is None:
        weights = dict.fromkeys(used, 1.0)
    elif not isinstance(weights, Mapping):
        if np.ndim(weights) != 1 or len(weights) != len(names):
            raise ValueError(
                f"weights has shape {np.shape(weights)}, expected one weight for each "
                f"of the {len(names)} estimators {names}."
            )
        weights = dict(zip(names, weights, strict=True))
    unknown, missing = set(weights) - set(names), set(used) - set(weights)
    if unknown or missing:
        raise ValueError(
            f"weights must name the estimators {names}: unknown names "
            f"{sorted(map(str, unknown))}, missing names {sorted(missing)}."
        )
    try:
        values = np.array([weights[name] for name in used], dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"weights must be numbers, got {weights!r}.") from error
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"weights must be finite and not negative, got {weights!r}.")
    if not values.any():
        raise ValueError(f"at least one weight must be above zero, got {weights!r}.")
    values = values / values.max()  # so that the sum of huge weights stays finite
    return values / values.sum()


def cross_fit_weights(folds, y, classes, scorer=None, strategy="auto"):
    """Learn weights for all rows, and for each fold on the other folds' rows.

    Parameters
    ----------
    folds : list of list of (test, dict)
        Of each member, from :func:`skbreath.crossfit.out_of_fold_each`.
    y : ndarray of shape (n_samples,)
        Class labels.
    classes : ndarray of shape (n_classes,)
        The sorted classes.
    scorer : callable, default=None
        As in :func:`learn_weights`.
    strategy : {"auto", "greedy", "optuna"}, default="auto"
        As in :func:`learn_weights`.

    Returns
    -------
    learned : Bunch
        ``weights`` (n_members,) from all rows; ``fold_weights`` (n_splits,
        n_members); ``proba`` (n_samples, n_classes), each fold's members mixed by the
        fold's weights; ``member_proba`` (n_members, n_samples, n_classes). Rows in
        several test parts are averaged, rows in none are NaN.
    """
    tests = [test for test, _ in folds[0]]
    probas = [
        np.array([output["predict_proba"] for _, output in fold], dtype=float)
        for fold in zip(*folds, strict=True)
    ]
    rows, proba = np.concatenate(tests), np.concatenate(probas, axis=1)
    fold_weights, mixed = [], []
    for test, fold_proba in zip(tests, probas, strict=True):
        # By row, not by fold: repeated folds hold the same row more than once.
        other = ~np.isin(rows, test)
        fold_weights.append(
            learn_weights(proba[:, other], y[rows[other]], classes, scorer, strategy)
        )
        mixed.append(np.tensordot(fold_weights[-1], fold_proba, axes=1))
    return Bunch(
        weights=learn_weights(proba, y[rows], classes, scorer, strategy),
        fold_weights=np.array(fold_weights),
        proba=_mean_by_row(rows, np.concatenate(mixed), len(y)),
        member_proba=np.array([_mean_by_row(rows, member, len(y)) for member in proba]),
    )


def learn_weights(proba, y, classes, scorer=None, strategy="auto"):
    """Find the simplex weights whose mixture of `proba` fits `y` best.

    Parameters
    ----------
    proba : ndarray of shape (n_members, n_samples, n_classes)
        Out-of-fold probabilities of every member.
    y : ndarray of shape (n_samples,)
        Class labels.
    classes : ndarray of shape (n_classes,)
        The sorted classes.
    scorer : callable, default=None
        ``scorer(estimator, X, y)`` to maximise; None minimises the log loss, which
        is convex in the weights.
    strategy : {"auto", "greedy", "optuna"}, default="auto"
        "auto" solves for the log loss and climbs for other metrics; "greedy" selects
        members with replacement; "optuna" lets a sampler propose weights.

    Returns
    -------
    weights : ndarray of shape (n_members,)
        Not negative, sum 1; on these rows never worse than equal weights.
    """
    hit = np.searchsorted(classes, y)
    likelihood = proba[:, np.arange(len(y)), hit]
    if scorer is None and strategy == "auto":
        return _minimise_log_loss(likelihood)
    vote = _GivenProbabilities(classes)

    def score(weights):
        if scorer is None:
            return -_log_loss(weights, likelihood)[0]
        value = scorer(vote, np.tensordot(weights, proba, axes=1), y)
        return -np.inf if np.isnan(value) else value

    search = {"auto": climb, "greedy": select, "optuna": propose}[strategy]
    return search(score, len(proba))


def _is_dropped(member):
    return isinstance(member, str) and member == "drop"


def _log_loss(weights, likelihood):
    """Log loss of a mixture, and its gradient by the weights."""
    mixture = np.maximum(weights @ likelihood, np.finfo(float).eps)
    return -np.log(mixture).mean(), -(likelihood / mixture).mean(axis=1)


def _minimise_log_loss(likelihood):
    """Fit mixture weights to each member's probability of the true class."""
    n_members = len(likelihood)

    def loss(weights):
        return _log_loss(weights, likelihood)

    equal = np.full(n_members, 1 / n_members)
    found = minimize(
        loss,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * n_members,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": np.ones_like,
        },
        options={"ftol": 1e-10, "maxiter": 200},
    ).x
    found = np.where(found < 1e-6, 0, found)
    # SLSQP may stop early on hard numbers: equal weights are the safe answer then.
    if not np.isfinite(found).all() or not found.any():
        return equal
    found /= found.sum()
    return found if loss(found)[0] <= loss(equal)[0] else equal


class _GivenProbabilities(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose X already are the probabilities."""

    def __init__(self, classes):
        self.classes = classes
        self.classes_ = classes

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]


def _mean_by_row(rows, values, n_samples):
    """Average the values that share a row; rows without any are NaN."""
    total = np.zeros((n_samples, values.shape[1]))
    np.add.at(total, rows, values)
    count = np.bincount(rows, minlength=n_samples)[:, np.newaxis]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
