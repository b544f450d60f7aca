"""Describe the phases of sound that arrives in blocks, for messages to the page."""

import numpy as np

from ..phases.breath_statistics import breath_statistics
from ..phases.phase_table import phase_table

__all__ = ["Sound", "peaks"]

# Values of the waveform that the page draws, per second.
_PEAK_RATE = 50


class Sound:
    """Find phases in the blocks of one stream, and describe what is new.

    Times count from `start_s` before the first sample. Rate and ratio are those of the
    last minute, and at the end of the whole stream.
    """

    def __init__(self, segmenter, rate, start_s=0.0):
        self._stream = segmenter.partial(rate, start=start_s)
        self._rate, self._start, self._n_samples = rate, start_s, 0
        self._rows = []
        self._last_end, self._longest = start_s, 0.0

    def push(self, block):
        """Take samples, float32 or int16; return what is new as a dict."""
        found = self._stream.push(block)
        self._n_samples += len(block)
        return self._describe(found) | _shown(self._stream.recent)

    def finish(self):
        """End the stream; return what is new as a dict."""
        found = self._stream.finish()
        if self._stream.is_unusable:  # nor do phases count that were reported before
            self._rows, found = [], phase_table()
        answer = self._describe(found)
        silence = answer["time"] - self._last_end
        answer["longest_pause_s"] = round(max(self._longest, silence), 3)
        unusable = self._stream.is_unusable
        return answer | self._summary() | {"done": True, "unusable": unusable}

    def _describe(self, found):
        """Describe the state after new samples, with the phases found in them."""
        time = self._start + self._n_samples / self._rate
        now, since = self._stream.current or (None, self._start)
        pause = 0.0
        if now is None and self._stream.current is not None:
            now, pause = "pause", max(0.0, time - self._stream.latency - since)
        rows = found.to_numpy().tolist() if len(found) else []
        for start, end, *_ in rows:
            self._longest = max(self._longest, start - self._last_end)
            self._last_end = end
        self._rows += rows
        self._longest = max(self._longest, pause)
        return {
            "time": round(time, 6),
            "now": now,
            "since_s": round(since, 3),
            "pause_s": round(pause, 3),
            "longest_pause_s": round(self._longest, 3),
            "note": self._stream.note,
            "phases": [[round(s, 6), round(e, 6), label] for s, e, label, _ in rows],
        }

    def _summary(self):
        """Compute rate and ratio of the whole stream."""
        duration = self._n_samples / self._rate
        if duration == 0:
            return _shown(self._stream.recent)
        start = self._start
        table = phase_table([(s - start, e - start, *r) for s, e, *r in self._rows])
        table.attrs["note"] = self._stream.note
        # The difference to the start may be rounded up.
        duration = max([duration, *table["end_s"][-1:]])
        return _shown(breath_statistics(table, duration))


def _shown(statistics):
    """Return the statistics that the page shows."""
    values = statistics.summary[["rate_per_min", "ie_ratio"]]
    rate, ratio = (None if np.isnan(value) else round(value, 3) for value in values)
    note = statistics.rate_note
    return {"rate_per_min": rate, "ie_ratio": ratio, "rate_note": note}


def peaks(block, rate, first_sample):
    """Return the number of the first peak, and the largest amplitude in each 20 ms."""
    place = (first_sample + np.arange(len(block))) * _PEAK_RATE // rate
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    loudest = np.maximum.reduceat(np.abs(block), starts)
    return int(place[0]), loudest.round(4).tolist()
