"""Axes and colours of the displays."""

__all__ = ["BLUE", "GREEN", "INK", "ORANGE", "new_axes"]

# Okabe and Ito (2008): told apart by people with any colour-blindness, and of
# different lightness, so that they differ in grey too.
BLUE, ORANGE, GREEN, INK = "#0072b2", "#e69f00", "#009e73", "#333333"


def new_axes(ax, **size):
    """Return `ax`, or the axes of a new figure if it is None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", **size)[1]
