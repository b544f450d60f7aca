"""Parameters to be tried first, checked against the space before any trial."""

from collections.abc import Mapping
from numbers import Real

import numpy as np

__all__ = ["check_enqueue"]


def check_enqueue(enqueue, space):
    """Check parameters to be tried first.

    Parameters
    ----------
    enqueue : list of dict or None
    space : dict of str to optuna distribution, or callable
        A callable is called with each entry, up to the first parameter that the entry
        leaves open: what it asks for from there on depends on the value drawn.

    Returns
    -------
    enqueue : list of dict
        With Python's numbers for those of numpy, which not every storage keeps.

    Raises
    ------
    ValueError
        If an entry is no dict, names a parameter that is not searched or has a value
        outside of its range; with the number of the entry.

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> check_enqueue([{"C": np.float64(2)}], {"C": FloatDistribution(1, 3)})
    [{'C': 2.0}]
    """
    return [
        _check_entry(f"enqueue[{number}]", entry, space)
        for number, entry in enumerate(enqueue or ())
    ]


def _check_entry(name, entry, space):
    if not isinstance(entry, Mapping):
        raise ValueError(f"{name} must be a dict of parameters, got {entry!r}.")
    entry = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in entry.items()
    }
    known = _rehearse(name, entry, space) if callable(space) else space
    if known is None:
        return entry
    for parameter, value in entry.items():
        if parameter not in known:
            raise ValueError(
                f"{name} names {parameter!r}, which is not searched; searched are "
                f"{sorted(known)}."
            )
        _check_value(name, parameter, value, known[parameter])
    return entry


def _check_value(name, parameter, value, distribution):
    from optuna.distributions import CategoricalDistribution

    problem = None
    if isinstance(distribution, CategoricalDistribution):
        allowed = f"one of {', '.join(map(repr, distribution.choices))}"
        try:
            distribution.to_internal_repr(value)
        except ValueError:
            problem = "not a choice"
    else:
        allowed = f"from {distribution.low:g} to {distribution.high:g}"
        if distribution.step is not None and distribution.step != 1:
            allowed += f" in steps of {distribution.step:g}"
        if type(distribution).__name__ == "IntDistribution":
            allowed = f"a whole number {allowed}"
        if not isinstance(value, Real) or isinstance(value, bool):
            problem = "no number"
        elif not distribution._contains(float(value)):
            problem = "outside its range"
    if problem:
        raise ValueError(
            f"{name} has {parameter}={value!r}, which is {problem}; it must be "
            f"{allowed}."
        )


class _LeftOpen(Exception):
    """The space asks for what an entry does not say."""


def _rehearse(name, entry, space):
    """Call a space as with a trial of `entry`; get what it asks for, if it is known."""
    from optuna.trial import FixedTrial

    class Rehearsal(FixedTrial):
        def _suggest(self, parameter, distribution):
            if parameter not in entry:
                raise _LeftOpen
            _check_value(name, parameter, entry[parameter], distribution)
            return super()._suggest(parameter, distribution)

        def __getattr__(self, name):  # such as the study, which is not there yet
            raise _LeftOpen

    trial = Rehearsal(entry)
    try:
        space(trial)
    except _LeftOpen:
        return None
    return trial.distributions
