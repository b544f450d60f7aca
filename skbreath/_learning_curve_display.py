"""A picture of how networks were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._display_axes import BLUE, ORANGE, new_axes
from ._inspection import find_parts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

__all__ = ["LearningCurveDisplay"]


class LearningCurveDisplay:
    """Losses of a network, epoch by epoch.

    Several networks, such as the models of the folds of one member, are drawn as thin
    lines, their mean as a thick one as far as all were trained.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    histories : list of list of dict
        For each network what its ``history_`` holds: per epoch ``train_loss`` and,
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
            If there is no network in the model.
        NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from skbreath import ResidualCNNClassifier
        >>> from skbreath.plotting import LearningCurveDisplay
        >>> X = np.random.default_rng(0).normal(size=(40, 8, 16))
        >>> net = ResidualCNNClassifier(hidden_channels=4, max_epochs=3)
        >>> net = net.fit(X, ["E", "I"] * 20)
        >>> LearningCurveDisplay.from_estimator(net).ax_.get_xlabel()
        'Epoch'
        """
        from .classifier import ResidualCNNClassifier

        nets = list(find_parts(estimator, ResidualCNNClassifier))
        if not nets:
            raise ValueError(
                f"the {type(estimator).__name__} holds no fitted "
                "ResidualCNNClassifier, so there is no learning curve."
            )
        for net in nets:
            check_is_fitted(net, "history_")
        return cls([net.history_ for net in nets]).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LearningCurveDisplay
        """
        ax = new_axes(ax)
        self._draw(ax, "train_loss", "training", BLUE, "-")
        losses = self._draw(ax, "valid_loss", "validation", ORANGE, "--")
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
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(self, ax, key, name, colour, style):
        """One line per network that has this loss, and the mean; get the losses."""
        losses = [
            np.array([epoch[key] for epoch in history])
            for history in self.histories
            if key in history[0]
        ]
        if not losses:
            return []
        if len(losses) > 1:
            name = f"{name}, mean of {len(losses)} networks"
            for loss in losses:
                ax.plot(
                    np.arange(1, len(loss) + 1), loss, style, color=colour, alpha=0.4
                )
        shortest = min(map(len, losses))
        mean = np.mean([loss[:shortest] for loss in losses], axis=0)
        epochs = np.arange(1, shortest + 1)
        ax.plot(epochs, mean, style, color=colour, linewidth=2.5, label=name)
        return losses
