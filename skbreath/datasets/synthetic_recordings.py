"""Make whole recordings of breathing from noise, with exact times of the phases."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch, check_random_state

from ..phases.phase_table import COLUMNS, phase_table
from ..utils.sklearn_compat import Interval, validate_params
from .synthetic_clips import (
    Subject,
    band_noise,
    gain_of,
    rms_of,
    sensor_slope,
    set_level,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..utils.typing import Seed

__all__ = ["make_breath_recording"]

# Shares of a cycle: from inhale to exhale, and from exhale to the next inhale.
_TURN, _REST = 0.03, 0.12
# Noise is made in pieces of this length, cross-faded.
_PIECE_S, _FADE_S = 20.0, 0.05
_HEART_DB = -8.0
_TOUCHES_PER_S = 1 / 30


@validate_params(
    {
        "duration": [Interval(Real, 1, None, closed="left")],
        "rate": [Interval(Real, 1, 120, closed="both")],
        "ie_ratio": [Interval(Real, 0.1, 10, closed="both")],
        "pauses": ["array-like"],
        "noise": [Interval(Real, -20, 100, closed="both")],
        "variability": [Interval(Real, 0, 0.5, closed="both")],
        "difficulty": [Interval(Real, 0, 1, closed="both")],
        "sample_rate": [Interval(Integral, 1000, 1_000_000, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_breath_recording(
    duration: float = 60.0,
    rate: float = 15.0,
    ie_ratio: float = 0.5,
    pauses: ArrayLike = (),
    noise: float = 20.0,
    *,
    variability: float = 0.08,
    difficulty: float = 0.2,
    sample_rate: int = 16000,
    random_state: Seed | None = None,
) -> Bunch:
    """Make a recording of breathing like that of a chest stethoscope.

    Each breath is an inhale, a short turn, an exhale and a rest; 3 % of a cycle are
    the turn and 12 % the rest. Their sounds are those of
    :func:`make_breath_sounds`: noise with the spectra and envelopes of chest sounds,
    with heart sounds and an occasional touch of the stethoscope. Times are exact to
    the sample.

    Parameters
    ----------
    duration : float, default=60.0
        Length in s.
    rate : float, default=15.0
        Breaths per minute.
    ie_ratio : float, default=0.5
        Duration of an inhale divided by that of the exhale; 0.5 is I:E 1:2.
    pauses : array-like of (start_s, length_s), default=()
        Pauses of breathing: the breath at `start_s` is completed, then breathing
        pauses for `length_s`.
    noise : float, default=20.0
        Power of the breaths, averaged over all phases, above that of the steady
        noise, in dB (the signal to noise ratio).
    variability : float, default=0.08
        Standard deviation of the durations from breath to breath, as a share.
    difficulty : float, default=0.2
        How alike inhales and exhales are, as for :func:`make_breath_sounds`.
    sample_rate : int, default=16000
        In Hz.
    random_state : int, RandomState instance or None, default=None
        An int makes the same recording to the bit on one machine.

    Returns
    -------
    recording : Bunch
        ``waveform`` (n_samples,) float32 within -1..1; ``sample_rate``; ``phases``,
        a DataFrame of ``start_s``, ``end_s``, ``label`` (a phase cut by the end of
        the recording ends there); ``pauses``, (n, 2) array of the silences that
        `pauses` made, from the end of the last phase to the next onset.

    See Also
    --------
    make_breath_sounds : Make clips of one phase.

    Examples
    --------
    >>> recording = make_breath_recording(20, rate=12, pauses=[(6, 5)], random_state=0)
    >>> recording.waveform.shape, recording.phases.label.tolist()[:4]
    ((320000,), ['I', 'E', 'I', 'E'])
    >>> recording.pauses.round(1).tolist()
    [[9.9, 15.5]]
    """
    rng = check_random_state(random_state)
    n_samples = round(duration * sample_rate)
    subject = Subject(rng, difficulty)
    rows, silences = _breathe(rng, duration, rate, ie_ratio, pauses, variability)
    breath = np.zeros(n_samples, dtype=np.float32)
    active = 0
    louder = rng.normal(0, 3)  # inhales above exhales, in dB
    for start, end, label in rows:
        first, last = round(start * sample_rate), round(end * sample_rate)
        _, timbre, shape = subject.draw_phase(rng, label == "I")
        sound = subject.breath(rng, timbre, shape, max(16, last - first), sample_rate)
        level = rng.normal(0, 1.5) + (louder / 2 if label == "I" else -louder / 2)
        kept = sound[: n_samples - first] * gain_of(level)
        breath[first : first + len(kept)] += kept
        active += len(kept)
    power = np.sum(np.square(breath), dtype=float) / max(active, 1)
    floor = _long_noise(rng, n_samples, sample_rate)
    # Without any breath, the noise is as loud as with breaths of unit power.
    breath += floor * (np.sqrt(power if active else 1.0) * gain_of(-noise))
    _add_body(rng, subject, breath, sample_rate)
    set_level(breath, subject.level)
    phases = phase_table(
        [(s, min(e, duration), k) for s, e, k in rows if s < duration], COLUMNS
    )
    return Bunch(
        waveform=breath,
        sample_rate=sample_rate,
        phases=phases,
        pauses=np.array(silences, dtype=float).reshape(-1, 2),
    )


def _breathe(rng, duration, rate, ie_ratio, pauses, variability):
    """Draw the times of phases, and of the pauses between them."""
    pauses = sorted((float(start), float(length)) for start, length in pauses)
    cycle = 60 / rate
    sounding = cycle * (1 - _TURN - _REST)
    inhale, exhale = (sounding * s / (1 + ie_ratio) for s in (ie_ratio, 1.0))

    def vary(mean):
        return mean * np.clip(1 + variability * rng.normal(), 0.5, 1.5)

    time, rows, silences = vary(cycle * _REST), [], []
    while time < duration:
        middle = time + vary(inhale)
        rows.append((time, middle, "I"))
        turn = middle + vary(cycle * _TURN)
        end = turn + vary(exhale)
        if turn < duration:
            rows.append((turn, end, "E"))
        time = end + vary(cycle * _REST)
        if pauses and pauses[0][0] < time:
            time += pauses.pop(0)[1]
            silences.append((end, min(time, duration)))
    return rows, [silence for silence in silences if silence[0] < silence[1]]


def _long_noise(rng, n_samples, sample_rate):
    """Make sensor noise of unit RMS, of any length with little additional memory."""
    piece, fade = round(_PIECE_S * sample_rate), round(_FADE_S * sample_rate)
    rise = np.sin(np.linspace(0, np.pi / 2, fade))  # of equal power
    noise = np.zeros(n_samples, dtype=np.float32)
    for first in range(0, n_samples, piece):
        sound = band_noise(rng, piece + fade, sample_rate, sensor_slope)
        if first:
            sound[:fade] *= rise
        sound[piece:] *= rise[::-1]
        kept = sound[: n_samples - first]
        noise[first : first + len(kept)] += kept
    return noise


def _add_body(rng, subject, breath, sample_rate):
    """Add heart sounds and occasional touches to `breath`, in place."""
    level = rms_of(breath)
    piece = round(_PIECE_S * sample_rate)
    heart = level * gain_of(min(subject.heart_level, 0) + _HEART_DB)
    for first in range(0, len(breath), piece):
        part = breath[first : first + piece]
        time = np.arange(len(part)) / sample_rate
        part += subject.heart(rng, time, sample_rate) * heart
        for _ in range(rng.poisson(len(part) / sample_rate * _TOUCHES_PER_S)):
            part += subject.touch(rng, time, sample_rate) * level
