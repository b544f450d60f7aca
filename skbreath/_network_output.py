"""What a classifier reads off its trained network, in batches of clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import gen_batches
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from ._training_rows import as_clips

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

__all__ = ["NetworkOutput"]


def _embeds(classifier):
    """Whether the network can give its pooled features."""
    return classifier.module is None or hasattr(classifier.module, "embed")


class NetworkOutput:
    """Mixin of :class:`~skbreath.ResidualCNNClassifier`: its predictions."""

    if TYPE_CHECKING:
        batch_size: int
        n_threads: int
        classes_: Any
        n_features_in_: int

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
                (n_clips, n_channels)

        Returns
        -------
        proba : ndarray of shape (n_clips, n_classes)
            Columns in the order of `classes_`.
        """
        from ._inference import class_probabilities

        check_is_fitted(self)
        return self._in_batches(
            lambda module, clips: class_probabilities(module(clips).double()), X
        )

    def _in_batches(self, compute, X):
        """Concatenate what ``compute(module, clips)`` makes of batches of clips."""
        import torch

        from ._inference import torch_threads

        module = self._trained_module().eval()
        X = validate_data(
            self, X, allow_nd=True, dtype=np.float32, order="C", reset=False
        )
        X = as_clips(X)
        device = next(module.parameters()).device
        with torch.inference_mode(), torch_threads(self.n_threads):
            parts = [
                compute(module, torch.from_numpy(X[batch]).to(device)).cpu().numpy()
                for batch in gen_batches(len(X), 4 * self.batch_size)
            ]
        return np.concatenate(parts)

    @available_if(_embeds)
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Pooled features of each clip, for other models.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
                (n_clips, n_channels)

        Returns
        -------
        embedding : ndarray of shape (n_clips, n_embedding), float32
            What the head of the network sees: mean and maximum of its last layer,
            256 numbers for the defaults. Networks of your own need a method
            ``embed``.
        """
        check_is_fitted(self)
        return self._in_batches(lambda module, clips: module.embed(clips), X)

    @property
    def _n_features_out(self):
        return self.transform(np.zeros((1, self.n_features_in_, 1))).shape[1]

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Most probable label of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
                (n_clips, n_channels)

        Returns
        -------
        labels : ndarray of shape (n_clips,)
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]
