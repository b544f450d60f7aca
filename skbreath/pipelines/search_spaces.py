"""Define the search spaces of the original entry and around a member of a preset."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..networks.augmentation import (
    CircularShift,
    CutMix,
    MaskChannels,
    MaskFrames,
    Mixup,
)

if TYPE_CHECKING:
    from typing import Any

__all__ = ["member_space", "network_space"]

# Name of the strength of each augmentation, and its range.
_STRENGTHS = {
    CircularShift: ("max_fraction", 0.0, 0.5),
    CutMix: ("probability", 0.0, 1.0),
    MaskChannels: ("max_fraction", 0.0, 0.5),
    MaskFrames: ("max_fraction", 0.0, 0.5),
    Mixup: ("alpha", 0.05, 1.0),
}
# Parameters that are searched from a fraction to a multiple of their own value.
_FACTORS = {
    "net__lr": 3,
    "net__weight_decay": 10,
    "boosting__learning_rate": 3,
    "boosting__max_iter": 2,
    "boosting__max_leaf_nodes": 2,
    "boosting__min_samples_leaf": 4,
    "boosting__l2_regularization": 10,
    "boosting__max_features": 4,
}


def network_space(prefix: str = "net__") -> dict[str, Any]:
    """Get the search space of the original entry for its network.

    Parameters
    ----------
    prefix : str, default ``"net__"``
        Put before each parameter name.

    Returns
    -------
    space : dict
        Optuna distributions of dropout (0.3 to 0.7), learning rate (1e-4 to 1e-2,
        log), weight decay (1e-6 to 1e-2, log) and gamma (0.3 to 0.9).

    Examples
    --------
    >>> from skbreath import network_space
    >>> sorted(network_space())
    ['net__dropout', 'net__gamma', 'net__lr', 'net__weight_decay']
    """
    from optuna.distributions import FloatDistribution

    return {
        f"{prefix}dropout": FloatDistribution(0.3, 0.7),
        f"{prefix}lr": FloatDistribution(1e-4, 1e-2, log=True),
        f"{prefix}weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        f"{prefix}gamma": FloatDistribution(0.3, 0.9),
    }


def member_space(member):
    """Make the space around the parameters of a member of a preset.

    Returns the space, a function from an Optuna trial to parameters, and the values of
    the member as it is, for the first trial. Epochs are not searched: trials are short,
    and in a short training more epochs are always better.
    """
    own = member.get_params(deep=True)
    factors = {name: factor for name, factor in _FACTORS.items() if name in own}
    ranges = {name: _around(own[name], factor) for name, factor in factors.items()}
    choices = {}
    if "net__dropout" in own:
        ranges["net__dropout"] = (0.0, 0.7, False)
        choices = _network_choices(own)
    first = {name: own[name] for name in [*ranges, *choices]}
    augmentations = list(own.get("net__augmentations") or ())
    for augment in augmentations:
        if type(augment) in _STRENGTHS:
            parameter, *_ = _STRENGTHS[type(augment)]
            first[type(augment).__name__] = getattr(augment, parameter)

    def space(trial):
        values = {name: _suggest(trial, name, *ends) for name, ends in ranges.items()}
        for name, options in choices.items():
            values[name] = trial.suggest_categorical(name, options)
        if augmentations:
            values["net__augmentations"] = [_vary(trial, one) for one in augmentations]
        return values

    return space, first


def _around(value, factor):
    """Return the range from a fraction to a multiple of a value, for `_suggest`."""
    if isinstance(value, int):
        return max(1, value // factor), value * factor, True
    high = value * factor
    return value / factor, min(high, 1.0) if value < 1 else high, True  # e.g. a share


def _suggest(trial, name, low, high, log):
    suggest = trial.suggest_int if isinstance(low, int) else trial.suggest_float
    return suggest(name, low, high, log=log)


def _vary(trial, augment):
    """Copy an augmentation, with a strength from the trial if its strength is known."""
    if type(augment) not in _STRENGTHS:
        return augment
    parameter, *ends = _STRENGTHS[type(augment)]
    strength = trial.suggest_float(type(augment).__name__, *ends)
    return replace(augment, **{parameter: strength})


def _network_choices(own):
    """List the widths, hops and edges of the band of a network."""
    rate, n_fft = own["features__sample_rate"], own["features__n_fft"]
    width, hop = own["net__hidden_channels"], own["features__hop_length"]
    # Narrower bands have no bin of the spectrum in some mel filters.
    least = 1.25 * own["features__n_mels"] * rate / n_fft
    fmax = [edge for edge in (2000, 4000) if least <= edge < rate / 2]
    return {
        "net__hidden_channels": [width // 2, width, width * 3 // 2],
        "features__hop_length": [hop * 3 // 4, hop, hop * 3 // 2],
        "features__fmin": sorted({own["features__fmin"], 0, 50}),
        "features__fmax": list(dict.fromkeys([own["features__fmax"], *fmax])),
    }
