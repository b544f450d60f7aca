"""Detect the layout of a data set, and list its clips and all mistakes in its lists."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..audio.files import find_audio_files, has_audio_suffix, is_hidden
from ..datasets.label_files import (
    _FILE_NAME,
    _LABEL_IN_ID,
    _file_name,
    _read_table,
    files_by_name,
    find_files,
)
from ..phases.label_tracks import read_tracks, tracks_beside, unclear_tracks
from ..phases.phase_table import common_words, words_note
from ..utils.text import shorten

__all__ = ["DataSet", "Finding", "find_clips", "quoted"]


@dataclass(frozen=True)
class Finding:
    """Hold one finding about a data set: a row of the table of findings."""

    level: str
    """"error", "warning" or "note"."""
    check: str
    """Kind of the finding, such as "copies"."""
    message: str
    advice: str
    """What to do, or "nothing"."""
    items: tuple = ()
    """Files, lines or values it is about; the first ten are added to the message."""
    separator: str = ", "

    def row(self):
        """Return (level, check, finding, advice)."""
        listed = shorten(self.items, self.separator)
        text = f"{self.message}: {listed}" if listed else self.message
        return self.level, self.check, text, self.advice


def quoted(values):
    """Quote each value, as the items of a finding."""
    return list(map(repr, values))


@dataclass
class DataSet:
    """Hold the clips of a data set with labels and groups, and errors in its lists."""

    layout: str
    """"kaggle", "table", "label folders", "label tracks" or "plain"."""
    clips: pd.DataFrame
    """One row per file: ``path``; ``label`` (None if unknown); ``subset`` ("train" or
    "test"); ``recording``, ``day`` and ``group`` (None if unknown); ``row``, its place
    in the list; and for the checks the columns of `scan_files`."""
    findings: list = field(default_factory=list)
    phases: dict = field(default_factory=dict)
    """Tables of the phases of recordings with label tracks, by path."""

    @cached_property
    def good(self):
        """Clips that can be read."""
        return self.clips[self.clips["problem"].isna()].reset_index(drop=True)

    @cached_property
    def train(self):
        """Readable clips of the training part."""
        return self.good[self.good["subset"] == "train"].reset_index(drop=True)

    @cached_property
    def phase_rows(self):
        """Phases of all readable recordings, with ``path``, ``length``, ``repeats``."""
        readable = set(self.good["path"])
        tables = [
            table.assign(
                path=path,
                length=table["end_s"] - table["start_s"],
                repeats=table["label"] == table["label"].shift(),
            )
            for path, table in self.phases.items()
            if path in readable and len(table)
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def find_clips(data, group=None, labels=None):
    """Detect the layout of a data set, and list its clips.

    `data` is a folder or a CSV file with the columns ``path`` and ``label``; `group` is
    a column of the CSV file, and `labels` renames those of label tracks.
    """
    if data.is_file() and data.suffix.lower() == ".csv":
        return _from_table(data, group)
    if group is not None:
        raise ValueError(
            f"group needs data in a CSV file with a column {group!r}, got {data}."
        )
    if not data.is_dir():
        raise FileNotFoundError(
            f"{str(data)!r} is not a folder or a file that ends in .csv; check the "
            "name."
        )
    if (data / "train.csv").is_file():
        return _from_kaggle(data)
    files = find_audio_files(data)
    tracks = tracks_beside(files)
    if any(tracks.values()):
        return _from_tracks(tracks, labels)
    tops = [Path(file).relative_to(data).parts for file in files]
    inside = {parts[0] for parts in tops if len(parts) > 1}
    if len(inside) > 1 and all(len(parts) > 1 for parts in tops):
        return DataSet("label folders", _table(files, [parts[0] for parts in tops]))
    return DataSet("plain", _table(files, None))


def _table(paths, labels, subset="train", **columns):
    """Make one row per clip, with recording and day if its name contains them."""
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
    """List the clips of train.csv and test.csv."""
    found, findings = [], []
    for subset in ("train", "test"):
        table = folder / f"{subset}.csv"
        if subset == "test" and not table.is_file():
            continue
        columns = ["ID", "Target"] if subset == "train" else ["ID"]
        try:
            frame = _read_table(table, [])
        except ValueError as error:
            findings.append(Finding("error", "labels", str(error), "repair the file"))
            continue
        missing = [name for name in columns if name not in frame]
        if missing:
            what = f"{table.name} lacks the column {shorten(map(repr, missing))}"
            findings.append(Finding("error", "labels", what, "rename a column"))
            continue
        clips, mistakes = _listed(frame, folder / subset, table.name, subset)
        found.append(clips)
        findings += mistakes
    if not found:
        reason = findings[0].message
        raise ValueError(f"{folder / 'train.csv'} lists no clips: {reason}.")
    return DataSet("kaggle", pd.concat(found, ignore_index=True), findings)


def _listed(frame, audio, name, subset):
    """List the clips of a table of IDs, and the rows that do not match the files."""
    present = files_by_name(audio)
    ids = frame["ID"].str.strip()
    files = pd.Series([_file_name(one, present) for one in ids], index=frame.index)
    gone, twice = ~files.isin(present.values()), files.duplicated(keep=False)
    mistakes = [
        ("files", gone, "IDs without a file", "copy the files or drop rows"),
        ("labels", twice, "rows that share a file", "keep one row of each"),
    ]
    labels = None
    if subset == "train":
        target = frame["Target"].str.strip()
        words = common_words(target)
        target = target.replace(words)
        labels = target.where(target != "", None)
        other = ~target.isin(["I", "E", ""])
        mistakes += [
            ("labels", target == "", "rows without a label", "label them"),
            ("labels", other, "labels other than I and E", "correct them"),
        ]
    findings = [
        Finding(
            "error",
            check,
            f"{wrong.sum()} {what} in {name}",
            advice,
            [f"line {i + 2} ({ids.iloc[i]!r})" for i in wrong.to_numpy().nonzero()[0]],
        )
        for check, wrong, what, advice in mistakes
        if wrong.any()
    ]
    if labels is not None and words:
        findings.append(Finding("note", "labels", words_note(words), "nothing"))
    in_id = ids.str.contains(_LABEL_IN_ID) & ~gone
    if subset == "train" and in_id.any():
        what = f"the IDs of {in_id.sum()} rows in {name} contain the label"
        advice = "never pass an ID to a model; file names do not contain the label"
        findings.append(Finding("note", "names", what, advice))
    others = filter(has_audio_suffix, set(present.values()) - set(files))
    unlisted = sorted(name for name in others if not is_hidden(name))
    if unlisted:
        what = f"{len(unlisted)} audio files have no row in {name}"
        advice = "add rows, or move them away"
        items = quoted(unlisted)
        findings.append(Finding("warning", "labels", what, advice, items))
    keep = ~gone & ~files.duplicated()
    paths = [str(audio / one) for one in files[keep]]
    clips = _table(paths, None if labels is None else labels[keep], subset)
    return clips, findings


def _from_table(table, group):
    """List the clips of a CSV file of paths and labels."""
    findings = []
    frame = _read_table(table, ["path"])
    paths = find_files(os.path.normpath(table.parent / one) for one in frame["path"])
    labels = None
    if "label" in frame:
        labels = frame["label"].str.strip()
        empty = (labels == "").to_numpy().nonzero()[0]
        if len(empty):
            what = f"{len(empty)} rows without a label"
            advice = "label them, or drop the rows"
            lines = [f"line {row + 2}" for row in empty]
            findings.append(Finding("error", "labels", what, advice, lines))
        labels = labels.where(labels != "", None)
    columns = {}
    if group is not None:
        if group not in frame:
            raise ValueError(
                f"group must be a column of {table}, got {group!r}; the columns are "
                f"{shorten(map(repr, frame.columns))}."
            )
        columns["group"] = frame[group]
    clips = _table(paths, labels, **columns)
    twice = clips["path"].duplicated()
    if twice.any():
        what, items = f"{twice.sum()} repeated paths", quoted(clips["path"][twice])
        findings.append(Finding("error", "labels", what, "keep one row of each", items))
    return DataSet("table", clips[~twice].reset_index(drop=True), findings)


def _from_tracks(tracks, labels):
    """List recordings and the phases of their label tracks."""
    findings = []
    for what, items, advice in unclear_tracks(tracks):
        level = "warning" if what.endswith("no label track") else "error"
        what = f"{len(items)} of {len(tracks)} {what}"
        findings.append(Finding(level, "labels", what, advice, items))
    pairs = {file: found[0] for file, found in tracks.items() if len(found) == 1}
    tables, problems, notes, _ = read_tracks(
        pairs.values(), [None] * len(pairs), labels, strict=False
    )
    phases = {f: t for f, t in zip(pairs, tables, strict=True) if t is not None}
    for problem in problems:
        what = f"a label track cannot be read: {problem}"
        findings.append(Finding("error", "labels", what, "repair it"))
    for note in notes:
        findings.append(Finding("note", "labels", note.rstrip("."), "nothing"))
    clips = _table(list(tracks), None)
    clips["recording"] = [Path(file).stem for file in tracks]
    return DataSet("label tracks", clips, findings, phases)
