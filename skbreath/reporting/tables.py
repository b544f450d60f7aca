"""Compute the tables and charts of a report, as plain values for its template."""

import math
from itertools import chain

import numpy as np
import pandas as pd
from scipy.stats import binom

from ..ensemble.inspection import find_parts
from ..ensemble.threshold import ThresholdClassifier
from ..ensemble.voting import WeightedVotingClassifier, member_names
from ..evaluation.comparison import break_down
from ..evaluation.scores import GroupedScores
from ..plotting.fitted_model import losses_by_epoch, mean_by_epoch

__all__ = [
    "breakdown_table",
    "calibration_text",
    "confusion",
    "live_scores",
    "own_thresholds",
    "plain_text",
    "reliability",
    "score_rows",
    "training_curves",
    "trials_table",
    "vote_table",
]

_SCORES = {
    "accuracy": ("Accuracy", "Share of clips labelled correctly."),
    "f1": ("F1", "Harmonic mean of precision and recall of the positive class."),
    "roc_auc": (
        "ROC AUC",
        "How often a positive clip gets a higher probability than another. 0.5 is "
        "chance.",
    ),
    "log_loss": (
        "Log loss",
        "Mean cost of the probabilities; 0.693 (ln 2) is chance level.",
    ),
    "calibration_error": (
        "Calibration error",
        "How far probabilities are off, on average.",
    ),
    "perfect_calibration": (
        "Calibration error by chance",
        "That of a perfectly calibrated model on as many clips.",
    ),
}
# Browsers scroll longer tables slowly.
_MOST_ROWS = 1000
# More lines would hide their mean.
_MOST_LINES = 40
_KINDS = ("train", "valid")
# One in forty: the lower end of a 95 % interval.
_UNLIKELY = 0.025


def score_rows(table):
    """List the scores: name, value, interval and meaning of each."""
    return [
        {
            "name": _SCORES.get(name, (name, ""))[0],
            "value": _number(row["value"]),
            "interval": f"{_number(row['low'])} to {_number(row['high'])}",
            "meaning": _SCORES.get(name, (name, ""))[1],
        }
        for name, row in table.iterrows()
    ]


def calibration_text(table):
    """Sum up the calibration in a sentence; None if scores are not probabilities."""
    error, chance = table.loc["calibration_error"], table.loc["perfect_calibration"]
    if math.isnan(error["value"]):
        return None
    by_chance = f"{_number(chance['low'])} to {_number(chance['high'])} by chance"
    if error["value"] <= chance["high"]:
        return (
            f"Calibration: no worse than chance for this many clips. Probabilities are "
            f"off by {_number(error['value'])} on average, and those of a perfectly "
            f"calibrated model by {by_chance}."
        )
    return (
        f"Calibration: worse than chance. Probabilities are off by "
        f"{_number(error['value'])} on average, and those of a perfectly calibrated "
        f"model by {by_chance}."
    )


def confusion(truth, called):
    """Count true and false positives and negatives, from two arrays of bool."""
    return {
        "tp": int((truth & called).sum()),
        "fn": int((truth & ~called).sum()),
        "fp": int((~truth & called).sum()),
        "tn": int((~truth & ~called).sum()),
    }


def live_scores(counts):
    """List the scores beside the slider: id, name, and the value as evaluated."""
    tp, fn, fp, tn = (counts[key] for key in ("tp", "fn", "fp", "tn"))
    recall, specificity = tp / (tp + fn), tn / (tn + fp)
    n = tp + fn + fp + tn
    values = {
        "accuracy": ("Accuracy", (tp + tn) / n),
        "balanced_accuracy": ("Balanced accuracy", (recall + specificity) / 2),
        "f1": ("F1", 2 * tp / (2 * tp + fp + fn)),
        "precision": ("Precision", tp / (tp + fp) if tp + fp else math.nan),
        "recall": ("Recall (sensitivity)", recall),
        "specificity": ("Specificity", specificity),
        "called": ("Share called positive", (tp + fp) / n),
    }
    return [(key, name, _number(value)) for key, (name, value) in values.items()]


def reliability(truth, score):
    """Compute mean probability, share of positives and ``n`` of ten bins of clips.

    The bins are those of the calibration error. None if scores are not probabilities.
    """
    scores = GroupedScores(truth, score >= 0.5, score, np.arange(len(truth)))
    if not scores.is_probability():
        return None
    frame = pd.DataFrame({"mean": score, "share": truth, "n": 1.0})
    bins = frame.groupby(scores.bins()).agg(
        {"mean": "mean", "share": "mean", "n": "sum"}
    )
    return bins.to_dict("records")


