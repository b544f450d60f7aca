"""Files or arrays in, waveforms of one rate and one length out."""

import os
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from ._audio_decode import (
    AudioError,
    check_audio_files,
    first_of,
    load_audio,
    map_chunks,
    read_clip,
)
from .caching import VersionedState, uncacheable_token

__all__ = [
    "AudioError",
    "AudioReader",
    "as_paths",
    "as_paths_or_waveforms",
    "check_audio_files",
    "load_audio",
]

# Scale of integer samples by type, as a decoder of such a file would: (zero, full).
_PCM = {"uint8": (128, 2**7), "int16": (0, 2**15), "int32": (0, 2**31)}


def as_paths_or_waveforms(X):
    """Tell whether `X` holds paths or waveforms, and return it in one form.

    Parameters
    ----------
    X : list, tuple, 1-D array or Series of paths, or one-column DataFrame of paths, \
            or array-like of shape (n_clips, n_samples)
        Paths are str or :class:`os.PathLike`. Waveforms are numbers; the integer
        types of PCM audio are scaled to -1..1 as a decoder would (uint8 around 128,
        int16 by 2**15, int32 by 2**31), numbers of any other type are taken as
        they are.

    Returns
    -------
    clips : list of str, or ndarray of shape (n_clips, n_samples), float32
        The paths in order, or the waveforms.

    Raises
    ------
    ValueError
        If `X` is empty, mixes paths with other things (the message says where), has
        several columns of text, is 1-D and numeric, or has NaN or infinite samples
        (the message names the rows).

    Examples
    --------
    >>> as_paths_or_waveforms(("a.wav", "b.wav"))
    ['a.wav', 'b.wav']
    >>> as_paths_or_waveforms([[0.0, 0.5], [0.25, 0.0]]).shape
    (2, 2)
    """
    paths = as_paths(X)
    if paths is not None:
        return paths
    X = check_array(_check_rows(X), dtype="numeric", ensure_all_finite=False)
    return _as_float32(X)


