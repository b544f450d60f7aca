"""The result of an evaluation as one page to look at and to listen to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ._leakage import known_clips
from ._report_clips import (
    clip_names,
    clip_of_report,
    find_reader,
    read_clips,
    worst_errors,
)
from ._report_numbers import plain_text, trials_table, vote_table
from ._report_page import Page
from ._report_training import training_curves
from .atomic import atomic_path
from .audio import AudioReader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sklearn.utils import Bunch

    from ._typing import Clips, Column, FilePath

__all__ = ["report"]


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

    One file that needs no network and no server: scores with intervals, a threshold to
    move, curves, scores by recording or anything else, the weights of the vote, the
    losses of its networks, the trials of the search, and the worst errors to hear and
    see. It can be given away: of the audio it holds only these errors, of the paths
    only what follows their common folder.

    Parameters
    ----------
    result : Bunch
        From :func:`~skbreath.evaluate` (with ``return_estimator=True`` the page has
        the weights, thresholds and losses of the folds) or
        :func:`~skbreath.evaluation.judge`.
    path : str or path
        HTML file; an old one is replaced in one step when the new one is complete.
    X : paths or waveforms, default=None
        The clips as they were given for `result`, to play the errors from. None means
        a page without sound.
    model : estimator or list of estimator, default=None
        Fitted, for weights, threshold, losses, and how clips are read. None means the
        models in `result`, if it has them.
    search : search or DataFrame, default=None
        A fitted :class:`~skbreath.OptunaSearchCV` or another search of scikit-learn,
        or its ``cv_results_``.
    breakdowns : dict of str to array-like of shape (n_clips,), default=None
        What to break the scores down by, such as ``{"day": days}``, in the order of
        `X`. None means the groups, if there were any.
    title : str, default="Inhale or exhale: evaluation"
        Heading of the page.
    n_errors : int, default=20
        How many of the worst errors are shown, at most.
    max_frequency : float, default=2000
        Upper end of the spectrograms in Hz; chest sounds have little above.

    Returns
    -------
    path : str
        Where the page is.

    Raises
    ------
    ValueError
        If `X` or a breakdown has another number of rows than was evaluated, or
        `search` holds no trials.
    AudioError
        If clips cannot be read. No page is written then.
    FileNotFoundError, IsADirectoryError, PermissionError
        If there cannot be such a file.

    See Also
    --------
    evaluate : Makes the result.

    Notes
    -----
    The page refuses all requests by its content security policy, and runs no script
    but its own. Names and labels are shown as text whatever they contain.

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
    errors = worst_errors(predictions, result.pos_label, n_errors)
    if X is not None:
        _check_length(X, rows, "X")
    results = getattr(search, "cv_results_", search)
    metric = search.refit if isinstance(getattr(search, "refit", None), str) else None

    page = Page(result, models, title)
    if X is not None and "fold" not in predictions and len(models) == 1:
        page.content["n_known"] = known_clips(models[0], X) or 0
    page.break_down(parts)
    page.put("vote", "The vote", vote_table(models))
    page.put("training", "Training", training_curves(models))
    trials = None if results is None else trials_table(results, metric)
    page.put("trials", "The search", trials)
    page.put("errors", "Worst errors", _clips(errors, X, models, max_frequency))
    html = page.render()
    with atomic_path(path) as temporary:
        temporary.write_text(html, encoding="utf-8", newline="\n")
    return os.fspath(path)


def _check_length(values, rows, name):
    if len(values) <= rows.max():
        raise ValueError(
            f"{name} has {len(values)} rows, but row {rows.max()} was predicted; give "
            "one for each clip that was evaluated, in the same order."
        )


def _of_rows(values, rows, name):
    """The values of the rows that were predicted."""
    _check_length(values, rows, name)
    return np.asarray(values)[rows]


def _clips(errors, X, models, max_frequency):
    """What the page shows of each error."""
    rows = errors["row"].to_numpy()
    names = clip_names(X, rows)
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
    if X is None or not clips:
        return clips
    reader = next(filter(None, map(find_reader, models)), AudioReader())
    for clip, waveform in zip(clips, read_clips(X, rows, reader), strict=True):
        clip |= clip_of_report(waveform, reader.sample_rate, max_frequency)
    return clips
