"""What is wrong with a data set, from what its lists and its files are like."""

import re

import numpy as np
import pandas as pd

from ._audio_file import first_of
from ._audio_warnings import _QUIET_PEAK
from ._metadata_leaks import (
    auc_margin,
    judge_columns,
    make_splits,
    name_columns,
    sibling_score,
)
from ._phase_table import BEYOND_END_S

__all__ = ["find_problems"]

# Judged by no more clips: an AUC is known to a point by then.
_CLIPS_JUDGED = 20_000


def find_problems(found, pos_label):
    """Judge a data set.

    Parameters
    ----------
    found : DataSet
        With the columns of :func:`~skbreath._dataset_scan.scan_files` in its clips.
    pos_label : label or None
        The positive class; None takes the last of two.

    Returns
    -------
    problems : list of (level, check, finding, advice)
    """
    clips = found.clips
    good = clips[clips["problem"].isna()].reset_index(drop=True)
    problems = [*found.problems, *_unreadable(clips)]
    if len(good) == 0:
        return problems
    problems += _formats(good, found.layout) + _levels(good) + _loops(good)
    problems += _copies(good)
    if found.layout == "label tracks":
        return problems + _tracks(found, good)
    train = good[good["subset"] == "train"].reset_index(drop=True)
    problems += _groups(train) + _subsets(good)
    # The place in a list says something only where somebody wrote the list.
    listed = found.layout != "label folders"
    return problems + _labels(train) + _leaks(train, pos_label, listed)


def _names(paths):
    return first_of(map(repr, paths))


def _unreadable(clips):
    bad = clips[clips["problem"].notna()]
    if not len(bad):
        return []
    named = first_of(
        (f"{path!r} {why}" for path, why in bad[["path", "problem"]].values), "; "
    )
    what = f"{len(bad)} of {len(clips)} files cannot be read: {named}"
    advice = "repair them; train, evaluate and predict leave them out by --skip-bad"
    return [("error", "files", what, advice)]


def _formats(good, layout):
    problems = []
    for column, unit, advice in (
        ("rate", " Hz", "fine for the reader, which resamples, if no rate goes with"),
        ("channels", "", "fine for the reader, which averages, if none goes with"),
        ("encoding", "", "fine for the reader, if none goes with"),
    ):
        counts = good[column].value_counts()
        if len(counts) > 1:
            listed = first_of(
                f"{value:g}{unit} ({n})" if column != "encoding" else f"{value} ({n})"
                for value, n in counts.items()
            )
            what = f"{len(counts)} different {column}s: {listed}"
            problems.append(("note", "format", what, f"{advice} one of the labels"))
    low = good[good["rate"] < 4000]
    if len(low):
        what = f"{len(low)} files have a rate below 4000 Hz: {_names(low['path'])}"
        advice = "breath reaches to 2 kHz; record at 8 kHz or more"
        problems.append(("warning", "format", what, advice))
    if layout == "label tracks":
        return problems
    lengths = good["duration_s"]
    middle = float(lengths.median())
    if lengths.max() > 1.05 * lengths.min():
        what = f"clips last {lengths.min():.3g} to {lengths.max():.3g} s (median "
        what += f"{middle:.3g} s)"
        advice = "the reader cuts and pads to `duration`, 1 s if you do not set it"
        problems.append(("note", "length", what, advice))
    if middle > 5:
        what = f"files last {middle:.3g} s in the median, longer than a breath"
        advice = "a clip is one phase: cut them by `clips_from_recordings`, or train "
        advice += "on whole recordings by `skbreath train-phases`"
        problems.append(("warning", "length", what, advice))
    short = good[lengths < 0.2]
    if len(short):
        what = f"{len(short)} clips are shorter than 0.2 s: {_names(short['path'])}"
        problems.append(("warning", "length", what, "listen to them; leave them out"))
    return problems


def _levels(good):
    problems = []
    peak = good["peak"].to_numpy(float)
    silent = good[peak < _QUIET_PEAK]
    if len(silent):
        what = f"{len(silent)} files hold no sound (peak below -84 dB): "
        advice = "leave them out: a label of them means nothing"
        problems.append(("error", "level", what + _names(silent["path"]), advice))
    clipped = good[(good["flat"] >= 4) & (peak > 0.5)]
    if len(clipped):
        what = f"{len(clipped)} files look clipped (4 or more equal samples at the "
        what += f"peak): {_names(clipped['path'])}"
        advice = "record them again with less gain, if you can"
        problems.append(("warning", "level", what, advice))
    loud = good[peak >= _QUIET_PEAK]
    shifted = loud[loud["offset"].abs() > 0.5 * loud["rms"]]
    if len(shifted):
        what = f"{len(shifted)} files have an offset of half their level or more: "
        what += _names(shifted["path"])
        problems.append(("note", "level", what, "check the sound card"))
    if len(loud) > 1:
        level = 20 * np.log10(loud["rms"].to_numpy(float))
        low, middle, high = np.quantile(level, [0.05, 0.5, 0.95])
        what = f"levels reach from {low:.0f} to {high:.0f} dB of full scale (5 % to "
        what += f"95 % of files, median {middle:.0f} dB)"
        spread = high - low > 40
        advice = "check the gain: clips of so different levels come from different "
        advice += "set-ups" if spread else ""
        advice = advice if spread else "nothing: features in dB bear this"
        problems.append(("warning" if spread else "note", "level", what, advice))
    return problems


