"""Check the labels and groups of a data set: one generator of findings per check."""

import os
import re
import shlex

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from ..fitting.cross_fitting import check_group_cv, out_of_fold
from ..phases.phase_table import BEYOND_END_S
from ..utils.text import shorten
from .layout import Finding, quoted

__all__ = ["LABEL_CHECKS", "TRACK_CHECKS"]

_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
# Numbers used from the end of each name, and words used of all names.
_N_NUMBERS, _N_WORDS = 6, 30
# More clips than this are sampled: the AUC has converged by then.
_MOST_CLIPS = 20_000


def _group_column(clips):
    """Get name and values of the column of groups; None if there is not any."""
    for name in ("group", "recording"):
        if clips[name].notna().all():
            return name, clips[name].to_numpy(str)
    return None, None


def group_sizes(data):
    """Describe groups, and find those that are missing, few or too large."""
    train = data.train
    name, groups = _group_column(train)
    if name is None:
        what = "the recording or person of each clip is unknown"
        advice = (
            "make a CSV with path, label and a column such as patient, and name it "
        )
        advice += "by --group: scores are too high where recordings are split"
        yield Finding("warning", "groups", what, advice)
        return
    sizes = pd.Series(groups).value_counts()
    what = f"{len(sizes)} {name}s of {sizes.min()} to {sizes.max()} clips"
    days = train["day"].nunique() if train["day"].notna().all() else None
    advice = f"split by {name}"
    if days:
        what += f", on {days} days"
        advice += ", or by day to evaluate on unseen patients"
    yield Finding("note", "groups", what, advice)
    if len(sizes) < 5:
        what = f"only {len(sizes)} {name}s: folds need 5, reliable intervals some 20"
        yield Finding("warning", "groups", what, "record more people")
    elif sizes.max() > 0.3 * len(train):
        what = f"{sizes.index[0]!r} holds {sizes.max() / len(train):.0%} of the clips"
        advice = "scores will be those of one recording"
        yield Finding("warning", "groups", what, advice)


def shared_recordings(data):
    """Find recordings with clips in both train and test."""
    parts = [part for _, part in data.good.groupby("subset")]
    if len(parts) < 2 or not data.good["recording"].notna().all():
        return
    shared = set(parts[0]["recording"]) & set(parts[1]["recording"])
    if shared:
        what = f"{len(shared)} recordings have clips both in train and in test"
        advice = "the score on this test set is that of known recordings"
        yield Finding("note", "groups", what, advice)


def label_counts(data):
    """Describe the balance of the labels, and report if there are not two of them."""
    labels = data.train["label"].dropna()
    if not len(labels):
        what, advice = "no clip has a label", "fine to predict; training needs labels"
        yield Finding("note", "labels", what, advice)
        return
    counts = labels.value_counts()
    listed = [f"{name} {n}" for name, n in counts.items()]
    if len(counts) != 2:
        what, advice = f"{len(counts)} labels", "a phase classifier needs exactly two"
        yield Finding("error", "balance", what, advice, listed)
        return
    share = counts.min() / counts.sum()
    level = "warning" if share < 0.2 else "note"
    advice = "nothing" if share >= 0.35 else "watch balanced accuracy and AUC"
    what = f"{', '.join(listed)} ({share:.0%} the rarer)"
    yield Finding(level, "balance", what, advice)


def one_label_groups(data):
    """Find groups whose clips all have one label."""
    train = data.train
    name, groups = _group_column(train)
    labels = train["label"].dropna().unique()
    if name is None or len(labels) != 2:
        return
    table = pd.crosstab(groups, train["label"].fillna(""))[list(labels)]
    table = table[table.sum(axis=1) >= 4]
    single = table[(table == 0).any(axis=1)]
    if len(single):
        what = f"{len(single)} of {len(table)} {name}s of 4 clips or more have only "
        what += "one label"
        advice = "a model may learn the recording instead of the phase"
        level = "warning" if len(single) > 0.5 * len(table) else "note"
        yield Finding(level, "balance", what, advice, quoted(single.index))


