"""Warn about clips that can be read, but whose predictions are not reliable."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len, rfft
from scipy.stats import binom

from ..utils.text import ROW_NUMBERING_NOTE, shorten

__all__ = [
    "AudioWarning",
    "batch_of_run",
    "describe_reference",
    "drift_scores",
    "find_drift",
    "warn_of_cut",
    "warn_of_drift",
    "warn_of_silence",
]

# Two steps of 16 bits, -84 dB of full scale: below that is rounding, not sound.
_QUIET_PEAK = 2.0**-14
# Seconds that a clip may be too long because of resampling or rounding.
_SPARE_S = 0.01
# Warnings of the run so far, while one of its batches is read; None outside of a run.
_already_warned = ContextVar("already_warned", default=None)

# Lowest number of training clips for a reference.
_MIN_CLIPS = 50
# A clip is unusual beyond this quantile of the distances of the training clips.
_USUAL = 0.985
# A single clip is reported if it is this many times as far as any training clip.
_FAR = 2.0
# Clips are not independent and recordings vary from day to day: this share of unusual
# clips is tolerated. A larger share is reported if it is significant at this level.
_TOLERATED, _CHANCE = 0.03, 1e-3
# In Hz, up to half the sampling rate. Breath in the chest is below 2 kHz; the bands
# above differ between microphones and sampling rates.
_EDGES = (0, 125, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000)
_N_FRAMES = 8
_FRAME_SECONDS = 0.016
# Variance in dB^2 added to each band: differences below 1 dB are not meaningful.
_RIDGE = 1.0
# Lowest level in dB relative to full scale; silence has it.
_FLOOR = -120.0
# Smallest reported difference: in interquartile ranges of the training clips, and
# the smallest range in dB.
_WORTH, _WORTH_DB = 1.0, 6.0


class AudioWarning(UserWarning):
    """Warning of readable clips whose predictions are not reliable.

    Examples
    --------
    >>> import warnings
    >>> from skbreath import AudioReader
    >>> from skbreath import AudioWarning
    >>> with warnings.catch_warnings(record=True, category=AudioWarning) as caught:
    ...     clips = AudioReader().fit_transform([[0.1, -0.1], [0.0, 0.0]])
    >>> print(caught[0].message)  # doctest: +ELLIPSIS
    1 of 2 clips is digital silence: row 1 ...; predictions for it are not meaningful.
    """


@contextmanager
def batch_of_run(warned):
    """Warn about drift once per run, not once per batch of clips read in this block.

    `warned` is a set: empty before the first batch, and the same for all batches. With
    "drift" and "silence" in it, there is no warning of these.
    """
    token = _already_warned.set(warned)
    try:
        yield
    finally:
        _already_warned.reset(token)


def warn_of_cut(clips, n_samples, sample_rate):
    """Warn about waveforms in arrays that are cut to `n_samples`.

    They may have another rate than `sample_rate`; files have a rate of their own.
    """
    if isinstance(clips, list):
        return
    n_given = clips.shape[1]
    if n_given <= n_samples + _SPARE_S * sample_rate:
        return
    warnings.warn(
        f"the rows of X hold {n_given} samples, {n_given / sample_rate:.2f} s at "
        f"{sample_rate} Hz; only the first {n_samples} are used. If they have another "
        "rate, resample them; if they are longer clips, pass the part with the breath.",
        AudioWarning,
        stacklevel=3,
    )


def warn_of_silence(waveforms, clips):
    """Warn about clips without any sound, and return which these are.

    `clips` are the paths, for the message; clips in arrays are listed by row.
    """
    highest, lowest = waveforms.max(axis=1), waveforms.min(axis=1)
    still = highest == lowest
    quiet = ~still & (np.maximum(highest, -lowest) < _QUIET_PEAK)
    if "silence" in (_already_warned.get() or ()):
        return still | quiet
    if still.any():
        _warn(
            still, clips, "digital silence", "predictions for {it} are not meaningful"
        )
    if quiet.any():
        what = "too quiet to hold a sound, at a peak below -84 dB of full scale"
        _warn(quiet, clips, what, "check the level {it} was recorded at")
    return still | quiet


def warn_of_drift(waveforms, clips, reference, ignore):
    """Warn about clips unlike the training clips, except those in `ignore`."""
    warned = _already_warned.get()
    rows = np.flatnonzero(~ignore)
    if rows.size == 0 or (warned is not None and "drift" in warned):
        return
    drift = find_drift(waveforms[rows] if ignore.any() else waveforms, reference)
    if drift is None:
        return
    unusual = np.zeros(len(waveforms), dtype=bool)
    unusual[rows[drift.rows]] = True
    what = f"unlike the training audio ({'; '.join(drift.reasons)})"
    advice = "do not trust the labels of {it} untested"
    if warned is not None:
        warned.add("drift")
        advice += " (reported once; later batches may hold more)"
    _warn(unusual, clips, what, advice)


def _warn(chosen, clips, what, advice):
    """Warn about the chosen clips, by path, or by row for an array."""
    rows = np.flatnonzero(chosen).tolist()
    if isinstance(clips, list):
        names = shorten(repr(clips[row]) for row in rows)
    else:
        names = (
            f"row{'s' if len(rows) > 1 else ''} {shorten(rows)} {ROW_NUMBERING_NOTE}"
        )
    one = len(rows) == 1
    warnings.warn(
        f"{len(rows)} of {len(chosen)} clips {'is' if one else 'are'} {what}: {names}; "
        f"{advice.format(it='it' if one else 'them')}.",
        AudioWarning,
        stacklevel=4,
    )


def describe_reference(waveforms, sample_rate):
    """Compute the statistics of the training clips, whatever their order.

    None for fewer than `_MIN_CLIPS` clips, or clips shorter than 64 samples.
    """
    n_clips, n_samples = waveforms.shape
    if n_clips < _MIN_CLIPS or n_samples < 64:
        return None
    levels = _band_levels(waveforms, sample_rate)
    # Sorted, so that the sums do not depend on the order of clips.
    levels = levels[np.lexsort(levels.T)]
    covariance = np.cov(levels.T) + _RIDGE * np.eye(levels.shape[1])
    reference = {
        "sample_rate": int(sample_rate),
        "mean": levels.mean(axis=0),
        "precision": np.linalg.inv(covariance),
        "quartiles": np.quantile(levels, [0.25, 0.5, 0.75], axis=0),
    }
    scores = _left_out(_distances(levels, reference), n_clips)
    # A difference of 1 dB is not a drift, even if all training clips are the same.
    reference["usual"] = max(1.0, float(np.quantile(scores, _USUAL)))
    reference["far"] = _FAR**2 * max(1.0, float(scores.max()))
    return reference


def drift_scores(waveforms, reference):
    """Compute the distance of each clip from the training clips; above 1 is unusual.

    These are Mahalanobis distances, divided by the highest usual one.
    """
    levels = _band_levels(waveforms, reference["sample_rate"])
    return np.sqrt(_distances(levels, reference) / reference["usual"])


@dataclass(frozen=True)
class Drift:
    """Unusual clips, the most distant first, and descriptions of the differences."""

    rows: np.ndarray
    reasons: list[str]


def find_drift(waveforms, reference):
    """Compare clips with the training clips; None if there is nothing to report.

    About one clip in seventy is unusual by chance, so a few of many are ignored.
    Reported are clips far beyond all training clips, and more unusual clips than
    chance and the variation between days explain.
    """
    levels = _band_levels(waveforms, reference["sample_rate"])
    distances = _distances(levels, reference)
    unusual = distances > reference["usual"]
    too_many = binom.isf(_CHANCE, len(levels), _TOLERATED) if len(levels) > 1 else 0
    if unusual.sum() <= too_many:
        unusual = distances > reference["far"]
    if not unusual.any():
        return None
    rows = np.flatnonzero(unusual)
    rows = rows[np.argsort(-distances[rows], kind="stable")]
    return Drift(rows, _reasons(levels[rows], reference))


def _edges(sample_rate):
    """List the edges of the frequency bands in Hz, up to half the sampling rate."""
    inside = [edge for edge in _EDGES if edge < 0.45 * sample_rate]
    return [*inside, sample_rate / 2]


def _band_levels(waveforms, sample_rate):
    """Compute levels in dB, of shape (n_clips, 1 + n_bands): whole clip, then bands.

    Frames spread over the clip are enough for an average, and take a tenth of the time
    of a transform of all.
    """
    n_clips, n_samples = waveforms.shape
    length = next_fast_len(max(32, round(_FRAME_SECONDS * sample_rate)), real=True)
    length = min(length, n_samples)
    window = np.hanning(length + 2)[1:-1]
    window = (window / np.sqrt((window**2).sum())).astype(np.float32)
    starts = np.linspace(0, n_samples - length, _N_FRAMES).astype(int)
    frames = np.empty((n_clips, _N_FRAMES, length), dtype=np.float32)
    for number, start in enumerate(starts):
        np.multiply(waveforms[:, start : start + length], window, out=frames[:, number])
    spectrum = rfft(frames, axis=-1).view(np.float32)
    np.square(spectrum, out=spectrum)
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate)
    # Real and imaginary parts lie side by side.
    band = np.searchsorted(_edges(sample_rate)[1:-1], frequencies, side="right")
    bands = np.eye(len(_edges(sample_rate)) - 1, dtype=np.float32)[np.repeat(band, 2)]
    power = spectrum.sum(axis=1) @ bands
    power *= 2 / (_N_FRAMES * length)
    total = np.einsum("ij,ij->i", waveforms, waveforms) / n_samples
    power = np.column_stack([total, power]).astype(np.float64)
    return 10 * np.log10(power + 10 ** (_FLOOR / 10))


def _distances(levels, reference):
    """Compute squared Mahalanobis distances."""
    centred = levels - reference["mean"]
    return np.einsum("ij,jk,ik->i", centred, reference["precision"], centred)


def _left_out(distances, n_clips):
    """Compute squared distances from the mean and covariance of all *other* clips.

    A clip is closer to statistics that include it than a new clip is. The formula of
    Sherman and Morrison corrects this without fitting again.
    """
    factor = n_clips / (n_clips - 1)
    inside = 1 - factor * distances / (n_clips - 1)
    return factor**2 * (n_clips - 2) / (n_clips - 1) * distances / inside


def _reasons(levels, reference):
    """Describe how the median of `levels` differs from that of the training clips."""
    low, middle, high = reference["quartiles"]
    difference = np.median(levels, axis=0) - middle
    spread = np.maximum(high - low, _WORTH_DB)
    level, bands = difference[0], difference[1:]
    edges = _edges(reference["sample_rate"])
    reasons = []
    if abs(level) > _WORTH * spread[0]:
        word = "louder" if level > 0 else "quieter"
        reasons.append(f"level: {abs(level):.0f} dB {word}")
    median = np.median(levels, axis=0)[1:]
    silent = median < _FLOOR + 6
    if silent.all():
        return reasons
    lost = silent & (low[1:] > _FLOOR + 6)
    if lost[-1] and abs(level) < 20:
        kept = edges[np.flatnonzero(~lost)[-1] + 1]
        reasons.append(
            f"sampling rate: nothing above {kept:.0f} Hz, as if recorded at "
            f"{2 * kept:.0f} Hz or less"
        )
    # Differences of bands without the difference of the whole level. Silent bands do
    # not show any.
    relative = np.where(silent, 0, bands - level)
    for first, last, sign in _runs(relative, _WORTH * spread[1:]):
        excess = np.median(relative[first : last + 1])
        word = "more" if sign > 0 else "less"
        reasons.append(
            f"band: {abs(excess):.0f} dB {word} between {edges[first]:.0f} and "
            f"{edges[last + 1]:.0f} Hz"
        )
    return reasons or ["microphone or noise: an unusual mix of frequencies"]


def _runs(values, limits):
    """Yield (first, last, sign) of neighbours beyond the limits on one side."""
    signs = np.sign(values) * (np.abs(values) > limits)
    changes = np.flatnonzero(np.diff(signs)) + 1
    for run in np.split(np.arange(len(signs)), changes):
        if signs[run[0]]:
            yield run[0], run[-1], signs[run[0]]
