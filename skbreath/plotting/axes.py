"""Define axes, colours and the ``plot`` method that displays share."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    "new_axes",
]

# Okabe and Ito (2008): colours that stay distinct with any colour-blindness.
BLUE, ORANGE, GREEN, INK = "#0072b2", "#e69f00", "#009e73", "#333333"


def new_axes(ax, **size):
    """Return `ax`, or the axes of a new figure if it is None."""
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
