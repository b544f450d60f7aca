"""Read and write label tracks: phases of a recording, in formats of other programs."""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..utils.files import atomic_path, check_destination
from .label_formats import ADVENTITIOUS, FORMATS, sniff
from .label_rows import LineError
from .phase_table import (
    BEYOND_END_S,
    COLUMNS,
    check_phases,
    common_words,
    phase_table,
    unknown_labels_hint,
    words_note,
)
from .textgrid import choose_rows

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..utils.typing import FilePath

__all__ = ["read_label_track", "write_label_track"]

_NAMES = (
    "for x.wav the names x.txt, x_label.txt, x.Table.1.selections.txt, x.TextGrid, "
    "x.csv and x.json are looked for"
)
# First bytes of files that are not text of a format.
_NO_TEXT = {
    b"ooBinaryFile": "a binary TextGrid; save it as a text file in Praat",
    b"version https://git-lfs": "a Git LFS pointer; run `git lfs pull`",
}
# The ends may be in any case: _label is of HF_Lung, .Table of Raven.
_TRACK_ENDS = [
    re.compile(f"(.+){end}", re.IGNORECASE | re.DOTALL)
    for end in (
        r"(?:_label|\.Table\.\d+\.selections)\.txt",
        r"\.(?:txt|TextGrid|csv|json)",
    )
]


def read_label_track(
    path: FilePath,
    format: str | None = None,
    *,
    labels: Collection[str] | Mapping[str, str | None] | None = None,
    ignore: Collection[str] | None = None,
    duration: float | None = None,
    tier: str | Collection[str] | None = None,
) -> pd.DataFrame:
    """Read the phases of a recording from a label file.

    ============  ==========================================================
    format        what
    ============  ==========================================================
    ``audacity``  label track: ``start<TAB>end<TAB>label`` in s; lines that
                  begin with a backslash (frequencies) are skipped
    ``hf_lung``   ``I 00:00:01.500 00:00:02.457``
    ``icbhi``     respiratory cycles ``begin end crackles wheezes``; the label
                  of each is ``"cycle"``
    ``textgrid``  Praat TextGrid in text form, long or short: the intervals
                  with text of the tier of phases (see `tier`)
    ``raven``     Raven selection table with ``Annotation``, ``Label`` or
                  ``Species``; a selection in several views counts once
    ``csv``       ``start_s,end_s,label`` and, if there, ``probability``,
                  with commas, semicolons or tabs between; or
                  ``start,end,label``, and similar names
    ``json``      what :func:`write_label_track` writes, or only its list
    ============  ==========================================================

    Times are in s, or like ``00:00:01.500``; a comma is a decimal comma. The names of
    columns may be in any case, and written as in ``Start (s)``.

    Parameters
    ----------
    path : str or path
        The file, in UTF-8 or UTF-16.
    format : str, default=None
        As above; None detects it from the suffix and the first line.
    labels : collection of str, or dict of str to str or None, default=None
        Allowed labels, such as ``("I", "E")``; None allows any. Common words for the
        phases, such as ``inhale``, ``in``, ``Insp`` or ``e``, are read as ``I`` and
        ``E``, or as your own words if they are allowed: ``("inhale", "exhale")``. A
        dict renames labels, ``{"breath in": "I"}``, and leaves out the rows of those
        that it maps to None; ``I`` and ``E`` are allowed too if it maps to no others.
    ignore : collection of str, default=None
        Labels whose rows are left out. None means the adventitious sounds of
        HF_Lung (``D``, ``Wheeze``, ``Rhonchi``, ``Stridor``) in that format, and
        none elsewhere.
    duration : float, default=None
        Length of the recording in s, if known.
    tier : str or collection of str, default=None
        Interval tiers of a TextGrid to read. None takes the only one with text, or
        those with `labels` (or, if that is None, ``I`` and ``E``) if each has labels
        of its own, such as a tier of inhales and one of exhales. It is an error if
        other tiers may hold phases too. Tiers of points are never read.

    Returns
    -------
    phases : DataFrame
        ``start_s``, ``end_s``, ``label`` and further columns of the format, by time.
        ``attrs["path"]`` is the file, for error messages.

    Raises
    ------
    ValueError
        If the file is not in its format, a phase is reversed, overlaps another, has
        an unknown label or ends more than 0.05 s after `duration`, or if it is
        unclear which tiers hold phases; the message names file and line.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If words are read as ``I`` and ``E``, or rows are left out by `labels`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "steth_label.txt")
    >>> _ = path.write_text("I 00:00:01.500 00:00:02.457\\nD 00:00:02.1 00:00:02.2\\n")
    >>> read_label_track(path).values.tolist()
    [[1.5, 2.457, 'I']]
    """
    (table,), problems, notes, hint = read_tracks(
        [path], [duration], labels, format=format, ignore=ignore, tier=tier
    )
    for problem in problems:
        raise ValueError(f"{problem}{hint}") if hint else problem
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return table


