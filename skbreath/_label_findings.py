"""What is wrong with the labels of a data set, and with what its clips share."""

import re

import numpy as np
import pandas as pd

from ._audio_file import shorten
from ._metadata_leaks import (
    auc_margin,
    judge_columns,
    make_splits,
    name_columns,
    sibling_score,
)
from ._phase_table import BEYOND_END_S

__all__ = ["label_problems", "track_problems"]

# Judged by no more clips: an AUC is known to a point by then.
_CLIPS_JUDGED = 20_000


def label_problems(good, pos_label, listed):
    """Judge labels, groups, and what gives the labels away.

    Parameters
    ----------
    good : DataFrame
        The clips that can be read, a row each.
    pos_label : label or None
        The positive class; None takes the last of two.
    listed : bool
        Whether the order of the clips is somebody's.

    Returns
    -------
    problems : list of (level, check, finding, advice)
    """
    train = good[good["subset"] == "train"].reset_index(drop=True)
    problems = _groups(train) + _subsets(good) + _labels(train)
    return problems + _leaks(train, pos_label, listed)


def _group_column(clips):
    """What belongs together, and what it is called."""
    for name in ("group", "recording"):
        if clips[name].notna().all():
            return name, clips[name].to_numpy(str)
    return None, None


def _groups(train):
    name, groups = _group_column(train)
    if name is None:
        what = "nothing tells which clips belong to one recording or person"
        advice = "make a CSV with path, label and a column such as patient, and name "
        advice += "it by --group: scores of torn recordings are too good"
        return [("warning", "groups", what, advice)]
    problems = []
    sizes = pd.Series(groups).value_counts()
    what = f"{len(sizes)} {name}s of {sizes.min()} to {sizes.max()} clips"
    days = train["day"].nunique() if train["day"].notna().all() else None
    advice = f"split by {name}"
    if days:
        what += f", on {days} days"
        advice += ", or by day to judge on unseen patients"
    problems.append(("note", "groups", what, advice))
    if len(sizes) < 5:
        what = f"only {len(sizes)} {name}s: folds need 5, honest intervals some 20"
        problems.append(("warning", "groups", what, "record more people"))
    elif sizes.max() > 0.3 * len(train):
        what = f"{sizes.index[0]!r} holds {sizes.max() / len(train):.0%} of the clips"
        advice = "scores will be those of one recording"
        problems.append(("warning", "groups", what, advice))
    return problems


def _subsets(good):
    parts = [part for _, part in good.groupby("subset")]
    if len(parts) < 2 or not good["recording"].notna().all():
        return []
    shared = set(parts[0]["recording"]) & set(parts[1]["recording"])
    if not shared:
        return []
    what = f"{len(shared)} recordings have clips both in train and in test"
    advice = "the score on this test set is that of known recordings"
    return [("note", "groups", what, advice)]


def _labels(train):
    labels = train["label"].dropna()
    if not len(labels):
        what, advice = "no clip has a label", "fine to predict; training needs labels"
        return [("note", "labels", what, advice)]
    counts = labels.value_counts()
    listed = shorten(f"{name} {n}" for name, n in counts.items())
    if len(counts) != 2:
        what = f"{len(counts)} labels: {listed}"
        advice = "a phase classifier needs exactly two"
        return [("error", "balance", what, advice)]
    share = counts.min() / counts.sum()
    level = "warning" if share < 0.2 else "note"
    advice = "nothing" if share >= 0.35 else "watch balanced accuracy and AUC"
    problems = [(level, "balance", f"{listed} ({share:.0%} the rarer)", advice)]
    name, groups = _group_column(train)
    if name is None:
        return problems
    table = pd.crosstab(groups, train["label"].fillna(""))[list(counts.index)]
    table = table[table.sum(axis=1) >= 4]
    single = table[(table == 0).any(axis=1)]
    if len(single):
        rate = len(single) / len(table)
        what = f"{len(single)} of {len(table)} {name}s of 4 clips or more have only "
        what += f"one label: {shorten(map(repr, single.index))}"
        advice = "a model may learn the recording instead of the phase"
        level = "warning" if rate > 0.5 else "note"
        problems.append((level, "balance", what, advice))
    return problems


