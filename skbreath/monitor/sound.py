"""Describe the phases of sound that arrives in blocks, for messages to the page."""

import math

import numpy as np
import pandas as pd

from ..phases.breath_statistics import breath_statistics
from ..phases.phase_table import phase_table

__all__ = ["Sound", "peaks"]

# Values of the waveform that the page draws, per second.
_PEAK_RATE = 50


class Sound:
    """Find phases in the blocks of one stream, and describe what is new.

    Times count from `start_s` before the first sample. Rate and ratio are those of the
    last `window_s` seconds, and at the end of the whole stream.
    """

    def __init__(self, segmenter, rate, start_s=0.0, window_s=math.inf):
        self._stream = segmenter.partial(rate)
        self._rate, self._start, self._window = rate, start_s, window_s
        self._n_samples, self._phases = 0, phase_table()
        self._last_end, self._longest = 0.0, 0.0

    def push(self, block):
        """Take float32 samples; return what is new as a dict."""
        found = self._stream.push(block)
        self._n_samples += len(block)
        return self._describe(found)

    def finish(self):
        """End the stream; return what is new as a dict."""
        found = self._stream.finish()
        if self._stream.is_unusable:  # nor do phases count that were reported before
            found, self._phases = phase_table(), phase_table()
        self._window = math.inf
        answer = self._describe(found, last=True)
        return answer | {"done": True, "unusable": self._stream.is_unusable}

    def _describe(self, found, last=False):
        """Describe the state after new samples, with the phases found in them."""
        now, since, pause = self._now()
        seconds = self._n_samples / self._rate
        for start, end in found[["start_s", "end_s"]].to_numpy():
            self._longest = max(self._longest, start - self._last_end)
            self._last_end = end
        silence = seconds - self._last_end if last else pause
        self._longest = max(self._longest, silence)
        shifted = found.assign(
            start_s=found["start_s"] + self._start, end_s=found["end_s"] + self._start
        )
        answer = {
            "time": round(self._start + seconds, 6),
            "now": now,
            "since_s": round(self._start + since, 3),
            "pause_s": round(pause, 3),
            "longest_pause_s": round(self._longest, 3),
            "note": self._stream.note,
            "phases": shifted.round(6).to_numpy().tolist(),
        }
        if len(found) or last:
            self._phases = pd.concat([self._phases, found], ignore_index=True)
            answer["statistics"] = self._statistics(seconds)
        return answer

    def _now(self):
        """Return the latest label that is final, or "pause", its start, and its length.

        The length is 0 for labels.
        """
        if self._stream.current is None:
            return None, 0.0, 0.0
        label, since = self._stream.current
        if label is not None:
            return label, since, 0.0
        final = self._n_samples / self._rate - self._stream.latency
        return "pause", since, max(0.0, final - since)

    def _statistics(self, seconds):
        """Compute rate and ratio; forget the phases that are too old to count."""
        first = max(0.0, seconds - self._window)
        self._phases = self._phases[self._phases["start_s"] >= first]
        if seconds <= 0:
            return {"rate_per_min": None, "ie_ratio": None, "rate_note": ""}
        times = self._phases[["start_s", "end_s"]] - first
        table = self._phases.assign(start_s=times["start_s"], end_s=times["end_s"])
        table.attrs["note"] = self._stream.note
        found = breath_statistics(table, seconds - first + 1e-3)
        values = found.summary[["rate_per_min", "ie_ratio"]].round(3)
        return values.replace({np.nan: None}).to_dict() | {"rate_note": found.rate_note}


def peaks(block, rate, first_sample):
    """Return the number of the first peak, and the largest amplitude in each 20 ms."""
    place = (first_sample + np.arange(len(block))) * _PEAK_RATE // rate
    if len(place) == 0:
        return 0, []
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    loudest = np.maximum.reduceat(np.abs(block), starts)
    return int(place[0]), loudest.round(4).tolist()
