"""Warnings about clips that can be read but hardly be told apart."""

import warnings

import numpy as np

from ._audio_file import COUNTED, first_of
from ._drift import find_drift

__all__ = ["AudioWarning", "warn_of_drift", "warn_of_silence"]

# Two steps of 16 bits, -84 dB of full scale: what is below is rounding, not sound.
_QUIET_PEAK = 2.0**-14


class AudioWarning(UserWarning):
    """Clips whose labels deserve no trust, though there is no error in their files.

    Examples
    --------
    >>> import warnings
    >>> from skbreath import AudioReader
    >>> from skbreath.audio import AudioWarning
    >>> with warnings.catch_warnings(record=True, category=AudioWarning) as caught:
    ...     clips = AudioReader().fit_transform([[0.1, -0.1], [0.0, 0.0]])
    >>> print(caught[0].message)
    1 of 2 clips is digital silence: row 1; a label of it means nothing.
    """


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
    rows = np.flatnonzero(~ignore)
    if rows.size == 0:
        return
    drift = find_drift(waveforms[rows] if ignore.any() else waveforms, reference)
    if drift is None:
        return
    unusual = np.zeros(len(waveforms), dtype=bool)
    unusual[rows[drift.rows]] = True
    what = f"unlike the training audio ({'; '.join(drift.reasons)})"
    _warn(unusual, clips, what, "do not trust the labels of {it} untested")


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
