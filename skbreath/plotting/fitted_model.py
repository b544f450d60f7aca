"""Draw the training of the networks in a model, and the weights of its members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..ensemble.inspection import find_part, find_parts
from ..ensemble.voting import WeightedVotingClassifier, member_names
from .axes import BLUE, INK, ORANGE, AxesDisplay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

__all__ = [
    "LearningCurveDisplay",
    "VotingWeightsDisplay",
    "losses_by_epoch",
    "mean_by_epoch",
]


class LearningCurveDisplay(AxesDisplay):
    """Losses of a network, epoch by epoch.

    Several networks, such as the models of the folds of one member, are drawn as thin
    lines. A thick line is their mean, over the epochs that all of them have.

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
                "Expected a model with a fitted ResidualCNNClassifier in it, got a "
                f"{type(estimator).__name__} without one."
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


class VotingWeightsDisplay(AxesDisplay):
    """Weights of the members of a vote, with those of each fold.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    names : sequence of str of length n_members
        The members.
    weights : ndarray of shape (n_members,)
        Their weights; sum 1.
    fold_weights : ndarray of shape (n_folds, n_members), default=None
        Their weights learned without each fold's rows: the wider these spread, the
        less reliable is a weight.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the latest plot.
    figure_ : matplotlib Figure
        Its figure.
    """

    def __init__(
        self,
        names: Sequence[str],
        weights: np.ndarray,
        fold_weights: np.ndarray | None = None,
    ) -> None:
        self.names = names
        self.weights = weights
        self.fold_weights = fold_weights
        self._figsize = (6.4, 1.4 + 0.55 * len(names))  # type: ignore[misc]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the weights of a fitted vote.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`~skbreath.WeightedVotingClassifier`, or a model that
            holds one, such as that of :func:`~skbreath.make_breath_classifier`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : VotingWeightsDisplay

        Raises
        ------
        ValueError
            If the model does not contain exactly one vote.
        NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> from skbreath import WeightedVotingClassifier
        >>> from skbreath import VotingWeightsDisplay
        >>> members = [("bayes", GaussianNB()), ("tree", DecisionTreeClassifier())]
        >>> vote = WeightedVotingClassifier(members, weights="learned")
        >>> vote = vote.fit(*load_breast_cancer(return_X_y=True))
        >>> VotingWeightsDisplay.from_estimator(vote).names
        ['bayes', 'tree']
        """
        vote = find_part(estimator, WeightedVotingClassifier)
        check_is_fitted(vote, "weights_")
        display = cls(
            member_names(vote), vote.weights_, getattr(vote, "fold_weights_", None)
        )
        return display.plot(ax=ax)

    def _draw(self, ax):
        n = len(self.names)
        places = np.arange(n)
        ax.barh(places, self.weights, height=0.6, color=BLUE, label="on all folds")
        if self.fold_weights is not None:
            n_folds = len(self.fold_weights)
            # Side by side, so that equal weights of several folds can be seen.
            shift = np.linspace(-0.2, 0.2, n_folds) if n_folds > 1 else np.zeros(1)
            ax.plot(
                np.ravel(self.fold_weights),
                np.add.outer(shift, places).ravel(),
                "o",
                markersize=5,
                markerfacecolor=ORANGE,
                markeredgecolor="black",
                markeredgewidth=0.8,
                label="without one fold",
            )
        ax.axvline(1 / n, color=INK, linestyle=":", label="all alike")
        for place, weight in enumerate(self.weights):
            ax.text(1.015, place, f"{weight:.2f}", va="center", clip_on=False)
        ax.set_yticks(places, self.names)
        ax.set(xlim=(0, 1), ylim=(n - 0.5, -0.5), xlabel="Weight in the vote")
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)


def losses_by_epoch(histories: Any, key: str) -> list[np.ndarray]:
    """Get a loss by epoch from each history that has it."""
    return [
        np.array([epoch[key] for epoch in history], dtype=np.float64)
        for history in histories
        if key in history[0]
    ]


def mean_by_epoch(losses: list[np.ndarray]) -> np.ndarray:
    """Average losses over the epochs that all networks were trained for."""
    shortest = min(map(len, losses))
    return np.mean([loss[:shortest] for loss in losses], axis=0)
