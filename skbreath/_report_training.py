"""How the networks of a report were trained, as plain values for its template."""

from itertools import chain

import numpy as np

from ._inspection import find_parts
from ._report_numbers import plain_text
from ._voting_weights_display import member_names
from .voting import WeightedVotingClassifier

__all__ = ["training_curves"]

# Lines that can still be told from the mean over them.
_MOST_LINES = 40
_KINDS = ("train", "valid")


def training_curves(models):
    """Losses of the networks in models, by member of the vote.

    Parameters
    ----------
    models : list of estimator
        Fitted: one, or those of the folds.

    Returns
    -------
    training : dict or None
        ``text``, ``rows`` of a table, and ``charts``: for each member ``id``, ``name``,
        and as ``train`` and ``valid`` the losses by epoch, ``each`` of at most 40
        networks and their ``mean`` as far as all were trained (None where a loss is no
        number). None if no network has a history.
    """
    histories = {}
    for model in models:
        for name, history in _histories(model):
            histories.setdefault(name, []).append(history)
    if not histories:
        return None
    losses = {
        name: {kind: _losses(of, f"{kind}_loss") for kind in _KINDS}
        for name, of in histories.items()
    }
    return {
        "text": _text(losses, sum(map(_is_broken, chain(*histories.values())))),
        "rows": [_row(plain_text(name), **of) for name, of in losses.items()],
        "charts": [
            {
                "id": f"training-{number}",
                "name": plain_text(name),
                "train": _lines(of["train"]),
                "valid": _lines(of["valid"]),
            }
            for number, (name, of) in enumerate(losses.items())
        ],
    }


def _histories(model):
    """Member and history of each network in a model."""
    from .classifier import ResidualCNNClassifier

    votes = list(find_parts(model, WeightedVotingClassifier))
    members = [("the network", model)]
    if len(votes) == 1:
        members = zip(member_names(votes[0]), votes[0].estimators_, strict=True)
    for name, member in members:
        for net in find_parts(member, ResidualCNNClassifier):
            # One that was given its weights, and not trained, has none.
            if getattr(net, "history_", None):
                yield name, net.history_


def _is_broken(history):
    losses = [epoch.get(f"{kind}_loss", 0) for epoch in history for kind in _KINDS]
    return not np.isfinite(losses).all()


def _losses(histories, key):
    return [
        np.array([epoch[key] for epoch in history], dtype=np.float64)
        for history in histories
        if key in history[0]
    ]


def _lines(losses):
    if not losses:
        return {"each": [], "mean": []}
    shortest = min(map(len, losses))
    mean = np.mean([loss[:shortest] for loss in losses], axis=0)
    return {
        "each": [_plain(loss) for loss in losses[:_MOST_LINES]],
        "mean": _plain(mean),
    }


def _plain(loss):
    """JSON has no NaN."""
    return [round(x, 4) if np.isfinite(x) else None for x in loss.tolist()]


def _row(name, train, valid):
    known = [loss for loss in valid if not np.isnan(loss).all()]
    lowest = [int(np.nanargmin(loss)) for loss in known]
    cells = [
        str(len(train)),
        _span([len(loss) for loss in train], "{:.0f}"),
        _span([loss[-1] for loss in train], "{:.3f}"),
        _span([loss[i] for loss, i in zip(known, lowest, strict=True)], "{:.3f}"),
        _span([i + 1 for i in lowest], "{:.0f}"),
    ]
    return {"name": name, "cells": cells}


def _span(values, layout):
    """Lowest to highest."""
    if not values:
        return "–"
    low, high = (layout.format(pick(values)) for pick in (np.min, np.max))
    return low if low == high else f"{low} to {high}"


def _text(losses, n_broken):
    text = "Loss in nats per clip, epoch by epoch; 0.693 is a coin's. "
    if any(len(of["train"]) > 1 for of in losses.values()):
        text += (
            "Thin lines are the networks of the folds, the thick one is their mean. "
        )
    if any(of["valid"] for of in losses.values()):
        text += (
            "Validation clips took no part in training: where their loss rises while "
            "that of training falls, a network learns its clips by heart. A dot marks "
            "the lowest, whose weights early stopping keeps. "
        )
    if not all(of["valid"] for of in losses.values()):
        text += (
            "Where no clips were held back there is no validation loss, and all epochs "
            "are used. "
        )
    text += (
        "In training clips are changed and parts of the network left out, so that its "
        "loss may lie above the other."
    )
    if n_broken:
        have = "1 network has" if n_broken == 1 else f"{n_broken} networks have"
        text += f" {have} losses that are no numbers: training failed there."
    return text
