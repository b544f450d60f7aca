"""Which clips a folder holds, whatever its layout, and what is wrong with the lists.

The loaders refuse a data set at its first mistake; here all of them are collected.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ._audio_file import find_audio_files, has_audio_suffix, shorten
from ._kaggle import _FILE_NAME, _LABEL_IN_ID, _file_name, _read_table
from .label_tracks import read_label_track, track_beside

__all__ = ["DataSet", "find_clips"]


@dataclass
class DataSet:
    """What was found.

    Attributes
    ----------
    layout : {"kaggle", "table", "label folders", "label tracks", "plain"}
        How labels are told.
    clips : DataFrame
        One row per file: ``path``; ``label`` (None if unknown); ``subset`` ("train"
        or "test"); ``recording``, ``day`` and any ``group`` (None if unknown);
        ``row``, its place in the list.
    problems : list of (level, check, finding, advice)
        What is wrong with the lists.
    phases : dict of str to DataFrame
        Of recordings with label tracks.
    """

    layout: str
    clips: pd.DataFrame
    problems: list = field(default_factory=list)
    phases: dict = field(default_factory=dict)


def find_clips(data, group=None):
    """Tell the layout of a data set, and list its clips.

    Parameters
    ----------
    data : Path
        Folder, or CSV file with the columns ``path`` and ``label``.
    group : str, default=None
        Column of the CSV file with what belongs together.

    Returns
    -------
    found : DataSet

    Raises
    ------
    ValueError, OSError
        If there is no such folder or file, or no audio in it.
    """
    if data.is_file() and data.suffix.lower() == ".csv":
        return _from_table(data, group)
    if group is not None:
        raise ValueError(f"group={group!r} names a column, but {data} is no CSV file.")
    if not data.is_dir():
        raise FileNotFoundError(
            f"{str(data)!r} is no folder and no file that ends in .csv; check the name."
        )
    if (data / "train.csv").is_file():
        return _from_kaggle(data)
    files = find_audio_files(data)
    tracks = {file: track_beside(file) for file in files}
    if any(tracks.values()):
        return _from_tracks(tracks)
    tops = [Path(file).relative_to(data).parts for file in files]
    inside = {parts[0] for parts in tops if len(parts) > 1}
    if len(inside) > 1 and all(len(parts) > 1 for parts in tops):
        return DataSet("label folders", _table(files, [parts[0] for parts in tops]))
    return DataSet("plain", _table(files, None))


def _table(paths, labels, subset="train", **columns):
    """One row per clip; recording and day where the name tells them."""
    frame = pd.DataFrame({"path": list(paths)}, dtype=object)
    frame["label"] = None if labels is None else list(labels)
    frame["subset"] = subset
    parts = frame["path"].map(os.path.basename).str.extract(_FILE_NAME)
    for name in ("recording", "day"):
        known = parts[name] if len(frame) else pd.Series(dtype=object)
        frame[name] = known.astype(object).where(known.notna(), None)
    frame["group"] = None
    for name, values in columns.items():
        frame[name] = list(values)
    frame["row"] = range(len(frame))
    return frame.astype({"label": object, "group": object})


def _from_kaggle(folder):
    found, problems = [], []
    for subset in ("train", "test"):
        table = folder / f"{subset}.csv"
        if subset == "test" and not table.is_file():
            continue
        columns = ["ID", "Target"] if subset == "train" else ["ID"]
        try:
            frame = _read_table(table, [])
        except ValueError as error:
            problems.append(("error", "labels", str(error), "repair the file"))
            continue
        missing = [name for name in columns if name not in frame]
        if missing:
            what = f"{table.name} lacks the column {shorten(map(repr, missing))}"
            problems.append(("error", "labels", what, "rename a column"))
            continue
        found.append(_listed(frame, folder / subset, table.name, subset, problems))
    if not found:
        raise ValueError(f"{folder / 'train.csv'} lists no clips: {problems[0][2]}.")
    return DataSet("kaggle", pd.concat(found, ignore_index=True), problems)


def _listed(frame, audio, name, subset, problems):
    """Clips of a table of IDs, and what does not fit the files there are."""
    present = set(os.listdir(audio)) if audio.is_dir() else set()
    ids = frame["ID"].str.strip()
    files = pd.Series([_file_name(one, present) for one in ids], index=frame.index)

    def report(level, check, wrong, what, advice):
        if wrong.any():
            lines = shorten(
                f"line {i + 2} ({ids.iloc[i]!r})" for i in wrong.to_numpy().nonzero()[0]
            )
            what = f"{int(wrong.sum())} {what} in {name}: {lines}"
            problems.append((level, check, what, advice))

    gone = ~files.isin(present)
    report("error", "files", gone, "IDs without a file", "copy the files or drop rows")
    twice = files.duplicated(keep=False)
    report("error", "labels", twice, "rows that share a file", "keep one row of each")
    labels = None
    if subset == "train":
        target = frame["Target"].str.strip()
        report("error", "labels", target == "", "rows without a label", "label them")
        other = ~target.isin(["I", "E", ""])
        report("error", "labels", other, "labels other than I and E", "correct them")
        labels = target.where(target != "", None)
        in_id = ids.str.contains(_LABEL_IN_ID) & ~gone
        if in_id.any():
            what = f"the IDs of {int(in_id.sum())} rows in {name} spell the label"
            advice = "never let a model see an ID; file names do not spell it"
            problems.append(("note", "names", what, advice))
    unlisted = sorted(filter(has_audio_suffix, present - set(files)))
    if unlisted:
        what = f"{len(unlisted)} audio files have no row in {name}: "
        what += shorten(map(repr, unlisted))
        problems.append(("warning", "labels", what, "add rows, or move them away"))
    keep = ~gone & ~files.duplicated()
    paths = [str(audio / one) for one in files[keep]]
    return _table(paths, None if labels is None else labels[keep], subset)


def _from_table(table, group):
    problems = []
    frame = _read_table(table, ["path"])
    paths = [os.path.normpath(table.parent / path) for path in frame["path"]]
    labels = None
    if "label" in frame:
        labels = frame["label"].str.strip()
        empty = (labels == "").to_numpy().nonzero()[0]
        if len(empty):
            lines = shorten(f"line {row + 2}" for row in empty)
            what = f"{len(empty)} rows without a label: {lines}"
            problems.append(("error", "labels", what, "label them, or drop the rows"))
        labels = labels.where(labels != "", None)
    columns = {}
    if group is not None:
        if group not in frame:
            raise ValueError(
                f"{table} lacks the column {group!r}; it has "
                f"{shorten(map(repr, frame.columns))}."
            )
        columns["group"] = frame[group]
    clips = _table(paths, labels, **columns)
    twice = clips["path"].duplicated()
    if twice.any():
        what = f"{int(twice.sum())} repeated paths: "
        what += shorten(map(repr, clips["path"][twice]))
        problems.append(("error", "labels", what, "keep one row of each"))
    return DataSet("table", clips[~twice].reset_index(drop=True), problems)


def _from_tracks(tracks):
    problems, phases = [], {}
    without = [file for file, track in tracks.items() if track is None]
    if without:
        what = f"{len(without)} of {len(tracks)} recordings have no label track: "
        what += shorten(map(repr, without))
        advice = "annotate them, or move them away"
        problems.append(("warning", "labels", what, advice))
    for file, track in tracks.items():
        if track is None:
            continue
        try:
            phases[file] = read_label_track(track)
        except (ValueError, OSError) as error:
            what = f"a label track cannot be read: {error}"
            problems.append(("error", "labels", what, "repair it"))
    clips = _table(list(tracks), None)
    clips["recording"] = [Path(file).stem for file in tracks]
    return DataSet("label tracks", clips, problems, phases)
