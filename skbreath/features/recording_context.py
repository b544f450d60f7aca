"""Compare each clip with the other clips of its recording."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from ..utils.estimator_state import VersionedState
from ..utils.sklearn_compat import Interval, _check_feature_names_in, _fit_context
from .channel_scaler import CLIPS_AT_A_TIME, check_channels

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike

    from ..utils.typing import Column, Seed

__all__ = ["RecordingContext"]


class RecordingContext(TransformerMixin, VersionedState, BaseEstimator):
    """Add to each channel its difference to the mean over the recording.

    The mean is over all frames of all clips of the recording. Whether a clip is louder
    or brighter than the other clips of its recording says more about the phase of
    breath than its level alone, which depends on the person and on the microphone.

    The recording of each clip is given as ``recordings`` to ``fit_transform`` and
    ``transform``. They are requested by scikit-learn's metadata routing; the
    classifiers of this package pass them on whether routing is enabled or not. Without
    them each clip is a recording of its own.

    Parameters
    ----------
    n_planes : int, default=0
        Channels at the end that are not compared and stay at the end, such as the two
        of the group ``"loop"`` of :class:`BreathFeatures`.
    alone : float, default=0.3
        Share of the clips that ``fit_transform`` takes as recordings of their own, at
        random, so that a model learns from clips with and without company.
    random_state : int, RandomState instance or None, default=None
        Seed of their choice.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of shape (n_channels,)
        Only if `X` was a data frame with string column names.

    See Also
    --------
    make_breath_classifier : Its members have this step.

    Notes
    -----
    Only the sound of the other clips counts: neither their labels or names nor their
    order, to the bit.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import RecordingContext
    >>> loudness = np.array([[1.0], [3.0], [7.0]])
    >>> RecordingContext().fit(loudness).transform(loudness, recordings=["a", "a", "b"])
    array([[ 1., -1.],
           [ 3.,  1.],
           [ 7.,  0.]])
    """

    __metadata_request__fit_transform = {"recordings": True}
    __metadata_request__transform = {"recordings": True}

    _parameter_constraints = {
        "n_planes": [Interval(Integral, 0, None, closed="left")],
        "alone": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self, *, n_planes: int = 0, alone: float = 0.3, random_state: Seed = None
    ) -> None:
        self.n_planes = n_planes
        self.alone = alone
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Check parameters and features without learning anything.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
(n_clips, n_channels)
            Features; 2-D is taken as one frame.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If `n_planes` leaves no channel.
        """
        n_channels = check_channels(self, X, reset=True)[0].shape[1]
        if self.n_planes >= n_channels:
            raise ValueError(
                f"n_planes must leave at least one of the {n_channels} channels, got "
                f"{self.n_planes}."
            )
        return self

    def fit_transform(
        self, X: ArrayLike, y: Any = None, recordings: Column | None = None
    ) -> np.ndarray:
        """Fit, and transform the clips, some of them as recordings of their own.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
(n_clips, n_channels)
            Features.
        y : None
            Ignored.
        recordings : array-like of shape (n_clips,), default=None
            Recording of each clip.

        Returns
        -------
        X_compared : ndarray
            As from :meth:`transform`.
        """
        self.fit(X)
        if recordings is None:
            return self.transform(X)
        random = check_random_state(self.random_state)
        codes = _recording_codes(X, recordings)
        alone = random.uniform(size=len(codes)) < self.alone
        codes[alone] = len(codes) + np.flatnonzero(alone)
        return self.transform(X, codes)

    def transform(self, X: ArrayLike, recordings: Column | None = None) -> np.ndarray:
        """Add the differences after the channels, and before the planes.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
(n_clips, n_channels)
            Features with as many channels as in `fit`, any number of frames.
        recordings : array-like of shape (n_clips,), default=None
            Recording of each clip, any values that can be compared. They mean nothing
            beyond this call.

        Returns
        -------
        X_compared : ndarray of shape (n_clips, 2 * n_channels - n_planes, n_frames) or\
 (n_clips, 2 * n_channels - n_planes)
            Of the floating type of `X`.

        Raises
        ------
        ValueError
            If the number of channels is not that of `fit`, or `recordings` has missing
            values or another length than `X`.
        """
        check_is_fitted(self, "n_features_in_")
        codes = None if recordings is None else _recording_codes(X, recordings)
        X, shape = check_channels(self, X, reset=False)
        n_compared = X.shape[1] - self.n_planes
        means = np.empty((len(X), n_compared))
        batches = list(gen_batches(len(X), CLIPS_AT_A_TIME))
        for batch in batches:
            values = np.ascontiguousarray(X[batch, :n_compared], dtype=np.float64)
            means[batch] = values.mean(axis=2)
        if codes is not None:
            _average_recordings(means, codes)
        wide = (len(X), n_compared + X.shape[1], X.shape[2])
        compared = np.empty(wide, dtype=X.dtype)
        compared[:, :n_compared] = X[:, :n_compared]
        compared[:, 2 * n_compared :] = X[:, n_compared:]
        for batch in batches:
            values = X[batch, :n_compared] - means[batch, :, None]
            compared[batch, n_compared : 2 * n_compared] = values
        return compared.reshape(len(X), -1, *shape[2:])

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """List the names of the channels.

        Parameters
        ----------
        input_features : array-like of str of shape (n_channels,), default=None
            Channel names; None means those of a data frame in `fit`, else ``"x0"``,
            ``"x1"``, ...

        Returns
        -------
        names : ndarray of shape (2 * n_channels - n_planes,), dtype object
            Such as ``"mel_0"`` and ``"mel_0_relative"``.
        """
        check_is_fitted(self, "n_features_in_")
        names = list(_check_feature_names_in(self, input_features))
        n_compared = len(names) - self.n_planes
        relative = [f"{name}_relative" for name in names[:n_compared]]
        return np.asarray(names[:n_compared] + relative + names[n_compared:], object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _recording_codes(X, recordings):
    """Number the recordings, and check that there is one for each clip."""
    recordings = column_or_1d(recordings)
    check_consistent_length(X, recordings)
    codes = pd.factorize(recordings)[0].astype(np.int64)
    missing = np.flatnonzero(codes < 0)
    if len(missing):
        raise ValueError(
            f"recordings has {len(missing)} missing values, the first at row "
            f"{missing[0]}: name the recording of every clip, or leave recordings out."
        )
    return codes


def _average_recordings(means, codes):
    """Replace the mean of each clip by that of its recording, in place."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        if len(rows) > 1:
            # Sorted, so that the sum does not depend on the order of the clips.
            means[rows] = np.sort(means[rows], axis=0).mean(axis=0)