def own_thresholds(models, pos_label):
    """List the thresholds on the probability of `pos_label` that models learned."""
    thresholds = []
    for model in models:
        for part in find_parts(model, ThresholdClassifier):
            if hasattr(part, "best_threshold_"):
                same = part.pos_label_ == pos_label
                thresholds.append(
                    part.best_threshold_ if same else 1 - part.best_threshold_
                )
    return thresholds


def breakdown_table(predictions, values, name, pos_label):
    """Compute scores by the values of a column, most significant differences first."""
    table = break_down(predictions, np.asarray(values), pos_label=pos_label)
    n = table["n_clips"].to_numpy()
    right = (table["accuracy"].to_numpy() * n).round()
    # Probability of as few correct clips, if all values had the same accuracy.
    overall = right.sum() / n.sum()
    table["chance"] = binom.cdf(right, n, overall)
    table = table.sort_values("chance", kind="stable")
    few = table["chance"] < _UNLIKELY
    shown = table.head(_MOST_ROWS)
    text = (
        f"{int(few.sum())} of {len(table):,} have fewer correct clips than 97.5 % "
        "would have if all had the same accuracy, and are marked ▼ (chance alone marks "
        f"up to {_UNLIKELY * len(table):.0f}). The least likely come first."
    )
    if len(shown) < len(table):
        text += f" Only the first {len(shown):,} are listed."
    rows = [
        {
            "name": plain_text(value),
            "few": bool(row["chance"] < _UNLIKELY),
            "cells": [
                _cell(row["n_clips"], "{:.0f}"),
                _cell(row["positive_share"], "{:.2f}"),
                _cell(row["accuracy"], "{:.3f}", bar=True),
                *(_cell(row[key], "{:.3f}") for key in ("f1", "roc_auc", "log_loss")),
                _cell(row["chance"], "{:.3f}"),
            ],
        }
        for value, row in shown.iterrows()
    ]
    name = plain_text(name)
    share = f"share of {plain_text(pos_label)}"
    columns = [name, "clips", share, "accuracy", "F1", "AUC", "log loss", "chance"]
    points = table[["n_clips", "accuracy"]].to_numpy(dtype=float).round(4)
    return {
        "name": name,
        "text": text,
        "rows": rows,
        "columns": columns,
        "chart": {"overall": float(overall), "points": points.tolist()},
    }


def vote_table(models):
    """List the weights of the members of a vote, and their spread over folds.

    None if the models do not contain one vote each, of the same members.
    """
    votes = [list(find_parts(model, WeightedVotingClassifier)) for model in models]
    if not votes or any(len(inside) != 1 for inside in votes):
        return None
    votes = [vote for (vote,) in votes]
    names = [member_names(vote) for vote in votes]
    if any(other != names[0] for other in names):
        return None
    weights = np.array([vote.weights_ for vote in votes])
    text = "How much each member's probability counts. "
    spread = weights
    if len(votes) > 1:
        text += (
            f"The mean of the models of {len(votes)} folds; ticks mark each of them."
        )
    elif getattr(votes[0], "fold_weights_", None) is not None:
        spread = votes[0].fold_weights_
        text += "Ticks mark the weights learned without one of the folds."
    if len(names[0]) == 1:
        text = "There is only one member, so there are no weights to learn."
    members = [
        {
            "name": name,
            "weight": float(weights[:, i].mean()),
            "folds": np.sort(spread[:, i]).tolist(),
            "spread": f"{spread[:, i].min():.2f} to {spread[:, i].max():.2f}",
        }
        for i, name in enumerate(names[0])
    ]
    return {"text": text, "members": members}


def trials_table(results, metric=None):
    """List the trials in ``cv_results_`` of a search, best first.

    They are sorted by `metric`; None means the first of several.
    """
    frame = pd.DataFrame(results)
    scores = [name for name in frame.columns if name.startswith("mean_test_")]
    if metric is not None and f"mean_test_{metric}" in scores:
        scores = [f"mean_test_{metric}"]
    if not scores or not len(frame):
        raise ValueError(
            "Expected trials with a column mean_test_score, found none; pass a fitted "
            "search, or its cv_results_."
        )
    score = scores[0]
    metric = score.removeprefix("mean_test_").replace("_", " ")
    number = frame.get("trial_number", pd.Series(range(len(frame))))
    state = frame.get("trial_state", pd.Series(["COMPLETE"] * len(frame)))
    parameters = [name for name in frame.columns if name.startswith("param_")]
    points = [
        {
            "number": int(n),
            "value": None if pd.isna(value) else float(value),
            "complete": s == "COMPLETE",
        }
        for n, value, s in zip(number, frame[score], state, strict=True)
    ]
    complete = frame[score].where(state == "COMPLETE")
    order = complete.sort_values(ascending=False, kind="stable").index
    spread = frame.get(f"std_test_{score.removeprefix('mean_test_')}")
    rows = [
        [
            _cell(number[i], "{:.0f}"),
            _cell(frame.at[i, score], "{:.4f}"),
            _cell(math.nan if spread is None else spread[i], "{:.4f}"),
            _cell(str(state[i]).lower()),
            *(_cell(frame.at[i, name]) for name in parameters),
        ]
        for i in order[:_MOST_ROWS]
    ]
    counts = state.str.lower().value_counts()
    text = f"{len(frame)} trials: " + ", ".join(f"{n} {s}" for s, n in counts.items())
    names = [name.removeprefix("param_") for name in parameters]
    return {
        "text": text + ". The score of the best trial is optimistically biased, as it "
        "is the best of many.",
        "metric": metric,
        "columns": ["trial", metric, "std of folds", "state", *names],
        "rows": rows,
        "points": points,
    }


