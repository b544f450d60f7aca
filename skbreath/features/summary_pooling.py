"""Summarise channels over time: one row per clip."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import assert_all_finite, gen_batches
from sklearn.utils.validation import check_is_fitted

from ..utils.estimator_state import VersionedState
from ..utils.sklearn_compat import Interval, _check_feature_names_in, _fit_context
from .channel_scaler import CLIPS_AT_A_TIME, check_channels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from numpy.typing import ArrayLike

__all__ = ["SummaryPooling"]

STATISTICS = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}


class SummaryPooling(TransformerMixin, VersionedState, BaseEstimator):
    """Summarise each channel over time: statistics, and means of time bins.

    Turns 3-D features into a table for any classifier. The time bins keep the order
    in time, which separates inhale from exhale better than mean and deviation alone.

    Parameters
    ----------
    n_bins : int, default=8
        Equal stretches of the clip whose means are taken; 0 for none. A frame
        belongs to one bin; with fewer frames than bins, neighbouring bins share one.
    statistics : tuple or list of {"mean", "std", "min", "max"}, \
default=("mean", "std")
        Statistics over all frames, in this order. May be empty if there are bins.
    relative : bool, default=False
        Subtract from each bin the mean of the clip's bins, which then is a column of
        its own: the course in time apart from the level.
    period_channel : int, default=None
        Index of a channel that holds the part of the clip after which it repeats
        itself, such as -1 with the group ``"loop"`` of :class:`BreathFeatures`. Only
        the frames of the first period are then summarised. None means all frames.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels.
    feature_names_in_ : ndarray of shape (n_channels,)
        Only if `X` was a data frame with string column names.

    See Also
    --------
    BreathFeatures : Makes the channels.

    Notes
    -----
    The columns are: the first statistic of every channel, the next statistic of
    every channel, ..., with `relative` the mean of the bins of every channel, the
    first bin of every channel, and so on. The number of frames may differ between
    `fit` and `transform`.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import SummaryPooling
    >>> features = np.arange(8.0).reshape(1, 2, 4)
    >>> pooling = SummaryPooling(n_bins=2, statistics=["mean"]).fit(features)
    >>> pooling.transform(features)
    array([[1.5, 5.5, 0.5, 4.5, 2.5, 6.5]])
    >>> pooling.get_feature_names_out(["rms", "zcr"]).tolist()
    ['rms_mean', 'zcr_mean', 'rms_bin0', 'zcr_bin0', 'rms_bin1', 'zcr_bin1']
    """

    _parameter_constraints = {
        "n_bins": [Interval(Integral, 0, None, closed="left")],
        "statistics": [tuple, list],
        "relative": ["boolean"],
        "period_channel": [Integral, None],
    }

    def __init__(
        self,
        *,
        n_bins: int = 8,
        statistics: Sequence[str] = ("mean", "std"),
        relative: bool = False,
        period_channel: int | None = None,
    ) -> None:
        self.n_bins = n_bins
        self.statistics = statistics
        self.relative = relative
        self.period_channel = period_channel

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
            If `statistics` has an unknown name, there are neither statistics nor bins,
            `relative` is set without bins, or `period_channel` is out of range.
        """
        unknown = [name for name in self.statistics if name not in STATISTICS]
        if unknown or len(set(self.statistics)) < len(self.statistics):
            raise ValueError(
                f"statistics must be among {tuple(STATISTICS)}, each at most once; "
                f"got {list(self.statistics)}."
            )
        if not self.statistics and not self.n_bins:
            raise ValueError(
                "Expected statistics or bins, got statistics=() and n_bins=0."
            )
        if self.relative and not self.n_bins:
            raise ValueError("relative=True needs bins, but n_bins is 0.")
        n_channels = check_channels(self, X, reset=True)[0].shape[1]
        channel = self.period_channel
        if channel is not None and not -n_channels <= channel < n_channels:
            raise ValueError(
                f"Expected period_channel to index one of {n_channels} channels, got "
                f"{channel}."
            )
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Summarise each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
(n_clips, n_channels)
            Features with as many channels as in `fit`, any number of frames.

        Returns
        -------
        X_pooled : ndarray of shape (n_clips, n_channels * n_kinds)
            Of the floating type of `X`; `n_kinds` counts statistics and bins, and
            the mean of the bins with `relative`.

        Raises
        ------
        ValueError
            If the number of channels is not that of `fit`, or statistics overflow.
        """
        check_is_fitted(self)
        X, _ = check_channels(self, X, reset=False)
        pooled = np.empty((len(X), len(self._kinds()), X.shape[1]), dtype=X.dtype)
        used = self._frames_used(X)
        for n_frames in np.unique(used):
            rows = np.flatnonzero(used == n_frames)
            for batch in gen_batches(len(rows), CLIPS_AT_A_TIME):
                # The memory layout is the same for every batch, so sums round alike.
                values = X[rows[batch], :, :n_frames].astype(np.float64, order="C")
                pooled[rows[batch]] = np.stack(self._summarise(values), axis=1)
        # Squares of very large numbers overflow.
        assert_all_finite(pooled, input_name="pooled X")
        return pooled.reshape(len(X), -1)

    def _frames_used(self, X):
        """Count the frames of each clip that are summarised, from the first on."""
        last = X.shape[2] - 1
        if self.period_channel is None:
            return np.full(len(X), last + 1)
        period = X[:, self.period_channel, 0].astype(np.float64)
        return 1 + np.rint(np.clip(period, 0.0, 1.0) * last).astype(int)

    def _summarise(self, values):
        """Compute the columns, each of shape (n_clips, n_channels)."""
        columns = [STATISTICS[name](values, axis=2) for name in self.statistics]
        n_frames = values.shape[2]
        first = np.arange(self.n_bins) * n_frames // max(self.n_bins, 1)
        stop = np.append(first[1:], n_frames)
        bins = [
            values[:, :, a : max(b, a + 1)].mean(axis=2)
            for a, b in zip(first, stop, strict=False)
        ]
        if self.relative:
            level = np.mean(bins, axis=0)
            bins = [level, *(values - level for values in bins)]
        return columns + bins

    def _kinds(self):
        """List the suffixes of the columns of each channel."""
        bins = [f"bin{i}" for i in range(self.n_bins)]
        return [*self.statistics, *(["bins_mean"] if self.relative else []), *bins]

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """List the names of the columns.

        Parameters
        ----------
        input_features : array-like of str of shape (n_channels,), default=None
            Channel names, such as ``BreathFeatures().fit(X).channel_names_``; a
            Pipeline passes them on by itself. None means those of a data frame in
            `fit`, else ``"x0"``, ``"x1"``, ...

        Returns
        -------
        names : ndarray of shape (n_columns,), dtype object
            Such as ``"mel_0_mean"``, ``"rms_bin7"``.
        """
        check_is_fitted(self, "n_features_in_")
        channels = _check_feature_names_in(self, input_features)
        columns = [
            f"{channel}_{kind}" for kind in self._kinds() for channel in channels
        ]
        return np.asarray(columns, object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