def label_leaks(data):
    """Find names, order, format and level that predict labels without the sound."""
    known = data.train[data.train["label"].notna()]
    names = sorted(known["label"].unique())
    if len(names) != 2:
        return
    if len(known) > _MOST_CLIPS:
        known = known.sample(_MOST_CLIPS, random_state=0).sort_index()
    positive = (known["label"] == names[1]).to_numpy()
    _, groups = _group_column(known)
    margin, splits = _auc_margin(positive), _make_splits(positive, groups)
    if splits is None:
        return
    row = known["row"].to_numpy(float)
    rate = known[["rate", "channels", "duration_s"]].to_numpy(float)
    encoding = pd.factorize(known["encoding"])[0]
    level = np.log10(known["rms"].to_numpy(float) + 1e-9)[:, None]
    hide = "names and order must not reach a model (they reach none of skbreath's)"
    even = "a model may learn that; even it out, and evaluate on data without it"
    sources = [
        ("names", "file names", _name_columns(known["path"], groups), hide),
        ("order", "the place in the list", np.column_stack([row, row % 2]), hide),
        ("format", "format and length", np.column_stack([rate, encoding]), even),
        ("level", "the level", level, even),
    ]
    if data.layout == "label folders":  # in order of their names, not of a list
        del sources[1]
    for check, source, columns, advice in sources:
        auc = _cross_validated_auc(columns, positive, splits)
        if auc > 0.5 + margin:
            grade = "warning" if auc > max(0.6, 0.5 + margin) else "note"
            what = f"labels can be predicted from {source} alone: AUC {auc:.2f}"
            yield Finding(grade, check, what, advice)
    if groups is not None:
        yield from _sibling_leaks(known, positive, groups, margin)


def _sibling_leaks(known, positive, groups, margin):
    """Yield a finding if other labels of the recording predict a clip's label."""
    last = known["path"].map(lambda path: _NUMBER.findall(path.rpartition(".")[0]))
    if not last.map(bool).all():
        return
    # Larger numbers cannot be positions in a recording.
    place = np.minimum([float(numbers[-1]) for numbers in last], 1e9)
    siblings = _sibling_score(positive, groups, place)
    columns = np.column_stack([_name_columns(known["path"], groups), siblings])
    # Without groups, recordings are split between training and test.
    auc = _cross_validated_auc(columns, positive, _make_splits(positive, None))
    if auc > max(0.6, 0.5 + margin):
        what = "labels can be predicted from file names and the labels of other clips "
        what += f"of the recording: AUC {auc:.2f}"
        advice = "never split a recording between training and test"
        yield Finding("warning", "names", what, advice)


def _name_columns(paths, groups=None):
    """Turn file names into numeric columns; NaN where a number is missing.

    The columns are the last numbers of a name with their parity, its length, and which
    of the common words are in it. Names of groups are removed first.
    """
    stems = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    if groups is not None:
        stems = [
            stem.replace(str(group), "")
            for stem, group in zip(stems, groups, strict=True)
        ]
    numbers = [_NUMBER.findall(stem)[::-1][:_N_NUMBERS] for stem in stems]
    width = max(map(len, numbers), default=0)
    values = np.full((len(stems), 2 * width + 1), np.nan)
    for row, found in enumerate(numbers):
        for place, text in enumerate(found):
            values[row, 2 * place] = float(text)
            values[row, 2 * place + 1] = int(text[-1]) % 2
    values[:, -1] = [len(stem) for stem in stems]
    words = [set(map(str.lower, _WORD.findall(stem))) for stem in stems]
    counts = pd.Series([word for one in words for word in one], dtype=object)
    common = counts.value_counts()
    common = common[common < len(stems)].index[:_N_WORDS]
    present = [[word in one for word in common] for one in words]
    return np.hstack([values, np.array(present, dtype=float).reshape(len(stems), -1)])


def _make_splits(positive, groups):
    """Make five folds that share no group, or random ones without groups.

    None if there are fewer than 20 clips of a class or fewer than five groups.
    """
    n_groups = len(positive) if groups is None else len(np.unique(groups))
    if min(positive.sum(), (~positive).sum()) < 20 or n_groups < 5:
        return None
    cv = 5
    if groups is None:  # unshuffled folds of a sorted list would not split recordings
        cv = StratifiedKFold(5, shuffle=True, random_state=0)
    shape = np.zeros(len(positive))
    return list(check_group_cv(cv, positive, groups).split(shape, positive, groups))


def _cross_validated_auc(columns, positive, splits):
    """Cross-validate boosted trees on columns, and return their AUC."""
    trees = HistGradientBoostingClassifier(
        max_iter=30, max_leaf_nodes=8, early_stopping=False, random_state=0
    )
    score = np.full(len(positive), np.nan)
    for test, output in out_of_fold(trees, columns, positive, splits):
        score[test] = output["predict_proba"][:, 1]
    return float(roc_auc_score(positive, score))


