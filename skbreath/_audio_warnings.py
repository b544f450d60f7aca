"""Warnings about clips that can be read but hardly be told apart."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from ._audio_file import COUNTED, first_of
from ._drift import find_drift

__all__ = [
    "AudioWarning",
    "batch_of_run",
    "warn_of_cut",
    "warn_of_drift",
    "warn_of_silence",
]

# Two steps of 16 bits, -84 dB of full scale: what is below is rounding, not sound.
_QUIET_PEAK = 2.0**-14
# Seconds that a clip may be too long: what resampling or rounding leaves over.
_SPARE_S = 0.01
# What the run, of which a batch is being read, has said already; None outside of one.
_SAID = ContextVar("said", default=None)


class AudioWarning(UserWarning):
    """Clips whose labels deserve no trust, though there is no error in their files.

    Examples
    --------
    >>> import warnings
    >>> from skbreath import AudioReader
    >>> from skbreath.audio import AudioWarning
    >>> with warnings.catch_warnings(record=True, category=AudioWarning) as caught:
    ...     clips = AudioReader().fit_transform([[0.1, -0.1], [0.0, 0.0]])
    >>> print(caught[0].message)  # doctest: +ELLIPSIS
    1 of 2 clips is digital silence: row 1 ...; a label of it means nothing.
    """


@contextmanager
def batch_of_run(said):
    """Read clips as one batch of a run that warns of drift once.

    Another microphone has one thing to say, not one for each batch.

    Parameters
    ----------
    said : set
        Empty before the first batch, and the same one for all.
    """
    token = _SAID.set(said)
    try:
        yield
    finally:
        _SAID.reset(token)


def warn_of_cut(clips, n_samples, sample_rate):
    """Warn of waveforms that are cut: arrays carry no rate, and may have another.

    Parameters
    ----------
    clips : ndarray of shape (n_clips, n_given), or list of str
        Files are of their own rate; there is nothing to warn of.
    n_samples : int
        That are used.
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
        The paths, to name them by; anything else is named by row.

    Returns
    -------
    silent : ndarray of bool of shape (n_clips,)
        Those that the warning named.
    """
    highest, lowest = waveforms.max(axis=1), waveforms.min(axis=1)
    still = highest == lowest
    quiet = ~still & (np.maximum(highest, -lowest) < _QUIET_PEAK)
    if still.any():
        _warn(still, clips, "digital silence", "a label of {it} means nothing")
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
        From :func:`~skbreath._drift.describe_reference`.
    ignore : ndarray of bool of shape (n_clips,)
        Clips that have had their warning.
    """
    said = _SAID.get()
    rows = np.flatnonzero(~ignore)
    if rows.size == 0 or (said is not None and "drift" in said):
        return
    drift = find_drift(waveforms[rows] if ignore.any() else waveforms, reference)
    if drift is None:
        return
    unusual = np.zeros(len(waveforms), dtype=bool)
    unusual[rows[drift.rows]] = True
    what = f"unlike the training audio ({'; '.join(drift.reasons)})"
    advice = "do not trust the labels of {it} untested"
    if said is not None:
        said.add("drift")
        advice += " (said once; later batches may hold more)"
    _warn(unusual, clips, what, advice)


def _warn(chosen, clips, what, advice):
    rows = np.flatnonzero(chosen).tolist()
    if isinstance(clips, list):
        names = first_of(repr(clips[row]) for row in rows)
    else:
        names = f"row{'s' if len(rows) > 1 else ''} {first_of(rows)} {COUNTED}"
    one = len(rows) == 1
    warnings.warn(
        f"{len(rows)} of {len(chosen)} clips {'is' if one else 'are'} {what}: {names}; "
        f"{advice.format(it='it' if one else 'them')}.",
        AudioWarning,
        stacklevel=4,
    )
