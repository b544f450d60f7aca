"""Draw the folds of a search, and open its study."""

from copy import deepcopy
from numbers import Integral

from sklearn.base import is_classifier
from sklearn.utils import check_random_state

from ..fitting.cross_fitting import check_group_cv
from ..utils.contexts import quiet_optuna
from .fingerprint import check_fingerprint, digest, fingerprint
from .storage import open_storage

__all__ = ["draw_folds", "join_study"]


def draw_folds(search, X, y, groups, split_params):
    """Draw the folds that all trials use.

    Parameters
    ----------
    search : OptunaSearchCV
        Gets `n_splits_`.
    X, y, groups : sequences of length n_samples
    split_params : dict
        Metadata of the splitter.

    Returns
    -------
    splits : list of (train, test)
    """
    cv = check_group_cv(
        search.cv, y, groups, classifier=is_classifier(search.estimator)
    )
    if groups is not None:
        split_params = {**split_params, "groups": groups}
    splits = list(cv.split(X, y, **split_params))
    search.n_splits_ = len(splits)
    return splits


def join_study(search, data, splits, objectives):
    """Open the study of a search, and check that its trials are of the same search.

    Parameters
    ----------
    search : OptunaSearchCV
    data : dict of str to array-like
        Arguments of ``fit``.
    splits : list of (train, test)
    objectives : list

    Returns
    -------
    study : optuna.study.Study
    joined : bool
        Whether the study existed before.

    Raises
    ------
    ValueError
        If the study is of another search, or a new study would get more enqueued
        parameters than trials.
    OSError
        If the storage cannot be opened.
    """
    storage, name, parts = open_storage(search.storage), search.study_name, None
    if search.storage is not None:
        scoring = [search.scoring, objectives]
        if search.pos_label is not None:
            scoring.append(search.pos_label)
        parts = fingerprint(
            search.estimator, search.param_distributions, scoring, data, splits
        )
        if name is None:
            seed = search.random_state
            seed = int(seed) if isinstance(seed, Integral) else None
            sampler = type(search.sampler).__name__
            name = f"skbreath-{digest(parts, seed, sampler, search.prune_on)}"
    _check_n_enqueued(search, storage, name)
    study, joined = _open_study(search, storage, name, len(objectives))
    if parts is not None:
        check_fingerprint(study, parts)
    return study, joined


def _check_n_enqueued(search, storage, name):
    """Check that a new study has enough trials for all enqueued parameters."""
    from optuna.study import get_all_study_names

    n_enqueued, n_trials = len(search.enqueue or ()), search.n_trials
    if n_trials is None or n_enqueued <= n_trials:
        return
    if search.storage is not None and name in get_all_study_names(storage):
        return  # enqueued when the study was created
    raise ValueError(
        f"enqueue has {n_enqueued} entries, but n_trials={n_trials}: as they count as "
        f"trials, n_trials must be at least {n_enqueued}."
    )


def _open_study(search, storage, name, n_objectives):
    """Create a study, or join the one of that name.

    The sampler is copied, so that fitting again starts from the same state. In a
    joined study it gets a new seed: otherwise a new worker would repeat the first
    trials.
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
