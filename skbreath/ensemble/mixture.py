"""Mix the probabilities of members: weights, calibration, and averages of folds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils import Bunch

from ..utils.calibration_compat import fit_calibrator
from ..utils.contexts import quiet_optuna
from .recording_odds import learn_share, subtract_others

__all__ = [
    "FoldAverage",
    "GivenLogOdds",
    "GivenProbabilities",
    "Mixture",
    "MixtureLearner",
    "check_weights",
    "cross_fit_mixture",
    "without_recordings",
]

_N_PROPOSALS = 100


def check_weights(weights, estimators):
    """Check given weights, and scale those of members that are not dropped to sum 1.

    An array has one weight for each of `estimators`, dropped ones included; a dict may
    leave these out; None gives equal weights.

    >>> check_weights({"cnn": 3, "svc": 1}, [("cnn", ...), ("svc", ...)])
    array([0.75, 0.25])
    """
    names = [name for name, _ in estimators]
    used = [
        name
        for name, member in estimators
        if not (isinstance(member, str) and member == "drop")
    ]
    if weights is None:
        weights = dict.fromkeys(used, 1.0)
    elif not isinstance(weights, Mapping):
        if np.ndim(weights) != 1 or len(weights) != len(names):
            raise ValueError(
                f"weights must hold one weight for each of the {len(names)} estimators "
                f"{names}, got the shape {np.shape(weights)}."
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


def _learn_weights(proba, y, classes, scorer):
    """Find the weights whose mixture of (n_members, n_samples, n_classes) is best.

    Optuna maximises ``scorer(estimator, X, y)``. None minimises the log loss, which is
    convex in the weights and is solved exactly.
    """
    if scorer is None:
        hit = np.searchsorted(classes, y)
        return _minimise_log_loss(proba[:, np.arange(len(y)), hit])
    vote = GivenProbabilities(classes)

    def score(weights):
        value = scorer(vote, np.tensordot(weights, proba, axes=1), y)
        return -np.inf if np.isnan(value) else value

    return _maximise(score, len(proba))


def _minimise_log_loss(likelihood):
    """Fit mixture weights to each member's probability of the true class."""
    n_members = len(likelihood)

    def loss(weights):
        mixture = np.maximum(weights @ likelihood, np.finfo(float).eps)
        gradient = -(likelihood / mixture).mean(axis=1)
        return -np.log(mixture).mean(), gradient

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
    # SLSQP may fail on ill-conditioned probabilities; equal weights are used then.
    if not np.isfinite(found).all() or not found.any():
        return equal
    found /= found.sum()
    return found if loss(found)[0] <= loss(equal)[0] else equal


