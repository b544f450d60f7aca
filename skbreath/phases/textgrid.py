"""Read TextGrids of Praat, and choose the tiers that hold phases.

praatio and textgrid are not used: praatio reads a TextGrid that is cut short as a
shorter one, both fail on tier names and labels that look like keywords, and their
errors do not name a line.
"""

import re
from typing import NamedTuple

from .label_rows import LineError, Row, parse_number
from .phase_table import phase_of

__all__ = ["choose_rows", "read_textgrid"]

# Praat reads texts in quotes, flags and numbers, and ignores all other words, such as
# "xmin", and what follows "!" in a line.
_TOKEN = re.compile(r'("(?:[^"]|"")*"|")|!.*|([^\s"=]+)')
_NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)


class Tier(NamedTuple):
    """Tier of a TextGrid, with a row for each interval or point that has text."""

    name: str
    is_interval: bool
    rows: list


def read_textgrid(text):
    """Read all tiers of a TextGrid in text form, long or short."""
    tokens = list(_tokens(text))
    tokens.reverse()
    kinds = [tokens.pop()[1][1:-1] if tokens else "" for _ in range(2)]
    if not kinds[0].startswith("ooTextFile") or not kinds[1].startswith("TextGrid"):
        raise LineError("line 1", "not a TextGrid of Praat in text form")

    def take(is_text):
        if not tokens:
            raise LineError(
                f"line {text.count(chr(10)) + 1}", "the file ends too early"
            )
        line, token = tokens.pop()
        if (token[0] == '"') is not is_text:
            wanted = "a text in quotes" if is_text else "a number"
            raise LineError(f"line {line}", f"expected {wanted}, got {token}")
        if is_text:
            return line, token[1:-1].replace('""', '"').strip()
        return line, parse_number(token, f"line {line}")

    take(False), take(False)  # the times of the whole
    tiers = []
    for _ in range(int(take(False)[1])):
        line, kind = take(True)
        if kind not in ("IntervalTier", "TextTier"):
            what = f"expected an IntervalTier or a TextTier, got {kind!r}"
            raise LineError(f"line {line}", what)
        tier = Tier(take(True)[1], kind == "IntervalTier", [])
        take(False), take(False)
        for _ in range(int(take(False)[1])):
            line, start = take(False)
            end = take(False)[1] if tier.is_interval else start
            label = take(True)[1]
            if label:
                tier.rows.append(Row(f"line {line}", start, end, label))
        tiers.append(tier)
    if tokens:
        raise LineError(f"line {tokens[-1][0]}", "expected the end after the last tier")
    return tiers


def _tokens(text):
    """Iterate over (line, token): texts with their quotes, and numbers."""
    line, last = 1, 0
    for match in _TOKEN.finditer(text):
        line, last = line + text.count("\n", last, match.start()), match.start()
        if match[1] == '"':
            raise LineError(f"line {line}", "a text has no closing quote")
        if match[1] or (match[2] and _NUMBER.fullmatch(match[2])):
            yield line, match[0]


def choose_rows(tiers, tier=None, labels=None):
    """Return the rows of the tiers named, or of those that hold known labels.

    Several tiers are read together if each has labels of its own, such as one of
    inhales and one of exhales. An error names the tiers if others may hold phases.
    """
    if tier is not None:
        names = [tier] if isinstance(tier, str) else list(tier)
        chosen = [one for one in tiers if one.is_interval and one.name in names]
        if set(names) - {one.name for one in chosen}:
            raise _ambiguous(f"expected interval tiers named {names}", tiers)
        return [row for one in chosen for row in one.rows]
    if not any(one.is_interval for one in tiers):
        raise _ambiguous("expected an interval tier", tiers)
    known = {"I", "E"} if labels is None else set(labels)
    filled = [one for one in tiers if one.rows]
    chosen = [one for one in filled if one.is_interval]
    if len(chosen) > 1:
        words = [one for one in chosen if any(map(phase_of, _labels(one)))]
        chosen = [one for one in chosen if known & _labels(one)] or words
    # Words for a phase count as one label: two people may use different words.
    held = [
        label
        for one in chosen
        for label in {phase_of(word) or word for word in _labels(one)}
    ]
    phases = set(map(phase_of, held))
    others = [one for one in filled if one not in chosen]
    lost = {phase_of(word) for one in others for word in (one.name, *_labels(one))}
    if len(set(held)) < len(held) or (others and not chosen) or lost - phases - {None}:
        raise _ambiguous("expected one interval tier of phases, or one of each", tiers)
    return [row for one in chosen for row in one.rows]


def _labels(tier):
    """Return the set of the labels of a tier."""
    return {row.label for row in tier.rows}


def _ambiguous(expected, tiers):
    """Make the error that names all tiers, and how to choose one."""
    found = [
        f"{one.name!r} ({'intervals' if one.is_interval else 'points'}: "
        f"{', '.join(map(repr, sorted(_labels(one))[:5])) or 'empty'})"
        for one in tiers
    ]
    return LineError(
        None,
        f"{expected}, got the tiers {', '.join(found) or 'none'}; choose by tier= of "
        "read_label_track, a name or a list of names, or delete the other tiers",
    )
