"""Draw the accuracy of a model against the share of clips it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ensemble.rejection import labels_and_confidence
from ..evaluation.coverage import accuracy_coverage_curve
from .axes import BLUE, new_axes

if TYPE_CHECKING:
    from typing import Any, Self

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

    from ..utils.typing import Column

__all__ = ["AccuracyCoverageDisplay"]


class AccuracyCoverageDisplay:
    """Accuracy of the labels kept, against the share of clips kept.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    curve : DataFrame
        From :func:`~skbreath.accuracy_coverage_curve`.
    name : str, default=None
        Of the model, for the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        Accuracy of the latest plot.
    interval_ : matplotlib artist
        Its interval.
    ax_ : matplotlib Axes
        Axes of the latest plot.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    predict_with_rejection : Reject the least confident clips.
    """

    def __init__(self, curve: pd.DataFrame, *, name: str | None = None) -> None:
        self.curve = curve
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Column,
        groups: Column | None = None,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **settings: Any,
    ) -> Self:
        """Predict clips and draw the curve.

        Parameters
        ----------
        estimator : classifier
            Fitted, with ``predict_proba``.
        X : sequence of length n_clips
            Clips that it was not fitted on.
        y : array-like of shape (n_clips,)
            Their labels.
        groups : array-like of shape (n_clips,), default=None
            Recording, day or patient, for the interval.
        name : str, default=None
            For the legend; None is the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **settings
            ``n_resamples``, ``confidence_level`` and ``random_state`` of
            :func:`~skbreath.accuracy_coverage_curve`.

        Returns
        -------
        display : AccuracyCoverageDisplay

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skbreath.plotting import AccuracyCoverageDisplay
        >>> X, y = make_classification(300, flip_y=0.2, random_state=0)
        >>> model = LogisticRegression().fit(X[:100], y[:100])
        >>> display = AccuracyCoverageDisplay.from_estimator(model, X[100:], y[100:])
        >>> display.ax_.get_xlabel()
        'Share of clips kept'
        """
        labels, _, confidence = labels_and_confidence(estimator, X)
        return cls.from_predictions(
            y,
            labels,
            confidence,
            groups,
            name=type(estimator).__name__ if name is None else name,
            ax=ax,
            **settings,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Column,
        y_pred: Column,
        confidence: Column,
        groups: Column | None = None,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **settings: Any,
    ) -> Self:
        """Draw the curve of given predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_clips,)
            True and predicted labels.
        confidence : array-like of shape (n_clips,)
            Of the predicted labels, such as the column of that name in the
            ``predictions`` of :func:`~skbreath.evaluate`.
        groups : array-like of shape (n_clips,), default=None
            Recording of each clip, for the interval.
        name : str, default=None
            Label of the curve.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **settings
            Of :func:`~skbreath.accuracy_coverage_curve`.

        Returns
        -------
        display : AccuracyCoverageDisplay
        """
        curve = accuracy_coverage_curve(y_true, y_pred, confidence, groups, **settings)
        return cls(curve, name=name).plot(ax=ax)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        color: ColorType = BLUE,
    ) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, for example onto the curve of another model; None makes a
            new figure.
        name : str, default=None
            For the legend; None is that of the display.
        color : matplotlib color, default="#0072b2"
            Of line and interval.

        Returns
        -------
        display : AccuracyCoverageDisplay
        """
        ax = new_axes(ax)
        name = self.name if name is None else name
        curve = self.curve
        self.interval_ = ax.fill_between(
            curve["coverage"],
            curve["low"],
            curve["high"],
            color=color,
            alpha=0.2,
            linewidth=0,
        )
        (self.line_,) = ax.plot(
            curve["coverage"], curve["accuracy"], color=color, label=name
        )
        ax.set(xlabel="Share of clips kept", ylabel="Accuracy of these", xlim=(0, 1))
        ax.grid(alpha=0.3)
        if name is not None:
            ax.legend(loc="lower left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
