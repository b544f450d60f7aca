"""Check the settings and the data of a search before its first trial.

All functions raise a ValueError that names the parameter or the row.
"""

from collections.abc import Mapping
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..fitting.labels import check_present, check_two_classes
from ..fitting.scorers import name_positive_classes
from ..utils.sklearn_compat import _num_samples
from .folds import find_objectives

__all__ = ["check_settings", "scorers_for"]

# Types that every storage keeps unchanged.
PLAIN = (type(None), bool, int, float, str)


def check_settings(search):
    """Check the settings of a search; get its objectives and enqueued parameters."""
    names = set(search.estimator.get_params(deep=True))
    stored = search.storage is not None
    _check_space(search.param_distributions, names, stored)
    enqueue = [
        _check_entry(f"enqueue[{number}]", entry, search.param_distributions)
        for number, entry in enumerate(search.enqueue or ())
    ]
    if search.n_trials is None and search.timeout is None and not search.callbacks:
        raise ValueError(
            "n_trials=None needs a timeout, or callbacks of which one stops the study: "
            "otherwise the search would not stop."
        )
    if search.study_name is not None and not stored:
        raise ValueError("study_name needs a storage in which to find the study.")
    objectives = find_objectives(search.scoring, search.refit)
    if search.prune_on is None and search.pruner is not None:
        raise ValueError("Expected prune_on='fold' with a pruner, got prune_on=None.")
    if search.prune_on is not None and len(objectives) > 1:
        raise ValueError(
            f"prune_on needs a single metric to maximise, got {objectives}: name one "
            "of them as refit."
        )
    return objectives, enqueue


def scorers_for(search, X, y, groups):
    """Check the data of a search; make its scorers, and get its classes.

    Either one scorer or several, with the positive class set. The classes are None if
    there is not one column of labels.
    """
    scorers = search._get_scorers()[0]
    classes = _check_target(search.estimator, X, y, groups)
    if classes is not None:
        settings = search.scoring, search.pos_label, classes
        scorers = name_positive_classes(scorers, *settings)
    return scorers, classes


def _check_space(space, known_names, stored):
    """Check the search space, except a callable one.

    If trials are `stored`, choices must be plain values.
    """
    from optuna.distributions import BaseDistribution

    if callable(space):
        return
    if not space:
        raise ValueError("param_distributions is empty: give at least one parameter.")
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
            f"Expected parameters of the estimator in param_distributions, got "
            f"{sorted(unknown)}; choose from {sorted(known_names)}."
        )


def _inside(name, searched):
    parts = name.split("__")
    return any("__".join(parts[:end]) in searched for end in range(1, len(parts)))


def _check_entry(name, entry, space):
    """Check one dict of `enqueue`, and convert NumPy's numbers, for the storages.

    A callable space is called with it, up to the first parameter that it does not have:
    later ones may depend on the value drawn for that.
    """
    if not isinstance(entry, Mapping):
        raise ValueError(f"{name} must be a dict of parameters, got {entry!r}.")
    entry = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in entry.items()
    }
    known = _distributions_of(name, entry, space) if callable(space) else space
    if known is None:
        return entry
    for parameter, value in entry.items():
        if parameter not in known:
            raise ValueError(
                f"{name} names {parameter!r}, which is not searched; choose from "
                f"{sorted(known)}."
            )
        _check_value(name, parameter, value, known[parameter])
    return entry


def _check_value(name, parameter, value, distribution):
    from optuna.distributions import CategoricalDistribution, IntDistribution
    from optuna.trial import create_trial

    if isinstance(distribution, CategoricalDistribution):
        expected = f"one of {', '.join(map(repr, distribution.choices))}"
        valid = True
    else:
        kind = "an integer" if isinstance(distribution, IntDistribution) else "a number"
        expected = f"{kind} from {distribution.low:g} to {distribution.high:g}"
        if distribution.step not in (None, 1):
            expected += f" in steps of {distribution.step:g}"
        valid = isinstance(value, Real) and not isinstance(value, bool)
    try:
        create_trial(
            value=0.0,
            params={parameter: value},
            distributions={parameter: distribution},
        )
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"{name} has {parameter}={value!r}, expected {expected}.")


class _MissingParameter(Exception):
    """The space needs a value that an entry of `enqueue` does not have."""


class _Entry(dict):
    """Entry of `enqueue` that is not complete."""

    def __contains__(self, parameter):
        if super().__contains__(parameter):
            return True
        raise _MissingParameter


def _distributions_of(name, entry, space):
    """Get the distributions of a callable space for an entry of `enqueue`.

    None if they depend on more than the entry.
    """
    from optuna.trial import FixedTrial

    trial = FixedTrial(_Entry(entry))
    try:
        space(trial)
    except (_MissingParameter, AttributeError):  # such as the trial's study
        return None
    except ValueError as error:
        raise ValueError(f"{name} is not in the space: {error}") from error
    return trial.distributions


def _check_target(estimator, X, y, groups):
    """Check the lengths of the data and the labels, and get the classes.

    None for anything but a classifier with one column of labels.
    """
    n_rows = _num_samples(X)
    for name, values in {"y": y, "groups": groups}.items():
        if values is not None and _num_samples(values) != n_rows:
            raise ValueError(
                f"X has {n_rows} rows, but {name} has {_num_samples(values)}: give one "
                "value for each row."
            )
    if y is None:
        if get_tags(estimator).target_tags.required:
            # scikit-learn's check of estimators looks for the first words.
            raise ValueError(
                f"{type(estimator).__name__} requires y to be passed, but the target y "
                "is None: give the label of each row."
            )
        return None
    if not issparse(y):
        # As objects: NumPy would convert None and NaN in a list of labels to text.
        values = np.asarray(y, dtype=None if hasattr(y, "dtype") else object)
        check_present(values, "y")
        _check_types(values)
    if not is_classifier(estimator):
        return None
    check_classification_targets(y)
    if type_of_target(y) not in ("binary", "multiclass"):
        return None  # several columns of labels
    classes = np.unique(np.asarray(y)).tolist()
    check_two_classes(classes)
    return classes


def _check_types(values):
    if values.dtype.kind != "O":
        return
    kinds = {str if isinstance(v, str) else type(v) for v in values.ravel()}
    types = sorted(kind.__name__ for kind in kinds)
    if str in kinds and len(kinds) > 1:  # such labels cannot be sorted
        raise ValueError(
            f"y mixes types of labels: {', '.join(types)}; make all of them text."
        )
