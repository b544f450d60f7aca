"""Describe the sound of a recording, to tell which microphone made it."""

import numpy as np

from .frames import FrameStream, frame_features

__all__ = ["describe_sound"]

# The beginning of a recording, in s, is enough to know the microphone.
_DURATION_S = 60.0
_RATE, _N_BANDS = 16000, 32
# Quiet and loud frames, as shares of all frames.
_QUIET, _LOUD, _LOUDEST = 0.1, 0.7, 0.9
# Limits in dB of levels and of their rise.
_LOWEST_DB, _HIGHEST_RISE_DB = -60, 30


def describe_sound(recording):
    """Compute which bands of a recording have sound, and in which breath is heard.

    Parameters
    ----------
    recording : recording
        One of those that ``as_recordings`` makes.

    Returns
    -------
    description : ndarray of shape (32,) or None
        Levels of 16 bands from 50 to 8000 Hz in loud frames, in dB relative to the
        loudest band, and the difference between loud and quiet frames in dB. They do
        not depend on the level of the recording. None if it has no frames.
    """
    features = frame_features(
        sample_rate=_RATE, n_mels=_N_BANDS, n_fft=1024, hop_length=256, fmin=50.0
    )
    stream, parts = None, []
    for rate, block in recording.blocks():
        stream = FrameStream(features, rate) if stream is None else stream
        parts.append(stream.push(block))
        if stream.n_samples >= _DURATION_S * rate:
            break
    bands = np.concatenate(parts)[:, :-1] if parts else np.zeros((0, _N_BANDS))
    if not len(bands):
        return None
    levels = bands.mean(axis=1)
    loud = 10 ** (bands[levels >= np.quantile(levels, _LOUD)] / 10)
    spectrum = 10 * np.log10(loud.mean(axis=0))
    spectrum = np.maximum(spectrum - spectrum.max(), _LOWEST_DB)
    quiet, loudest = np.quantile(bands, [_QUIET, _LOUDEST], axis=0)
    rise = np.clip(loudest - quiet, 0, _HIGHEST_RISE_DB)
    pairs = [values.reshape(-1, 2).mean(axis=1) for values in (spectrum, rise)]
    return np.concatenate(pairs)
