"""Cache pipelines over audio files by the content of the files.

:class:`joblib.Memory` hashes the arguments of a function. Of paths it hashes the names,
and would return outdated results after a file has changed.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from typing import TYPE_CHECKING

import joblib

from .. import __version__
from ..utils.estimator_state import keyed_by_content
from .inputs import as_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..utils.typing import FilePath

__all__ = ["ClipMemory"]


class ClipMemory:
    """Cache fitted transformers and their output, for ``Pipeline(memory=...)``.

    A result is reused when the same function is called with the same parameters on
    clips of the same content, whatever the names and dates of their files. Another
    package version computes it again.

    Parameters
    ----------
    location : str or os.PathLike
        Folder of the cache, created when needed. Only :meth:`clear` deletes from it.
    verbose : int, default=0
        As in :class:`joblib.Memory`.

    Notes
    -----
    A plain :class:`joblib.Memory` is safe with the transformers of this package too,
    but less useful: as it cannot see that a file has changed,
    :class:`~skbreath.AudioReader` makes it read the files, and store the waveforms,
    again at each fit. The steps that follow in the pipeline are cached.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.pipeline import Pipeline
    >>> from skbreath import AudioReader, BreathFeatures, ClipMemory
    >>> from skbreath import make_breath_sounds
    >>> clips = make_breath_sounds(4, n_subjects=1, random_state=0).waveforms
    >>> steps = [("audio", AudioReader()), ("mel", BreathFeatures()), ("last", None)]
    >>> pipeline = Pipeline(steps, memory=ClipMemory(tempfile.mkdtemp()))
    >>> first = pipeline.fit_transform(clips)
    >>> bool((pipeline.fit_transform(clips) == first).all())  # not computed again
    True
    """

    def __init__(self, location: FilePath, verbose: int = 0) -> None:
        self.location = location
        self.verbose = verbose
        self._memory = joblib.Memory(location, verbose=verbose)

    def cache(self, func: Callable, ignore: Sequence[str] = ()) -> Callable:
        """Wrap a function so that its results are cached.

        Parameters
        ----------
        func : callable
            Its argument named ``X`` may hold paths.
        ignore : sequence of str, default=()
            Arguments that do not change the result.

        Returns
        -------
        cached : callable
        """
        remembered = self._memory.cache(_call, ignore=["func", "args", "kwargs"])

        def cached(*args, **kwargs):
            return remembered(_key(func, args, kwargs, ignore), func, args, kwargs)

        return cached

    def clear(self) -> None:
        """Delete all results."""
        self._memory.clear(warn=False)


def _call(key, func, args, kwargs):
    """Call `func`; the cache compares only `key`."""
    return func(*args, **kwargs)


def _key(func, args, kwargs, ignore):
    """Hash a call by its function, the package version and its files' content."""
    arguments = dict(inspect.signature(func).bind(*args, **kwargs).arguments)
    for name in ignore:
        arguments.pop(name, None)
    if "X" in arguments:
        arguments["X"] = _content(arguments["X"])
    name = f"{func.__module__}.{func.__qualname__}"
    with keyed_by_content():
        return joblib.hash([name, __version__, arguments])


def _content(X):
    """Return digests of the files if `X` holds paths, else `X`."""
    paths = as_paths(X)
    return X if paths is None else [_digest(path) for path in paths]


def _digest(path):
    """Hash the content of a file; a missing one is left to its reader."""
    if not os.path.isfile(path):
        return path  # reading it raises the error
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
