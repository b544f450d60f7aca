"""The tables of a report, as plain values for its template."""

import math

import numpy as np
import pandas as pd
from scipy.stats import binom

from ._comparison import break_down
from ._inspection import find_parts
from ._scores import GroupedScores
from ._voting_weights_display import member_names
from .threshold import ThresholdClassifier
from .voting import WeightedVotingClassifier

__all__ = [
    "breakdown_table",
    "confusion",
    "live_scores",
    "own_thresholds",
    "plain_text",
    "reliability",
    "score_rows",
    "trials_table",
    "vote_table",
]

_SCORES = {
    "accuracy": ("Accuracy", "Share of clips labelled rightly."),
    "f1": ("F1", "Harmonic mean of precision and recall of the positive class."),
    "roc_auc": (
        "ROC AUC",
        "How often a positive clip gets a higher probability than another. 0.5 is "
        "chance.",
    ),
    "log_loss": ("Log loss", "Mean cost of the probabilities; 0.693 is a coin's."),
    "calibration_error": (
        "Calibration error",
        "How far probabilities are off, on average.",
    ),
    "perfect_calibration": (
        "the same by chance",
        "What a perfectly calibrated model would show on as many clips.",
    ),
}
# Rows of a table that a browser still scrolls well.
_MOST_ROWS = 1000
# One in forty: the lower end of a 95 % interval.
_UNLIKELY = 0.025


def score_rows(table):
    """Rows of the table of all scores: name, value, interval, what it says."""
    return [
        {
            "name": _SCORES.get(name, (name, ""))[0],
            "value": _number(row["value"]),
            "interval": f"{_number(row['low'])} to {_number(row['high'])}",
            "meaning": _SCORES.get(name, (name, ""))[1],
        }
        for name, row in table.iterrows()
    ]


def confusion(truth, called):
    """Count hits, misses, false alarms and right rejections.

    Parameters
    ----------
    truth, called : ndarray of bool of shape (n_clips,)
        Whether a clip is of the positive class, and was called it.
    """
    return {
        "tp": int((truth & called).sum()),
        "fn": int((truth & ~called).sum()),
        "fp": int((~truth & called).sum()),
        "tn": int((~truth & ~called).sum()),
    }


def live_scores(judged):
    """The scores beside the slider: id, name, and the value as evaluated."""
    tp, fn, fp, tn = (judged[key] for key in ("tp", "fn", "fp", "tn"))
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
    """Mean probability and share of positives in ten bins of as many clips.

    The bins are those of the calibration error.

    Returns
    -------
    bins : list of dict, or None
        ``mean``, ``share`` and ``n`` of each; None of scores that are no probabilities.
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
    """Thresholds, on the probability of `pos_label`, that models have learned."""
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
    """Scores by anything, least likely first, with what the page says of them.

    Parameters
    ----------
    predictions : DataFrame
    values : array-like of shape (n_predictions,)
    name : str
    pos_label : label

    Returns
    -------
    part : dict
    """
    table = break_down(predictions, np.asarray(values), pos_label=pos_label)
    n = table["n_clips"].to_numpy()
    right = (table["accuracy"].to_numpy() * n).round()
    # Were all alike, how often would as few clips be right?
    overall = right.sum() / n.sum()
    table["chance"] = binom.cdf(right, n, overall)
    table = table.sort_values("chance", kind="stable")
    few = table["chance"] < _UNLIKELY
    shown = table.head(_MOST_ROWS)
    text = (
        f"{int(few.sum())} of {len(table):,} have fewer right clips than 97.5 % would "
        "have if all were alike, and are marked ▼ (chance alone marks up to "
        f"{_UNLIKELY * len(table):.0f}). The least likely come first."
    )
    if len(shown) < len(table):
        text += f" Only the first {len(shown):,} are listed."
    rows = [
        {
            "name": plain_text(value),
            "few": bool(row["chance"] < _UNLIKELY),
            "cells": [
                _cell(row["n_clips"], "{:.0f}"),
                _cell(row["positives"], "{:.2f}"),
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
    """Weights of the members, over several models or over the folds of one.

    Returns
    -------
    vote : dict or None
        None if the models do not hold one vote each, of the same members.
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
        text = "There is one member only, so no weights to learn."
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
    """Trials of a search, best first.

    Parameters
    ----------
    results : DataFrame or dict
        ``cv_results_`` of a search.
    metric : str, default=None
        Which of several metrics; None takes the first.

    Returns
    -------
    trials : dict
        ``text``, ``metric``, ``columns``, ``rows`` and, for the chart, ``points``.

    Raises
    ------
    ValueError
        If there are no scores in `results`.
    """
    frame = pd.DataFrame(results)
    scores = [name for name in frame.columns if name.startswith("mean_test_")]
    if metric is not None and f"mean_test_{metric}" in scores:
        scores = [f"mean_test_{metric}"]
    if not scores or not len(frame):
        raise ValueError(
            "the trials have no column mean_test_score; give a fitted search, or what "
            "its cv_results_ holds."
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
        "text": text
        + ". The score of the best trial is the best of many: it flatters.",
        "metric": metric,
        "columns": ["trial", metric, "std of folds", "state", *names],
        "rows": rows,
        "points": points,
    }


def plain_text(value):
    """Any label or name as text that can be written as UTF-8."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _number(value):
    return "–" if math.isnan(value) else f"{value:.3f}"


def _cell(value, layout=None, *, bar=False):
    """A cell of a table: what it shows, what it sorts by, how long its bar is."""
    known = not pd.isna(value)
    if not known:
        return {"text": "–", "value": "", "bar": None}
    if layout is None and isinstance(value, (float, np.floating)):
        layout = "{:.4g}"
    text = plain_text(value) if layout is None else layout.format(value)
    return {
        "text": text,
        "value": text if layout is None else float(value),
        "bar": 100 * float(value) if bar else None,
    }
