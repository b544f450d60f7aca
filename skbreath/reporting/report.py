"""Write the result of an evaluation as an HTML page with sound."""

from __future__ import annotations

import base64
import copy
import io
import os
import warnings
from typing import TYPE_CHECKING

import numpy as np

from ..audio.clip_warnings import AudioWarning
from ..audio.inputs import as_paths
from ..audio.reader import AudioReader
from ..ensemble.inspection import training_record
from ..evaluation.leakage import known_clips
from ..plotting.spectrogram import spectrogram_db
from ..utils.files import atomic_path
from ..utils.sklearn_compat import _safe_indexing
from .page import Page
from .tables import plain_text, training_curves, trials_table, vote_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sklearn.utils import Bunch

    from ..utils.typing import Clips, Column, FilePath

__all__ = ["report"]

# Peak of the sounds in the page, as chest sounds are recorded very quietly.
_PEAK = 0.89
# A page with twenty clips of an hour would be too large to open.
_LONGEST_S = 15


def report(
    result: Bunch,
    path: FilePath,
    *,
    X: Clips | None = None,
    model: Any = None,
    search: Any = None,
    breakdowns: Mapping[str, Column] | None = None,
    title: str = "Inhale or exhale: evaluation",
    n_errors: int = 20,
    max_frequency: float = 2000.0,
) -> str:
    """Write the result of an evaluation as an HTML page.

    The page is one file that works without a network or server. It has scores with
    intervals, a threshold to move, curves, scores by recording or any other column, the
    weights of the vote, the losses of its networks, the trials of the search, and the
    worst errors as sounds and spectrograms. It can be passed on: it has no other audio
    than these errors, and of the paths only the part after their common folder. Each
    clip is read at most once.

    Parameters
    ----------
    result : Bunch
        From :func:`~skbreath.evaluate` (with ``return_estimator=True`` the page has
        the weights, thresholds and losses of the folds) or
        :func:`~skbreath.evaluate_fitted`.
    path : str or path
        HTML file; an old one is replaced in one step when the new one is complete.
    X : paths or waveforms, default=None
        The clips that `result` was computed on, to play the errors. None means a page
        without sound.
    model : estimator or list of estimator, default=None
        Fitted; source of weights, threshold, losses, and the way clips are read. None
        means the models in `result`, if it has them.
    search : search or DataFrame, default=None
        A fitted :class:`~skbreath.OptunaSearchCV` or another search of scikit-learn,
        or its ``cv_results_``.
    breakdowns : dict of str to array-like of shape (n_clips,), default=None
        Columns to break the scores down by, such as ``{"day": days}``, in the order of
        `X`. None means the groups, if there were any.
    title : str, default="Inhale or exhale: evaluation"
        Heading of the page.
    n_errors : int, default=20
        Number of worst errors shown, at most.
    max_frequency : float, default=2000
        Upper end of the spectrograms in Hz; chest sounds have little above.

    Returns
    -------
    path : str
        Path of the page.

    Raises
    ------
    ValueError
        If `X` or a breakdown has another number of rows than was evaluated, or
        `search` has no trials.
    AudioError
        If clips cannot be read. The page is not written then.
    FileNotFoundError, IsADirectoryError, PermissionError
        If the file cannot be written.

    See Also
    --------
    evaluate : Compute the result.

    Notes
    -----
    The content security policy of the page blocks all requests and all scripts but its
    own. Names and labels are always shown as text.

    Sounds are 16 bit WAV, raised to the same peak, 15 s at most. A page of 3,000 clips
    with twenty errors of one second takes 2 MB.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbreath import BreathFeatures, SummaryPooling, evaluate, report
    >>> from skbreath import make_breath_sounds
    >>> sounds = make_breath_sounds(60, random_state=0)
    >>> model = make_pipeline(BreathFeatures(), SummaryPooling(), LogisticRegression())
    >>> result = evaluate(model, sounds.waveforms, sounds.target, n_resamples=100)
    >>> page = pathlib.Path(tempfile.mkdtemp(), "report.html")
    >>> _ = report(result, page, X=sounds.waveforms)
    >>> page.read_text().startswith("<!doctype html>")
    True
    """
    predictions = result.predictions
    rows = predictions["row"].to_numpy()
    if model is None:
        model = result.get("estimator", [])
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    if breakdowns is None:
        grouped = result.by_group is not None
        parts = {"group": predictions["group"]} if grouped else {}
    else:
        parts = {
            name: _of_rows(values, rows, f"the breakdown {name!r}")
            for name, values in breakdowns.items()
        }
    errors = _worst_errors(predictions, result.pos_label, n_errors)
    sounds, n_known = None, 0
    if X is not None:
        _check_length(X, rows, "X")
        sounds, n_known = _read(X, errors["row"].to_numpy(), predictions, models)
    results = getattr(search, "cv_results_", search)
    metric = search.refit if isinstance(getattr(search, "refit", None), str) else None

    page = Page(result, models, title)
    page.content["n_known"] = n_known
    page.break_down(parts)
    page.put("vote", "The vote", vote_table(models))
    page.put("training", "Training", training_curves(models))
    trials = None if results is None else trials_table(results, metric)
    page.put("trials", "The search", trials)
    page.put("errors", "Worst errors", _clips(errors, X, sounds, max_frequency))
    page.put("settings", "Settings", page.list_settings())
    html = page.render()
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8", newline="\n")
    return os.fspath(path)


