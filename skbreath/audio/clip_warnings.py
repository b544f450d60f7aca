"""Warn of clips that can be read, but whose predictions are not reliable."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from .drift import find_drift
from .files import ROW_NUMBERING_NOTE, shorten

__all__ = [
    "AudioWarning",
    "batch_of_run",
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
    """Read clips as one batch of a run; warn once per run, not once per batch.

    Parameters
    ----------
    warned : set
        Empty before the first batch, and the same object for all batches.
    """
    token = _already_warned.set(warned)
    try:
        yield
    finally:
        _already_warned.reset(token)


def warn_of_cut(clips, n_samples, sample_rate):
    """Warn of waveforms in arrays that are cut, as their rate may be another one.

    Parameters
    ----------
    clips : ndarray of shape (n_clips, n_given), or list of str
        Files have a rate of their own and cause no warning.
    n_samples : int
        Samples that are used.
    sample_rate : int
        In Hz.
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
    """Warn of clips without any sound.

    Parameters
    ----------
    waveforms : ndarray of shape (n_clips, n_samples)
        As read.
    clips : list of str or ndarray
        The paths, for the message; clips in arrays are listed by row.

    Returns
    -------
    silent : ndarray of bool of shape (n_clips,)
        Whether the warning lists a clip.
    """
    highest, lowest = waveforms.max(axis=1), waveforms.min(axis=1)
    still = highest == lowest
    quiet = ~still & (np.maximum(highest, -lowest) < _QUIET_PEAK)
    if still.any():
        _warn(
            still, clips, "digital silence", "predictions for {it} are not meaningful"
        )
    if quiet.any():
        what = "too quiet to hold a sound, at a peak below -84 dB of full scale"
        _warn(quiet, clips, what, "check the level {it} was recorded at")
    return still | quiet


def warn_of_drift(waveforms, clips, reference, ignore):
    """Warn of clips unlike the training clips, with the reasons.

    Parameters
    ----------
    waveforms : ndarray of shape (n_clips, n_samples), float32
        As read.
    clips : list of str or ndarray
        As above.
    reference : dict
        From :func:`~skbreath.audio.drift.describe_reference`.
    ignore : ndarray of bool of shape (n_clips,)
        Clips to leave out, such as silent ones.
    """
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
        advice += " (said once; later batches may hold more)"
    _warn(unusual, clips, what, advice)


def _warn(chosen, clips, what, advice):
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
