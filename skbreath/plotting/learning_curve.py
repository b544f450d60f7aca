"""Draw the losses of networks during training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..ensemble.inspection import find_parts
from .axes import BLUE, ORANGE, AxesDisplay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

__all__ = ["LearningCurveDisplay", "losses_by_epoch", "mean_by_epoch"]


class LearningCurveDisplay(AxesDisplay):
    """Losses of a network, epoch by epoch.

    Several networks, such as the models of the folds of one member, are drawn as thin
    lines, their mean as a thick one as far as all were trained.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    histories : list of list of dict
        The ``history_`` of each network: per epoch ``train_loss`` and,
        with early stopping, ``valid_loss``.

    Attributes
    ----------
    best_epochs_ : list of int
        Epoch (from 1) of the lowest validation loss of each network, whose weights
        early stopping keeps; empty without.
    ax_ : matplotlib Axes
        Axes of the latest plot.
    figure_ : matplotlib Figure
        Its figure.
    """

    def __init__(self, histories: Sequence[Sequence[dict[str, Any]]]) -> None:
        self.histories = histories

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the losses of all networks in a fitted model.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`~skbreath.ResidualCNNClassifier`, or a model that holds
            one or several: a pipeline, a vote, a search.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LearningCurveDisplay

        Raises
        ------
        ValueError
            If the model does not contain a network.
        NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from skbreath import ResidualCNNClassifier
        >>> from skbreath import LearningCurveDisplay
        >>> X = np.random.default_rng(0).normal(size=(40, 8, 16))
        >>> net = ResidualCNNClassifier(hidden_channels=4, max_epochs=3)
        >>> net = net.fit(X, ["E", "I"] * 20)
        >>> LearningCurveDisplay.from_estimator(net).ax_.get_xlabel()
        'Epoch'
        """
        from ..networks.classifier import ResidualCNNClassifier

        nets = list(find_parts(estimator, ResidualCNNClassifier))
        if not nets:
            raise ValueError(
                f"the {type(estimator).__name__} holds no fitted "
                "ResidualCNNClassifier, so there is no learning curve."
            )
        for net in nets:
            check_is_fitted(net, "history_")
        return cls([net.history_ for net in nets]).plot(ax=ax)

    def _draw(self, ax):
        self._draw_losses(ax, "train_loss", "training", BLUE, "-")
        losses = self._draw_losses(ax, "valid_loss", "validation", ORANGE, "--")
        self.best_epochs_ = [int(np.argmin(loss)) + 1 for loss in losses]
        numbers = ", ".join(map(str, self.best_epochs_))
        if losses:
            ax.plot(
                self.best_epochs_,
                [loss.min() for loss in losses],
                "D",
                markersize=7,
                markerfacecolor=ORANGE,
                markeredgecolor="black",
                label=f"lowest, at epoch {numbers}",
            )
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="Epoch", ylabel="Loss (nats per clip)")
        ax.legend(frameon=False)
        ax.grid(alpha=0.3)

    def _draw_losses(self, ax, key, name, colour, style):
        """Draw a loss of the networks that have it, and its mean; return the losses."""
        losses = losses_by_epoch(self.histories, key)
        if not losses:
            return []
        if len(losses) > 1:
            name = f"{name}, mean of {len(losses)} networks"
            for loss in losses:
                ax.plot(
                    np.arange(1, len(loss) + 1), loss, style, color=colour, alpha=0.4
                )
        mean = mean_by_epoch(losses)
        epochs = np.arange(1, len(mean) + 1)
        ax.plot(epochs, mean, style, color=colour, linewidth=2.5, label=name)
        return losses


def losses_by_epoch(histories: Any, key: str) -> list[np.ndarray]:
    """Get a loss by epoch, of each history that has it."""
    return [
        np.array([epoch[key] for epoch in history], dtype=np.float64)
        for history in histories
        if key in history[0]
    ]


def mean_by_epoch(losses: list[np.ndarray]) -> np.ndarray:
    """Average losses over the epochs that all networks were trained for."""
    shortest = min(map(len, losses))
    return np.mean([loss[:shortest] for loss in losses], axis=0)
