"""What a search may try: the space checked, studies opened, parameters asked for."""

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy

from sklearn.utils import check_random_state

from ._quiet_optuna import quiet_optuna
from ._workers import WORKER, lose

__all__ = ["ask", "check_space", "open_study"]

PLAIN = (type(None), bool, int, float, str)


def check_space(space, known_names, stored=False):
    """Check a space before the first trial.

    Parameters
    ----------
    space : dict of str to optuna distribution, or callable
        A callable is only known when it is called.
    known_names : set of str
        The estimator's parameters.
    stored : bool, default=False
        Whether trials leave the process, so that choices must be plain values.

    Raises
    ------
    ValueError
        If the space is empty, names a parameter that the estimator has not, or holds
        something other than distributions.
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
        choices = getattr(distribution, "choices", ())
        if stored and not all(isinstance(choice, PLAIN) for choice in choices):
            raise ValueError(
                f"param_distributions[{name!r}] has the choices {choices}, of which a "
                "storage keeps only None, bool, int, float and str as they are. Make "
                "the others from such values in a function: trial -> parameters."
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


def open_study(search, storage, name, n_objectives):
    """Create a study, or join the one of that name.

    Parameters
    ----------
    search : OptunaSearchCV
        Gives sampler, pruner, template study and seed.
    storage : optuna storage
    name : str or None
        None makes one up.
    n_objectives : int
        Values to maximise.

    Returns
    -------
    study : optuna.study.Study
        With a copy of the sampler: fitting again starts from the same state. Whoever
        joins a study draws afresh, or he would repeat its first trials.
    joined : bool
        Whether it was there before.

    Raises
    ------
    ValueError
        If the template or the study does not maximise that many values.
    """
    import optuna

    sampler, pruner, template = search.sampler, search.pruner, search.study
    if template is not None:
        _check_directions(template, n_objectives)
        sampler = template.sampler if sampler is None else sampler
        pruner = template.pruner if pruner is None else pruner
    if sampler is None:
        seed = None
        if search.random_state is not None:
            seed = check_random_state(search.random_state).randint(2**31 - 1)
        sampler = optuna.samplers.TPESampler(seed=seed)
    else:
        sampler = deepcopy(sampler)
    settings = {"storage": storage, "study_name": name, "sampler": sampler}
    settings["pruner"] = deepcopy(pruner)
    with quiet_optuna():
        try:
            study = optuna.create_study(
                directions=["maximize"] * n_objectives, **settings
            )
            return study, False
        except optuna.exceptions.DuplicatedStudyError:
            study = optuna.load_study(**settings)
    _check_directions(study, n_objectives)
    sampler.reseed_rng()
    return study, True


def ask(study, space, worker):
    """Start a trial and get the parameters it proposes.

    Parameters
    ----------
    study : optuna.study.Study
        Asked for a trial.
    space : dict of str to optuna distribution, or callable
        A callable gets the trial and returns the parameters.
    worker : str
        Name of this process in the study, noted with the trial.

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
    trial = study.ask()
    try:
        trial.set_user_attr(WORKER, worker)
        if not callable(space):
            # As `study.ask(space)` does, but after the worker is noted.
            parameters = {name: trial._suggest(name, space[name]) for name in space}
            return trial, parameters
        parameters = space(trial)
        if not isinstance(parameters, Mapping) or not parameters:
            raise ValueError(
                "param_distributions(trial) must return a dict of parameters, got "
                f"{parameters!r}."
            )
    except BaseException as error:
        with suppress(Exception):
            lose(study, trial, f"{type(error).__name__}: {error}", again=False)
        raise
    return trial, dict(parameters)


def _check_directions(study, n_objectives):
    names = [direction.name.lower() for direction in study.directions]
    if names != ["maximize"] * n_objectives:
        wanted = f"{n_objectives} directions, all 'maximize'"
        if n_objectives == 1:
            wanted = "the single direction 'maximize'"
        raise ValueError(
            f"the study must have {wanted}, as scorers do; "
            f"{study.study_name!r} has {names}."
        )


def _inside(name, searched):
    parts = name.split("__")
    return any("__".join(parts[:end]) in searched for end in range(1, len(parts)))
