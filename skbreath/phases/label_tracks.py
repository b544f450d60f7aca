"""Read and write label tracks: phases of a recording, in formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..utils.files import atomic_path, check_destination
from .label_formats import ADVENTITIOUS, FORMATS, LineError, sniff
from .phase_table import BEYOND_END_S, COLUMNS, check_phases, phase_table

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..utils.typing import FilePath

__all__ = ["read_label_track", "write_label_track"]


def read_label_track(
    path: FilePath,
    format: str | None = None,
    *,
    labels: Collection[str] | None = None,
    ignore: Collection[str] | None = None,
    duration: float | None = None,
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
                  with text of the first interval tier
    ``raven``     Raven selection table with ``Annotation`` (or ``Label``)
    ``csv``       ``start_s,end_s,label`` and, if there, ``probability``
    ``json``      what :func:`write_label_track` writes
    ============  ==========================================================

    Parameters
    ----------
    path : str or path
        The file, in UTF-8, or in UTF-16 with a byte order mark as Praat may write.
    format : str, default=None
        As above; None detects it from the suffix and the first line.
    labels : collection of str, default=None
        Allowed labels, such as ``("I", "E")``; None allows any.
    ignore : collection of str, default=None
        Labels whose rows are left out. None means the adventitious sounds of
        HF_Lung (``D``, ``Wheeze``, ``Rhonchi``, ``Stridor``) in that format, and
        none elsewhere.
    duration : float, default=None
        Length of the recording in s, if known.

    Returns
    -------
    phases : DataFrame
        ``start_s``, ``end_s``, ``label`` and further columns of the format, by time.
        ``attrs["path"]`` is the file, for error messages.

    Raises
    ------
    ValueError
        If the file is not in its format, a phase is reversed, overlaps another, has
        an unknown label or ends more than 0.05 s after `duration`; the message names
        file and line.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "steth_label.txt")
    >>> _ = path.write_text("I 00:00:01.500 00:00:02.457\\nD 00:00:02.1 00:00:02.2\\n")
    >>> read_label_track(path).values.tolist()
    [[1.5, 2.457, 'I']]
    """
    path = Path(path)
    lines = _decode(path).splitlines(keepends=True)
    format = sniff(path.suffix, lines) if format is None else _known(format)
    try:
        rows = FORMATS[format].read(lines)
    except LineError as error:
        line, what = error.args
        raise ValueError(f"{str(path)!r}, line {line}: {what} ({format}).") from None
    if ignore is None:
        ignore = ADVENTITIOUS if format == "hf_lung" else ()
    rows = [row for row in rows if row[3] not in ignore]
    table = phase_table([row[1:4] for row in rows], COLUMNS)
    for name in {name: None for row in rows for name in row[4]}:
        table[name] = [row[4].get(name) for row in rows]
    table = check_phases(
        table,
        repr(str(path)),
        labels=labels,
        duration=duration,
        slack=BEYOND_END_S,
        lines=[row[0] for row in rows],
    )
    table.attrs["path"] = str(path)
    return table


def track_beside(recording: FilePath) -> Path | None:
    """Find the label track of the same name beside a recording, or None."""
    for suffix in (".txt", ".TextGrid", ".csv", ".json"):
        track = Path(recording).with_suffix(suffix)
        if track.is_file():
            return track
    return None


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
        The file; an old one is replaced in one step when the new one is complete.
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
    broken = "\t\r\n" + (" " if format == "hf_lung" else "")
    for label in phases["label"].unique():
        if format not in ("csv", "json") and set(str(label)) & set(broken):
            raise ValueError(f"the label {label!r} cannot be written as {format}.")
    text = FORMATS[format].write(phases, duration)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _known(format):
    """Check that a format is one of those above."""
    if format not in FORMATS:
        raise ValueError(f"format must be one of {list(FORMATS)}, got {format!r}.")
    return format


def _decode(path):
    """Read a file as UTF-8, or as UTF-16 if it starts with its byte order mark."""
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{str(path)!r}, line {line}: expected {encoding} text."
        ) from None
