"""Whether audio sounds like the audio a model was trained on, and if not, why.

A model is as sure of itself on sounds it has never met as on those it knows. So the
levels of a clip in a dozen frequency bands are compared with those of the training
clips; neither labels nor the model are looked at.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len, rfft
from scipy.stats import binom

__all__ = ["MIN_CLIPS", "describe_reference", "drift_scores", "find_drift"]

MIN_CLIPS = 50
"""Training clips below which nothing can be said about the usual."""

# A clip is unusual beyond what this share of the training clips keeps within.
_USUAL = 0.985
# A single clip this many times further out than any training clip is named by itself.
_FAR = 2.0
# Clips are not independent, and another day is never quite the same: this share of
# unusual clips is nothing to speak of; more must not be chance, at this level.
_TOLERATED, _CHANCE = 0.03, 1e-3
# In Hz, as far as the sampling rate goes. Breath is below 2 kHz in the chest; what
# is above tells one microphone, or one sampling rate, from another.
_EDGES = (0, 125, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000)
_N_FRAMES = 8
_FRAME_SECONDS = 0.016
# Variance in dB^2 that is added to each band: differences below 1 dB mean nothing.
_RIDGE = 1.0
# dB of what is as good as silence, relative to full scale.
_FLOOR = -120.0
# A difference in dB worth a word, in spreads (quartile to quartile) of the training
# clips and at least.
_WORTH, _WORTH_DB = 1.0, 6.0


def describe_reference(waveforms, sample_rate):
    """Learn what is usual.

    Parameters
    ----------
    waveforms : ndarray of shape (n_clips, n_samples), float32
        Training clips.
    sample_rate : int
        In Hz.

    Returns
    -------
    reference : dict of str to int, float or ndarray, or None
        Data only, for any serializer, independent of the order of clips. None of fewer
        than :data:`MIN_CLIPS` clips, or of clips shorter than 64 samples.

    Examples
    --------
    >>> clips = np.random.default_rng(0).normal(size=(60, 8000)).astype("float32")
    >>> reference = describe_reference(clips, 8000)
    >>> find_drift(clips, reference) is None
    True
    >>> find_drift(clips / 100, reference).reasons
    ['level: 40 dB quieter']
    """
    n_clips, n_samples = waveforms.shape
    if n_clips < MIN_CLIPS or n_samples < 64:
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
    # Of clips that are all the same, a difference of 1 dB is still no drift.
    reference["usual"] = max(1.0, float(np.quantile(scores, _USUAL)))
    reference["far"] = _FAR**2 * max(1.0, float(scores.max()))
    return reference


def drift_scores(waveforms, reference):
    """Distance of each clip from the training clips; beyond 1 it is unusual.

    Parameters
    ----------
    waveforms : ndarray of shape (n_clips, n_samples), float32
        Clips.
    reference : dict
        From :func:`describe_reference`.

    Returns
    -------
    scores : ndarray of shape (n_clips,)
        Mahalanobis distances, divided by what is usual.
    """
    levels = _band_levels(waveforms, reference["sample_rate"])
    return np.sqrt(_distances(levels, reference) / reference["usual"])


@dataclass(frozen=True)
class Drift:
    """What :func:`find_drift` found.

    Attributes
    ----------
    rows : ndarray of int
        Clips that are unusual, the furthest first.
    reasons : list of str
        What is different about them, in words.
    """

    rows: np.ndarray
    reasons: list[str]


def find_drift(waveforms, reference):
    """Compare clips with the training clips.

    One clip in some seventy is unusual by chance. A few of many are therefore passed
    over; what counts is a clip that is beyond everything known, or more unusual
    clips than chance and a new day bring.

    Parameters
    ----------
    waveforms : ndarray of shape (n_clips, n_samples), float32
        Clips that are about to be predicted.
    reference : dict
        From :func:`describe_reference`.

    Returns
    -------
    drift : Drift or None
        None where all is as usual.
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
    inside = [edge for edge in _EDGES if edge < 0.45 * sample_rate]
    return [*inside, sample_rate / 2]


def _band_levels(waveforms, sample_rate):
    """(n_clips, 1 + n_bands) levels in dB: of the whole clip, and of each band.

    Of frames spread over the clip, which is enough for an average and costs a tenth
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
    """Squared Mahalanobis distances."""
    centred = levels - reference["mean"]
    return np.einsum("ij,jk,ik->i", centred, reference["precision"], centred)


def _left_out(distances, n_clips):
    """Squared distances from the mean and covariance of all *other* clips.

    By the formula of Sherman and Morrison, without fitting anew. A clip is closer to
    statistics that it is part of than a new clip is.
    """
    factor = n_clips / (n_clips - 1)
    inside = 1 - factor * distances / (n_clips - 1)
    return factor**2 * (n_clips - 2) / (n_clips - 1) * distances / inside


def _reasons(levels, reference):
    """Words for how the median of `levels` differs from that of training."""
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
    # What is left of a band when the difference in level is made up for; nothing can
    # be told from a band that is silent now.
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
    """(first, last, sign) of neighbours beyond the limits on one side."""
    signs = np.sign(values) * (np.abs(values) > limits)
    changes = np.flatnonzero(np.diff(signs)) + 1
    for run in np.split(np.arange(len(signs)), changes):
        if signs[run[0]]:
            yield run[0], run[-1], signs[run[0]]