def _check_length(values, rows, name):
    """Raise an error if values are fewer than the clips that were evaluated."""
    if len(values) <= rows.max():
        raise ValueError(
            f"{name} has {len(values)} rows, expected one for each of the "
            f"{rows.max() + 1} or more clips that were evaluated, in the same order."
        )


def _of_rows(values, rows, name):
    """Get the values of the rows that were predicted."""
    _check_length(values, rows, name)
    return np.asarray(values)[rows]


def _read(X, rows, predictions, models):
    """Read the clips in `rows`; count the clips of `X` that the model was trained on.

    Return waveforms with their sample rate, and the count. Pipelines store fingerprints
    of their training clips as waveforms, so that for these all clips are read.
    """
    reader = next(filter(None, map(_find_reader, models)), AudioReader())
    n_known, waveforms = None, None
    if len(models) == 1 and "fold" not in predictions:
        (model,) = models
        if reader is _find_reader(model) and training_record(model) is not None:
            waveforms = X = _read_clips(X, reader)
            model = model[1:] if len(model) > 2 else model[-1]
        n_known = known_clips(model, X)
    if waveforms is not None:
        waveforms = waveforms[rows]
    elif len(rows):
        waveforms = _read_clips(_safe_indexing(X, rows), reader)
    return (waveforms, reader.sample_rate), n_known or 0


def _clips(errors, X, sounds, max_frequency):
    """Describe each error for the page."""
    names = _clip_names(X, errors["row"].to_numpy())
    clips = [
        {
            "name": plain_text(name),
            "truth": plain_text(error.y_true),
            "called": plain_text(error.y_pred),
            "group": None if error.group == error.row else plain_text(error.group),
            "score": float(error.y_score),
            "share": float(np.clip(error.y_score, 0, 1)),
            "sound": None,
        }
        for name, error in zip(names, errors.itertuples(), strict=True)
    ]
    if sounds is not None and clips:
        waveforms, sample_rate = sounds
        for clip, waveform in zip(clips, waveforms, strict=True):
            clip |= _playable(waveform, sample_rate, max_frequency)
    return clips


def _worst_errors(predictions, pos_label, n):
    """Pick `n` wrong predictions, lowest probability of the true label first."""
    wrong = predictions[predictions["y_true"] != predictions["y_pred"]]
    score = wrong["y_score"].to_numpy()
    given = np.where(wrong["y_true"] == pos_label, score, 1 - score)
    return wrong.iloc[np.argsort(given, kind="stable")[:n]]


def _clip_names(X, rows):
    """Name the clips in some rows of `X`: paths from their common folder on."""
    paths = None if X is None else as_paths(X)
    if paths is None:
        return [f"clip {row}" for row in rows]
    # Without the user's own folders, as the page may be passed on.
    folder = os.path.dirname(os.path.commonprefix(paths))
    return [os.path.relpath(paths[row], folder or os.curdir) for row in rows]


def _find_reader(model):
    """Get the AudioReader that a pipeline begins with; None for other models."""
    steps = getattr(model, "steps", None)
    if steps and isinstance(steps[0][1], AudioReader):
        return steps[0][1]
    return None


def _read_clips(X, reader):
    """Read clips as the reader of a model does, without warnings."""
    with warnings.catch_warnings():
        # The same warnings were shown with the predictions.
        warnings.simplefilter("ignore", AudioWarning)
        return copy.copy(reader).set_params(drift=None).transform(X)


def _playable(waveform, sample_rate, max_frequency):
    """Make sound and spectrogram of a clip as data URIs, and texts about it."""
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
    """Encode a waveform as WAV."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, waveform, sample_rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _png(power_db):
    """Encode a spectrogram as PNG with a palette, a third of the size of RGB."""
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
