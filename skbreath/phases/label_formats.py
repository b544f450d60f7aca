"""Convert label tracks from text to rows and back, with two functions for each format.

A reader takes the text of a file, with ``\\n`` as line ends, and returns rows; a writer
takes a checked table and the length of the recording and returns text. crowsetta reads
most of these formats, but it does not write Audacity tracks or TextGrids, does not
support HF_Lung or ICBHI, requires frequencies for Raven, and its errors do not name a
line. The tests compare with it.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from typing import NamedTuple

from ..utils.text import shorten
from .label_rows import LineError, Row, match_clock, parse_number, parse_time
from .phase_table import phase_of
from .textgrid import read_textgrid

__all__ = ["ADVENTITIOUS", "FORMATS", "sniff"]

ADVENTITIOUS = ("D", "Wheeze", "Rhonchi", "Stridor")
"""Labels of HF_Lung files that are not phases and overlap them."""

# Columns of tables, as `_normal` writes them; the first one that is there is used.
_START = ("start_s", "begin_time_s", "start", "begin", "onset", "start_time")
_END = ("end_s", "end_time_s", "end", "stop", "offset", "end_time")
_LABEL = ("label", "annotation", "species", "phase")
# Columns that name the recording of a row: a label track is of a single one.
_RECORDING = ("path", "begin_path", "begin_file")


def _filled(text):
    """Return the lines that are not empty, with their places."""
    # Not splitlines: it also splits at characters that labels may hold.
    lines = enumerate(text.split("\n"), 1)
    return [(f"line {count}", line) for count, line in lines if line.strip()]


def read_audacity(text):
    """Read start, end and label, separated by tabs."""
    rows = []
    for place, line in _filled(text):
        if line.startswith("\\"):  # frequencies of the label above
            continue
        cells = line.split("\t", 2)
        if len(cells) < 3:
            raise LineError(place, "not start, end and label with tabs between")
        times = [parse_time(cell, place) for cell in cells[:2]]
        rows.append(Row(place, *times, cells[2].strip()))
    return rows


def write_audacity(phases, duration):
    """Write start, end and label, separated by tabs."""
    return "".join(
        f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label in _triples(phases)
    )


def read_hf_lung(text):
    """Read label, start and end, separated by blanks."""
    rows = []
    for place, line in _filled(text):
        cells = line.split()
        if len(cells) != 3:
            raise LineError(place, "not label, start and end with blanks between")
        times = [parse_time(cell, place) for cell in cells[1:]]
        rows.append(Row(place, *times, cells[0]))
    return rows


def write_hf_lung(phases, duration):
    """Write label, start and end with milliseconds, separated by blanks."""
    lines = []
    for start, end, label in _triples(phases):
        clocks = []
        for time in (start, end):
            milli = round(time * 1000)
            minutes, milli = divmod(milli, 60_000)
            clocks.append(
                f"{minutes // 60:02d}:{minutes % 60:02d}:"
                f"{milli // 1000:02d}.{milli % 1000:03d}"
            )
        lines.append(f"{label} {clocks[0]} {clocks[1]}\n")
    return "".join(lines)


def read_icbhi(text):
    """Read cycles: start, end, and whether there are crackles and wheezes."""
    rows = []
    for place, line in _filled(text):
        cells = line.split()
        if len(cells) != 4:
            raise LineError(place, "not begin, end, crackles and wheezes")
        if not set(cells[2:]) <= {"0", "1"}:
            raise LineError(place, "crackles and wheezes are 0 or 1")
        more = {"crackles": int(cells[2]), "wheezes": int(cells[3])}
        times = [parse_time(cell, place) for cell in cells[:2]]
        rows.append(Row(place, *times, "cycle", more))
    return rows


def write_icbhi(phases, duration):
    """Write cycles: those of the table, or from inhale to inhale."""
    if (phases["label"] == "cycle").all():
        cycles = list(_triples(phases))
    else:  # from inhale to inhale, each as long as its sounds
        onsets, cycles = None, []
        for start, end, label in _triples(phases):
            if phase_of(label) == "I" or onsets is None:
                if onsets is not None:
                    cycles.append((*onsets, "cycle"))
                onsets = (start, end)
            onsets = (onsets[0], end)
        cycles += [] if onsets is None else [(*onsets, "cycle")]
    sounds = [
        phases[name].astype(int).tolist()
        if name in phases and len(phases) == len(cycles)
        else [0] * len(cycles)
        for name in ("crackles", "wheezes")
    ]
    return "".join(
        f"{start:.3f}\t{end:.3f}\t{crackle}\t{wheeze}\n"
        for (start, end, _), crackle, wheeze in zip(cycles, *sounds, strict=True)
    )


def write_textgrid(phases, duration):
    """Write one interval tier, in the long form."""
    intervals, time = [], 0.0
    for start, end, label in _triples(phases):
        if start > time + 1e-9:
            intervals.append((time, start, ""))
        intervals.append((max(start, time), end, label))
        time = end
    total = max(duration or 0.0, time)
    if total > time + 1e-9 or not intervals:
        intervals.append((time, max(total, 1e-3), ""))
        total = max(total, 1e-3)
    head = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {total:.6f}\ntiers? <exists>\nsize = 1\nitem []:\n"
        '    item [1]:\n        class = "IntervalTier"\n        name = "phases"\n'
        f"        xmin = 0\n        xmax = {total:.6f}\n"
        f"        intervals: size = {len(intervals)}\n"
    )
    return head + "".join(
        f"        intervals [{k}]:\n            xmin = {start:.6f}\n"
        f"            xmax = {end:.6f}\n"
        f'            text = "{label.replace(chr(34), chr(34) * 2)}"\n'
        for k, (start, end, label) in enumerate(intervals, 1)
    )


def read_raven(text):
    """Read a selection table of Raven, in which quotes are ordinary characters."""
    labels = ("annotation", *_LABEL)
    return _read_table(text, labels, delimiter="\t", quoting=csv.QUOTE_NONE)


def read_csv(text):
    """Read a table with a header, and probabilities if there are any."""
    # Strict: a quote without its end is an error, not a cell of many lines.
    return _read_table(text, _LABEL, delimiter=_delimiter(text), strict=True)


def _read_table(text, labels, **dialect):
    """Read a table with a header; columns are found by their names, in any case."""
    reader = csv.reader(io.StringIO(text, newline="\n"), **dialect)
    rows, shown, recordings = [], {}, []
    try:
        header = next((cells for cells in reader if any(map(str.strip, cells))), [])
        find = _Columns(header, f"line {max(reader.line_num, 1)}")
        needed = [find(*names) for names in (_START, _END, labels)]
        names = ("probability", "selection", "view", "channel")
        others = {name: find(name, needed=False) for name in names}
        others["recording"] = find(*_RECORDING, needed=False)
        for cells in reader:
            place = f"line {reader.line_num}"
            if not any(map(str.strip, cells)):
                continue
            if len(cells) <= max(needed) or any(map(str.strip, cells[len(header) :])):
                what = "more or fewer cells than the header"
                if reader.dialect.delimiter == ",":
                    what += " (write 1.5, not 1,5, or put ; between)"
                raise LineError(place, what)
            cells = [*cells, *[""] * (len(header) - len(cells))]
            times = [parse_time(cells[column], place) for column in needed[:2]]
            label = cells[needed[2]].strip()
            other = {name: cells[c] for name, c in others.items() if c is not None}
            recordings.append(other.get("recording"))
            if recordings[-1] != recordings[0]:
                what = f"{recordings[0]!r} and {recordings[-1]!r}; make a file for each"
                raise LineError(place, f"expected rows of one recording, got {what}")
            if "selection" in other:
                # Raven lists a selection once for each view and channel of it.
                selection = (other["selection"], *times, label)
                where = other.get("view"), other.get("channel")
                if shown.setdefault(selection, where) != where:
                    continue
            more = {}
            if other.get("probability", "").strip():
                more["probability"] = parse_number(other["probability"], place)
            rows.append(Row(place, *times, label, more))
    except csv.Error as error:
        what = f"quotes are not closed or not doubled: {error}"
        raise LineError(f"line {reader.line_num}", what) from None
    return rows


class _Columns:
    """Find columns of a table by their names."""

    def __init__(self, header, place):
        self.header, self.place = [cell.strip() for cell in header], place

    def __call__(self, *names, needed=True):
        """Return the position of the first of `names` that is there, or None."""
        normal = [_normal(cell) for cell in self.header]
        name = next((name for name in names if name in normal), None)
        if normal.count(name) > 1:
            raise LineError(self.place, f"has {name!r} more than once")
        if name is None and needed:
            raise LineError(
                self.place,
                f"lacks {names[0]!r}; it has {shorten(map(repr, self.header))}",
            )
        return None if name is None else normal.index(name)


def _normal(name):
    """Return the name of a column in small letters, as start_s for "Start (s)"."""
    return re.sub(r"[\W_]+", "_", name.lower()).strip("_")


def _delimiter(text):
    """Return what separates the columns of a table, by its first line."""
    return max(",;\t", key=_first_line(text).count)


def _first_line(text):
    """Return the first line that is not empty."""
    return next((line for line in text.split("\n") if line.strip()), "")


def write_raven(phases, duration):
    """Write a selection table of Raven."""
    names = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)")
    head = "\t".join((*names, "Low Freq (Hz)", "High Freq (Hz)", "Annotation"))
    return f"{head}\n" + "".join(
        f"{k}\tSpectrogram 1\t1\t{start:.6f}\t{end:.6f}\t0.0\t2000.0\t{label}\n"
        for k, (start, end, label) in enumerate(_triples(phases), 1)
    )


def write_csv(phases, duration):
    """Write a table with a header, and probabilities if there are any."""
    columns = _columns(phases)
    return phases[columns].to_csv(index=False, float_format="%.6f", lineterminator="\n")


def read_json(text):
    """Read what :func:`write_json` writes, or only the list of phases."""
    try:
        phases = json.loads(text)
    except json.JSONDecodeError as error:
        raise LineError(f"line {error.lineno}", f"not JSON: {error.msg}") from None
    if isinstance(phases, dict):
        if "phases" not in phases:
            found = f"an object with {shorten(map(repr, phases)) or 'nothing'}"
            raise LineError(None, f"expected an object with 'phases', got {found}")
        phases = phases["phases"]
    if not isinstance(phases, list):
        what = f"expected a list of phases, got {type(phases).__name__}"
        raise LineError(None, what)
    rows = []
    for count, phase in enumerate(phases):
        place = f"phase {count}"
        if not isinstance(phase, dict):
            raise LineError(place, f"expected an object, got {phase!r}")
        find = _Columns(phase, place)
        values = list(phase.values())
        start, end, label = (values[find(*n)] for n in (_START, _END, _LABEL))
        if not isinstance(label, str | int | float):
            raise LineError(place, f"expected a text as 'label', got {label!r}")
        probability = find("probability", needed=False)
        more = {} if probability is None else {"probability": values[probability]}
        times = parse_time(str(start), place), parse_time(str(end), place)
        rows.append(Row(place, *times, str(label).strip(), more))
    return rows


def write_json(phases, duration):
    """Write the duration and a list of phases."""
    rows = phases[_columns(phases)].round(6).to_dict("records")
    return json.dumps({"duration_s": duration, "phases": rows}, indent=1) + "\n"


def _columns(phases):
    return [c for c in ("start_s", "end_s", "label", "probability") if c in phases]


def _triples(phases):
    """Iterate over (start_s, end_s, label)."""
    return phases[["start_s", "end_s", "label"]].itertuples(index=False, name=None)


class Format(NamedTuple):
    """Reader and writer of a format."""

    read: Callable
    write: Callable


FORMATS = {
    "audacity": Format(read_audacity, write_audacity),
    "hf_lung": Format(read_hf_lung, write_hf_lung),
    "icbhi": Format(read_icbhi, write_icbhi),
    "textgrid": Format(read_textgrid, write_textgrid),
    "raven": Format(read_raven, write_raven),
    "csv": Format(read_csv, write_csv),
    "json": Format(read_json, write_json),
}
_SUFFIXES = {".textgrid": "textgrid", ".csv": "csv", ".json": "json"}


def sniff(suffix, text=""):
    """Detect the format from the suffix, and from the first line of the text."""
    if suffix.lower() in _SUFFIXES:
        return _SUFFIXES[suffix.lower()]
    first = _first_line(text)
    columns = set(map(_normal, first.split(_delimiter(text))))
    cells = first.strip().split("\t") if "\t" in first else first.split()
    if {"begin_time_s", "end_time_s"} <= columns and "\t" in first:
        return "raven"
    if columns & {*_START} and columns & {*_END}:
        return "csv"
    if "ooTextFile" in first:
        return "textgrid"
    if first.lstrip()[:1] in ("{", "["):
        return "json"
    if len(cells) == 4 and set(cells[2:]) <= {"0", "1"}:
        return "icbhi"
    cells = first.split()
    if len(cells) > 2 and match_clock(cells[1]) and not match_clock(cells[0]):
        return "hf_lung"
    return "audacity"