def _sibling_score(positive, groups, place):
    """Score each clip by the labels of the other clips of its recording.

    Phases alternate: clips an odd number of places away are expected to have the other
    label. The score is 0 for the only clip of a recording.
    """
    sign = np.where(positive, 1.0, -1.0)
    score = np.zeros(len(positive))
    for rows in pd.Series(np.arange(len(groups))).groupby(np.asarray(groups)):
        rows = rows[1].to_numpy()
        apart = np.abs(place[rows][:, None] - place[rows])
        weight = np.where(apart == 0, 0.0, 0.5 ** np.maximum(apart - 1.0, 0.0))
        weight *= np.where(apart % 2 == 1, -1.0, 1.0)
        score[rows] = weight @ sign[rows]
    return score


def _auc_margin(positive):
    """Get the distance of an AUC from 0.5 that chance exceeds once in 1,000 times."""
    n, m = int(positive.sum()), int((~positive).sum())
    # Standard error of Mann and Whitney's U without ties, doubled for clips of a
    # recording that resemble each other.
    return 2 * 3.3 * np.sqrt((n + m + 1) / (12 * n * m))


def tracks_beyond_end(data):
    """Find label tracks that are longer than their recordings."""
    if not len(data.phase_rows):
        return
    ends = data.phase_rows.groupby("path", sort=False)["end_s"].max()
    lengths = data.good.set_index("path")["duration_s"]
    beyond = ends.index[ends > lengths[ends.index] + BEYOND_END_S]
    if len(beyond):
        what = f"{len(beyond)} label tracks reach beyond their recordings"
        advice = "check that the pairs belong together"
        yield Finding("error", "labels", what, advice, quoted(beyond))


def phase_counts(data):
    """Describe number and length of phases, and report labels other than I and E."""
    phases = data.phase_rows
    if not len(phases):
        yield Finding("error", "labels", "no phase is labelled", "annotate")
        return
    counts = phases["label"].value_counts()
    medians = phases.groupby("label")["length"].median()
    items = [f"{name} {n} (median {medians[name]:.2f} s)" for name, n in counts.items()]
    yield Finding("note", "balance", f"{len(phases)} phases", "nothing", items)
    other = [label for label in counts.index if label not in ("I", "E")]
    if other or len(counts) < 2:
        what = f"expected the labels I and E, got {shorten(map(repr, counts.index))}"
        pairs = shlex.quote(",".join(f"{label}=?" for label in other))
        advice = f"say what they mean by --labels {pairs}, with I, E or nothing (to "
        advice += "leave them out) in place of each ?; in `skbreath train-phases` too"
        if not other:
            advice = "label the other phases too"
        yield Finding("error", "labels", what, advice)


def short_phases(data):
    """Find phases too short for a breath."""
    phases = data.phase_rows
    short = phases[phases["length"] < 0.1] if len(phases) else phases
    if len(short):
        what = f"{len(short)} phases are shorter than 0.1 s"
        advice = "check whether they are mistakes, and correct them"
        yield Finding("warning", "labels", what, advice, quoted(short["path"].unique()))


def repeated_phases(data):
    """Find phases that follow one with the same label."""
    phases = data.phase_rows
    repeats = phases[phases["repeats"]] if len(phases) else phases
    if len(repeats):
        what = f"{len(repeats)} phases follow one with the same label"
        advice = "perhaps the phase between was too quiet to be labelled; if not, "
        advice += "label it"
        yield Finding("note", "labels", what, advice, quoted(repeats["path"].unique()))


def incomplete_tracks(data):
    """Find recordings of which only a small part, or nothing, is labelled."""
    if not len(data.phase_rows):
        return
    lengths = data.good.set_index("path")["duration_s"]
    lengths = lengths[lengths.index.isin(data.phases)]
    labelled = data.phase_rows.groupby("path")["length"].sum()
    labelled = labelled.reindex(lengths.index, fill_value=0.0)
    empty = lengths.index[labelled == 0]
    if len(empty):
        what = f"{len(empty)} label tracks have no phase"
        advice = "label them: training takes their recordings for pauses"
        yield Finding("warning", "labels", what, advice, quoted(empty))
    few = lengths.index[(labelled > 0) & (labelled < 0.2 * lengths)]
    if len(few):
        what = f"{len(few)} recordings are labelled for less than a fifth of their time"
        advice = "check that their tracks are complete"
        yield Finding("warning", "labels", what, advice, quoted(few))


def few_recordings(data):
    """Find too few recordings for an evaluation."""
    if len(data.phase_rows) and len(data.clips) < 5:
        what = f"only {len(data.clips)} recordings"
        advice = "folds need 5, reliable intervals some 20"
        yield Finding("warning", "groups", what, advice)


LABEL_CHECKS = (
    group_sizes,
    shared_recordings,
    label_counts,
    one_label_groups,
    label_leaks,
)
TRACK_CHECKS = (
    tracks_beyond_end,
    phase_counts,
    short_phases,
    repeated_phases,
    incomplete_tracks,
    few_recordings,
)
