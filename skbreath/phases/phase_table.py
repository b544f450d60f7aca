"""Make and check tables of phases."""

import re
import shlex
from functools import partial

import numpy as np
import pandas as pd

__all__ = [
    "BEYOND_END_S",
    "COLUMNS",
    "SILENT_NOTE",
    "UNLIKE_NOTE",
    "check_phases",
    "common_words",
    "label_frames",
    "name_annotations",
    "phase_of",
    "phase_table",
    "unknown_labels_hint",
    "words_note",
]

COLUMNS = ("start_s", "end_s", "label")
"""Columns of a table of phases; a segmenter adds ``probability``."""

SILENT_NOTE = "is silent"
"""Beginning of a note of ``attrs["note"]`` on a recording without any sound."""

UNLIKE_NOTE = "sounds unlike what the segmenter was fitted on"
"""Beginning of a note of ``attrs["note"]`` on sounds that may not be breathing."""

# Words that people label phases with, in any case.
_WORDS = {
    "I": r"i|in|inh(al(es?|ed|ing|ations?))?|insp(ir(es?|ed|ing|ations?|atory))?",
    "E": r"e|ex|out|exh(al(es?|ed|ing|ations?))?|exp(ir(es?|ed|ing|ations?|atory))?",
}
# Phases may overlap by this much, in s, when times were rounded in a file.
_ROUNDING = 1e-5
BEYOND_END_S = 0.05
"""Tolerance in s for label tracks that end after their recording."""


def phase_table(rows=(), columns=(*COLUMNS, "probability")):
    """Make a table of phases from tuples ``(start_s, end_s, label, ...)``.

    Numbers are float64 and labels objects, also without rows.
    """
    table = pd.DataFrame(list(rows), columns=list(columns))
    kinds = {name: object if name == "label" else float for name in columns}
    return table.astype(kinds)


def check_phases(
    phases, name="phases", *, labels=None, duration=None, slack=_ROUNDING, places=None
):
    """Check a table of phases, and return it sorted by time, with times as float64.

    Errors start with `name`, and name rows, or their `places` in a file.
    `labels` are those allowed (None: any); times may exceed `duration` by `slack`, in
    s. Overlaps of up to 10 microseconds, from rounding in a file, are allowed.
    """
    if not isinstance(phases, pd.DataFrame):
        raise ValueError(
            f"{name} must be a DataFrame with the columns {', '.join(COLUMNS)}, as "
            f"read_label_track gives it; got {type(phases).__name__}."
        )
    missing = [column for column in COLUMNS if column not in phases]
    if missing:
        raise ValueError(
            f"{name} lacks the column {missing[0]!r}; it needs {', '.join(COLUMNS)}."
        )
    phases = phases.reset_index(drop=True)
    check = partial(_check_rows, name, places)
    for column in ("start_s", "end_s"):
        times = pd.to_numeric(phases[column], errors="coerce").astype(float)
        check(
            ~np.isfinite(times),
            phases[column],
            f"a {column!r} that is not a finite time",
        )
        phases[column] = times
    start, end, label = (phases[column].to_numpy() for column in COLUMNS)
    spans = [f"{a:g} to {b:g}" for a, b in zip(start, end, strict=True)]
    check(start < 0, spans, "a negative time")
    check(end == start, spans, "a phase that is empty (has no length)")
    check(end < start, spans, "a phase that ends before it begins")
    no_label = phases["label"].isna().to_numpy() | (label == "")
    check(no_label, spans, "no label")
    if labels is not None:
        wrong = ~phases["label"].isin(list(labels))
        known = ", ".join(map(repr, labels))
        hint = "" if places else unknown_labels_hint(label[wrong], labels)
        check(wrong, label, f"a label other than {known}", hint)
    if duration is not None:
        check(
            end > duration + slack,
            spans,
            f"a time beyond the end of the recording ({duration:.3f} s)",
            " Check that the phases are of this recording.",
        )
    order = np.argsort(start, kind="stable")
    overlap = np.zeros(len(order), dtype=bool)
    overlap[order[1:]] = start[order[1:]] < end[order[:-1]] - _ROUNDING
    check(overlap, spans, "a phase that overlaps the one before it")
    return phases.iloc[order].reset_index(drop=True)


def name_annotations(phases, recording):
    """Name annotations in an error: by their recording, and their file if known."""
    path = getattr(phases, "attrs", {}).get("path")
    beside = "" if path is None else f" ({path!r})"
    return f"annotations of {recording.name}{beside}"


def phase_of(label):
    """Return "I" or "E" for a common word for inhale or exhale, None for others."""
    for phase, words in _WORDS.items():
        if re.fullmatch(words, str(label).strip(), re.IGNORECASE):
            return phase
    return None


def common_words(found, labels=("I", "E")):
    """Return those of `labels` that words in `found` mean, such as I by "inhale"."""
    meant = {}
    for label in labels:
        meant.setdefault(phase_of(label), []).append(label)
    names = {}
    for word in dict.fromkeys(found):
        same = meant.get(phase_of(word), ())
        if phase_of(word) and word not in labels and len(same) == 1:
            names[word] = same[0]
    return names


def words_note(names):
    """Return a note that names the words that were read as other labels, by word."""
    words = {}
    for word, label in names.items():
        words.setdefault(label, []).append(str(word))
    order = sorted(words, key=lambda label: phase_of(label) != "I")
    parts = (f"{label}: {', '.join(words[label])}" for label in order)
    return f"labels read as {'; as '.join(parts)}"


def unknown_labels_hint(found, labels):
    """Return how to map labels that are not in `labels`."""
    names = dict.fromkeys(map(str, found), "?") | common_words(map(str, found), labels)
    command = ""
    if {*labels} <= {"I", "E"}:
        pairs = ",".join(f"{word}={to}" for word, to in names.items())
        command = f", or a command --labels {shlex.quote(pairs)}"
    return (
        f" Give read_label_track labels={names!r}{command}, with "
        f"{' or '.join(map(repr, labels))} in place of each '?'; None, or in a command "
        "nothing, leaves the rows of a label out."
    )


def _check_rows(name, places, wrong, values, what, hint=""):
    """Raise an error that lists the first five rows, or places, that are wrong."""
    wrong = np.flatnonzero(np.asarray(wrong, dtype=bool)).tolist()
    if not wrong:
        return
    shown = ", ".join(
        f"{f'row {row}' if places is None else places[row]} ({values[row]})"
        for row in wrong[:5]
    )
    more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    raise ValueError(f"{name} has {what}: {shown}{more}.{hint}")


def label_frames(phases, labels, times):
    """Compute the class of each time in s: 0 in a pause, else 1 + index in `labels`.

    A phase includes its start, not its end.
    """
    classes = np.zeros(len(times), dtype=np.int8)
    numbers = {label: 1 + number for number, label in enumerate(labels)}
    for start, end, label in phases[list(COLUMNS)].itertuples(index=False):
        if label in numbers:
            low, high = np.searchsorted(times, [start, end])
            classes[low:high] = numbers[label]
    return classes
