"""Open the study of a search, and reject one of another search."""

import hashlib
import json
from copy import deepcopy
from numbers import Integral, Number

import joblib
import numpy as np
from sklearn.utils import check_random_state

from ..utils.contexts import quiet_optuna
from .storage import open_storage

__all__ = ["join_study"]

ATTRIBUTE = "skbreath:fingerprint"
# Parameters that change where and how fits run, but not their results.
IGNORED_PARAMETERS = {"memory", "n_jobs", "verbose"}


def join_study(search, data, splits, objectives):
    """Open the study of a search, and check that its trials are of the same search.

    `data` are the arguments of ``fit`` by name. Returns the study, its storage, and
    whether the study existed before.
    """
    storage, name, parts = open_storage(search.storage), search.study_name, None
    if search.storage is not None:
        parts = _fingerprint(search, data, splits, objectives)
        if name is None:
            seed = search.random_state
            seed = int(seed) if isinstance(seed, Integral) else None
            sampler = type(search.sampler).__name__
            name = f"skbreath-{_digest([parts, seed, sampler, search.prune_on])}"
    _check_n_enqueued(search, storage, name)
    study, joined = _open_study(search, storage, name, len(objectives))
    if parts is not None:
        _check_fingerprint(study, parts)
    return study, storage, joined


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
    """Check that a study maximises as many values as the search has metrics."""
    names = [direction.name.lower() for direction in study.directions]
    if names != ["maximize"] * n_objectives:
        wanted = f"{n_objectives} directions, all 'maximize'"
        if n_objectives == 1:
            wanted = "the single direction 'maximize'"
        raise ValueError(
            f"Expected a study with {wanted}, since scores are maximised; "
            f"{study.study_name!r} has {names}. Give a new study."
        )


def _check_fingerprint(study, parts):
    """Check that a study is of the same search; store the fingerprint of a new one."""
    known = study.user_attrs.get(ATTRIBUTE)
    if known is None:
        # Read again, as another worker may have created the study just now.
        begun = study.get_trials(deepcopy=False)
        if begun and ATTRIBUTE not in study.user_attrs:
            raise ValueError(
                f"the study {study.study_name!r} exists and was not made by "
                "OptunaSearchCV: its search settings are unknown. Use another "
                "study_name, and `enqueue` good parameters from that study."
            )
        study.set_user_attr(ATTRIBUTE, parts)
        known = study.user_attrs[ATTRIBUTE]  # the last writer wins
    names = sorted(set(known) | set(parts))
    different = [name for name in names if known.get(name) != parts.get(name)]
    if different:
        raise ValueError(
            f"the study {study.study_name!r} is of another search: different "
            f"{', '.join(different)}. Use another study_name or storage, or "
            "study_name=None, which names the study after the search. Folds drawn at "
            "random need a cv with a random_state."
        )


def _fingerprint(search, data, splits, objectives):
    """Make a digest of each part of a search that its trials depend on."""
    from optuna.distributions import distribution_to_json

    space = search.param_distributions
    if not callable(space):
        space = {name: distribution_to_json(value) for name, value in space.items()}
    parameters = {
        name: value
        for name, value in search.estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] not in IGNORED_PARAMETERS
    }
    folds = [[np.asarray(part) for part in split] for split in splits]
    scoring = [search.scoring, objectives, search.pos_label]
    return {
        **{f"data ({name})": _digest(_content(data[name])) for name in data},
        "estimator": _digest(_describe([search.estimator, parameters])),
        "folds": _digest(joblib.hash(folds)),
        "scoring": _digest(_describe(scoring)),
        "space": _digest(_describe(space)),
    }


def _digest(value):
    """Shorten a JSON value to twelve characters."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _content(data):
    """Hash data by value, independent of the container's type and memory layout."""
    if hasattr(data, "tocsr"):
        matrix = data.tocsr()
        parts = (matrix.data, matrix.indices, matrix.indptr)
        return joblib.hash([matrix.shape, *map(_plain, parts)])
    try:
        return joblib.hash(_plain(data))
    except ValueError:  # rows of different lengths
        return joblib.hash([_plain(row) for row in data])


def _plain(values):
    """Return values as a new contiguous array without objects."""
    array = np.ascontiguousarray(values)
    return array.astype(str) if array.dtype == object else np.array(array)


def _describe(value):
    """Return a JSON value that is the same in every process for equal values."""
    if value is None or isinstance(value, str | Number):
        return repr(value)
    if isinstance(value, dict):
        return {str(key): _describe(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_describe(entry) for entry in value]
    if isinstance(value, np.ndarray) or hasattr(value, "iloc"):
        return _content(value)
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return "random state"  # its position is not a setting
    if hasattr(value, "__qualname__"):
        return [f"{value.__module__}.{value.__qualname__}", _code(value)]
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if hasattr(value, "get_params"):
        return name  # parameters of nested estimators are listed separately
    try:
        return joblib.hash(value)
    except Exception:  # cannot be pickled: described by its type only
        return name


def _code(function):
    """Describe the code of a function, its closure and its defaults."""
    code = getattr(function, "__code__", None)
    if code is None:
        return None
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    values = [closure, function.__defaults__, function.__kwdefaults__]
    return [_code_text(code), _describe(values)]


def _code_text(code):
    """Describe a code object, without the file and line that it was read from."""
    constants = [
        _code_text(const) if hasattr(const, "co_code") else repr(const)
        for const in code.co_consts
    ]
    return [code.co_code.hex(), constants, list(code.co_names)]
