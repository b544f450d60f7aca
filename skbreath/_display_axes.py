"""Share axes, colours and a ``plot`` method between displays; find parts of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

if TYPE_CHECKING:
    from typing import Any, ClassVar, Self

    from matplotlib.axes import Axes

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "ORANGE",
    "AxesDisplay",
    "TitledDisplay",
    "fitted_parts",
    "new_axes",
    "the_part",
]

# Okabe and Ito (2008): distinct with any colour-blindness, and in grey.
BLUE, ORANGE, GREEN, INK = "#0072b2", "#e69f00", "#009e73", "#333333"

# Where meta-estimators keep what they have fitted.
_FITTED = ("estimators_", "estimator_", "best_estimator_")


def new_axes(ax, **size):
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", **size)[1]


class AxesDisplay:
    """Base class of displays on one axes; they define ``_draw(ax)``."""

    _figsize: ClassVar[tuple[float, float] | None] = None
    ax_: Axes
    figure_: Any

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : display
        """
        return self._plot(ax)

    def _plot(self, ax, *arguments):
        ax = new_axes(ax, figsize=self._figsize)
        self._draw(ax, *arguments)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class TitledDisplay(AxesDisplay):
    """Base class of displays with a title; they define ``_draw(ax, title)``."""

    def plot(self, ax: Axes | None = None, *, title: str | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        title : str, default=None
            Title of the axes; None is the default title, if the display has one.

        Returns
        -------
        self : display
        """
        return self._plot(ax, title)


def fitted_parts(model, kind):
    """Walk through a fitted model and give all its fitted parts of a kind.

    Parameters
    ----------
    model : estimator
        Of scikit-learn or of this package, nested as deep as you like.
    kind : type
        A part of this kind is given, and not looked into.

    Yields
    ------
    part : estimator

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbreath import ThresholdClassifier
    >>> from skbreath._display_axes import fitted_parts
    >>> inner = ThresholdClassifier(LogisticRegression(), pos_label="I")
    >>> model = make_pipeline(inner).fit([[0.0], [1.0]] * 10, ["E", "I"] * 10)
    >>> [type(part).__name__ for part in fitted_parts(model, LogisticRegression)]
    ['LogisticRegression']
    >>> list(fitted_parts(model, GaussianNB))
    []
    """
    if isinstance(model, kind):
        yield model
        return
    for part in _inside(model):
        yield from fitted_parts(part, kind)


def the_part(model, kind):
    """Give the one fitted part of a kind.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    parts = list(fitted_parts(model, kind))
    if len(parts) != 1:
        raise ValueError(
            f"the {type(model).__name__} holds {len(parts) or 'no'} fitted "
            f"{kind.__name__}{'s' if len(parts) > 1 else ''}; give a fitted model with "
            "one, or the part itself."
        )
    return parts[0]


def _inside(model):
    from ._fold_average import FoldAverage

    if isinstance(model, Pipeline):
        return [step for _, step in model.steps]
    if isinstance(model, FoldAverage):
        return model.estimators
    if isinstance(model, FrozenEstimator):
        return [model.estimator]
    for name in _FITTED:
        inside = getattr(model, name, None)
        if inside is not None:
            return list(np.ravel(np.asarray(inside, dtype=object)))
    return []
