"""Standardise channels over clips and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from ..utils.estimator_state import VersionedState
from ..utils.sklearn_compat import _fit_context

if TYPE_CHECKING:
    from typing import Any, Self

    from numpy.typing import ArrayLike

__all__ = ["ChannelScaler"]

CLIPS_AT_A_TIME = 64
"""Bounds the memory of double precision copies; larger batches are not faster."""


class ChannelScaler(  # type: ignore[call-arg]
    OneToOneFeatureMixin,
    TransformerMixin,
    VersionedState,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Scale every channel to mean 0 and standard deviation 1 over clips and frames.

    As :class:`~sklearn.preprocessing.StandardScaler`, but one mean and one scale
    for each channel, shared by all its frames. Fit it on training clips only: inside
    a :class:`~sklearn.pipeline.Pipeline` that happens by itself.

    Attributes
    ----------
    mean_ : ndarray of shape (n_channels,)
        Mean of each channel, in the unit of the channel.
    scale_ : ndarray of shape (n_channels,)
        Standard deviation of each channel; 1 where a channel is constant but for
        rounding.
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of shape (n_channels,)
        Only if `X` was a data frame with string column names.

    See Also
    --------
    BreathFeatures : Makes the channels.

    Notes
    -----
    The number of frames may differ between `fit` and `transform`. Means and
    deviations are taken in double precision, in two passes, a few clips at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import ChannelScaler
    >>> features = np.random.default_rng(0).normal(3, 2, size=(5, 112, 63))
    >>> scaled = ChannelScaler().fit_transform(features)
    >>> scaled.shape, scaled.dtype
    ((5, 112, 63), dtype('float32'))
    >>> bool(np.allclose(scaled.std(axis=(0, 2)), 1, atol=1e-5))
    True
    """

    _parameter_constraints: dict = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn mean and scale of each channel.

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
            If `X` is neither 2-D nor 3-D, or holds NaN or infinity.
        """
        X, _ = check_channels(self, X, reset=True)
        batches = list(gen_batches(len(X), CLIPS_AT_A_TIME))
        n_values = len(X) * X.shape[2]
        total = sum(X[batch].sum(axis=(0, 2), dtype=np.float64) for batch in batches)
        mean = total / n_values
        squares = sum(
            np.square(X[batch] - mean[:, None]).sum(axis=(0, 2)) for batch in batches
        )
        scale = np.sqrt(squares / n_values)
        rounding = 10 * np.finfo(X.dtype).eps * np.abs(mean)
        self.mean_ = mean
        self.scale_ = np.where(scale <= rounding, 1.0, scale)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Standardise each channel.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
(n_clips, n_channels)
            Features with as many channels as in `fit`, any number of frames.

        Returns
        -------
        X_scaled : ndarray of the shape of `X`, dtype float32
            Standardised features.

        Raises
        ------
        ValueError
            If the number of channels is not that of `fit`.
        """
        check_is_fitted(self)
        values, shape = check_channels(self, X, reset=False)
        scaled = np.empty(values.shape, dtype=np.float32)
        mean, scale = self.mean_[:, None], self.scale_[:, None]
        for batch in gen_batches(len(values), CLIPS_AT_A_TIME):
            scaled[batch] = (values[batch] - mean) / scale
        return scaled.reshape(shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def check_channels(estimator, X, reset):
    """Validate the features passed to `estimator`, without a copy if possible.

    Returns them with shape (n_clips, n_channels, n_frames), of float32 or float64, and
    the shape of `X`, which may be 2-D.
    """
    X = validate_data(
        estimator, X, reset=reset, allow_nd=True, dtype=[np.float32, np.float64]
    )
    if X.ndim > 3 or not all(X.shape):
        raise ValueError(
            "X must have shape (n_clips, n_channels, n_frames) or (n_clips, "
            f"n_channels), with at least one channel and frame; got {X.shape}."
        )
    return X.reshape(*X.shape[:2], -1), X.shape
