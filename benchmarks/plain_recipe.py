"""The original entry's recipe, done plainly: tune, vote, set a threshold."""

import time

import numpy as np
import optuna
import torch

from benchmarks.plain_training import PlainNet, predict, train

__all__ = ["best_f1", "recipe"]

THRESHOLDS = np.arange(0.30, 0.705, 0.01)


def best_f1(inhale, proba):
    """The best F1 over the entry's grid of thresholds, and its threshold.

    Parameters
    ----------
    inhale : ndarray of bool
    proba : ndarray of float
        Probability of inhale.

    Returns
    -------
    f1, threshold : float
    """
    positive = proba >= THRESHOLDS[:, np.newaxis]
    hits = (positive & inhale).sum(axis=1)
    scores = 2 * hits / (positive.sum(axis=1) + inhale.sum())
    best = int(scores.argmax())
    return float(scores[best]), float(THRESHOLDS[best])


def recipe(X, y, tests, splitter, *, storage, trials, trial_epochs, epochs):
    """Run it.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_channels, n_frames)
        Features, linear and unscaled.
    y : ndarray of shape (n_clips,)
        1 is inhale.
    tests : dict of str to ndarray
        Features of the clips held out.
    splitter : splitter
        Its first split sets the validation clips apart.
    storage : str
        Where Optuna keeps the trials.
    trials, trial_epochs, epochs : int

    Returns
    -------
    outcome : dict
        ``results`` ((strategy, test) to scores and decisions), ``search`` (CPU and
        wall seconds), ``fits``, ``weights``.
    """
    fitted, valid = next(splitter.split(X, y))
    held_back = X[valid], y[valid]
    inhale = y[valid] == 1

    def fit(number, epochs, *, dropout, **params):
        torch.manual_seed(number)
        network = PlainNet(X.shape[1], dropout)
        train(
            network, X[fitted], y[fitted], held_back=held_back, epochs=epochs, **params
        )
        return network

    def objective(trial):
        params = {
            "dropout": trial.suggest_float("dropout", 0.3, 0.7),
            "lr": trial.suggest_float("lr", 1e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
            "gamma": trial.suggest_float("gamma", 0.3, 0.9),
        }
        network = fit(trial.number, trial_epochs, **params)
        return best_f1(inhale, predict(network, X[valid]))[0]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        storage=storage,
        study_name="plain",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=42),
    )
    cpu, wall = time.process_time(), time.perf_counter()
    done = len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE]))
    study.optimize(objective, n_trials=max(trials - done, 0))
    searched = time.process_time() - cpu, time.perf_counter() - wall

    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    best = sorted(complete, key=lambda trial: -trial.value)[:3]
    networks = [fit(trial.number, epochs, **trial.params) for trial in best]
    own = np.array([predict(network, X[valid]) for network in networks])
    probas = {
        name: np.array([predict(network, test) for network in networks])
        for name, test in tests.items()
    }

    def weighted(trial):
        first = trial.suggest_float("first", 0, 1)
        return best_f1(inhale, first * own[0] + (1 - first) * own[1])[0]

    weighing = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=42)
    )
    weighing.optimize(weighted, n_trials=60)
    first = weighing.best_params["first"]
    votes = {
        "best single": [1, 0, 0],
        "two, plain average": [0.5, 0.5, 0],
        "three": [1 / 3] * 3,
        "weighted": [first, 1 - first, 0],
    }
    results = {}
    for strategy, weights in votes.items():
        _, threshold = best_f1(inhale, np.dot(weights, own))
        for name, proba in probas.items():
            score = np.dot(weights, proba)
            results[strategy, name] = score, score >= threshold
    return {
        "results": results,
        "search": searched,
        "fits": f"{len(complete)} trials, one split",
        "weights": np.round(votes["weighted"], 2).tolist(),
    }
