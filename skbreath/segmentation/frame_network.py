"""Classify the frames of recordings by a network over time."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..utils.estimator_state import VersionedState
from ..utils.sklearn_compat import Interval, _fit_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from ..utils.typing import Seed

__all__ = ["FrameNetwork"]

# Features are limited to this many standard deviations.
_LIMIT = 6.0
KERNEL_SIZE = 5


class FrameNetwork(VersionedState, ClassifierMixin, BaseEstimator):
    """Network of dilated convolutions over the frames of a recording.

    A classifier for :class:`PhaseSegmenter` that uses the frames of several seconds,
    not one frame alone. It needs the recordings of several people and takes longer to
    fit than boosted trees, but is better with people and microphones that it was not
    fitted on. It is trained with torch, and predicts with NumPy.

    Parameters
    ----------
    width : int, default=48
        Channels of the hidden layers.
    n_layers : int, default=6
        Residual layers. Each has twice the dilation of the one before it: six layers
        cover 253 frames.
    n_symmetric : int, default=2
        Number of layers, from the first on, that look ahead as far as back; the others
        only look back. Two look 6 frames ahead, four 30, six 126.
    n_epochs : int, default=10
        Number of times that a frame is used in training, on average.
    n_frames : int, default=375
        Length of the parts of recordings in a batch: 12 s in a segmenter.
    batch_size : int, default=16
        Parts of recordings in a batch.
    learning_rate : float, default=0.003
        Highest learning rate of the one-cycle schedule.
    dropout : float, default=0.15
        Share of channels that a layer drops in training.
    n_networks : int, default=1
        Networks of different seeds, whose probabilities are averaged.
    random_state : int, RandomState instance or None, default=None
        Seed of weights and batches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    mean_, scale_ : ndarray of shape (n_features,)
        Mean and standard deviation of the features in training.
    weights_ : list of dict of str to ndarray
        Weights of each network by name.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    PhaseSegmenter : Its parameter `classifier` takes this classifier.

    References
    ----------
    .. [1] S. Bai, J. Z. Kolter, V. Koltun (2018). An empirical evaluation of generic
       convolutional and recurrent networks for sequence modeling. arXiv 1803.01271.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import FrameNetwork
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1] * 20, 25)
    >>> X = y[:, None] + rng.normal(size=(1000, 3))
    >>> network = FrameNetwork(
    ...     width=8, n_layers=3, n_epochs=100, batch_size=4, random_state=0
    ... )
    >>> network.fit(X, y, lengths=[400, 600]).score(X, y) > 0.9
    True
    """

    _parameter_constraints = {
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, 10, closed="both")],
        "n_symmetric": [Interval(Integral, 0, 10, closed="both")],
        "n_epochs": [Interval(Integral, 1, None, closed="left")],
        "n_frames": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_networks": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        width: int = 48,
        n_layers: int = 6,
        n_symmetric: int = 2,
        n_epochs: int = 10,
        n_frames: int = 375,
        batch_size: int = 16,
        learning_rate: float = 0.003,
        dropout: float = 0.15,
        n_networks: int = 1,
        random_state: Seed | None = None,
    ) -> None:
        self.width = width
        self.n_layers = n_layers
        self.n_symmetric = n_symmetric
        self.n_epochs = n_epochs
        self.n_frames = n_frames
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.n_networks = n_networks
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike, lengths: Sequence[int] | None = None
    ) -> Self:
        """Train on the frames of recordings.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_features)
            Frames of all recordings, one recording after another.
        y : array-like of shape (n_frames,)
            Class of each frame.
        lengths : sequence of int, default=None
            Number of frames of each recording; None means one recording.

        Returns
        -------
        self : FrameNetwork

        Raises
        ------
        ValueError
            If `lengths` do not add up to the number of frames.
        """
        from .frame_training import train

        X, y = validate_data(self, X, y, dtype=np.float32)
        lengths = [len(X)] if lengths is None else list(lengths)
        if sum(lengths) != len(X):
            raise ValueError(
                f"lengths must add up to the {len(X)} frames of X, got {sum(lengths)}."
            )
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.scale_ = np.sqrt(X.var(axis=0, dtype=np.float64) + 1e-6).astype(np.float32)
        bounds = np.cumsum(lengths)[:-1]
        frames, codes = np.split(self._scaled(X), bounds), np.split(codes, bounds)
        rng = check_random_state(self.random_state)
        self.weights_ = [
            train(self, KERNEL_SIZE, frames, codes, rng) for _ in range(self.n_networks)
        ]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Predict class probabilities of the frames of one recording.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_features)
            Frames of one recording, in order.

        Returns
        -------
        probabilities : ndarray of shape (n_frames, n_classes)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        stream = self.stream()
        return np.concatenate([stream.push(X), stream.finish()])

    def predict(self, X: ArrayLike) -> NDArray:
        """Predict the class of each frame of one recording.

        Parameters
        ----------
        X : array-like of shape (n_frames, n_features)
            Frames of one recording, in order.

        Returns
        -------
        labels : ndarray of shape (n_frames,)
        """
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def stream(self) -> NetworkStream:
        """Begin a recording whose frames arrive in blocks.

        Returns
        -------
        stream : NetworkStream
            ``push(frames)`` and ``finish()`` return probabilities, those of the last
            `n_ahead` frames only after further frames.
        """
        check_is_fitted(self)
        return NetworkStream(self)

    @property
    def n_ahead(self) -> int:
        """Number of frames that must follow a frame before its probabilities."""
        return sum(after for _, _, after in self.spans())

    def spans(self) -> list[tuple[int, int, int]]:
        """Get the dilation of each layer, and the zeros before and after its input.

        Returns
        -------
        spans : list of tuple (dilation, before, after)
        """
        spans = []
        for layer in range(self.n_layers):
            dilation = 2**layer
            whole = dilation * (KERNEL_SIZE - 1)
            after = whole // 2 if layer < self.n_symmetric else 0
            spans.append((dilation, whole - after, after))
        return spans

    def _scaled(self, X):
        return np.clip((X - self.mean_) / self.scale_, -_LIMIT, _LIMIT)


class _Chain:
    """Compute the probabilities of one network, block by block."""

    def __init__(self, weights, spans):
        def stacked(name, *axes):
            layers = [weights[f"{name}_{k}"] for k in range(len(spans))]
            return np.ascontiguousarray(np.stack(layers).transpose(0, *axes))

        self._weights = weights
        offsets = [stacked(name, 1) for name in ("convolution_bias", "mixing_bias")]
        # Of shapes (n_layers, kernel, in, out), (n_layers, in, out), (n_layers, 2, out)
        self._layers = (
            np.array(spans),
            stacked("convolution", 3, 2, 1),
            stacked("mixing", 2, 1),
            np.stack(offsets, axis=1),
        )
        self._width = len(weights["input"])
        n_rows = max(dilation for dilation, _, _ in spans) * (KERNEL_SIZE - 1)
        # A recording begins with zeros.
        self._kept = np.zeros((len(spans), n_rows, self._width), dtype=np.float32)
        self._n_kept = np.array([before for _, before, _ in spans])

    def push(self, frames):
        """Take scaled frames; get probabilities of complete ones."""
        values = frames @ self._weights["input"].T
        values += self._weights["input_bias"]
        return self._through(0, np.maximum(values, 0, out=values))

    def finish(self):
        """Get the probabilities of the last frames, which zeros follow."""
        parts = [
            self._through(layer, np.zeros((n_ahead, self._width), np.float32))
            for layer, (_, _, n_ahead) in enumerate(self._layers[0])
        ]
        return np.concatenate(parts)

    def _through(self, first, values):
        from .network_kernel import push_through

        n = push_through(values, first, *self._layers, self._kept, self._n_kept)
        weights = self._weights
        values = np.maximum(values[:n], 0) @ weights["output"].T
        values += weights["output_bias"]
        values = np.exp(values - values.max(axis=1, keepdims=True))
        return values / values.sum(axis=1, keepdims=True)


class NetworkStream:
    """Predict probabilities of frames that arrive in blocks.

    They do not depend on the sizes of the blocks, up to rounding of the first and last
    layer.
    """

    def __init__(self, network):
        self._network, spans = network, network.spans()
        self._chains = [_Chain(weights, spans) for weights in network.weights_]

    def push(self, X):
        """Take frames (n_frames, n_features); get probabilities of complete ones."""
        if not len(X):
            return np.zeros((0, len(self._network.classes_)))
        frames = self._network._scaled(np.asarray(X, dtype=np.float32))
        parts = [chain.push(frames) for chain in self._chains]
        return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)

    def finish(self):
        """Get the probabilities of the last frames."""
        return np.mean([chain.finish() for chain in self._chains], axis=0)