def read_tracks(paths, durations, labels=None, *, strict=True, **options):
    """Read label tracks; return (tables, problems, notes, hint on unknown labels).

    The table of a file with a problem is None. Parameters are as for
    :func:`read_label_track`; if not `strict`, labels that are not in `labels` are read.
    """
    names, allowed = _split_labels(labels)
    strict = strict and labels is not None
    tables, problems, words, left_out, unknown = [], [], {}, Counter(), {}
    for path, duration in zip(paths, durations, strict=True):
        table = None
        try:
            rows = _read_file(Path(path), names, allowed, **options)
            left_out.update(r.label for r in rows if names.get(r.label, "") is None)
            rows = [row for row in rows if names.get(row.label, "") is not None]
            rows = [row._replace(label=names.get(row.label, row.label)) for row in rows]
            meant = common_words([row.label for row in rows], allowed)
            words |= meant
            rows = [row._replace(label=meant.get(row.label, row.label)) for row in rows]
            if strict:
                found = [row.label for row in rows if row.label not in allowed]
                unknown |= dict.fromkeys(filter(None, found))
            table = _check_rows(path, rows, allowed if strict else None, duration)
        except (OSError, ValueError) as error:
            problems.append(error)
        tables.append(table)
    notes = [f"{words_note(words)}."] if words else []
    if left_out:
        rows = ", ".join(f"{label!r} ({n})" for label, n in left_out.items())
        notes.append(f"{left_out.total()} rows are left out, as labels= says: {rows}.")
    hint = unknown_labels_hint(unknown, allowed) if unknown else ""
    return tables, problems, notes, hint


def _split_labels(labels):
    """Return new labels (None: left out) by their words, and the labels allowed."""
    if labels is None:
        return {}, ("I", "E")
    if not isinstance(labels, Mapping):
        return {}, list(labels)
    for word, label in labels.items():
        if not (label is None or (isinstance(label, str) and label)):
            raise ValueError(
                "labels must map each label to a label, or to None to leave its rows "
                f"out, got {label!r} for {word!r}."
            )
        if label == "?":
            raise ValueError(
                f"labels must say what {word!r} means: put a label in place of '?', or "
                "None (in a command, nothing) to leave its rows out."
            )
    targets = [label for label in dict.fromkeys(labels.values()) if label is not None]
    return dict(labels), ["I", "E"] if {*targets} <= {"I", "E"} else targets


def _read_file(path, names, allowed, *, format=None, ignore=None, tier=None):
    """Read the rows of a label track, without those of labels to `ignore`."""
    try:
        text = _decode(path)
        format = sniff(path.suffix, text) if format is None else _known(format)
        rows = _read_rows(text, format, tier, {*allowed, *names})
    except LineError as error:
        place, what = error.args
        where = f"{str(path)!r}, {place}" if place else repr(str(path))
        raise ValueError(
            f"{where}: {what}{f' ({format})' if format else ''}."
        ) from None
    if ignore is None:
        ignore = ADVENTITIOUS if format == "hf_lung" else ()
    return [row for row in rows if row.label not in ignore]


def _check_rows(path, rows, labels, duration):
    """Make the table of the rows of a label track."""
    table = phase_table([row[1:4] for row in rows], COLUMNS)
    for name in {name: None for row in rows for name in row.more}:
        table[name] = [row.more.get(name) for row in rows]
    table = check_phases(
        table,
        repr(str(path)),
        labels=labels,
        duration=duration,
        slack=BEYOND_END_S,
        places=[row.place for row in rows],
    )
    table.attrs["path"] = str(path)
    return table


def tracks_beside(recordings):
    """List the label tracks beside each recording, those whose names fit its name.

    Of tracks with the same phases, such as one in another format, only one is listed.
    """
    folders, tracks = {}, {}
    for recording in recordings:
        path = Path(recording)
        if path.parent not in folders:
            folders[path.parent] = _tracks_by_name(path.parent)
        found = folders[path.parent].get(_composed(path.stem), [])
        found = [track for track in found if track != path]
        tracks[os.fspath(recording)] = found[:1] if _are_the_same(found) else found
    return tracks


def _are_the_same(tracks):
    """Check whether several label tracks hold the same phases, to a millisecond."""
    if len(tracks) < 2:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            tables = [read_label_track(track) for track in tracks]
    except (ValueError, OSError):
        return False  # reading one of them again raises an error
    first, *others = (table[list(COLUMNS)].to_records(index=False) for table in tables)
    return all(
        len(other) == len(first)
        and (other["label"] == first["label"]).all()
        and all(
            np.allclose(other[time], first[time], rtol=0, atol=1e-3)
            for time in ("start_s", "end_s")
        )
        for other in others
    )


