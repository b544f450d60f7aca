"""Prediction of very many files, in bounded memory and resumable."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils import gen_batches
from threadpoolctl import threadpool_limits

from . import __version__
from ._audio_warnings import batch_of_run
from ._inspection import unwrap_steps
from .atomic import atomic_path, check_destination
from .audio import (
    AudioError,
    AudioReader,
    as_paths_or_waveforms,
    inspect_audio_files,
)
from .rejection import labels_and_confidence, labels_and_probabilities

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from ._typing import Clips

__all__ = ["ResumableTable", "predict_files"]


def predict_files(
    model: Any,
    paths: Clips,
    batch_size: int = 512,
    *,
    errors: Literal["raise", "skip"] = "raise",
    reject_below: float | None = None,
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
        "raise" looks at all files, some 30 microseconds each, before it predicts any.
        "skip" starts at once, and gives files that cannot be read no label but the
        reason, in a further column ``error``.
    reject_below : float, default=None
        Confidence, 0 to 1, below which a label is marked as rejected; see
        :func:`~skbreath.predict_with_rejection`.

    Yields
    ------
    table : DataFrame
        One per batch, in the order of `paths`: ``path``, ``label``, and
        ``probability_<class>`` for each class. With ``errors="skip"`` also
        ``error``: missing where all is well; label and probabilities are missing
        where it is not. With `reject_below` also ``confidence``, and ``rejected``:
        whether it is too low; the label is given all the same.

    Raises
    ------
    AudioError
        With ``errors="raise"``, if files cannot be read: one error for all of them.
    ValueError
        If `batch_size` is below 1, `paths` holds other things than paths,
        `reject_below` is not from 0 to 1, or the model has no ``predict_proba``.

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
    >>> from skbreath.pipeline import predict_files
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
    if errors == "skip":
        return _predict_what_can_be_read(model, paths, batch_size, reject_below)
    _, problems = inspect_for(model, paths)
    if problems:
        raise AudioError(problems)
    return _predict_batches(model, paths, batch_size, reject_below)


def inspect_for(model, paths):
    """Look at files that `model` is to read.

    Parameters
    ----------
    model : classifier or UnwrappedModel
        A Pipeline that starts with an :class:`~skbreath.AudioReader`; of any other
        model, only the headers of the files are looked at.
    paths : list of str
        Audio files.

    Returns
    -------
    durations, problems
        As from :func:`~skbreath.audio.inspect_audio_files`.
    """
    reader = unwrap_steps(model).first_step()
    if not isinstance(reader, AudioReader):
        return inspect_audio_files(paths, n_samples=0)
    return inspect_audio_files(
        paths, sample_rate=reader.sample_rate, n_samples=reader.n_samples_
    )


def _predict_batches(model, paths, batch_size, reject_below):
    said = set()
    for batch in gen_batches(len(paths), batch_size):
        yield _predict_batch(model, paths[batch], reject_below, said)


def _predict_what_can_be_read(model, paths, batch_size, reject_below):
    said = set()
    for batch in gen_batches(len(paths), batch_size):
        whole = pd.DataFrame({"path": paths[batch]})
        good, reasons = paths[batch], {}
        # Reading tells what is wrong; as a rule nothing is.
        while good:
            try:
                table = _predict_batch(model, good, reject_below, said)
            except AudioError as error:
                reasons |= dict(error.problems)
                left = [path for path in good if path not in reasons]
                if len(left) == len(good):  # of none of these files
                    raise
                good = left
            else:
                table.index = np.flatnonzero(~whole["path"].isin(reasons))
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
        whole["error"] = whole["path"].map(reasons).astype(object)
        yield whole


def _predict_batch(model, paths, reject_below, said):
    # Batches are small: boosted trees, above all, lose more time in handing work to
    # threads than they gain by them, many times over on a busy machine.
    with threadpool_limits(1, user_api="openmp"), batch_of_run(said):
        if reject_below is None:
            labels, proba = labels_and_probabilities(model, paths)
        else:
            labels, proba, confidence = labels_and_confidence(model, paths)
    table = pd.DataFrame({"path": paths, "label": labels})
    for name, column in zip(model.classifier.classes_, proba.T, strict=True):
        table[f"probability_{name}"] = column
    if reject_below is not None:
        table["confidence"] = confidence
        table["rejected"] = confidence < reject_below
    return table


class ResumableTable:
    """A CSV file that grows batch by batch and survives a kill at any moment.

    Rows are appended to ``<path>.partial``; ``<path>.progress`` says how many are
    safely there. :meth:`finish` renames the complete table to `path`. When the same
    job is started again after a kill, `n_done` rows need not be computed anew.

    Parameters
    ----------
    path : str or os.PathLike
        CSV file to write.
    job : iterable of str or bytes
        What the table is made of, such as the model's bytes and the paths. An
        unfinished table of another job is refused.

    Attributes
    ----------
    n_done : int
        Inputs that this and an earlier run have dealt with.

    Raises
    ------
    ValueError
        If an unfinished table of another job stands in the way.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import pandas as pd
    >>> from skbreath.bulk import ResumableTable
    >>> path = pathlib.Path(tempfile.mkdtemp(), "labels.csv")
    >>> with ResumableTable(path, ["a.wav"]) as table:
    ...     table.append(pd.DataFrame({"path": ["a.wav"], "label": ["I"]}))
    ...     table.finish()
    >>> print(path.read_text())
    path,label
    a.wav,I
    """

    def __init__(self, path, job):
        self._path = check_destination(path)
        self._partial = Path(f"{self._path}.partial")
        self._progress = Path(f"{self._path}.progress")
        self._job = _fingerprint(job)
        self.n_done = self._n_bytes = 0
        if self._progress.exists() and self._partial.exists():
            self._resume()
        self._file = open(self._partial, "r+b" if self.n_done else "wb")
        # What was written after the last progress note may be half a batch.
        self._file.truncate(self._n_bytes)
        self._file.seek(self._n_bytes)

    def _resume(self):
        try:
            noted = json.loads(self._progress.read_text())
            same = noted["job"] == self._job
            n_done, n_bytes = int(noted["done"]), int(noted["bytes"])
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise ValueError(
                f"{self._partial} is an unfinished table of another model or other "
                f"files; delete it and {self._progress.name}, or write elsewhere."
            )
        if self._partial.stat().st_size >= n_bytes:
            self.n_done, self._n_bytes = n_done, n_bytes

    def append(self, table, n_inputs=None):
        """Add rows; they are on disk when this returns.

        Parameters
        ----------
        table : DataFrame
            The columns of the first call name the columns of the file. Numbers
            are written with six decimals.
        n_inputs : int, default=None
            Inputs that the rows stand for; None is one a row.
        """
        text = table.to_csv(
            index=False,
            header=self._n_bytes == 0,
            lineterminator="\n",
            float_format="%.6f",
        )
        self._file.write(_bytes(text))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.n_done += len(table) if n_inputs is None else n_inputs
        self._n_bytes = self._file.tell()
        note = {"job": self._job, "done": self.n_done, "bytes": self._n_bytes}
        with atomic_path(self._progress) as path:
            path.write_text(json.dumps(note))

    def restart(self):
        """Forget what an earlier run has written."""
        self._file.seek(0)
        self._file.truncate()
        self._progress.unlink(missing_ok=True)
        self.n_done = self._n_bytes = 0

    def finish(self):
        """Give the complete table its name."""
        self._file.close()
        os.replace(self._partial, self._path)
        self._progress.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._file.close()
        if self.n_done == 0:  # nothing to go on from
            self._partial.unlink(missing_ok=True)


def _fingerprint(job):
    digest = hashlib.sha256(__version__.encode())
    for part in job:
        part = _bytes(part) if isinstance(part, str) else part
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _bytes(text):
    # A file name need not be UTF-8; it is written back as it was read.
    return text.encode("utf-8", "surrogateescape")