def _leaks(train, pos_label, listed):
    known = train[train["label"].notna()]
    names = sorted(known["label"].unique())
    if len(names) != 2:
        return []
    if len(known) > _CLIPS_JUDGED:
        known = known.sample(_CLIPS_JUDGED, random_state=0).sort_index()
    positive = (known["label"] == (pos_label or names[1])).to_numpy()
    if positive.all() or not positive.any():
        raise ValueError(f"pos_label={pos_label!r} is not among the labels {names}.")
    _, groups = _group_column(known)
    row = known["row"].to_numpy(float)
    order = np.column_stack([row, row % 2])
    rate = known[["rate", "channels", "duration_s"]].to_numpy(float)
    encoding = pd.factorize(known["encoding"])[0]
    advice = "names and order must not reach a model (they reach none of skbreath's)"
    listening = "a model may learn that; even it out, and judge on data without it"
    level = np.log10(known["rms"].to_numpy(float) + 1e-9)[:, None]
    problems = []
    judged = {
        "names": ("file names", name_columns(known["path"], groups), advice),
        "order": ("the place in the list", order, advice),
        "format": ("format and length", np.column_stack([rate, encoding]), listening),
        "level": ("the level", level, listening),
    }
    if not listed:
        del judged["order"]
    margin, splits = auc_margin(positive), make_splits(positive, groups)
    if splits is None:
        return []
    for check, (by, columns, remedy) in judged.items():
        auc = judge_columns(columns, positive, splits)
        what = f"labels can be told by {by} alone, without listening: AUC {auc:.2f}"
        if auc > max(0.6, 0.5 + margin):
            problems.append(("warning", check, what, remedy))
        elif auc > 0.5 + margin:
            problems.append(("note", check, what, remedy))
    if groups is not None:
        problems += _siblings(known, positive, groups, margin)
    return problems


def _siblings(known, positive, groups, margin):
    last = known["path"].map(lambda path: re.findall(r"\d+", path.rpartition(".")[0]))
    if not last.map(bool).all():
        return []
    # A number beyond that is no place in a recording.
    place = np.minimum([float(numbers[-1]) for numbers in last], 1e9)
    siblings = sibling_score(positive, groups, place)
    columns = np.column_stack([name_columns(known["path"], groups), siblings])
    # No groups: as if recordings were split between training and test.
    auc = judge_columns(columns, positive, make_splits(positive, None))
    if auc <= max(0.6, 0.5 + margin):
        return []
    what = "labels can be told by file names and the labels of other clips of the "
    what += f"recording, without listening: AUC {auc:.2f}"
    advice = "never split a recording between training and test"
    return [("warning", "names", what, advice)]


def track_problems(found, good):
    """Judge the label tracks of recordings.

    Parameters
    ----------
    found : DataSet
        Of recordings, with their phases.
    good : DataFrame
        Those that can be read, a row each.

    Returns
    -------
    problems : list of (level, check, finding, advice)
    """
    lengths = good.set_index("path")["duration_s"]
    rows, problems, beyond = [], [], []
    for path, phases in found.phases.items():
        if path not in lengths.index:
            continue
        if len(phases) and phases["end_s"].max() > lengths[path] + BEYOND_END_S:
            beyond.append(path)
        for previous, phase in zip(
            [None, *phases["label"]], phases.itertuples(), strict=False
        ):
            rows.append(
                (
                    path,
                    phase.label,
                    phase.end_s - phase.start_s,
                    previous == phase.label,
                )
            )
    table = pd.DataFrame(rows, columns=["path", "label", "length", "repeats"])
    if beyond:
        what = f"{len(beyond)} label tracks reach beyond their recordings: "
        what += shorten(map(repr, beyond))
        problems.append(("error", "labels", what, "check that the pairs belong"))
    if not len(table):
        return problems + [("error", "labels", "no phase is labelled", "annotate")]
    counts, middle = table["label"].value_counts(), table.groupby("label")["length"]
    listed = shorten(
        f"{name} {n} (median {middle.median()[name]:.2f} s)"
        for name, n in counts.items()
    )
    level = "note" if len(counts) == 2 else "error"
    advice = "nothing" if len(counts) == 2 else "`train-phases` takes two, I and E"
    problems.append((level, "balance", f"{len(table)} phases: {listed}", advice))
    short = table[table["length"] < 0.1]
    if len(short):
        what = f"{len(short)} phases are shorter than 0.1 s, in "
        what += shorten(map(repr, short["path"].unique()))
        problems.append(("warning", "labels", what, "slips of the mouse? correct them"))
    if table["repeats"].any():
        what = f"{table['repeats'].sum()} phases follow one with the same label, in "
        what += shorten(map(repr, table["path"][table["repeats"]].unique()))
        advice = "perhaps the phase between was too quiet to be labelled; if not, "
        advice += "label it"
        problems.append(("note", "labels", what, advice))
    heard = table.groupby("path")["length"].sum() / lengths[table["path"].unique()]
    empty = heard[heard < 0.2]
    if len(empty):
        what = f"{len(empty)} recordings are labelled for less than a fifth of their "
        what += f"time: {shorten(map(repr, empty.index))}"
        problems.append(("warning", "labels", what, "are their tracks complete?"))
    if found.clips["path"].nunique() < 5:
        what = f"only {len(found.clips)} recordings"
        advice = "folds need 5, honest intervals some 20"
        problems.append(("warning", "groups", what, advice))
    return problems
