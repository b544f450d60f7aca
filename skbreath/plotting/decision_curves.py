"""Draw scores against the decision threshold, and against the share of clips kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..ensemble.inspection import find_part
from ..ensemble.rejection import labels_and_confidence
from ..ensemble.threshold import ThresholdClassifier
from ..ensemble.threshold_curve import (
    base_score,
    best_threshold,
    candidate_thresholds,
    scores_at_thresholds,
)
from ..evaluation.coverage import accuracy_coverage_curve
from ..evaluation.scores import check_binary
from ..fitting.scorers import name_positive_class
from .axes import BLUE, INK, ORANGE, AxesDisplay

if TYPE_CHECKING:
    from typing import Any, Self

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

    from ..utils.typing import Column, Scoring

__all__ = ["AccuracyCoverageDisplay", "ThresholdCurveDisplay"]


class AccuracyCoverageDisplay(AxesDisplay):
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
            Recording, day or subject of each clip, for the interval.
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
        >>> from skbreath import AccuracyCoverageDisplay
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
        return self._plot(ax, self.name if name is None else name, color)

    def _draw(self, ax, name, color):
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


class ThresholdCurveDisplay(AxesDisplay):
    """Score against decision threshold, with the chosen threshold and a baseline.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Thresholds on the score of the positive class.
    scores : ndarray of shape (n_thresholds,)
        Score at each.
    best_threshold, best_score : float
        The chosen point.
    score_name : str, default="score"
        Name of the score, for the vertical axis.
    base_score : float, default=None
        Baseline: score of always predicting the same class, the better of the two. If
        None, the baseline is not drawn.
    rows_name : str, default="Out-of-fold"
        Rows that the scores were computed on.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the latest plot.
    figure_ : matplotlib Figure
        Its figure.
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        scores: np.ndarray,
        best_threshold: float,
        best_score: float,
        score_name: str = "score",
        *,
        base_score: float | None = None,
        rows_name: str = "Out-of-fold",
    ) -> None:
        self.thresholds = thresholds
        self.scores = scores
        self.best_threshold = best_threshold
        self.best_score = best_score
        self.score_name = score_name
        self.base_score = base_score
        self.rows_name = rows_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> Self:
        """Draw the curve that a fitted ThresholdClassifier kept.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`~skbreath.ThresholdClassifier`, or a model that holds one.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ThresholdCurveDisplay

        Raises
        ------
        ValueError
            If the model does not contain exactly one ThresholdClassifier.
        NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skbreath import ThresholdClassifier
        >>> from skbreath import ThresholdCurveDisplay
        >>> X, y = make_classification(random_state=0)
        >>> model = ThresholdClassifier(LogisticRegression(), pos_label=1).fit(X, y)
        >>> ThresholdCurveDisplay.from_estimator(model).ax_.get_ylabel()
        'Out-of-fold F1'
        """
        threshold = find_part(estimator, ThresholdClassifier)
        check_is_fitted(threshold, "threshold_curve_")
        scoring = threshold.scoring
        curve, pos_label = threshold.threshold_curve_, threshold.pos_label_
        rate = curve.get("base_rate")  # missing in models of earlier versions
        scorer, _ = name_positive_class(scoring, pos_label, threshold.classes_.tolist())
        display = cls(
            curve["thresholds"],
            curve["scores"],
            threshold.best_threshold_,
            threshold.best_score_,
            score_name=_title(scoring),
            base_score=None if rate is None else base_score(scorer, pos_label, rate),
        )
        return display.plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Column,
        y_score: Column,
        *,
        scoring: Scoring = "f1",
        pos_label: Any = "I",
        threshold: float | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the curve of given scores, such as those of :func:`~skbreath.evaluate`.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            Labels of two classes.
        y_score : array-like of shape (n_clips,)
            Score, such as the probability, of `pos_label`.
        scoring : str or callable, default="f1"
            A metric of labels, as in :class:`~skbreath.ThresholdClassifier`.
        pos_label : label, default="I"
            The positive class.
        threshold : float, default=None
            The chosen point; None is where the curve is highest.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ThresholdCurveDisplay

        Examples
        --------
        >>> from skbreath import ThresholdCurveDisplay
        >>> display = ThresholdCurveDisplay.from_predictions(
        ...     ["E", "E", "I", "I"], [0.1, 0.4, 0.35, 0.8], scoring="accuracy"
        ... )
        >>> display.best_score, display.base_score
        (0.75, 0.5)
        """
        y, response = np.asarray(y_true), np.asarray(y_score, dtype=np.float64)
        check_binary(y, pos_label)
        classes = np.unique(y)
        scorer, pos_label = name_positive_class(scoring, pos_label, classes.tolist())
        scored = (scorer, response, y, classes, pos_label)
        candidates, lower, upper = candidate_thresholds(response, "all")
        scores = scores_at_thresholds(*scored, candidates, {})
        if threshold is None:
            threshold = candidates[best_threshold(candidates, lower, upper, scores)]
        (chosen,) = scores_at_thresholds(*scored, np.array([threshold]), {})
        known = ~np.isnan(scores)
        display = cls(
            candidates[known],
            scores[known],
            float(threshold),
            float(chosen),
            score_name=_title(scoring),
            base_score=base_score(scorer, pos_label, np.mean(y == pos_label)),
            rows_name="",
        )
        return display.plot(ax=ax)

    def _draw(self, ax):
        ax.plot(self.thresholds, self.scores, color=BLUE, linewidth=2)
        ax.axvline(self.best_threshold, color=ORANGE, linestyle="--", zorder=1)
        ax.plot(
            *(self.best_threshold, self.best_score, "o"),
            markerfacecolor=ORANGE,
            markeredgecolor="black",
            markersize=8,
            label="chosen threshold",
        )
        if self.base_score is not None:
            ax.axhline(
                self.base_score,
                color=INK,
                linestyle=":",
                label=f"always the same class: {self.base_score:.3f}",
            )
        name = f"{self.rows_name} {self.score_name}".strip()
        ax.set(
            xlabel="Decision threshold",
            ylabel=name[0].upper() + name[1:],
            title=f"{self.score_name} {self.best_score:.3f} at threshold "
            f"{self.best_threshold:.3f}",
        )
        ax.legend(frameon=False, loc="best")
        ax.grid(alpha=0.3)


def _title(scoring):
    """Get the name of a metric for the axis."""
    if not isinstance(scoring, str):
        return "score"
    return {"f1": "F1"}.get(scoring, scoring.replace("_", " "))
