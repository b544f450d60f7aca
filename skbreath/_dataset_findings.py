"""What is wrong with a data set, and first of all with its files."""

import numpy as np

from ._audio_file import shorten
from ._audio_warnings import _QUIET_PEAK
from ._label_findings import label_problems, track_problems

__all__ = ["find_problems"]


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
        return problems + track_problems(found, good)
    # The place in a list says something only where somebody wrote the list.
    listed = found.layout != "label folders"
    return problems + label_problems(good, pos_label, listed)


def _names(paths):
    return shorten(map(repr, paths))


def _unreadable(clips):
    bad = clips[clips["problem"].notna()]
    if not len(bad):
        return []
    named = shorten(
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
            listed = shorten(
                f"{value:g}{unit} ({n})" if column != "encoding" else f"{value} ({n})"
                for value, n in counts.items()
            )
            what = f"{len(counts)} different {column.removesuffix('s')}s: {listed}"
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
            listed = shorten(" = ".join(map(repr, one["path"])) for one in kind)
            noun = "sound is" if len(kind) == 1 else "sounds are"
            text = f"{len(kind)} {noun} there more than once {what}".rstrip()
            problems.append((level, "copies", f"{text}: {listed}", advice))
    return problems