def unclear_tracks(tracks):
    """List (what, such as "recordings have no label track"; which ones; advice)."""
    owners = {}
    for recording, found in tracks.items():
        for track in found:
            owners.setdefault(str(track), []).append(Path(recording))
    several, shared = (
        [
            f"{key!r} ({', '.join(repr(path.name) for path in paths)})"
            for key, paths in pairs.items()
            if len(paths) > 1
        ]
        for pairs in (tracks, owners)
    )
    without = [repr(recording) for recording, found in tracks.items() if not found]
    unclear = [
        ("recordings have several label tracks", several, "keep one of each"),
        ("label tracks fit several recordings", shared, "keep one recording of each"),
        ("recordings have no label track", without, f"annotate or move them; {_NAMES}"),
    ]
    return [one for one in unclear if one[1]]


def _tracks_by_name(folder):
    """List the label tracks in a folder by the names of recordings they fit."""
    tracks = {}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        for end in _TRACK_ENDS:
            match = end.fullmatch(_composed(name))
            if match and (folder / name).is_file():
                tracks.setdefault(match[1], []).append(folder / name)
    return tracks


def _composed(name):
    """Return a name in NFC: macOS may store accents as separate characters."""
    return unicodedata.normalize("NFC", name)


def write_label_track(
    path: FilePath,
    phases: pd.DataFrame,
    format: str | None = None,
    *,
    duration: float | None = None,
) -> None:
    """Write the phases of a recording as a label file.

    Parameters
    ----------
    path : str or path
        The file. An existing file is replaced only once the new one is complete.
    phases : DataFrame
        ``start_s``, ``end_s``, ``label``; ``probability`` goes to CSV and JSON.
    format : str, default=None
        As for :func:`read_label_track`; None takes it from the suffix:
        ``.TextGrid``, ``.csv``, ``.json``, else Audacity. ``icbhi`` writes cycles
        from inhale to inhale. HF_Lung has milliseconds, ICBHI too, the others
        microseconds.
    duration : float, default=None
        Length of the recording in s; TextGrids and JSON name it.

    Raises
    ------
    ValueError
        If the phases are reversed, overlap or lie beyond `duration`, or a label
        has characters that the format cannot hold.
    OSError
        If the file cannot be written. Nothing is written in any of these cases.

    Warns
    -----
    UserWarning
        If phases are written as cycles, in ``icbhi``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pandas as pd
    >>> path = pathlib.Path(tempfile.mkdtemp(), "labels.txt")
    >>> phases = pd.DataFrame({"start_s": [0.5], "end_s": [1.75], "label": ["I"]})
    >>> write_label_track(path, phases)
    >>> path.read_text()
    '0.500000\\t1.750000\\tI\\n'
    """
    path = check_destination(path)
    format = sniff(path.suffix) if format is None else _known(format)
    phases = check_phases(phases, duration=duration)
    for label, rows in phases.groupby("label", sort=False):
        if format != "icbhi" and not _survives(label, rows.iloc[:1], format):
            raise ValueError(f"the label {label!r} cannot be written as {format}.")
    text = FORMATS[format].write(phases, duration)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    if format == "icbhi" and not (phases["label"] == "cycle").all():
        warnings.warn(
            "icbhi holds cycles: the phases are written as cycles from inhale to "
            "inhale, without their labels; choose another format to keep them.",
            UserWarning,
            stacklevel=2,
        )


def _known(format):
    """Check that a format is one of those above."""
    if format not in FORMATS:
        raise ValueError(f"format must be one of {list(FORMATS)}, got {format!r}.")
    return format


def _survives(label, phase, format):
    """Return whether the label of a table of one phase is read as it is written."""
    if format in ("audacity", "raven") and set("\t\r\n") & set(str(label)):
        return False  # other programs would cut it
    try:
        text = FORMATS[format].write(phase, None)
        rows = _read_rows(_unify_line_ends(text), format)
    except LineError:
        return False
    return [row.label for row in rows] == [str(label)]


def _read_rows(text, format, tier=None, labels=None):
    """Read rows, of a TextGrid those of the tiers with `labels` or named by `tier`."""
    rows = FORMATS[format].read(text)
    if format == "textgrid":
        rows = choose_rows(rows, tier, labels)
    elif tier is not None:
        raise LineError(None, "tier= is for TextGrids only")
    for row in rows:
        if any("\ud800" <= letter <= "\udfff" for letter in row.label):
            what = f"the label {row.label!r} is not UTF-8; save the file as UTF-8"
            raise LineError(row.place, what)
    return rows


def _decode(path):
    """Read a file as UTF-8, or as UTF-16, with ``\\n`` as line ends.

    Bytes that are not UTF-8 are kept as surrogates: they may be in unused columns.
    """
    raw = path.read_bytes()
    for start, what in _NO_TEXT.items():
        if raw.startswith(start):
            raise LineError(None, what)
    encoding, errors = "utf-8-sig", "surrogateescape"
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding, errors = "utf-16", "strict"
    elif b"\0" in raw[:2]:  # no format starts with a NUL
        encoding, errors = "utf-16-be" if raw[0] == 0 else "utf-16-le", "strict"
    try:
        text = raw.decode(encoding, errors)
    except UnicodeDecodeError:
        raise LineError(None, f"expected {encoding} text") from None
    return _unify_line_ends(text)


def _unify_line_ends(text):
    """Replace all line ends by ``\\n``."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
