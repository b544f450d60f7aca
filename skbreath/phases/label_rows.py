"""Rows of label files, their numbers, and errors that name the line."""

import re
from typing import NamedTuple

__all__ = ["LineError", "Row", "match_clock", "parse_number", "parse_time"]

_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:\.\d+)?)")


class LineError(ValueError):
    """Error at a place in a file: (such as "line 3", or None; message)."""


class Row(NamedTuple):
    """Row of a label file; `place` is such as "line 3", `more` holds other columns."""

    place: str
    start_s: float
    end_s: float
    label: str
    more: dict = {}


def parse_number(text, place, what="number"):
    """Convert text to a float; a comma is a decimal comma."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise LineError(place, f"{text!r} is not a {what}") from None


def match_clock(text):
    """Match a time like 00:01:30.5 or 1:30,5; return None for other text."""
    return _CLOCK.fullmatch(text.strip().replace(",", "."))


def parse_time(text, place):
    """Convert a time in s, or one like 00:01:30.5, to s."""
    match = match_clock(text)
    if match is None:
        return parse_number(text, place, "time in s, or one like 00:00:01.500")
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
