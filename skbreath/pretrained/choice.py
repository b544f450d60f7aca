"""Choose between the models of recordings by the sound."""

from functools import lru_cache

import numpy as np

from ..audio.inputs import as_recordings
from ..segmentation.frames import FrameStream, frame_features
from . import MICROPHONES

__all__ = ["choose_segmenter", "describe_sound", "sounds_like"]

# The beginning of a recording, in s, is enough to know the microphone.
_DURATION_S = 60.0
_RATE, _N_BANDS = 16000, 32
# Quiet and loud frames, as shares of all frames.
_QUIET, _LOUD, _LOUDEST = 0.1, 0.7, 0.9
# Limits in dB of levels and of their rise.
_LOWEST_DB, _HIGHEST_RISE_DB = -60, 30
# Air microphones differ more from each other than stethoscopes do.
_LEAST_FOR_CHEST = 0.9


def choose_segmenter(path):
    """Choose "nose" or "chest" by the sound of a recording."""
    (recording,) = as_recordings([path], _RATE, allow_empty=True)
    return sounds_like(_microphones(), describe_sound(recording))


def sounds_like(model, description):
    """Choose "nose" or "chest" by a model, and a description of sound or None."""
    if description is None:
        return "nose"
    chest = list(model.classes_).index("chest")
    probability = model.predict_proba(description[None])[0, chest]
    return "chest" if probability >= _LEAST_FOR_CHEST else "nose"


@lru_cache
def _microphones():
    from ..model_files.save_load import load_model

    return load_model(MICROPHONES)


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
