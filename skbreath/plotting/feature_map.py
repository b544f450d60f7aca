"""Draw the feature channels of a clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .axes import INK, TitledDisplay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["FeatureMapDisplay"]

# Height of the smallest group in rows; a single row would be too thin to see.
_LEAST_ROWS = 5


class FeatureMapDisplay(TitledDisplay):
    """All feature channels of one clip over time, group by group.

    The channels have different units (dB, shares, coefficients), so the colours of each
    span its own range, from its 1st to its 99th percentile; for deltas, 0 is in the
    middle. The mel bands share one range, as in a spectrogram. Groups of few channels
    are drawn taller.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    features : ndarray of shape (n_channels, n_frames)
        Values of one clip.
    times : ndarray of shape (n_frames,)
        Centres of the frames in s.
    channel_names : sequence of str of length n_channels
        Such as ``"mel_0"``; the part before the first underscore is the group.

    Attributes
    ----------
    groups_ : dict of str to slice
        Channels of each group.
    ax_ : matplotlib Axes
        Axes of the latest plot.
    figure_ : matplotlib Figure
        Its figure.
    colorbar_ : matplotlib Colorbar
        Its scale.
    """

    _figsize = (7, 6.5)

    def __init__(
        self, features: np.ndarray, times: np.ndarray, channel_names: Sequence[str]
    ) -> None:
        self.features = features
        self.times = times
        self.channel_names = channel_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        waveform: ArrayLike,
        *,
        title: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Extract the features of a waveform and draw them.

        Parameters
        ----------
        estimator : :class:`~skbreath.BreathFeatures` or Pipeline
            Fitted or not; of a pipeline of waveforms, such as a member of a vote, the
            first step is taken.
        waveform : array-like of shape (n_samples,)
            One clip, at the rate of the features.
        title : str, default=None
            Title of the axes.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : FeatureMapDisplay

        Raises
        ------
        ValueError
            If `estimator` is not a BreathFeatures and does not begin with one.

        Examples
        --------
        >>> from skbreath import BreathFeatures, make_breath_sounds
        >>> from skbreath import FeatureMapDisplay
        >>> clip = make_breath_sounds(20, random_state=0).waveforms[0]
        >>> display = FeatureMapDisplay.from_estimator(BreathFeatures(), clip)
        >>> list(display.groups_)
        ['mel', 'rms', 'zcr', 'contrast', 'mfcc', 'delta', 'delta2']
        """
        from ..features.breath_features import BreathFeatures

        step = estimator[0] if isinstance(estimator, Pipeline) else estimator
        if not isinstance(step, BreathFeatures):
            raise ValueError(
                "Expected BreathFeatures, or a pipeline that begins with them, got a "
                f"{type(step).__name__}."
            )
        step = clone(step)  # so that it takes any length, and the original stays
        (features,) = step.fit_transform([waveform])
        times = np.arange(features.shape[1]) * step.hop_length / step.sample_rate
        return cls(features, times, step.channel_names_).plot(ax=ax, title=title)

    def _draw(self, ax, title):
        self.groups_ = _slices(self.channel_names)
        half = np.diff(self.times).mean() / 2 if len(self.times) > 1 else 0.5
        columns = np.append(self.times - half, self.times[-1] + half)
        top, ticks, names = 0.0, [], []
        for group, channels in self.groups_.items():
            n = channels.stop - channels.start
            height = max(n, _LEAST_ROWS)
            mesh = ax.pcolormesh(
                columns,
                np.linspace(top, top + height, n + 1),
                _in_own_range(self.features[channels], group),
                vmin=0,
                vmax=1,
                cmap="cividis",
                rasterized=True,
            )
            ax.axhline(top + height, color="white", linewidth=1.5)
            ticks.append(top + height / 2)
            names.append(group if n == 1 else f"{group} ({n})")
            top += height
        ax.set_yticks(ticks, names)
        ax.tick_params(axis="y", length=0)
        ax.set(
            xlim=(columns[0], columns[-1]),
            ylim=(0, top),
            xlabel="Time (s)",
            ylabel="Feature (channels)",
        )
        ax.set_title(title or "", parse_math=False)
        self.colorbar_ = ax.figure.colorbar(mesh, ax=ax, label="Value in its own range")
        self.colorbar_.set_ticks([0, 1], labels=["low", "high"])
        self.colorbar_.outline.set_edgecolor(INK)


def _slices(channel_names):
    """Map the name of each group to the slice of its channels."""
    groups = [name.split("_")[0] for name in channel_names]
    starts = [i for i, group in enumerate(groups) if i == 0 or groups[i - 1] != group]
    ends = [*starts[1:], len(groups)]
    return {groups[a]: slice(a, b) for a, b in zip(starts, ends, strict=True)}


def _in_own_range(values, group):
    """Scale channels to 0..1; for slopes, 0 becomes 0.5."""
    axis = None if group == "mel" else 1
    if group.startswith("delta"):
        high = np.quantile(np.abs(values), 0.99, axis=axis, keepdims=True)
        low = -high
    else:
        low, high = np.quantile(values, [0.01, 0.99], axis=axis, keepdims=True)
    return np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1)
