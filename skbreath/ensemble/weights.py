"""Check given weights of a soft vote, or learn good ones."""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin

from ..utils.contexts import quiet_optuna

__all__ = ["GivenProbabilities", "check_weights", "learn_weights"]

_N_PROPOSALS = 100


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


def learn_weights(proba, y, classes, scorer=None):
    """Find the weights whose mixture of `proba` predicts `y` best.

    Parameters
    ----------
    proba : ndarray of shape (n_members, n_samples, n_classes)
        Out-of-fold probabilities of every member.
    y : ndarray of shape (n_samples,)
        Class labels.
    classes : ndarray of shape (n_classes,)
        The sorted classes.
    scorer : callable, default=None
        ``scorer(estimator, X, y)``, which Optuna maximises. None minimises the log
        loss, which is convex in the weights and is solved exactly.

    Returns
    -------
    weights : ndarray of shape (n_members,)
        Not negative, sum 1; on these rows never worse than equal weights.
    """
    if scorer is None:
        hit = np.searchsorted(classes, y)
        return _minimise_log_loss(proba[:, np.arange(len(y)), hit])
    vote = GivenProbabilities(classes)

    def score(weights):
        value = scorer(vote, np.tensordot(weights, proba, axes=1), y)
        return -np.inf if np.isnan(value) else value

    return _maximise(score, len(proba))


def _is_dropped(member):
    return isinstance(member, str) and member == "drop"


def _log_loss(weights, likelihood):
    """Get the log loss of a mixture, and its gradient by the weights."""
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


def _maximise(score, n_members):
    """Maximise ``score(weights)`` with Optuna, starting from simple weights.

    A metric of labels is flat with jumps, so gradients are of no use. The seed is
    fixed: the same scores give the same weights.
    """
    import optuna

    names = [str(number) for number in range(n_members)]
    equal = np.full(n_members, 1 / n_members)

    def scaled(params):
        weights = np.array([params[name] for name in names])
        return weights / weights.sum() if weights.any() else equal

    def objective(trial):
        params = {name: trial.suggest_float(name, 0, 1) for name in names}
        return score(scaled(params))

    with quiet_optuna():
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=0)
        )
        # Equal weights first, so that nothing returned scores worse, then each member
        # alone: of equally good weights the first are taken.
        for known in [np.ones(n_members), *np.eye(n_members)]:
            study.enqueue_trial(dict(zip(names, known.tolist(), strict=True)))
        study.optimize(objective, n_trials=_N_PROPOSALS + n_members)
    return scaled(study.best_params)


class GivenProbabilities(ClassifierMixin, BaseEstimator):
    """Stand in for a fitted classifier: its X already are the probabilities."""

    # Weights are meant for the calibration around it.
    __metadata_request__fit = {"sample_weight": True}

    def __init__(self, classes):
        self.classes = classes
        self.classes_ = classes

    def fit(self, X, y, sample_weight=None):
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]
