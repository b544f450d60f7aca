"""Search for the weights of a vote that a metric likes best.

A metric of labels is flat with jumps, so gradients are of no use. All three ways
start from simple weights and never return anything that scores worse than equal ones;
the same scores always give the same weights.
"""

import numpy as np

from ._quiet_optuna import quiet_optuna

__all__ = ["climb", "propose", "select"]

# Step of the climb: finer steps chase noise in a metric that moves in jumps of one row.
STEP = 0.1
MAX_SWEEPS = 50
# Members selected, and so the smallest weight but zero is one in so many.
MAX_SELECTED = 50
N_PROPOSALS = 100


def climb(score, n_members):
    """Climb from equal weights, moving towards one member at a time.

    Parameters
    ----------
    score : callable
        ``score(weights)`` gives the number to maximise.
    n_members : int

    Returns
    -------
    weights : ndarray of shape (n_members,)
        Not negative, sum 1. Ties keep the earlier weights.

    Examples
    --------
    >>> climb(lambda weights: -abs(weights[0] - 0.8), 2).round(2)
    array([0.8, 0.2])
    """
    weights = _equal(n_members)
    best = score(weights)
    for _ in range(MAX_SWEEPS):
        start, improved = weights, False
        for corner in np.eye(n_members):
            for step in np.arange(-1, 1 + STEP / 2, STEP):
                moved = np.clip(start + step * (corner - start), 0, None)
                moved /= moved.sum()
                value = score(moved)
                if value > best + 1e-12:
                    weights, best, improved = moved, value, True
        if not improved:
            break
    return weights


def select(score, n_members):
    """Select members one by one, with replacement; the weights are their counts.

    Parameters
    ----------
    score : callable
        As in :func:`climb`.
    n_members : int

    Returns
    -------
    weights : ndarray of shape (n_members,)
        Of the best selection on the way, the shortest if several are; equal ones if
        they score better.

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble selection from
    libraries of models", ICML 2004.

    Examples
    --------
    >>> select(lambda weights: -abs(weights[0] - 0.8), 2)
    array([0.8, 0.2])
    """
    counts = np.zeros(n_members)
    weights, best = None, -np.inf
    for size in range(1, MAX_SELECTED + 1):
        values = [score((counts + one) / size) for one in np.eye(n_members)]
        counts[int(np.argmax(values))] += 1
        if weights is None or max(values) > best + 1e-12:
            weights, best = counts / size, max(values)
    return _equal(n_members) if score(_equal(n_members)) > best + 1e-12 else weights


def propose(score, n_members):
    """Let Optuna's TPE sampler propose weights, equal and single ones first.

    Parameters
    ----------
    score : callable
        As in :func:`climb`.
    n_members : int

    Returns
    -------
    weights : ndarray of shape (n_members,)
        The best proposal, the first if several are. Its seed is fixed.

    Examples
    --------
    >>> propose(lambda weights: -abs(weights[0] - 0.8), 2).round(1)
    array([0.8, 0.2])
    """
    import optuna

    names = [str(number) for number in range(n_members)]
    space = dict.fromkeys(names, optuna.distributions.FloatDistribution(0, 1))
    with quiet_optuna():
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=0)
        )
    for known in [np.ones(n_members), *np.eye(n_members)]:
        study.enqueue_trial(dict(zip(names, known.tolist(), strict=True)))
    weights, best = _equal(n_members), -np.inf
    for _ in range(N_PROPOSALS + n_members):
        trial = study.ask(space)
        proposed = np.array([trial.params[name] for name in names])
        total = proposed.sum()
        proposed = proposed / total if total > 0 else _equal(n_members)
        value = score(proposed)
        failed = None if np.isfinite(value) else optuna.trial.TrialState.FAIL
        study.tell(trial, None if failed else value, state=failed)
        if value > best + 1e-12:
            weights, best = proposed, value
    return weights


def _equal(n_members):
    return np.full(n_members, 1 / n_members)
