"""Compile the decoder of :mod:`skbreath.segmentation.decoder`, rows and noise floors.

A hypothesis is a segment that has begun: a state and its first frame. Kept are the
hypotheses of the last `lag` frames and the committed segment before all of them. The
sum of the frame scores up to the beginning of a segment is subtracted from its score,
so that scores do not change from frame to frame.
"""

from typing import NamedTuple

import numpy as np

from ..utils.compiled import cached_kernel, kernel

__all__ = ["append_frames", "context_rows", "finish", "follow_floor"]
__all__ += ["new_state", "push"]

NEVER = -1e18


class State(NamedTuple):
    """Hold the mutable state of the decoder."""

    capacity: np.ndarray
    """(rows of the ring buffers, lag)"""
    committed: np.ndarray
    """(state, first frame) of the committed segment, and the number of frames so far"""
    committed_score: np.ndarray
    score: np.ndarray
    before: np.ndarray
    total: np.ndarray


def new_state(model, lag):
    """Make the state at the beginning of a recording."""
    n_states, capacity = len(model.emission), lag + 2
    return State(
        capacity=np.array([capacity, lag], dtype=np.int64),
        committed=np.array([-1, -1, 0], dtype=np.int64),
        committed_score=np.full(1, NEVER),
        score=np.full((capacity, n_states), NEVER),
        before=np.zeros((capacity, n_states, 2), dtype=np.int64),
        total=np.zeros(n_states),
    )


@kernel
def _lasting(model, k, first, now, ending):
    """Compute the log probability that a segment ends at `now`, or lasts that long."""
    table = model.log_survival
    if ending:
        table = model.log_residual if first == 0 else model.log_duration
    n, length = table.shape[1], now - first
    if length <= n:
        return table[k, length - 1]
    return table[k, n - 1] + (length - n) * model.log_tail[k]


@kernel
def _best(model, state, now, k, ending):
    """Find score and first frame of the best hypothesis of state `k` before `now`."""
    capacity, lag = state.capacity[0], state.capacity[1]
    best, best_first = NEVER, -1
    oldest = max(0, now - lag - 1)
    row = oldest % capacity - 1
    for first in range(oldest, now):
        row += 1  # the remainder of a division would take most of the time
        if row == capacity:
            row = 0
        value = state.score[row, k]
        if value > NEVER / 2:
            value += _lasting(model, k, first, now, ending)
            if value > best:
                best, best_first = value, first
    first = state.committed[1]
    if state.committed[0] == k and first < oldest:
        value = state.committed_score[0] + _lasting(model, k, first, now, ending)
        if value > best:
            best, best_first = value, first
    return best + state.total[k], best_first


@kernel
def _best_of_all(model, state, now):
    """Find state and first frame of the best hypothesis before `now`."""
    best, best_k, best_first = NEVER * 10, 0, 0
    for k in range(len(state.total)):
        value, first = _best(model, state, now, k, False)
        if first >= 0 and value > best:
            best, best_k, best_first = value, k, first
    return best_k, best_first


@kernel
def _ancestor(state, k, first, frame):
    """Find the segment that holds `frame` on the path to the hypothesis (k, first)."""
    capacity = state.capacity[0]
    while first > frame:
        row = state.before[first % capacity, k]
        k, first = row[0], row[1]
    return k, first


@kernel
def _commit(model, state, now, out, n_out):
    """Make frame ``now - 1 - lag`` final, and drop the hypotheses that disagree."""
    capacity, lag = state.capacity[0], state.capacity[1]
    frame = now - 1 - lag
    best_k, best_first = _best_of_all(model, state, now)
    k, first = _ancestor(state, best_k, best_first, frame)
    if k != state.committed[0] or first != state.committed[1]:
        if state.committed[0] >= 0:
            out[n_out, 0] = state.committed[0]
            out[n_out, 1] = state.committed[1]
            out[n_out, 2] = first
            n_out += 1
        state.committed[0], state.committed[1] = k, first
        state.committed_score[0] = state.score[first % capacity, k]
    oldest = max(0, frame - 1)
    row = oldest % capacity - 1
    for begun in range(oldest, now):
        row += 1
        if row == capacity:
            row = 0
        for j in range(len(state.total)):
            if state.score[row, j] <= NEVER / 2:
                continue
            if begun <= frame:
                keep = j == k and begun == first
            else:
                own_k, own_first = _ancestor(state, j, begun, frame)
                keep = own_k == k and own_first == first
            if not keep:
                state.score[row, j] = NEVER
    return n_out


@cached_kernel
def push(scores, model, state, out):
    """Take frames, write final segments to `out`, and return their number."""
    capacity, lag = state.capacity[0], state.capacity[1]
    n_states = len(state.total)
    end = np.empty(n_states)
    end_first = np.empty(n_states, np.int64)
    n_out = 0
    for t in range(len(scores)):
        now = state.committed[2]
        row = now % capacity
        if now == 0:
            for k in range(n_states):
                state.score[row, k] = model.log_start[k]
        else:
            for k in range(n_states):
                end[k], end_first[k] = _best(model, state, now, k, True)
            for k in range(n_states):
                best, best_j = NEVER, -1
                for j in range(n_states):
                    step = model.log_transition[j, k]
                    if end_first[j] < 0 or step <= NEVER / 2:
                        continue
                    if best_j < 0 or end[j] + step > best:
                        best, best_j = end[j] + step, j
                if best_j >= 0:
                    state.score[row, k] = best - state.total[k]
                    state.before[row, k, 0] = best_j
                    state.before[row, k, 1] = end_first[best_j]
                else:
                    state.score[row, k] = NEVER
        for k in range(n_states):
            state.total[k] += scores[t, model.emission[k]]
        state.committed[2] = now + 1
        if now >= lag:
            n_out = _commit(model, state, now + 1, out, n_out)
    return n_out


