"""Read audio files or arrays as waveforms of one rate and one length."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from ..utils.estimator_state import VersionedState, uncacheable_token
from ..utils.sklearn_compat import Interval, StrOptions, _fit_context
from .clip_warnings import (
    describe_reference,
    warn_of_cut,
    warn_of_drift,
    warn_of_silence,
)
from .decoding import check_audio_files, map_chunks, read_clip
from .inputs import as_float32, as_paths, check_rows

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from ..utils.typing import Clips

__all__ = ["AudioReader"]


class AudioReader(  # type: ignore[call-arg]
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    VersionedState,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Turn audio files or waveforms into waveforms of one rate and one length.

    Files are decoded, their channels averaged, resampled to `sample_rate`, and cut
    at the end, or padded there with zeros, to `duration`. No more of a file is
    decoded than that needs.

    Waveforms given as arrays carry no rate: they are taken to be at `sample_rate`,
    and cut, with a warning, or padded in the same way. Integers of the types that
    audio files use are scaled to -1..1 (see :func:`as_paths_or_waveforms`), so that a
    clip gives the same whether it comes as a file or as an array of its samples.

    Output does not depend on file names or order.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate of the result in Hz.
    duration : float or None, default=1.0
        Length of the result in s. None takes the longest clip given to ``fit``,
        for which files are decoded there; later clips are cut or padded to it.
    drift : "warn" or None, default=None
        With "warn", ``fit`` keeps the statistics of levels and frequency bands of
        its clips, and ``transform`` warns of clips that differ from them, such as
        those of another microphone: a model is not reliable on them. Takes about
        15 microseconds a clip.
    n_jobs : int or None, default=None
        Threads that read files, as in joblib: None is 1 unless a
        :func:`joblib.parallel_config` says otherwise, -1 is all processors. Long,
        compressed or resampled files and slow disks gain by it; WAV files of a
        second, already in memory, are read fastest by a single thread.

    Attributes
    ----------
    n_samples_ : int
        Samples in a clip of the result.
    reference_ : dict of ndarray, or None
        Statistics of the clips given to ``fit``, if `drift` is "warn"; None for
        fewer than 50 clips.
    n_features_in_ : int
        Samples in the waveforms given to ``fit``; ``transform`` raises an error for
        waveforms of another length. Absent if ``fit`` was given paths.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, if ``fit`` was given waveforms as a DataFrame with such.

    See Also
    --------
    load_audio : One file, whole.
    BreathFeatures : Usually the next step.

    Notes
    -----
    With a `duration` and without `drift` nothing is learned: ``fit`` only checks the
    header of each file, and ``transform`` works without it. Samples beyond
    `duration` are neither read nor checked.

    Clips of digital silence, and clips too quiet to contain a sound, are read with
    a warning that lists them.

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
        "drift": [StrOptions({"warn"}), None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        duration: float | None = 1.0,
        drift: Literal["warn"] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.duration = duration
        self.drift = drift
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check the clips, and learn length and statistics where they are needed.

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
        if self.drift is not None:  # the samples have to be read
            self.fit_transform(X)
            return self
        clips = self._check_clips(X, reset=True)
        self.__dict__.pop("reference_", None)
        if self.duration is not None and isinstance(clips, list):
            check_audio_files(clips, n_jobs=self.n_jobs)
        self.n_samples_ = self._n_samples_of(clips)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Clips, y: Any = None) -> np.ndarray:
        """Fit and transform, opening each file once where `duration` is given.

        Parameters
        ----------
        X : paths, or array-like of shape (n_clips, n_samples)
            See :func:`as_paths_or_waveforms`.
        y : None
            Ignored.

        Returns
        -------
        waveforms : ndarray of shape (n_clips, `n_samples_`), float32
            As from ``transform``.
        """
        clips = self._check_clips(X, reset=True)
        self.n_samples_ = self._n_samples_of(clips)
        warn_of_cut(clips, self.n_samples_, self.sample_rate)
        waveforms = self._read(clips, self.n_samples_)
        self.__dict__.pop("reference_", None)
        if self.drift is not None:
            self.reference_ = describe_reference(waveforms, self.sample_rate)
        warn_of_silence(waveforms, clips)
        return waveforms

    def transform(self, X: Clips) -> np.ndarray:
        """Read clips as waveforms.

        Parameters
        ----------
        X : paths, or array-like of shape (n_clips, n_samples)
            See :func:`as_paths_or_waveforms`. May be paths after ``fit`` on
            waveforms, and the other way round.

        Returns
        -------
        waveforms : ndarray of shape (n_clips, `n_samples_`), float32
            In the order of `X`. May share memory with `X` if nothing had to change.

        Raises
        ------
        AudioError
            If files cannot be used: one error for all of them.
        ValueError
            If `X` is neither paths nor finite waveforms.

        Warns
        -----
        AudioWarning
            If clips are silent or, with `drift`, differ from those given to ``fit``,
            or if waveforms given as an array are cut. They are read nevertheless.
        """
        check_is_fitted(self)  # where anything is learned
        clips = self._check_clips(X, reset=False)
        n_samples = getattr(self, "n_samples_", None) or self._n_samples_of(clips)
        warn_of_cut(clips, n_samples, self.sample_rate)
        waveforms = self._read(clips, n_samples)
        silent = warn_of_silence(waveforms, clips)
        if self.drift is not None and self.reference_ is not None:
            warn_of_drift(waveforms, clips, self.reference_, ignore=silent)
        return waveforms

    @property
    def _n_features_out(self):
        """Number of names that `get_feature_names_out` gives, one for each sample."""
        return self.n_samples_

    def _check_clips(self, X, reset):
        """Validate `X`, and return it as a list of paths or float32 waveforms."""
        paths = as_paths(X)
        if paths is None:
            X = validate_data(
                self,
                check_rows(X),
                reset=reset,
                dtype="numeric",
                ensure_all_finite=False,
            )
            return as_float32(X)
        if reset:  # paths have no features: forget those of an earlier fit
            for name in ("n_features_in_", "feature_names_in_"):
                vars(self).pop(name, None)
        return paths

    def _n_samples_of(self, clips):
        """Compute the length in samples of the result for these clips."""
        if self.duration is not None:
            return max(1, round(self.duration * self.sample_rate))
        if not isinstance(clips, list):
            return clips.shape[1]
        lengths = map_chunks(
            _read_length, clips, self.n_jobs, sample_rate=self.sample_rate
        )
        return max(n for _, chunk in lengths for n in chunk)

    def _read(self, clips, n_samples):
        """Read the clips, and cut or pad them to `n_samples`."""
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
            # A cache would hash this reader and the names of files, not their
            # content. Caches do not hash fitted readers, so their pickles may be equal.
            state = state | {"_uncacheable": uncacheable_token()}
        return state

    def __setstate__(self, state):
        state = {k: v for k, v in state.items() if k != "_uncacheable"}
        super().__setstate__(state)

    def __sklearn_tags__(self):
        # The tags `string` and `one_d_array` stay False although paths are both: the
        # check suite takes them to mean that numbers may come 1-D or mixed with text.
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.duration is None or self.drift is not None
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _read_length(path, sample_rate):
    return len(read_clip(path, sample_rate)[0])


def _read_waveform(path, sample_rate, n_samples):
    return read_clip(path, sample_rate, n_samples)[0]