def _loops(good):
    looped = good[good["period_s"] < 0.999 * good["duration_s"]]
    looped = looped[looped["peak"] >= _QUIET_PEAK]
    if not len(looped):
        return []
    share = len(looped) / len(good)
    what = f"{len(looped)} of {len(good)} files ({share:.0%}) repeat a shorter sound "
    what += f"sample by sample (median period {looped['period_s'].median():.2f} s)"
    advice = "use the feature group 'loop', as the default preset does, and no "
    advice += "features of the seams above 2 kHz; unlooped sounds will differ"
    problems = [("note", "loops", what, advice)]
    labelled = good["label"].notna()
    if labelled.any() and good["label"].nunique() == 2:
        shares = (good["period_s"] < 0.999 * good["duration_s"])[labelled]
        by_label = shares.groupby(good["label"][labelled]).mean()
        if by_label.max() - by_label.min() > 0.2:
            told = ", ".join(f"{name} {part:.0%}" for name, part in by_label.items())
            what = f"looping goes with the label: {told}"
            advice = "a model may learn the filling; judge it on unlooped sounds too"
            problems.append(("warning", "loops", what, advice))
    return problems


def _copies(good):
    good = good[good["peak"] >= _QUIET_PEAK]
    same = good[good["digest"].duplicated(keep=False)]
    sets = list(same.groupby("digest", sort=False))
    if not sets:
        return []
    across, between, plain = [], [], []
    for _, one in sets:
        labels = one["label"].dropna()
        if one["subset"].nunique() > 1:
            between.append(one)
        elif labels.nunique() > 1:
            across.append(one)
        else:
            plain.append(one)
    problems = []
    for level, kind, what, advice in (
        ("error", across, "under different labels", "listen, and keep one of each"),
        ("error", between, "in train and test", "drop them from the training part"),
        ("warning", plain, "", "keep one of each, or never split them"),
    ):
        if kind:
            listed = first_of(" = ".join(map(repr, one["path"])) for one in kind)
            noun = "sound is" if len(kind) == 1 else "sounds are"
            text = f"{len(kind)} {noun} there more than once {what}".rstrip()
            problems.append((level, "copies", f"{text}: {listed}", advice))
    return problems


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
    listed = first_of(f"{name} {n}" for name, n in counts.items())
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
        what += f"one label: {first_of(map(repr, single.index))}"
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


def _tracks(found, good):
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
        what += _names(beyond)
        problems.append(("error", "labels", what, "check that the pairs belong"))
    if not len(table):
        return problems + [("error", "labels", "no phase is labelled", "annotate")]
    counts, middle = table["label"].value_counts(), table.groupby("label")["length"]
    listed = first_of(
        f"{name} {n} (median {middle.median()[name]:.2f} s)"
        for name, n in counts.items()
    )
    level = "note" if len(counts) == 2 else "error"
    advice = "nothing" if len(counts) == 2 else "`train-phases` takes two, I and E"
    problems.append((level, "balance", f"{len(table)} phases: {listed}", advice))
    short = table[table["length"] < 0.1]
    if len(short):
        what = f"{len(short)} phases are shorter than 0.1 s, in "
        what += _names(short["path"].unique())
        problems.append(("warning", "labels", what, "slips of the mouse? correct them"))
    if table["repeats"].any():
        what = f"{table['repeats'].sum()} phases follow one with the same label, in "
        what += _names(table["path"][table["repeats"]].unique())
        advice = "perhaps the phase between was too quiet to be labelled; if not, "
        advice += "label it"
        problems.append(("note", "labels", what, advice))
    heard = table.groupby("path")["length"].sum() / lengths[table["path"].unique()]
    empty = heard[heard < 0.2]
    if len(empty):
        what = f"{len(empty)} recordings are labelled for less than a fifth of their "
        what += f"time: {_names(empty.index)}"
        problems.append(("warning", "labels", what, "are their tracks complete?"))
    if found.clips["path"].nunique() < 5:
        what = f"only {len(found.clips)} recordings"
        advice = "folds need 5, honest intervals some 20"
        problems.append(("warning", "groups", what, advice))
    return problems
