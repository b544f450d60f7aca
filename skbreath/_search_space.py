"""What a search may try: the space checked, studies opened, parameters asked for."""

from collections.abc import Mapping
from contextlib import contextmanager
from copy import deepcopy

from sklearn.utils import check_random_state

__all__ = ["ask", "check_space", "open_study"]


def check_space(space, known_names, enqueue):
    """Check a space before the first trial.

    Parameters
    ----------
    space : dict of str to optuna distribution, or callable
        A callable is only known when it is called.
    known_names : set of str
        The estimator's parameters.
    enqueue : list of dict or None
        Parameters to try first.

    Raises
    ------
    ValueError
        If the space is empty, names a parameter that the estimator has not, holds
        something other than distributions, or `enqueue` leaves the space.
    """
    from optuna.distributions import BaseDistribution

    if callable(space):
        return
    if not space:
        raise ValueError("param_distributions is empty: there is nothing to tune.")
    for name, distribution in space.items():
        if not isinstance(distribution, BaseDistribution):
            raise ValueError(
                f"param_distributions[{name!r}] must be an Optuna distribution, such "
                "as optuna.distributions.FloatDistribution(1e-3, 1, log=True), got "
                f"{distribution!r}."
            )
    # Below a parameter that is itself searched, such as a pipeline's step, the
    # names depend on its value.
    unknown = [
        name
        for name in space
        if name not in known_names and not _inside(name, space.keys())
    ]
    if unknown:
        raise ValueError(
            f"the estimator has no parameters {sorted(unknown)}; it has "
            f"{sorted(known_names)}."
        )
    for parameters in enqueue or ():
        if strange := sorted(set(parameters) - set(space)):
            raise ValueError(f"enqueue sets {strange}, which are not searched.")


def open_study(study, storage, study_name, sampler, random_state):
    """Open a new study that no other fit shares.

    Parameters
    ----------
    study : optuna.study.Study or None
        Template for sampler and pruner.
    storage, study_name : str, storage or None
        As in :func:`optuna.create_study`.
    sampler : optuna sampler or None
        Copied, so that fitting again starts from the same state.
    random_state : int, RandomState or None
        Seeds the default sampler.

    Returns
    -------
    study : optuna.study.Study
        Without trials, maximising.

    Raises
    ------
    ValueError
        If `study` does not maximise a single value.
    """
    import optuna

    pruner = None
    if study is not None:
        if study.directions != [optuna.study.StudyDirection.MAXIMIZE]:
            raise ValueError(
                "the study must have the single direction 'maximize', as scorers "
                f"do; got {[direction.name for direction in study.directions]}."
            )
        sampler = study.sampler if sampler is None else sampler
        pruner = deepcopy(study.pruner)
    if sampler is None:
        seed = None
        if random_state is not None:
            seed = check_random_state(random_state).randint(2**31 - 1)
        sampler = optuna.samplers.TPESampler(seed=seed)
    else:
        sampler = deepcopy(sampler)
    with _quiet_optuna():
        return optuna.create_study(
            storage=storage,
            study_name=study_name,
            sampler=sampler,
            pruner=pruner,
            direction="maximize",
        )


def ask(study, space):
    """Start a trial and get the parameters it proposes.

    Parameters
    ----------
    study : optuna.study.Study
        Asked for a trial.
    space : dict of str to optuna distribution, or callable
        A callable gets the trial and returns the parameters.

    Returns
    -------
    trial : optuna.trial.Trial
        Running.
    parameters : dict
        By name.

    Raises
    ------
    ValueError
        If a callable returns no parameters.
    """
    from optuna.trial import TrialState

    if not callable(space):
        trial = study.ask(space)
        return trial, dict(trial.params)
    trial = study.ask()
    try:
        parameters = space(trial)
    except BaseException:
        study.tell(trial, state=TrialState.FAIL)
        raise
    if not isinstance(parameters, Mapping) or not parameters:
        raise ValueError(
            "param_distributions(trial) must return a dict of parameters, got "
            f"{parameters!r}."
        )
    return trial, dict(parameters)


def _inside(name, searched):
    parts = name.split("__")
    return any("__".join(parts[:end]) in searched for end in range(1, len(parts)))


@contextmanager
def _quiet_optuna():
    """Keep Optuna from announcing the study; the user's verbosity comes back."""
    from optuna import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(max(verbosity, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
