"""Compute rate, timing, regularity and pauses of breathing from a table of phases."""

from __future__ import annotations

from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..utils.sklearn_compat import Interval, validate_params
from .phase_table import SILENT_NOTE, UNLIKE_NOTE, check_phases

__all__ = ["breath_statistics", "onset_cycles"]

# Cycles within this factor of the median are regular.
_REGULAR = 1.3
# With it the model "nose" gives no rate for simulated noise, speech or music, and one
# for nearly all recordings of breathing.
_MIN_CONFIDENCE = 0.2
# Phases in sounds that are not breathing have mean probabilities near the lower one.
_UNSURE, _SURE = 0.6, 0.8
_TIMES = ("onset_s", "ti_s", "te_s", "pause_s", "ttot_s", "ie_ratio", "duty_cycle")


@validate_params(
    {
        "phases": [pd.DataFrame],
        "duration": [Interval(Real, 0, None, closed="neither"), None],
        "inhale": [str],
        "exhale": [str],
        "apnoea_s": [Interval(Real, 0, None, closed="neither")],
        "window_s": [Interval(Real, 0, None, closed="neither")],
        "step_s": [Interval(Real, 0, None, closed="neither")],
        "min_confidence": [Interval(Real, 0, 1, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def breath_statistics(
    phases: pd.DataFrame,
    duration: float | None = None,
    *,
    inhale: str = "I",
    exhale: str = "E",
    apnoea_s: float = 10.0,
    window_s: float = 30.0,
    step_s: float = 10.0,
    min_confidence: float = _MIN_CONFIDENCE,
) -> Bunch:
    """Compute breathing rate, inhale to exhale ratio, regularity and pauses.

    A breath is an inhale and the exhale that follows it; where one of the two is
    missing, the other alone. Cycles are measured from onset to onset of the more
    frequent phase, inhales where there are equally many [1]_: in front of the nose
    inhales are often too quiet, on the chest exhales.

    Parameters
    ----------
    phases : DataFrame
        ``start_s``, ``end_s``, ``label`` of one recording.
    duration : float, default=None
        Length of the recording in s. With it, silence before the first and after
        the last phase counts as a pause too, unless ``attrs["note"]`` says that the
        whole recording is digital silence.
    inhale, exhale : str, default="I", "E"
        The labels.
    apnoea_s : float, default=10.0
        A pause at least this long, in s, is an apnoea [2]_.
    window_s, step_s : float, default=30.0, 10.0
        Length and distance of the windows of ``over_time``, in s.
    min_confidence : float, default=0.2
        Phases that were found by a segmenter get a rate only if its confidence is at
        least this; 0 always gives the rate. It has no effect on phases without the
        column ``probability``, which are taken for labels made by hand.

    Returns
    -------
    statistics : Bunch
        - ``summary`` : Series

          ``n_breaths``; ``rate_per_min``, 60 / median cycle, which is robust
          against missed phases, NaN where it cannot be trusted; ``rate_confidence``,
          0 to 1; ``mean_rate_per_min``, cycles per minute from the first
          to the last onset; ``ti_s``, ``te_s``, ``ttot_s``, medians of inhale,
          exhale and cycle; ``ie_ratio``, median of inhale / exhale of the same
          breath (0.5 is 1:2); ``duty_cycle``, median of inhale / cycle [1]_;
          ``ti_cv``, ``te_cv``, ``ttot_cv``, standard deviation / mean [3]_;
          ``n_apnoeas``, ``apnoea_total_s``, ``longest_pause_s``.
        - ``breaths`` : DataFrame, one row per breath

          ``onset_s``, ``ti_s``, ``te_s``, ``pause_s`` (silence until the next
          breath), ``ttot_s`` (until the next onset), ``ie_ratio``, ``duty_cycle``;
          NaN where a phase is missing.
        - ``over_time`` : DataFrame, one row per window

          ``start_s``, ``end_s``, ``rate_per_min``, ``ie_ratio``, ``n_breaths``. The
          rate is that of the cycles that overlap the window, each counted by the
          share of it inside.
        - ``pauses`` : DataFrame, one row per silence between phases

          ``start_s``, ``end_s``, ``duration_s``, ``after`` (label of the phase
          before, "" at the beginning), ``is_apnoea``.
        - ``rate_note`` : str

          Why there is no ``rate_per_min``, or "".

    Raises
    ------
    ValueError
        If times are reversed, overlap or lie beyond `duration`.

    Notes
    -----
    The statistics describe sound. Flow begins a little before it is audible, so
    inhales and exhales are shorter, and pauses longer, than from a spirometer; the
    exhale of [1]_ lasts until the next inhale, ``ttot_s - ti_s``.

    The confidence of the rate is the product of:

    - n / (n + 1) for n cycles;
    - the share of regular cycles: within a factor of 1.3 of the median, and without an
      apnoea in them;
    - the mean ``probability`` of the phases, if there: 0 for 0.6, 1 for 0.8 and more;
    - the lower of the rates by onsets of inhales and of exhales, divided by the higher,
      if neither is found less than half as often as the other;
    - twice the share of the recording in regular cycles, at most 1.

    With fewer than two cycles, a confidence below `min_confidence`, or an
    ``attrs["note"]`` that the recording is unlike those the segmenter was fitted on,
    ``rate_per_min`` is NaN. The other statistics describe the phases as they are.

    References
    ----------
    .. [1] J. Milic-Emili, M. M. Grunstein (1976). Drive and timing components of
       ventilation. Chest 70 (1 Suppl), 131-133.
    .. [2] R. B. Berry et al. (2012). Rules for scoring respiratory events in sleep:
       update of the 2007 AASM manual. Journal of Clinical Sleep Medicine 8, 597-619.
    .. [3] M. J. Tobin et al. (1983). Breathing patterns. 1. Normal subjects.
       Chest 84, 202-205.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbreath import breath_statistics
    >>> starts = [0.0, 1.2, 4.0, 5.2, 8.0, 9.2]
    >>> ends = [start + 1 for start in starts]
    >>> phases = pd.DataFrame(
    ...     {"start_s": starts, "end_s": ends, "label": list("IEIEIE")}
    ... )
    >>> statistics = breath_statistics(phases)
    >>> statistics.summary[["rate_per_min", "ie_ratio", "ttot_s"]].round(2).tolist()
    [15.0, 1.0, 4.0]
    >>> statistics.pauses.duration_s.round(1).tolist()
    [0.2, 1.8, 0.2, 1.8, 0.2]
    """
    note = phases.attrs.get("note") or ""
    phases = check_phases(phases, labels=(inhale, exhale), duration=duration)
    is_silent = note.startswith(SILENT_NOTE)
    if is_silent:  # nothing was recorded, which is no pause of breathing
        duration = None
    breaths = _breaths(phases, inhale, exhale)
    onsets = _onsets(phases, (inhale, exhale))
    pauses = _pauses(phases, duration, apnoea_s)
    end = duration if duration is not None else phases["end_s"].max()
    confidence, doubt = _confidence(phases, (inhale, exhale), duration, pauses)
    reason = ""
    if is_silent:
        reason = "no rate, as the recording " + note
    elif len(onsets) < 2:
        reason = f"too few breaths for a rate ({len(breaths)})"
    elif "probability" in phases and min_confidence > 0:
        if UNLIKE_NOTE in note:
            reason = "no rate, as the recording " + note
        elif len(onsets) < 3:
            reason = f"too few breaths for a rate ({len(breaths)})"
        elif confidence < min_confidence:
            reason = f"no rate, as its confidence is {confidence:.2f} ({doubt})"
    rate = np.nan if reason else 60 / np.median(np.diff(onsets))
    times = _summary(phases, breaths, np.diff(onsets), pauses, inhale, exhale)
    return Bunch(
        summary=pd.Series(
            {
                "n_breaths": float(len(breaths)),
                "rate_per_min": rate,
                "rate_confidence": confidence,
                **times,
            }
        ),
        breaths=breaths,
        over_time=_over_time(onsets, breaths, end, window_s, step_s),
        pauses=pauses,
        rate_note=reason,
    )


def _confidence(phases, labels, duration, pauses):
    """Compute the confidence of the rate, and what most speaks against it."""
    counts = [np.count_nonzero(phases["label"] == label) for label in labels]
    onsets = _onsets(phases, labels)
    cycles = np.diff(onsets)
    if len(cycles) == 0:
        return 0.0, "no cycles"
    middle = np.median(cycles)
    regular = np.abs(np.log(cycles / middle)) < np.log(_REGULAR)
    # A cycle with an apnoea in it is more likely two of which sounds were missed.
    apnoeas = pauses.loc[pauses["is_apnoea"], "start_s"].to_numpy()
    regular &= np.diff(np.searchsorted(apnoeas, onsets)) == 0
    span = phases["end_s"].max() - phases["start_s"].min()
    parts = {
        f"{len(cycles)} cycles only": len(cycles) / (len(cycles) + 1),
        "cycles of different lengths, or with long pauses": regular.mean(),
        "few regular cycles": min(1, 2 * cycles[regular].sum() / (duration or span)),
    }
    if min(counts) >= max(2, max(counts) / 2):
        rates = [_median(onset_cycles(phases, [label])) for label in labels]
        parts["inhales and exhales at different rates"] = min(rates) / max(rates)
    if "probability" in phases:
        lengths = phases["end_s"] - phases["start_s"]
        sure = np.nan_to_num(phases["probability"].to_numpy(float)).clip(0, 1)
        share = (np.average(sure, weights=lengths) - _UNSURE) / (_SURE - _UNSURE)
        parts["phases of low probability"] = np.clip(share, 0, 1)
    return float(np.prod(list(parts.values()))), min(parts, key=parts.get)


def onset_cycles(phases, labels):
    """Compute the times between onsets of the most frequent label.

    Of equally frequent labels the first in sorted order is used.
    """
    return np.diff(_onsets(phases, labels))


def _onsets(phases, labels):
    """List the starts of the phases of the most frequent label."""
    label = phases["label"].to_numpy()
    reference = max(labels, key=lambda name: np.count_nonzero(label == name))
    return phases["start_s"].to_numpy()[label == reference]


def _breaths(phases, inhale, exhale):
    """Make the table of breaths: an inhale, the exhale that follows it, or both."""
    rows, times = [], phases[["start_s", "end_s", "label"]].to_numpy()
    number = 0
    while number < len(times):
        start, end, label = times[number]
        number += 1
        ti = te = np.nan
        if label == inhale:
            ti = end - start
            if number < len(times) and times[number][2] == exhale:
                te, end = times[number][1] - times[number][0], times[number][1]
                number += 1
        else:
            te = end - start
        following = times[number][0] if number < len(times) else np.nan
        ttot = following - start
        row = (start, ti, te, following - end, ttot, ti / te, ti / ttot)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(_TIMES), dtype=float)


def _pauses(phases, duration, apnoea_s):
    """Make the table of silences between phases."""
    start, end = phases["start_s"].to_numpy(), phases["end_s"].to_numpy()
    after = phases["label"].to_numpy(dtype=object)
    if duration is not None:
        start, end = np.append(start, duration), np.append(0.0, end)
        after = np.append(np.array([""], dtype=object), after)
    else:
        start, end, after = start[1:], end[:-1], after[:-1]
    table = pd.DataFrame(
        {"start_s": end, "end_s": start, "duration_s": start - end, "after": after}
    )
    table = table[table["duration_s"] > 1e-9].reset_index(drop=True)
    table["is_apnoea"] = table["duration_s"] >= apnoea_s
    return table


def _summary(phases, breaths, cycles, pauses, inhale, exhale):
    """Make the series of durations, their ratios and pauses."""
    length = phases["end_s"] - phases["start_s"]
    ti = length[phases["label"] == inhale].to_numpy()
    te = length[phases["label"] == exhale].to_numpy()
    apnoeas = pauses.loc[pauses["is_apnoea"], "duration_s"]
    return pd.Series(
        {
            "mean_rate_per_min": 60 / _mean(cycles),
            "ti_s": _median(ti),
            "te_s": _median(te),
            "ttot_s": _median(cycles),
            "ie_ratio": _median(breaths["ie_ratio"].dropna()),
            "duty_cycle": _median(breaths["duty_cycle"].dropna()),
            "ti_cv": _variation(ti),
            "te_cv": _variation(te),
            "ttot_cv": _variation(cycles),
            "n_apnoeas": len(apnoeas),
            "apnoea_total_s": apnoeas.sum(),
            "longest_pause_s": pauses["duration_s"].max() if len(pauses) else 0.0,
        },
        dtype=float,
    )


def _over_time(onsets, breaths, end, window_s, step_s):
    """Make the table of windows."""
    rows = []
    begins, ratios = breaths["onset_s"].to_numpy(), breaths["ie_ratio"].to_numpy()
    end = 0.0 if np.isnan(end) else end
    n_windows = max(1, int(np.ceil((end - window_s) / step_s - 1e-9)) + 1)
    for start in np.arange(n_windows) * step_s if end > 0 else ():
        stop = min(start + window_s, end)
        # Only cycles and breaths near the window, or a night would take minutes.
        first, last = np.searchsorted(onsets, [start, stop])
        near = onsets[max(first - 1, 0) : last + 1]
        inside = np.minimum(near[1:], stop) - np.maximum(near[:-1], start)
        inside = np.maximum(inside, 0)
        share = (inside / np.diff(near)).sum()
        rate = 60 * share / inside.sum() if inside.sum() > 0 else np.nan
        first, last = np.searchsorted(begins, [start, stop])
        own = ratios[first:last]
        ratio = _median(own[~np.isnan(own)])
        rows.append((start, stop, rate, ratio, float(last - first)))
    columns = ["start_s", "end_s", "rate_per_min", "ie_ratio", "n_breaths"]
    return pd.DataFrame(rows, columns=columns, dtype=float)


def _median(values):
    return float(np.median(values)) if len(values) else np.nan


def _mean(values):
    return float(np.mean(values)) if len(values) else np.nan


def _variation(values):
    """Compute the coefficient of variation."""
    if len(values) < 2:
        return np.nan
    return float(np.std(values, ddof=1) / np.mean(values))
