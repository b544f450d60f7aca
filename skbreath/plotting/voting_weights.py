"""Draw the weights of the members of a vote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..ensemble.inspection import find_part
from .axes import BLUE, INK, ORANGE, AxesDisplay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes

__all__ = ["VotingWeightsDisplay"]


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
        from ..ensemble.voting import WeightedVotingClassifier, member_names

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
            # Side by side: equal weights of several folds stay visible.
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
