"""Convert label tracks from text to rows and back, with two functions for each format.

A reader takes the lines of a file and returns rows ``(line, start_s, end_s, label)``,
plus a dict of further columns; a writer takes a checked table and the length of the
recording and returns text. crowsetta reads most of these formats, but it does not write
Audacity tracks or TextGrids, does not support HF_Lung or ICBHI, requires frequencies
for Raven, and its errors do not name a line. The tests compare with it.
"""

import csv
import json
import re
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["ADVENTITIOUS", "FORMATS", "LineError", "sniff"]

ADVENTITIOUS = ("D", "Wheeze", "Rhonchi", "Stridor")
"""Labels of HF_Lung files that are not phases and overlap them."""

_CLOCK = re.compile(r"^(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)$")
_RAVEN = ("Begin Time (s)", "End Time (s)")


class LineError(ValueError):
    """Error in a line: (line, message)."""


def _number(text, line, what):
    """Convert text to a float; the error names the line."""
    try:
        return float(text)
    except ValueError:
        raise LineError(line, f"{text!r} is not a {what}") from None


def _filled(lines):
    """Return the lines that are not empty, with their numbers from 1."""
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def read_audacity(lines):
    """Read start, end and label, separated by tabs."""
    rows = []
    for number, line in _filled(lines):
        if line.startswith("\\"):  # frequencies of the label above
            continue
        cells = line.rstrip("\n").split("\t")
        if len(cells) < 3:
            raise LineError(number, "not start, end and label with tabs between")
        start, end = (_number(cell, number, "time in s") for cell in cells[:2])
        rows.append((number, start, end, cells[2].strip(), {}))
    return rows


def write_audacity(phases, duration):
    """Write start, end and label, separated by tabs."""
    return "".join(
        f"{start:.6f}\t{end:.6f}\t{label}\n" for start, end, label in _triples(phases)
    )


def read_hf_lung(lines):
    """Read label, start and end, separated by blanks."""
    rows = []
    for number, line in _filled(lines):
        cells = line.split()
        if len(cells) != 3:
            raise LineError(number, "not label, start and end with blanks between")
        start, end = (_clock(cell, number) for cell in cells[1:])
        rows.append((number, start, end, cells[0], {}))
    return rows


def _clock(text, line):
    """Convert a time like 00:00:01.500 to seconds."""
    match = _CLOCK.match(text)
    if match is None:
        raise LineError(line, f"{text!r} is not a time like 00:00:01.500")
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


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


def read_icbhi(lines):
    """Read cycles: start, end, and whether there are crackles and wheezes."""
    rows = []
    for number, line in _filled(lines):
        cells = line.split()
        if len(cells) != 4:
            raise LineError(number, "not begin, end, crackles and wheezes")
        start, end = (_number(cell, number, "time in s") for cell in cells[:2])
        if not set(cells[2:]) <= {"0", "1"}:
            raise LineError(number, "crackles and wheezes are 0 or 1")
        more = {"crackles": int(cells[2]), "wheezes": int(cells[3])}
        rows.append((number, start, end, "cycle", more))
    return rows


def write_icbhi(phases, duration):
    """Write cycles: those of the table, or from inhale to inhale."""
    if (phases["label"] == "cycle").all():
        cycles = list(_triples(phases))
    else:  # from inhale to inhale, each as long as its sounds
        onsets, cycles = None, []
        for start, end, label in _triples(phases):
            if label == "I" or onsets is None:
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


