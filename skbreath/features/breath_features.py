"""Turn waveforms into channels over time: mel, level, contrast, cepstra and more."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from ..audio.files import MAX_AMPLITUDE
from ..utils.contexts import collector_paused
from ..utils.estimator_state import VersionedState
from ..utils.sklearn_compat import Interval, StrOptions, _fit_context
from ..utils.text import ROW_NUMBERING_NOTE, shorten
from .feature_set import GROUPS, FeatureStack
from .filters import DELTA_WIDTH, make_plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike


class BreathFeatures(  # type: ignore[call-arg]
    TransformerMixin, VersionedState, BaseEstimator, auto_wrap_output_keys=None
):
    """Turn waveforms into spectral channels over time.

    Groups of channels, always in this order; the first seven are computed from one
    short-time Fourier transform (centred frames, periodic Hann window, zeros beyond
    the ends of the clip) and are the default:

    ==========  ==================  ===========================================
    group       channels            what
    ==========  ==================  ===========================================
    mel         `n_mels`            mel band powers (dB or linear)
    rms         1                   root mean square of the frame (dB or linear)
    zcr         1                   share of the frame's samples that cross zero
    contrast    `n_contrast_bands`  peak minus valley of octave bands, dB
                + 1
    mfcc        `n_mfcc`            cepstral coefficients of 128 mel bands in dB
    delta       `n_mfcc`            their slope over 9 frames
    delta2      `n_mfcc`            their curvature over 9 frames
    loop        2                   position in the loop, and its period
    ==========  ==================  ===========================================

    The values are those of ``librosa.feature`` for each clip alone: to the bit, they
    do not depend on other clips.

    Parameters
    ----------
    sample_rate : float, default=16000
        Sample rate of the waveforms, in Hz.
    groups : tuple or list of str, default=("mel", "rms", "zcr", "contrast", \
"mfcc", "delta", "delta2")
        Groups to compute, in any order.
    n_mels : int, default=64
        Mel bands of the group ``"mel"``. Each must contain a bin of the spectrum.
    n_fft : int, default=1024
        Samples in a frame, an even number. Powers of two are fastest.
    hop_length : int, default=256
        Samples from one frame to the next, at most `n_fft`.
    fmin : float, default=0.0
        Lower edge of the lowest mel band, in Hz, also for the MFCC.
    fmax : float, default=None
        Upper edge of the highest mel band, in Hz, also for the MFCC; None means
        half of `sample_rate`.
    n_mfcc : int, default=13
        Cepstral coefficients kept, at most 128.
    n_contrast_bands : int, default=6
        Octave bands of the contrast above 200 Hz; one more lies below.
    log_scale : bool, default=True
        Mel powers and RMS in decibels instead of linear. The reference system used
        linear ones.
    batch_size : int, default=256
        Clips passed to a worker at a time. Bounds the memory used beside input and
        output, without an effect on the values.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the output and of the arithmetic after the Fourier transform,
        which is always in double precision.
    n_jobs : int, default=None
        Number of threads, at most that of cores. None means 1
        unless in a :obj:`joblib.parallel_config` context, -1 means all cores.

    Attributes
    ----------
    channel_names_ : ndarray of shape (n_channels,), dtype object
        Such as ``"mel_0"``, ``"rms"``, ``"contrast_200_400hz"``, ``"delta2_12"``.
    mel_filters_ : ndarray of shape (n_mels, n_fft // 2 + 1)
        librosa's filters of the group "mel"; without rows where it is left out.
    mfcc_filters_ : ndarray of shape (128, n_fft // 2 + 1)
        Those of the MFCC and their deltas; without rows where these are left out.
    n_features_in_ : int
        Samples in a clip.
    feature_names_in_ : ndarray of shape (n_samples,)
        Only if the waveforms came as a data frame with string column names.

    See Also
    --------
    ChannelScaler : Standardise the channels.
    SummaryPooling : One row per clip, for classifiers that take a table.

    Notes
    -----
    A clip of ``n`` samples has ``1 + n // hop_length`` frames: one second at 16 kHz
    gives 63. A clip shorter than a frame is thereby padded with zeros.

    Decibels are ``10 * log10(max(power, 1e-10))``, not lower than 80 dB beneath the
    highest value of the same clip and group (mel bands, RMS, and the 128 bands
    beneath the MFCC; contrast: peaks and valleys, each among themselves). RMS in
    decibels is that of the mean square. Silence is -100 dB. `log_scale` does not
    affect contrast and MFCC, which are in decibels by definition.

    The group ``"loop"`` is for clips that were filled up by repeating a shorter sound
    sample by sample, as many data sets are. It gives the position of a frame in its
    period (-1 at the beginning, 1 at the end) and the period as a part of the clip:
    1 where nothing repeats, or where the audio was processed after the repetition,
    for example resampled. Periods below 0.1 s are ignored.

    Where librosa raises an error or warns:

    - *Fewer than 9 frames*: delta and delta2 use the largest odd number of frames
      there is; with 1 or 2 frames they are 0.
    - *Contrast at low rates*: octaves that would start at or above half of
      `sample_rate` are left out. The default gives 7 channels at 16 kHz, 6 at 12
      and 8 kHz, 5 at 4 kHz.
    - *Some of the 128 bands of the MFCC do not contain a bin* (a low `n_fft` or
      narrow band): they are at the lowest value, as in librosa.

    The first extraction on a machine compiles for about ten seconds; compiled code is
    kept on disk for later processes (see numba's ``NUMBA_CACHE_DIR``).

    References
    ----------
    B. McFee et al., "librosa: Audio and Music Signal Analysis in Python",
    Proc. 14th Python in Science Conference, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import BreathFeatures
    >>> rng = np.random.default_rng(0)
    >>> clips = rng.normal(scale=0.1, size=(3, 16000))
    >>> features = BreathFeatures().fit(clips)
    >>> features.transform(clips).shape
    (3, 112, 63)
    >>> features.channel_names_[[0, 64, 65, 66, 73]].tolist()
    ['mel_0', 'rms', 'zcr', 'contrast_0_200hz', 'mfcc_0']
    """

    _parameter_constraints = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "groups": [tuple, list],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "n_contrast_bands": [Interval(Integral, 1, None, closed="left")],
        "log_scale": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"float32", "float64"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        groups: Sequence[str] = GROUPS,
        n_mels: int = 64,
        n_fft: int = 1024,
        hop_length: int = 256,
        fmin: float = 0.0,
        fmax: float | None = None,
        n_mfcc: int = 13,
        n_contrast_bands: int = 6,
        log_scale: bool = True,
        batch_size: int = 256,
        dtype: Literal["float32", "float64"] = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.groups = groups
        self.n_mels = n_mels
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.fmin = fmin
        self.fmax = fmax
        self.n_mfcc = n_mfcc
        self.n_contrast_bands = n_contrast_bands
        self.log_scale = log_scale
        self.batch_size = batch_size
        self.dtype = dtype
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Check parameters and waveforms, and compute the mel filters.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms at `sample_rate`.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If a parameter is out of its bounds, or waveforms have NaN or infinite
            samples; the message lists the rows.
        """
        params = {name: getattr(self, name) for name in FeatureStack._fields}
        stack = FeatureStack(**params | {"groups": tuple(self.groups)})
        stack.check()
        filters = stack.mel_filters()
        X = self._check_shape(X, reset=True)
        _check_bad_rows(_bad_rows(X), len(X))
        self._stack: FeatureStack = stack
        self._plans: dict = {}
        self.mel_filters_, self.mfcc_filters_ = filters
        self.channel_names_ = np.asarray(stack.channel_names(), dtype=object)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Extract the features of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_samples)
            Waveforms at `sample_rate`, as long as those given to `fit`.

        Returns
        -------
        features : ndarray of shape (n_clips, n_channels, n_frames), dtype `dtype`
            One row per clip, in the order of `X`.

        Raises
        ------
        ValueError
            If waveforms have NaN or infinite samples, or another length than in
            `fit`.
        """
        check_is_fitted(self)
        return self._compute(self._check_shape(X, reset=False))

    def _compute(self, X):
        """Extract the features of clips of any length."""
        n_frames = self._stack.n_frames(X.shape[1])
        plan = self._plan(n_frames)
        shape = (len(X), len(self.channel_names_), n_frames)
        features = np.empty(shape, dtype=self._stack.dtype)
        n_workers = self._n_workers()
        size = min(self.batch_size, -(-len(X) // n_workers))
        batches = list(gen_batches(len(X), size))
        bad = self._extract_batches(X, plan, features, batches, n_workers)
        _check_bad_rows(bad, len(X))
        return features

    def _plan(self, n_frames):
        """Get the constants of the kernels for clips of `n_frames`."""
        width = min(n_frames, DELTA_WIDTH)  # nothing else depends on the frames
        if width not in self._plans:
            self._plans[width] = make_plan(self._stack, *self._mel_filters(), n_frames)
        return self._plans[width]

    def _mel_filters(self):
        """Get the mel filters; compute those of models stored without them."""
        if not hasattr(self, "mel_filters_"):
            self.mel_filters_, self.mfcc_filters_ = self._stack.mel_filters()
        return self.mel_filters_, self.mfcc_filters_

    def _extract_batches(self, X, plan, features, batches, n_workers):
        """Fill `features`; return the rows with NaN, infinite or too large samples."""

        def extract(batch):
            return _extract(X[batch], self._stack, plan, features[batch])

        if n_workers == 1 or len(batches) == 1:
            return _rows_of_whole(batches, map(extract, batches))
        bad = []
        with Parallel(n_jobs=n_workers, prefer="threads") as parallel:
            backend, _ = get_active_backend(prefer="threads")
            if getattr(backend, "supports_sharedmem", False):
                bad = parallel(delayed(extract)(batch) for batch in batches)
                return _rows_of_whole(batches, bad)
            # Workers in other processes send their results: a few batches at a time,
            # so that not all of the results are in memory twice.
            for turn in gen_batches(len(batches), 4 * n_workers):
                results = parallel(
                    delayed(_extract_new)(
                        X[batch], self._stack, plan, features.shape[1:]
                    )
                    for batch in batches[turn]
                )
                for batch, (part, bad_part) in zip(batches[turn], results, strict=True):
                    features[batch] = part
                    bad.append(bad_part)
        return _rows_of_whole(batches, bad)

    def _n_workers(self):
        # Each worker is one thread: more of them than cores are slower.
        n_jobs = self.n_jobs
        if n_jobs is not None and n_jobs > 0:
            n_jobs = min(n_jobs, joblib.cpu_count())
        return joblib.effective_n_jobs(n_jobs)

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """List the names of the channels.

        Parameters
        ----------
        input_features : array-like, default=None
            Ignored: samples have no names.

        Returns
        -------
        names : ndarray of shape (n_channels,), dtype object
            `channel_names_`.
        """
        check_is_fitted(self)
        return self.channel_names_

    def _check_shape(self, X, reset):
        return validate_data(
            self, X, reset=reset, dtype="numeric", ensure_all_finite=False
        )

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "_plans"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._plans = {}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _bad_rows(X):
    """Find the rows with NaN, infinite or too large samples."""
    # The extremes are NaN or infinite if a sample is, and do not need a copy of X.
    loudest = np.maximum(
        X.max(axis=1).astype(np.float64), -X.min(axis=1).astype(np.float64)
    )
    return np.flatnonzero(~(loudest <= MAX_AMPLITUDE))


def _rows_of_whole(batches, bad):
    """Convert row numbers within batches to row numbers of X."""
    return np.concatenate(
        [batch.start + rows for batch, rows in zip(batches, bad, strict=True)]
    )


def _check_bad_rows(bad, n_clips):
    if len(bad):
        raise ValueError(
            "X has NaN, infinite or overly large samples (beyond "
            f"{MAX_AMPLITUDE:g}) in {len(bad)} of {n_clips} clips: rows {shorten(bad)} "
            f"{ROW_NUMBERING_NOTE}."
        )


def _extract(clips, stack, plan, features):
    """Fill `features` unless there are bad rows; return those."""
    bad = _bad_rows(clips)
    if len(bad):
        return bad
    clips = np.ascontiguousarray(clips, dtype=features.dtype)
    with collector_paused():
        # Compiled code, and numba with it, is loaded when the first clip needs it.
        from . import kernels

        kernels.extract(clips, plan, features)
        if "loop" in stack.groups:
            kernels.loop_channels(
                clips, stack.hop_length, stack.shortest_loop(), features[:, -2:]
            )
    return bad


def _extract_new(clips, stack, plan, shape):
    """Extract the features of clips to a new array; return it, and the bad rows."""
    features = np.empty((len(clips), *shape), dtype=plan.mel_weights.dtype)
    bad = _extract(clips, stack, plan, features)
    return features, bad