def _maximise(score, n_members):
    """Maximise ``score(weights)`` with Optuna, starting from simple weights.

    A metric of labels is a step function, which has no useful gradient. The seed is
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
        # Equal weights first, so that the result is never worse, then each member
        # alone: the first of equally good weights are taken.
        for known in [np.ones(n_members), *np.eye(n_members)]:
            study.enqueue_trial(dict(zip(names, known.tolist(), strict=True)))
        study.optimize(objective, n_trials=_N_PROPOSALS + n_members)
    return scaled(study.best_params)


class GivenProbabilities(ClassifierMixin, BaseEstimator):
    """Return `X`, which holds probabilities, as the prediction."""

    # Requested, so that scikit-learn hands the weights to the calibration around it.
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


class GivenLogOdds(GivenProbabilities):
    """The same for a sigmoid, which is fitted to log-odds.

    A sigmoid of the log-odds can shift all of them, or leave them as they are; one of
    the probabilities can do neither.
    """

    def decision_function(self, X):
        least = 1e-12  # a probability of 0 has no logarithm
        odds = np.log(np.maximum(X, least)) - np.log(np.maximum(1 - X, least))
        return odds[:, 1] if odds.shape[1] == 2 else odds


@dataclass
class Mixture:
    """Mix the probabilities of members.

    Each member is compared with its recordings by its share, see
    :mod:`skbreath.ensemble.recording_odds`; then the members are averaged by their
    weights, and the mean is calibrated unless `calibrator` is None.
    """

    weights: np.ndarray
    recording_shares: np.ndarray
    calibrator: CalibratedClassifierCV | None = None

    def mean(self, proba, recordings):
        """Compare and average probabilities (n_members, n_samples, n_classes)."""
        compared = _compare(proba, recordings, self.recording_shares)
        return _weighted_mean(compared, self.weights)

    def calibrated(self, mixed):
        """Turn means into the probabilities of the vote."""
        if self.calibrator is None:
            return mixed
        return self.calibrator.predict_proba(mixed)


def _compare(proba, recordings, shares):
    """List the probabilities of members after the comparison with their recordings."""
    if recordings is None:
        return list(proba)
    return [
        subtract_others(member, recordings, share) if share else member
        for member, share in zip(proba, shares, strict=True)
    ]


def _weighted_mean(proba, weights):
    """Average members in their order, so that no bit depends on the number of rows."""
    return sum(w * member for w, member in zip(weights, proba, strict=True))


@dataclass
class MixtureLearner:
    """Learn mixtures from out-of-fold probabilities."""

    classes: np.ndarray
    weights: np.ndarray | None
    """Given weights; None means that they are learned."""
    scorer: object
    """Metric of learned weights, ``scorer(estimator, X, y)``; None is the log loss."""
    calibration: str | None
    """Method of :class:`~sklearn.calibration.CalibratedClassifierCV`."""
    comparing: list[bool]
    """Which members compare a clip with its recording themselves: no share of theirs
    is learned."""

    def learn(self, proba, y, recordings, mixed=None):
        """Learn a Mixture from probabilities (n_members, n_samples, n_classes).

        The calibration is learned from the means `mixed`; None means those of `proba`.
        """
        shares = np.array(
            [
                0.0 if compares else learn_share(member, y, recordings, self.classes)
                for member, compares in zip(proba, self.comparing, strict=True)
            ]
        )
        compared = np.array(_compare(proba, recordings, shares))
        weights = self.weights
        if weights is None:
            weights = _learn_weights(compared, y, self.classes, self.scorer)
        if self.calibration is None:
            return Mixture(weights, shares)
        if mixed is None:
            mixed = _weighted_mean(compared, weights)
        return Mixture(weights, shares, self._calibrator(mixed, y))

    def _calibrator(self, mixed, y):
        method = self.calibration
        if method == "sigmoid":
            odds = GivenLogOdds(self.classes)
            calibrator = fit_calibrator(odds, method, mixed, y, None)
            (fitted,) = calibrator.calibrated_classifiers_
            if all(sigmoid.a_ < 0 for sigmoid in fitted.calibrators):
                return calibrator
            # A few rows can make it fall; a temperature keeps the order.
            method = "temperature"
        sample_weight = None
        if method == "temperature":
            mixed, y, sample_weight = _smoothed(mixed, y, self.classes)
        given = GivenProbabilities(self.classes)
        return fit_calibrator(given, method, mixed, y, sample_weight)


def _smoothed(mixed, y, classes):
    """Repeat each row once per class, with the smoothed target of that class as weight.

    These are the smoothed targets of Platt (1999), which scikit-learn uses for the
    sigmoid. Without them, few rows that are all classified correctly would make every
    probability 0 or 1.
    """
    _, number, counts = np.unique(y, return_inverse=True, return_counts=True)
    doubt = 1 / (counts + 2)[number]
    others = doubt / max(1, len(classes) - 1)
    weights = [np.where(y == label, 1 - doubt, others) for label in classes]
    rows = np.tile(np.arange(len(y)), len(classes))
    return mixed[rows], np.repeat(classes, len(y)), np.concatenate(weights)


def without_recordings(estimator, X, recordings=None):
    """Predict probabilities of clips as if each was the only one of its recording."""
    return estimator.predict_proba(X)


def cross_fit_mixture(learner, folds, y, recordings=None):
    """Learn a mixture for all rows, and for each fold one without its rows.

    `folds` are those of :func:`skbreath.fitting.cross_fitting.out_of_fold_each`. The
    result has ``mixture``, from all rows; ``fold_weights`` (n_splits, n_members);
    ``proba`` (n_samples, n_classes), each fold mixed by its own mixture;
    ``proba_alone``, the same of each row as a recording of its own; and
    ``member_proba`` (n_members, n_samples, n_classes). Rows in several test parts are
    averaged, rows in none are NaN.

    With `recordings`, the folds also have predictions :func:`without_recordings`.
    Mixtures are learned from both, since the model serves single clips too.
    """
    tests = [test for test, _ in folds[0]]
    proba = _outputs(folds, "predict_proba")
    rows = np.concatenate(tests)
    of_fold = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
    together = np.arange(len(rows))  # each row is its own recording
    n_rows = len(rows)
    if recordings is not None:
        proba = np.concatenate([proba, _outputs(folds, without_recordings)], axis=1)
        codes = pd.factorize(np.asarray(recordings))[0][rows]
        # The rows of a fold were predicted together, and after them each row alone.
        together = np.concatenate(
            [codes + len(y) * of_fold, len(y) * len(tests) + together]
        )
        rows, of_fold = np.tile(rows, 2), np.tile(of_fold, 2)
    mixtures, plain, mixed = [], np.empty(proba.shape[1:]), np.empty(proba.shape[1:])
    for number, test in enumerate(tests):
        own = of_fold == number
        # By row, not by fold: repeated cross-validation predicts a row more than once.
        other = ~np.isin(rows, test)
        mixture = learner.learn(proba[:, other], y[rows[other]], together[other])
        plain[own] = mixture.mean(proba[:, own], together[own])
        mixed[own] = mixture.calibrated(plain[own])
        mixtures.append(mixture)
    first = rows[:n_rows]
    return Bunch(
        mixture=learner.learn(proba, y[rows], together, plain),
        fold_weights=np.array([mixture.weights for mixture in mixtures]),
        proba=_mean_by_row(first, mixed[:n_rows], len(y)),
        proba_alone=_mean_by_row(first, mixed[-n_rows:], len(y)),
        member_proba=np.array(
            [_mean_by_row(first, member[:n_rows], len(y)) for member in proba]
        ),
    )


def _outputs(folds, method):
    """Stack outputs of a method to (n_members, n_rows, n_classes)."""
    return np.array(
        [
            np.concatenate([np.asarray(out[method], dtype=float) for _, out in fold])
            for fold in folds
        ]
    )


def _mean_by_row(rows, values, n_samples):
    """Average the values that share a row; rows without a value are NaN."""
    total = np.zeros((n_samples, values.shape[1]))
    np.add.at(total, rows, values)
    count = np.bincount(rows, minlength=n_samples)[:, np.newaxis]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


class FoldAverage(ClassifierMixin, BaseEstimator):
    """Average the probabilities of the models of the folds."""

    def __init__(self, estimators):
        self.estimators = estimators

    @property
    def classes_(self):
        return self.estimators[0].classes_

    @property
    def n_features_in_(self):
        return self.estimators[0].n_features_in_

    @property
    def feature_names_in_(self):
        return self.estimators[0].feature_names_in_

    def predict_proba(self, X, **params):
        """Average the models' probabilities, of shape ``(n_samples, n_classes)``."""
        proba = [model.predict_proba(X, **params) for model in self.estimators]
        return np.mean(proba, axis=0)

    def predict(self, X):
        """Predict the most probable label of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_is_fitted__(self):
        return True