class AudioReader(TransformerMixin, VersionedState, BaseEstimator):
    """Turn audio files or waveforms into waveforms of one rate and one length.

    Files are decoded, their channels averaged, resampled to `sample_rate`, and cut
    at the end, or padded there with zeros, to `duration`. No more of a file is
    decoded than that needs.

    Waveforms given as arrays carry no rate: they are taken to be at `sample_rate`,
    and cut or padded in the same way. Integers of the types that audio files use are
    scaled to -1..1 (see :func:`as_paths_or_waveforms`), so that a clip gives the
    same whether it comes as a file or as an array of its samples.

    Neither the names of files nor their order touch the values.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate of the result in Hz.
    duration : float or None, default=1.0
        Length of the result in s. None takes the longest clip given to ``fit``,
        for which files are decoded there; later clips are cut or padded to it.
    n_jobs : int or None, default=None
        Threads that read files, as in joblib: None is 1 unless a
        :func:`joblib.parallel_config` says otherwise, -1 is all processors. Long,
        compressed or resampled files and slow disks gain by it; WAV files of a
        second, already in memory, are read fastest by a single thread.

    Attributes
    ----------
    n_samples_ : int
        Samples in a clip of the result.
    n_features_in_ : int
        Samples in the waveforms given to ``fit``; ``transform`` refuses waveforms
        of another length. Absent if ``fit`` was given paths.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, if ``fit`` was given waveforms as a DataFrame with such.

    See Also
    --------
    load_audio : One file, whole.
    skbreath.features.BreathFeatures : What usually comes next.

    Notes
    -----
    With a `duration` nothing is learned, and ``transform`` needs no ``fit``. ``fit``
    checks the header of each file. Samples
    beyond `duration` are not read, and so not checked.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "breath.flac")
    >>> soundfile.write(path, np.full((44100, 2), 0.5), 44100)
    >>> AudioReader(sample_rate=16000, duration=1.5).fit_transform([path]).shape
    (1, 24000)
    >>> AudioReader(sample_rate=4, duration=1.0).fit_transform([[1.0, 2.0]])
    Traceback (most recent call last):
    ...
    sklearn.utils._param_validation.InvalidParameterError: The 'sample_rate'
    parameter of AudioReader must be an int in the range [100, 1000000]. Got 4
    instead.
    """

    _parameter_constraints = {
        "sample_rate": [Interval(Integral, 100, 1_000_000, closed="both")],
        "duration": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
    }

    def __init__(self, *, sample_rate=16000, duration=1.0, n_jobs=None):
        self.sample_rate = sample_rate
        self.duration = duration
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the clips, and find the longest if `duration` is None.

        Parameters
        ----------
        X : paths, or array-like of shape (n_clips, n_samples)
            See :func:`as_paths_or_waveforms`.
        y : None
            Ignored.

        Returns
        -------
        self : AudioReader

        Raises
        ------
        AudioError
            If files cannot be used: one error for all of them.
        ValueError
            If `X` is neither paths nor finite waveforms.
        """
        clips = self._check_clips(X, reset=True)
        if self.duration is not None and isinstance(clips, list):
            check_audio_files(clips, n_jobs=self.n_jobs)
        self.n_samples_ = self._n_samples_of(clips)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None):
        """Fit and transform, opening each file once where `duration` is given.

        Parameters
        ----------
        X : paths, or array-like of shape (n_clips, n_samples)
            See :func:`as_paths_or_waveforms`.
        y : None
            Ignored.

        Returns
        -------
        waveforms : ndarray of shape (n_clips, n_samples_), float32
            As from ``transform``.
        """
        clips = self._check_clips(X, reset=True)
        self.n_samples_ = self._n_samples_of(clips)
        return self._read(clips, self.n_samples_)

    def transform(self, X):
        """Read clips.

        Parameters
        ----------
        X : paths, or array-like of shape (n_clips, n_samples)
            See :func:`as_paths_or_waveforms`. May be paths after ``fit`` on
            waveforms, and the other way round.

        Returns
        -------
        waveforms : ndarray of shape (n_clips, n_samples_), float32
            In the order of `X`. May share memory with `X` where nothing had to be
            done.

        Raises
        ------
        AudioError
            If files cannot be used: one error for all of them.
        ValueError
            If `X` is neither paths nor finite waveforms.
        """
        check_is_fitted(self)  # for the longest clip, if duration is None
        clips = self._check_clips(X, reset=False)
        if not hasattr(self, "n_samples_"):
            return self._read(clips, self._n_samples_of(clips))
        return self._read(clips, self.n_samples_)

    def _check_clips(self, X, reset):
        paths = as_paths(X)
        if paths is None:
            X = validate_data(
                self,
                _check_rows(X),
                reset=reset,
                dtype="numeric",
                ensure_all_finite=False,
            )
            return _as_float32(X)
        if reset:  # paths have no features: forget those of an earlier fit
            for name in ("n_features_in_", "feature_names_in_"):
                vars(self).pop(name, None)
        return paths

    def _n_samples_of(self, clips):
        if self.duration is not None:
            return max(1, round(self.duration * self.sample_rate))
        if not isinstance(clips, list):
            return clips.shape[1]
        lengths = map_chunks(
            _read_length, clips, self.n_jobs, sample_rate=self.sample_rate
        )
        return max(n for _, chunk in lengths for n in chunk)

    def _read(self, clips, n_samples):
        if not isinstance(clips, list):
            if clips.shape[1] >= n_samples:
                return np.ascontiguousarray(clips[:, :n_samples])
            missing = n_samples - clips.shape[1]
            return np.pad(clips, ((0, 0), (0, missing)))
        waveforms = np.zeros((len(clips), n_samples), dtype=np.float32)
        for start, chunk in map_chunks(
            _read_waveform,
            clips,
            self.n_jobs,
            sample_rate=self.sample_rate,
            n_samples=n_samples,
        ):
            for row, waveform in enumerate(chunk, start):
                waveforms[row, : len(waveform)] = waveform
        return waveforms

    def __getstate__(self):
        state = super().__getstate__()
        if not hasattr(self, "n_samples_"):
            # A cache would hash this reader and the names of files, not what is in
            # them. (Once fitted, its pickle is of no such use, and deterministic.)
            state = state | {"_uncacheable": uncacheable_token()}
        return state

    def __setstate__(self, state):
        state = {k: v for k, v in state.items() if k != "_uncacheable"}
        super().__setstate__(state)

    def __sklearn_tags__(self):
        # The tags `string` and `one_d_array` stay False although paths are both: the
        # check suite takes them to mean that numbers may come 1-D or mixed with text.
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.duration is None
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def as_paths(X):
    """Paths as a list of str, or None if `X` holds no text at all."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"X is the single path {X!r}; pass a list: [path].")
    if isinstance(X, (list, tuple)):
        entries, shape = X, (len(X),)
    else:
        X = np.asarray(X)
        if X.dtype.kind not in "OSUT" or X.ndim == 0:
            return None
        entries, shape = X.ravel().tolist(), X.shape
    if shape == (0,):
        raise ValueError("X is empty: there is no clip to read.")
    is_path = [isinstance(entry, (str, os.PathLike)) for entry in entries]
    if not any(is_path):
        return None
    if len(shape) > 1 and shape[1:] != (1,):
        raise ValueError(
            f"X has {shape[1]} columns and some of them hold text; pass the one column "
            "with the paths, such as X['path']."
        )
    wrong = [
        f"{position} ({'empty text' if good else type(entry).__name__})"
        for position, (entry, good) in enumerate(zip(entries, is_path, strict=True))
        if not good or not os.fspath(entry)
    ]
    if wrong:
        raise ValueError(
            f"X holds paths, but {len(wrong)} of its {len(entries)} entries are not "
            f"paths, at positions {first_of(wrong)}; leave these rows out or fill them."
        )
    return [os.fspath(entry) for entry in entries]


def _check_rows(X):
    """Errors about shape in the words of sound; the rest is left to scikit-learn."""
    if isinstance(X, (list, tuple)):
        lengths = {len(row) if hasattr(row, "__len__") else None for row in X}
        if len(lengths) > 1 and None not in lengths:
            raise ValueError(
                f"X holds waveforms of different lengths ({min(lengths)} to "
                f"{max(lengths)} samples); pad them to one length, or pass paths."
            )
        X = np.asarray(X)
    if getattr(X, "ndim", 2) == 1:
        raise ValueError(
            f"X is 1-D and its {len(X)} entries are not paths; waveforms are 2-D, "
            "(n_clips, n_samples). Reshape your data with X.reshape(1, -1) if it is "
            "one clip, or pass paths as text."
        )
    return X


def _as_float32(X):
    if X.dtype.name in _PCM:
        zero, full = _PCM[X.dtype.name]
        return (X.astype(np.float32) - np.float32(zero)) / np.float32(full)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and named below
        X = X.astype(np.float32, copy=False)
    wrong = np.flatnonzero(~np.isfinite(X).all(axis=1)).tolist()
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(X)} waveforms have NaN or infinite (inf) samples: "
            f"rows {first_of(wrong)}; leave these rows out or repair them."
        )
    return X


def _read_length(path, sample_rate):
    return len(read_clip(path, sample_rate)[0])


def _read_waveform(path, sample_rate, n_samples):
    return read_clip(path, sample_rate, n_samples)[0]