@cached_kernel
def finish(model, state, out):
    """Write segments back to the committed one to `out`, and return their number."""
    now = state.committed[2]
    if now == 0:
        return 0
    capacity = state.capacity[0]
    k, first = _best_of_all(model, state, now)
    n_out, stop = 0, now
    while True:
        out[n_out, 0], out[n_out, 1], out[n_out, 2] = k, first, stop
        n_out += 1
        if first == 0 or first <= state.committed[1]:
            return n_out
        row = state.before[first % capacity, k]
        k, stop, first = row[0], first, row[1]


@cached_kernel
def follow_floor(bands, smooth, floor, down, up, above):
    """Fill `above` with the smoothed level of each band above its running floor.

    `bands` (smooth - 1 + n_frames, n_bands) are in dB, and `floor` is updated in place.
    Per frame it falls by the share `down` of its distance, or rises by `up` dB at most.
    """
    for t in range(len(above)):
        for b in range(len(floor)):
            level = 0.0
            for k in range(smooth):
                level += bands[t + k, b]
            level /= smooth
            if level < floor[b]:
                floor[b] += down * (level - floor[b])
            else:
                floor[b] += min(up, level - floor[b])
            above[t, b] = level - floor[b]


@cached_kernel
def append_frames(bands, groups, first, shapes, series, levels, sums):
    """Fill buffers from row `first` on with what rows need of frames.

    `bands` are mel bands in dB and the zero crossing rate; `groups` (n_groups, 2) are
    first and last band, exclusive. Filled are spectra relative to their mean; their
    means in pairs, that mean and the zero crossings; the levels of groups of bands in
    dB; and the sums over time of the second up to each frame, exclusive, of which
    row `first` is there.
    """
    n_mels = bands.shape[1] - 1
    n_pairs = n_mels // 2
    for t in range(len(bands)):
        row, level = first + t, 0.0
        for b in range(n_mels):
            level += bands[t, b]
        level /= n_mels
        for b in range(n_mels):
            shapes[row, b] = bands[t, b] - level
        for b in range(n_pairs):
            series[row, b] = 0.5 * (shapes[row, 2 * b] + shapes[row, 2 * b + 1])
        series[row, n_pairs] = level
        series[row, n_pairs + 1] = bands[t, n_mels]
        for c in range(series.shape[1]):
            sums[row + 1, c] = sums[row, c] + series[row, c]
        for g in range(len(groups)):
            power = 0.0
            for b in range(groups[g, 0], groups[g, 1]):
                power += 10 ** (bands[t, b] / 10)
            levels[row, g] = 10 * np.log10(max(power, 1e-12))


@cached_kernel
def context_rows(
    first, frame, spans, memories, percentiles, shapes, series, levels, sums, out
):
    """Fill rows of `out` for frames from row `first` of the buffers on.

    `frame` is the number of the first frame since the beginning, `spans` (n_spans, 2)
    are relative to a frame, `memories` are lengths of means. `percentiles` are step,
    numbers of values before and after, and the least range in dB.
    """
    n_mels, n_series = shapes.shape[1], series.shape[1]
    n_pairs, n_groups = n_series - 2, levels.shape[1]
    n_ahead = spans[-1, 1]
    step, n_before, n_after, least = percentiles
    values = np.empty(n_before + n_after + 1)
    found = np.empty((n_groups, 3))
    shares = (0.1, 0.5, 0.95)
    latest = -1
    for t in range(len(out)):
        row, now, column = first + t, frame + t, 0
        for b in range(n_mels):
            out[t, b] = shapes[row, b]
        out[t, n_mels] = series[row, n_series - 1]
        column = n_mels + 1
        for k in range(len(spans)):
            low, high = row + spans[k, 0], row + spans[k, 1] + 1
            for c in range(n_series):
                mean = (sums[high, c] - sums[low, c]) / (high - low)
                out[t, column + c] = mean - series[row, c]
            column += n_series
        ahead = row + n_ahead + 1
        for k in range(len(memories)):
            # At the beginning the mean is over fewer frames.
            n = min(memories[k] + 1, now + n_ahead + 1)
            for c in range(n_pairs + 1):
                mean = (sums[ahead, c] - sums[ahead - n, c]) / n
                out[t, column + c] = series[row, c] - mean
            column += n_pairs + 1
        number = now // step
        if number != latest:
            latest = number
            low = max(0, number - n_before)
            n = number + n_after + 1 - low
            for g in range(n_groups):
                for k in range(n):
                    values[k] = levels[row - now + (low + k) * step, g]
                ordered = np.sort(values[:n])
                for k in range(3):
                    found[g, k] = ordered[int(np.rint(shares[k] * (n - 1)))]
        for g in range(n_groups):
            level, quiet, loud = levels[row, g], found[g, 0], found[g, 2]
            share = (level - quiet) / max(loud - quiet, least)
            out[t, column + g] = min(max(level - quiet, -20.0), 60.0)
            middle = min(max(level - found[g, 1], -40.0), 40.0)
            out[t, column + n_groups + g] = middle
            out[t, column + 2 * n_groups + g] = min(max(level - loud, -60.0), 20.0)
            out[t, column + 3 * n_groups + g] = min(max(share, -1.0), 2.0)
