"""Prepare the worst errors of a report as sounds and spectrograms."""

import base64
import copy
import io
import os
import warnings

import numpy as np

from ..audio.clip_warnings import AudioWarning
from ..audio.inputs import as_paths
from ..audio.reader import AudioReader
from ..plotting.spectrogram import spectrogram_db

__all__ = ["clip_names", "clip_of_report", "find_reader", "read_clips", "worst_errors"]

# Peak of the played clips: chest sounds are recorded very quietly.
_PEAK = 0.89
# Twenty clips of an hour would make a page too large to open.
_LONGEST_S = 15


def worst_errors(predictions, pos_label, n):
    """Pick `n` wrong predictions, lowest probability of the true label first."""
    wrong = predictions[predictions["y_true"] != predictions["y_pred"]]
    score = wrong["y_score"].to_numpy()
    given = np.where(wrong["y_true"] == pos_label, score, 1 - score)
    return wrong.iloc[np.argsort(given, kind="stable")[:n]]


def clip_names(X, rows):
    """Name the clips in some rows of `X`: paths from their common folder on."""
    paths = None if X is None else as_paths(X)
    if paths is None:
        return [f"clip {row}" for row in rows]
    # Without the folder of the user, as the page may be given away.
    folder = os.path.dirname(os.path.commonprefix(paths))
    return [os.path.relpath(paths[row], folder or os.curdir) for row in rows]


def find_reader(model):
    """Get the AudioReader that a pipeline begins with; None for other models."""
    steps = getattr(model, "steps", None)
    if steps and isinstance(steps[0][1], AudioReader):
        return steps[0][1]
    return None


def read_clips(X, reader):
    """Read clips as the reader of a model does, without warnings."""
    with warnings.catch_warnings():
        # The predictions came with the same warnings.
        warnings.simplefilter("ignore", AudioWarning)
        return copy.copy(reader).set_params(drift=None).transform(X)


def clip_of_report(waveform, sample_rate, max_frequency):
    """Prepare one clip for the page.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
    sample_rate : int
        In Hz.
    max_frequency : float
        Upper end of the spectrogram in Hz.

    Returns
    -------
    clip : dict of str
        ``sound`` and ``picture``, as data URIs; ``seconds``, ``kilohertz`` and
        ``level``, a sentence.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath.reporting.clips import clip_of_report
    >>> clip = clip_of_report(np.full(8000, 0.1), 16000, 2000)
    >>> clip["sound"][:22], clip["seconds"], clip["level"]
    ('data:audio/wav;base64,', '0.50', 'Recorded at -20 dB; played 19 dB louder.')
    """
    waveform = np.asarray(waveform, dtype=np.float64)
    length = len(waveform) / sample_rate
    waveform = waveform[: round(_LONGEST_S * sample_rate)]
    seconds = len(waveform) / sample_rate
    peak = np.abs(waveform).max()
    power_db, _, _ = spectrogram_db(
        waveform, sample_rate, max_frequency=min(max_frequency, sample_rate / 2)
    )
    level = "Digital silence."
    if peak > 0:
        gain = 20 * np.log10(_PEAK / peak)
        rms = 10 * np.log10(np.mean(waveform**2))
        louder = f"{abs(gain):.0f} dB {'louder' if gain >= 0 else 'quieter'}"
        level = f"Recorded at {rms:.0f} dB; played {louder}."
        waveform = waveform * (_PEAK / peak)
    if length > seconds:
        level += f" The first {seconds:.0f} of {length:.0f} s."
    return {
        "sound": _data_uri("audio/wav", _wav(waveform, sample_rate)),
        "picture": _data_uri("image/png", _png(power_db)),
        "seconds": f"{seconds:.2f}",
        "kilohertz": f"{min(max_frequency, sample_rate / 2) / 1000:g}",
        "level": level,
    }


def _data_uri(kind, content):
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _wav(waveform, sample_rate):
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, waveform, sample_rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _png(power_db):
    """Encode a picture with a palette: a third of the size of one in RGB."""
    from matplotlib import colormaps
    from PIL import Image

    low = power_db.min()
    shades = (power_db - low) / max(-low, 1e-12) * 255
    picture = Image.fromarray(np.flipud(shades).round().astype(np.uint8), mode="P")
    colours = colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(colours.tobytes())
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()