def training_curves(models):
    """Collect the losses of the networks in models, by member of the vote.

    A loss that is NaN becomes None, as JSON has no NaN. The result is None if there is
    no network with a history.
    """
    histories = {}
    for model in models:
        for name, history in _histories(model):
            histories.setdefault(name, []).append(history)
    if not histories:
        return None
    losses = {
        name: {kind: losses_by_epoch(of, f"{kind}_loss") for kind in _KINDS}
        for name, of in histories.items()
    }
    return {
        "text": _training_text(
            losses, sum(map(_is_broken, chain(*histories.values())))
        ),
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
    """Yield member and history of each network in a model."""
    from ..networks.classifier import ResidualCNNClassifier

    votes = list(find_parts(model, WeightedVotingClassifier))
    members = [("the network", model)]
    if len(votes) == 1:
        members = zip(member_names(votes[0]), votes[0].estimators_, strict=True)
    for name, member in members:
        for net in find_parts(member, ResidualCNNClassifier):
            # Networks with weights from elsewhere have no history.
            if getattr(net, "history_", None):
                yield name, net.history_


def _is_broken(history):
    """Check whether a loss in a history is not a finite number."""
    losses = [epoch.get(f"{kind}_loss", 0) for epoch in history for kind in _KINDS]
    return not np.isfinite(losses).all()


def _lines(losses):
    """Convert losses and their mean to lists for a chart."""
    if not losses:
        return {"each": [], "mean": []}
    return {
        "each": [_plain(loss) for loss in losses[:_MOST_LINES]],
        "mean": _plain(mean_by_epoch(losses)),
    }


def _plain(loss):
    return [round(x, 4) if np.isfinite(x) else None for x in loss.tolist()]


def _row(name, train, valid):
    """Make the row of a member in the table of losses."""
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
    """Format the range of values."""
    if not values:
        return "–"
    low, high = (layout.format(pick(values)) for pick in (np.min, np.max))
    return low if low == high else f"{low} to {high}"


def _training_text(losses, n_broken):
    """Describe the section of losses."""
    text = "Loss in nats per clip, by epoch; 0.693 (ln 2) is chance level. "
    if any(len(of["train"]) > 1 for of in losses.values()):
        text += (
            "Thin lines are the networks of the folds, the thick one is their mean. "
        )
    if any(of["valid"] for of in losses.values()):
        text += (
            "Validation clips are not trained on: where their loss rises while the "
            "training loss falls, a network overfits. A dot marks the lowest "
            "validation loss, whose weights early stopping keeps. "
        )
    if not all(of["valid"] for of in losses.values()):
        text += (
            "Without validation clips there is no validation loss, and all epochs are "
            "used. "
        )
    text += (
        "Augmentation and dropout act in training only, so that the training loss may "
        "be the higher one."
    )
    if n_broken:
        have = "1 network has" if n_broken == 1 else f"{n_broken} networks have"
        text += f" {have} losses that are not numbers: training failed there."
    return text


def plain_text(value):
    """Convert a label or name to text that can be written as UTF-8."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _number(value):
    return "–" if math.isnan(value) else f"{value:.3f}"


def _cell(value, layout=None, *, bar=False):
    """Make a table cell: its text, the value to sort by, the length of its bar."""
    if pd.isna(value):
        return {"text": "–", "value": "", "bar": None}
    if layout is None and isinstance(value, (float, np.floating)):
        layout = "{:.4g}"
    text = plain_text(value) if layout is None else layout.format(value)
    return {
        "text": text,
        "value": text if layout is None else float(value),
        "bar": 100 * float(value) if bar else None,
    }