def read_textgrid(lines):
    """Read the intervals with text of the first interval tier, long or short form."""
    tokens = []
    for number, line in _filled(lines):
        # In the long form values follow "="; in the short one they stand alone.
        for match in re.finditer(r'"(?:[^"]|"")*"|<exists>|[-+.\deE]+', line):
            token = match.group()
            if token[0] not in '"<' and (
                not re.fullmatch(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", token)
                or line[: match.start()].rstrip().endswith("[")
            ):
                continue  # an index like intervals [1], or part of a word
            tokens.append((number, token))
    texts = [token for _, token in tokens]
    if texts[:2] != ['"ooTextFile"', '"TextGrid"']:
        raise LineError(1, "not a TextGrid of Praat in text form")
    if '"IntervalTier"' not in texts:
        raise LineError(1, "expected an interval tier in the TextGrid, found none")
    at = texts.index('"IntervalTier"') + 4  # past class, name, xmin, xmax
    rows = []
    try:
        count = int(texts[at])
        for k in range(count):
            (line, start), (_, end), (_, text) = tokens[at + 1 + 3 * k : at + 4 + 3 * k]
            label = text[1:-1].replace('""', '"').strip()
            if label:
                times = (_number(t, line, "time in s") for t in (start, end))
                rows.append((line, *times, label, {}))
    except (IndexError, ValueError) as error:
        if isinstance(error, LineError):
            raise
        raise LineError(tokens[-1][0], "the TextGrid ends too early") from None
    return rows


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


def read_raven(lines):
    """Read a selection table of Raven."""
    reader = csv.reader(lines, delimiter="\t")
    header = next(reader, [])
    names = {name.strip(): column for column, name in enumerate(header)}
    label = next((n for n in ("Annotation", "Label", "Species") if n in names), None)
    for name in (*_RAVEN, label or "Annotation"):
        if name not in names:
            raise LineError(1, f"the selection table lacks the column {name!r}")
    rows = []
    view = names.get("View")
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(header):
            raise LineError(reader.line_num, "fewer cells than the header")
        # Raven lists a selection once for each view it is shown in.
        if view is not None and cells[view].startswith("Waveform"):
            if any("Spectrogram" in line for line in lines):
                continue
        start, end = (
            _number(cells[names[name]], reader.line_num, "time in s") for name in _RAVEN
        )
        rows.append((reader.line_num, start, end, cells[names[label]].strip(), {}))
    return rows


def write_raven(phases, duration):
    """Write a selection table of Raven."""
    names = ("Selection", "View", "Channel", *_RAVEN)
    head = "\t".join((*names, "Low Freq (Hz)", "High Freq (Hz)", "Annotation"))
    return f"{head}\n" + "".join(
        f"{k}\tSpectrogram 1\t1\t{start:.6f}\t{end:.6f}\t0.0\t2000.0\t{label}\n"
        for k, (start, end, label) in enumerate(_triples(phases), 1)
    )


def read_csv(lines):
    """Read a table with a header, and probabilities if there are any."""
    reader = csv.DictReader(lines)
    for name in ("start_s", "end_s", "label"):
        if name not in (reader.fieldnames or []):
            raise LineError(1, f"the header lacks the column {name!r}")
    rows = []
    for row in reader:
        line = reader.line_num
        if None in row or None in row.values():
            raise LineError(line, "more or fewer cells than the header")
        start, end = (_number(row[n], line, "time in s") for n in ("start_s", "end_s"))
        more = {}
        if row.get("probability"):
            more["probability"] = _number(row["probability"], line, "probability")
        rows.append((line, start, end, row["label"].strip(), more))
    return rows


def write_csv(phases, duration):
    """Write a table with a header, and probabilities if there are any."""
    columns = _columns(phases)
    return phases[columns].to_csv(index=False, float_format="%.6f", lineterminator="\n")


def read_json(lines):
    """Read what :func:`write_json` writes."""
    try:
        phases = json.loads("".join(lines))["phases"]
        rows = []
        for number, row in enumerate(phases, 1):
            more = {k: row[k] for k in ("probability",) if k in row}
            times = float(row["start_s"]), float(row["end_s"])
            rows.append((number, *times, str(row["label"]), more))
    except json.JSONDecodeError as error:
        raise LineError(error.lineno, f"not JSON: {error.msg}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise LineError(1, f"not the JSON of phases: {error}") from None
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


def sniff(suffix, lines=None):
    """Detect the format from the suffix, and from the first line if lines are given."""
    if suffix.lower() in _SUFFIXES:
        return _SUFFIXES[suffix.lower()]
    first = next((line for line in lines or () if line.strip()), "")
    cells = first.split()
    if "Begin Time (s)" in first:
        return "raven"
    if first.startswith("start_s,"):
        return "csv"
    if "ooTextFile" in first:
        return "textgrid"
    if len(cells) == 3 and _CLOCK.match(cells[1]):
        return "hf_lung"
    if len(cells) == 4 and set(cells[2:]) <= {"0", "1"}:
        return "icbhi"
    return "audacity"
