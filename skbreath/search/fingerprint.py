"""Identify a search by digests, so that trials of another search are not mixed in."""

import hashlib
import json
from numbers import Number

import joblib
import numpy as np

__all__ = ["check_fingerprint", "digest", "fingerprint"]

ATTRIBUTE = "skbreath:fingerprint"
# Parameters that change where and how fits run, but not their results.
IGNORED_PARAMETERS = {"memory", "n_jobs", "verbose"}


def fingerprint(estimator, space, scoring, data, splits):
    """Describe a search, to compare it with that of another process.

    Parameters
    ----------
    estimator : estimator
        The estimator of the search.
    space : dict of optuna distributions, or callable
        A callable is described by its name, its code and the values in its closure.
    scoring : str, callable, list, dict or None
        The metrics.
    data : dict of str to array-like
        ``X``, ``y``, ``groups`` and other arguments of fit, by content. Of files only
        the paths are used.
    splits : list of (train, test)
        The folds.

    Returns
    -------
    parts : dict of str to str or dict
        Description by part of the search, of JSON types only.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> one = fingerprint(GaussianNB(), {}, None, {"X": [[1.0]]}, [])
    >>> same = fingerprint(GaussianNB(), {}, None, {"X": np.ones((1, 1))}, [])
    >>> one == same
    True
    """
    from optuna.distributions import distribution_to_json

    if callable(space):
        space = {"function": _describe(space)}
    else:
        space = {name: distribution_to_json(value) for name, value in space.items()}
    parameters = {
        name: _describe(value)
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] not in IGNORED_PARAMETERS
    }
    return {
        "space": space,
        "estimator": {"class": _describe(estimator), **parameters},
        "scoring": {"metrics": _describe(scoring)},
        "data": {name: _content(value) for name, value in data.items()},
        "folds": {
            "splits": joblib.hash([[np.asarray(part) for part in s] for s in splits])
        },
    }


def digest(*parts):
    """Shorten JSON values to twelve characters.

    Examples
    --------
    >>> digest({"a": 1}, "b") == digest({"a": 1}, "b") != digest({"a": 2}, "b")
    True
    """
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def check_fingerprint(study, parts):
    """Check that a study is of the same search; store the fingerprint of a new one.

    Parameters
    ----------
    study : optuna.study.Study
        New or existing.
    parts : dict
        From :func:`fingerprint`.

    Raises
    ------
    ValueError
        If the study holds trials of another search.
    """
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
    different = [
        f"{part} ({', '.join(names)})"
        for part in parts
        if (names := _different(known.get(part, {}), parts[part]))
    ]
    if different:
        raise ValueError(
            f"the study {study.study_name!r} is of another search, with a different "
            f"{'; '.join(different)}: its trials cannot be compared. Use another "
            "study_name, or study_name=None, which names the study after the search. "
            "Folds drawn at random need a cv with a random_state."
        )


def _different(known, new):
    names = sorted(set(known) | set(new))
    return [name for name in names if known.get(name) != new.get(name)]


def _content(data):
    """Hash data by value, independent of the container's type and memory layout."""
    if data is None:
        return "none"
    if hasattr(data, "iloc") and data.ndim == 2:
        columns = [data.iloc[:, number] for number in range(data.shape[1])]
        names = [str(name) for name in data.columns]
        return joblib.hash([names, [_plain(column) for column in columns]])
    if hasattr(data, "tocsr"):
        matrix = data.tocsr()
        parts = (matrix.data, matrix.indices, matrix.indptr)
        return joblib.hash([matrix.shape, *(_plain(part) for part in parts)])
    try:
        return joblib.hash(_plain(data))
    except ValueError:  # ragged
        return joblib.hash([_plain(row) for row in data])


def _plain(values):
    array = np.ascontiguousarray(values)
    return array.astype(str) if array.dtype == object else np.array(array)


def _describe(value):
    """Return a short text that is the same in every process for equal values."""
    if value is None or isinstance(value, str | Number):
        return repr(value)
    if isinstance(value, dict):
        pairs = {str(key): _describe(entry) for key, entry in value.items()}
        return json.dumps(pairs, sort_keys=True)
    if isinstance(value, list | tuple):
        return json.dumps([_describe(entry) for entry in value])
    if isinstance(value, np.ndarray) or hasattr(value, "iloc"):
        return _content(value)
    if isinstance(value, np.random.RandomState | np.random.Generator):
        return "random state"  # its position is not a setting
    if hasattr(value, "get_params") and not isinstance(value, type):
        # Parameters of nested estimators are listed separately, by name.
        return f"{type(value).__module__}.{type(value).__qualname__}"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__} {_code(value)}".strip()
    try:
        return joblib.hash(value)
    except Exception:  # cannot be pickled: described by its type only
        return f"{type(value).__module__}.{type(value).__qualname__}"


def _code(function):
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    inner = _describe([closure, function.__defaults__, function.__kwdefaults__])
    return digest(_code_text(code), inner)


def _code_text(code):
    constants = [
        _code_text(const) if hasattr(const, "co_code") else repr(const)
        for const in code.co_consts
    ]
    return [code.co_code.hex(), constants, list(code.co_names)]
