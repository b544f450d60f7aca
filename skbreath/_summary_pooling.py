"""Summaries of channels over time: one row per clip."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ._channel_scaler import CLIPS_AT_A_TIME, check_channels
from .caching import VersionedState

__all__ = ["SummaryPooling"]

STATISTICS = {"mean": np.mean, "std": np.std, "min": np.min, "max": np.max}


class SummaryPooling(TransformerMixin, VersionedState, BaseEstimator):
    """Summarise each channel over time: statistics, and means of time bins.

    Makes 3-D features a plain table for any classifier. The time bins keep the
    order in time, which tells inhale from exhale better than mean and deviation
    alone.

    Parameters
    ----------
    n_bins : int, default=8
        Equal stretches of the clip whose means are taken; 0 for none. A frame
        belongs to one bin; with fewer frames than bins, neighbouring bins share one.
    statistics : tuple or list of {"mean", "std", "min", "max"}, \
default=("mean", "std")
        Statistics over all frames, in this order. May be empty if there are bins.

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
    every channel, ..., the first bin of every channel, and so on. The number of
    frames may differ between `fit` and `transform`.

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
    }

    def __init__(self, *, n_bins=8, statistics=("mean", "std")):
        self.n_bins = n_bins
        self.statistics = statistics

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check parameters and features; nothing is learned.

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
            If `statistics` names an unknown one, or nothing at all is asked for.
        """
        unknown = [name for name in self.statistics if name not in STATISTICS]
        if unknown or len(set(self.statistics)) < len(self.statistics):
            raise ValueError(
                f"statistics must be among {tuple(STATISTICS)}, each at most once; "
                f"got {list(self.statistics)}."
            )
        if not self.statistics and not self.n_bins:
            raise ValueError("statistics is empty and n_bins is 0: nothing to compute.")
        check_channels(self, X, reset=True)
        return self

    def transform(self, X):
        """Summarise each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
(n_clips, n_channels)
            Features with as many channels as in `fit`, any number of frames.

        Returns
        -------
        X_pooled : ndarray of shape (n_clips, n_channels * (n_statistics + n_bins))
            Of the floating type of `X`.

        Raises
        ------
        ValueError
            If the number of channels is not that of `fit`.
        """
        check_is_fitted(self)
        X = check_channels(self, X, reset=False)
        X = X.reshape(*X.shape[:2], -1)
        n_clips, n_channels, n_frames = X.shape
        first = np.arange(self.n_bins) * n_frames // max(self.n_bins, 1)
        stop = np.append(first[1:], n_frames)
        bins = [slice(a, max(b, a + 1)) for a, b in zip(first, stop, strict=False)]
        pooled = np.empty(
            (n_clips, len(self.statistics) + self.n_bins, n_channels), dtype=X.dtype
        )
        for batch in gen_batches(n_clips, CLIPS_AT_A_TIME):
            # One contiguous layout, so that sums round alike whatever the batch.
            values = X[batch].astype(np.float64, order="C")
            columns = [STATISTICS[name](values, axis=2) for name in self.statistics]
            columns += [values[:, :, frames].mean(axis=2) for frames in bins]
            pooled[batch] = np.stack(columns, axis=1)
        return pooled.reshape(n_clips, -1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns.

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
        kinds = [*self.statistics, *(f"bin{i}" for i in range(self.n_bins))]
        return np.asarray([f"{c}_{kind}" for kind in kinds for c in channels], object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
