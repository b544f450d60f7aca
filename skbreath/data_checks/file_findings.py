"""Check the files of a data set: one generator of findings per check."""

import numpy as np

from ..audio.clip_warnings import _QUIET_PEAK
from .layout import Finding, quoted

__all__ = ["FILE_CHECKS", "unreadable_files"]


def unreadable_files(data):
    """Find files that cannot be read."""
    bad = data.clips[data.clips["problem"].notna()]
    if len(bad):
        yield Finding(
            "error",
            "files",
            f"{len(bad)} of {len(data.clips)} files cannot be read",
            "repair them; train, evaluate and predict leave them out by --skip-bad",
            [f"{path!r} {why}" for path, why in bad[["path", "problem"]].values],
            separator="; ",
        )


def mixed_formats(data):
    """Find different rates, channels and encodings."""
    for column, unit, advice in (
        ("rate", " Hz", "the reader resamples"),
        ("channels", "", "the reader averages them"),
        ("encoding", "", "the reader takes all of them"),
    ):
        counts = data.good[column].value_counts()
        if len(counts) > 1:
            yield Finding(
                "note",
                "format",
                f"{len(counts)} different {column.removesuffix('s')}s",
                f"{advice}; check that none of them goes with one of the labels",
                [
                    f"{value if column == 'encoding' else f'{value:g}'}{unit} ({n})"
                    for value, n in counts.items()
                ],
            )


def low_rates(data):
    """Find sampling rates that are too low for breath sounds."""
    low = data.good[data.good["rate"] < 4000]
    if len(low):
        what = f"{len(low)} files have a rate below 4000 Hz"
        advice = "breath reaches to 2 kHz; record at 8 kHz or more"
        yield Finding("warning", "format", what, advice, quoted(low["path"]))


def coarse_samples(data):
    """Find files with samples of 8 bits."""
    coarse = data.good[data.good["encoding"].str.contains("PCM_[US]8")]
    if len(coarse):
        what = f"{len(coarse)} files have 8 bits a sample"
        advice = (
            "sounds below -42 dB of full scale are lost in its steps; record with 16 "
            "bits"
        )
        yield Finding("warning", "format", what, advice, quoted(coarse["path"]))


def clip_lengths(data):
    """Find clips that differ in duration, or are very long or short."""
    if data.layout == "label tracks":
        return
    lengths = data.good["duration_s"]
    middle = float(lengths.median())
    if lengths.max() > 1.05 * lengths.min():
        what = f"clips last {lengths.min():.3g} to {lengths.max():.3g} s (median "
        what += f"{middle:.3g} s)"
        advice = "the reader cuts and pads to `duration`, 1 s if you do not set it"
        yield Finding("note", "length", what, advice)
    if middle > 5:
        what = f"files last {middle:.3g} s in the median, longer than a breath"
        advice = "a clip is one phase: cut them by `clips_from_recordings`, or train "
        advice += "on whole recordings by `skbreath train-phases`"
        yield Finding("warning", "length", what, advice)
    short = data.good[lengths < 0.2]
    if len(short):
        what = f"{len(short)} clips are shorter than 0.2 s"
        advice = "listen to them; leave them out"
        yield Finding("warning", "length", what, advice, quoted(short["path"]))


def silent_files(data):
    """Find files without sound."""
    silent = data.good[data.good["peak"] < _QUIET_PEAK]
    if len(silent):
        what = f"{len(silent)} files are silent (peak below -84 dB)"
        advice = "leave them out: their labels are not meaningful"
        yield Finding("error", "level", what, advice, quoted(silent["path"]))


def clipped_files(data):
    """Find files with flat peaks."""
    good = data.good
    clipped = good[(good["flat"] >= 4) & (good["peak"] > 0.5)]
    if len(clipped):
        what = f"{len(clipped)} files look clipped (4 or more equal samples at the "
        what += "peak)"
        advice = "record them again with less gain, if you can"
        yield Finding("warning", "level", what, advice, quoted(clipped["path"]))


def offsets(data):
    """Find files whose samples have a mean far from zero."""
    loud = _loud(data)
    shifted = loud[loud["offset"].abs() > 0.5 * loud["rms"]]
    if len(shifted):
        what = f"{len(shifted)} files have an offset of half their level or more"
        items = quoted(shifted["path"])
        yield Finding("note", "level", what, "check the sound card", items)


def level_range(data):
    """Describe the range of levels."""
    loud = _loud(data)
    if len(loud) < 2:
        return
    level = 20 * np.log10(loud["rms"].to_numpy(float))
    low, middle, high = np.quantile(level, [0.05, 0.5, 0.95])
    what = f"levels reach from {low:.0f} to {high:.0f} dB of full scale (5 % to "
    what += f"95 % of files, median {middle:.0f} dB)"
    if high - low > 40:
        advice = "check the gain: clips of so different levels come from different "
        yield Finding("warning", "level", what, advice + "set-ups")
    else:
        advice = "nothing: features in dB are not affected"
        yield Finding("note", "level", what, advice)


def loops(data):
    """Find clips that repeat a shorter sound, and whether labels differ in that."""
    good, loud = data.good, _loud(data)
    looped = loud[loud["period_s"] < 0.999 * loud["duration_s"]]
    if not len(looped):
        return
    share = len(looped) / len(good)
    what = f"{len(looped)} of {len(good)} files ({share:.0%}) repeat a shorter sound "
    what += f"sample by sample (median period {looped['period_s'].median():.2f} s)"
    advice = "use the feature group 'loop', as the default preset does, and no "
    advice += "features of the seams above 2 kHz; unlooped sounds will differ"
    yield Finding("note", "loops", what, advice)
    if good["label"].nunique() == 2:
        is_looped = good["period_s"] < 0.999 * good["duration_s"]
        by_label = is_looped.groupby(good["label"]).mean()
        if by_label.max() - by_label.min() > 0.2:
            what = "looping goes with the label"
            items = [f"{name} {part:.0%}" for name, part in by_label.items()]
            advice = "a model may learn the filling; evaluate it on unlooped sounds too"
            yield Finding("warning", "loops", what, advice, items)


def copies(data):
    """Find sounds that the data set contains more than once."""
    loud = _loud(data)
    same = loud[loud["digest"].duplicated(keep=False)]
    across, between, plain = [], [], []
    for _, one in same.groupby("digest", sort=False):
        if one["subset"].nunique() > 1:
            between.append(one)
        elif one["label"].nunique() > 1:
            across.append(one)
        else:
            plain.append(one)
    for level, kind, what, advice in (
        ("error", across, "under different labels", "listen, and keep one of each"),
        ("error", between, "in train and test", "drop them from the training part"),
        ("warning", plain, "", "keep one of each, or never split them"),
    ):
        if kind:
            noun = "sound is" if len(kind) == 1 else "sounds are"
            text = f"{len(kind)} {noun} there more than once {what}".rstrip()
            items = [" = ".join(quoted(one["path"])) for one in kind]
            yield Finding(level, "copies", text, advice, items)


def _loud(data):
    """Get the clips that are not silent."""
    return data.good[data.good["peak"] >= _QUIET_PEAK]


FILE_CHECKS = (
    mixed_formats,
    low_rates,
    coarse_samples,
    clip_lengths,
    silent_files,
    clipped_files,
    offsets,
    level_range,
    loops,
    copies,
)
