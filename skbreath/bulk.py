"""Prediction of very many files, in bounded memory and resumable."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import gen_batches
from threadpoolctl import threadpool_limits

from . import __version__
from .atomic import atomic_path, check_destination
from .audio import as_paths_or_waveforms
from .threshold import ThresholdClassifier

__all__ = ["ResumableTable", "predict_files"]


def predict_files(model, paths, batch_size=512):
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

    Yields
    ------
    table : DataFrame
        One per batch, in the order of `paths`: ``path``, ``label``, and
        ``probability_<class>`` for each class.

    Raises
    ------
    AudioError
        If files of a batch cannot be read; it names all of that batch. Batches
        already yielded stay valid.
    ValueError
        If `batch_size` is below 1 or `paths` holds other things than paths.

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
    return _predict_batches(model, paths, batch_size)


def _predict_batches(model, paths, batch_size):
    for batch in gen_batches(len(paths), batch_size):
        labels, proba = _labels_and_probabilities(model, paths[batch])
        table = pd.DataFrame({"path": paths[batch], "label": labels})
        for name, column in zip(model.classes_, proba.T, strict=True):
            table[f"probability_{name}"] = column
        yield table


def _labels_and_probabilities(model, paths):
    """Both from one pass where the last step sets a threshold on probabilities."""
    # Batches are small: boosted trees, above all, lose more time in handing work to
    # threads than they gain by them, many times over on a busy machine.
    with threadpool_limits(1, user_api="openmp"):
        proba = model.predict_proba(paths)
    last = model[-1] if hasattr(model, "steps") else model
    on_probabilities = getattr(last, "response_method", None) != "decision_function"
    if isinstance(last, ThresholdClassifier) and on_probabilities:
        return last.apply_threshold(proba), proba
    return model.predict(paths), proba


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
        Rows that an earlier run has written.

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
            rows, n_bytes = int(noted["rows"]), int(noted["bytes"])
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise ValueError(
                f"{self._partial} is an unfinished table of another model or other "
                f"files; delete it and {self._progress.name}, or write elsewhere."
            )
        if self._partial.stat().st_size >= n_bytes:
            self.n_done, self._n_bytes = rows, n_bytes

    def append(self, table):
        """Add rows; they are on disk when this returns.

        Parameters
        ----------
        table : DataFrame
            The columns of the first call name the columns of the file. Numbers
            are written with six decimals.
        """
        text = table.to_csv(
            index=False,
            header=self.n_done == 0,
            lineterminator="\n",
            float_format="%.6f",
        )
        self._file.write(_bytes(text))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.n_done += len(table)
        self._n_bytes = self._file.tell()
        note = {"job": self._job, "rows": self.n_done, "bytes": self._n_bytes}
        with atomic_path(self._progress) as path:
            path.write_text(json.dumps(note))

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
