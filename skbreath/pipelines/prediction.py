"""Predict many files with bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import gen_batches

from ..audio.clip_warnings import batch_of_run
from ..audio.decoding import inspect_audio_files
from ..audio.files import AudioError
from ..audio.inputs import as_paths_or_waveforms
from ..audio.reader import AudioReader
from ..ensemble.inspection import unwrap_steps
from ..ensemble.rejection import (
    check_recordings,
    labels_and_confidence,
    labels_and_probabilities,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from ..utils.typing import Clips, Column

__all__ = ["predict_files"]


def predict_files(
    model: Any,
    paths: Clips,
    batch_size: int = 512,
    *,
    errors: Literal["raise", "skip"] = "raise",
    reject_below: float | None = None,
    recordings: Column | None = None,
) -> Iterator[pd.DataFrame]:
    """Predict files batch by batch, never holding more than one batch in memory.

    Parameters
    ----------
    model : classifier
        Fitted, from paths to probabilities, such as the Pipeline that
        :func:`~skbreath.make_breath_classifier` makes.
    paths : sequence of str or path
        Audio files.
    batch_size : int, default=512
        Files read and predicted at a time.
    errors : {"raise", "skip"}, default="raise"
        "raise" checks all files, some 30 microseconds each, before it predicts any.
        "skip" starts at once; files that cannot be read get a missing label, and the
        reason in a further column ``error``.
    reject_below : float, default=None
        Confidence, 0 to 1, below which a label is marked as rejected; see
        :func:`~skbreath.predict_with_rejection`.
    recordings : array-like of shape (n_files,), default=None
        Which files were recorded together, for a model that uses it; see
        :class:`~skbreath.RecordingContext`. A recording is then never divided between
        batches: its files follow its first file, and a batch may be larger.

    Yields
    ------
    table : DataFrame
        One per batch, in the order of `paths`: ``path``, ``label``, and
        ``probability_<class>`` for each class. With ``errors="skip"`` also
        ``error``; where it is not missing, label and probabilities are. With
        `reject_below` also ``confidence`` and ``rejected``, whether it is too low; the
        label is given in any case.

    Raises
    ------
    AudioError
        With ``errors="raise"``, if files cannot be read: one error for all of them.
    ValueError
        If `batch_size` is below 1, `paths` are not all paths,
        `reject_below` is not from 0 to 1, the model has no ``predict_proba`` or does
        not use `recordings`, or these have another length or missing values.

    Warns
    -----
    AudioWarning
        Of clips that are silent, batch by batch; of clips unlike the training audio
        once, for the first batch that has any. See :class:`~skbreath.AudioReader`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbreath import load_kaggle_breath, make_breath_classifier
    >>> from skbreath import make_breath_sounds, write_breath_sounds
    >>> from skbreath import predict_files
    >>> import tempfile, pathlib
    >>> sounds = make_breath_sounds(40, random_state=0)
    >>> folder = write_breath_sounds(sounds, pathlib.Path(tempfile.mkdtemp(), "data"))
    >>> train = load_kaggle_breath(folder)
    >>> model = make_breath_classifier(max_epochs=1, cv=2, random_state=0)
    >>> model = model.fit(train.paths, train.target)
    >>> table = pd.concat(predict_files(model, train.paths, batch_size=10))
    >>> table.columns.tolist()
    ['path', 'label', 'probability_E', 'probability_I']
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    paths = as_paths_or_waveforms(paths)
    if isinstance(paths, np.ndarray):
        raise ValueError("predict_files takes paths; use model.predict for waveforms.")
    if errors not in ("raise", "skip"):
        raise ValueError(f"errors must be 'raise' or 'skip', got {errors!r}.")
    if reject_below is not None and not 0 <= reject_below <= 1:
        raise ValueError(f"reject_below must be from 0 to 1, got {reject_below!r}.")
    model = unwrap_steps(model)
    check_recordings(model, paths, recordings)
    batches = list(_batches(paths, recordings, batch_size))
    if errors == "skip":
        return _predict_readable(model, batches, reject_below)
    _, problems = inspect_for(model, paths)
    if problems:
        raise AudioError(problems)
    return _predict_batches(model, batches, reject_below)


def inspect_for(model, paths):
    """Check files for a model, as :func:`~skbreath.inspect_audio_files` does.

    Unless the model starts with an :class:`~skbreath.AudioReader`, only the headers of
    the files are checked.
    """
    reader = unwrap_steps(model).first_step()
    if not isinstance(reader, AudioReader):
        return inspect_audio_files(paths, n_samples=0)
    return inspect_audio_files(
        paths, sample_rate=reader.sample_rate, n_samples=reader.n_samples_
    )


def _batches(paths, recordings, batch_size):
    """Yield paths and their recordings of each batch, recordings undivided."""
    if recordings is None:
        for batch in gen_batches(len(paths), batch_size):
            yield paths[batch], None
        return
    codes = pd.factorize(np.asarray(recordings))[0]
    order = np.argsort(codes, kind="stable")
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    start = 0
    for stop in [*first[1:].tolist(), len(order)]:
        if stop - start >= batch_size or stop == len(order):
            rows, start = order[start:stop], stop
            yield [paths[row] for row in rows], codes[rows]


def _predict_batches(model, batches, reject_below):
    """Yield the table of each batch."""
    warned = set()
    for batch in batches:
        yield _predict_batch(model, *batch, reject_below, warned)


def _predict_readable(model, batches, reject_below):
    """Yield the table of each batch, with an error for files that cannot be read."""
    warned = set()
    for paths, recordings in batches:
        whole = pd.DataFrame({"path": _as_column(paths)})
        good, reasons = paths, {}
        # Bad files are found by reading them, as most batches do not have any.
        while good:
            left = ~whole["path"].isin(reasons).to_numpy()
            of_good = None if recordings is None else recordings[left]
            try:
                table = _predict_batch(model, good, of_good, reject_below, warned)
            except AudioError as error:
                reasons |= dict(error.problems)
                readable = [path for path in good if path not in reasons]
                if len(readable) == len(good):  # the error is about other files
                    raise
                good = readable
            else:
                table.index = np.flatnonzero(left)
                whole = whole.join(table.drop(columns="path"))
                break
        else:
            names = [
                "label",
                *(f"probability_{name}" for name in model.classifier.classes_),
            ]
            if reject_below is not None:
                names += ["confidence", "rejected"]
            whole[names] = np.nan
        whole["error"] = _as_column(
            [reasons.get(path, np.nan) for path in whole["path"]]
        )
        yield whole


def _predict_batch(model, paths, recordings, reject_below, warned):
    """Predict one batch; `warned` holds the warnings of earlier ones."""
    with batch_of_run(warned):
        if reject_below is None:
            labels, proba = labels_and_probabilities(model, paths, recordings)
        else:
            labels, proba, confidence = labels_and_confidence(model, paths, recordings)
    table = pd.DataFrame({"path": _as_column(paths), "label": labels})
    for name, column in zip(model.classifier.classes_, proba.T, strict=True):
        table[f"probability_{name}"] = column
    if reject_below is not None:
        table["confidence"] = confidence
        table["rejected"] = confidence < reject_below
    return table


def _as_column(values):
    # A file name need not be UTF-8; the string type of pandas may require it.
    return pd.Series(values, dtype=object)
