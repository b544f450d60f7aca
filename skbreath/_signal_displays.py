"""Pictures of one clip: its spectrogram, its features."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ._display_axes import INK, new_axes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["FeatureMapDisplay", "SpectrogramDisplay", "spectrogram_db"]

# Rows of the picture that the smallest group of channels gets: one would vanish.
_LEAST_ROWS = 5


def spectrogram_db(
    waveform: ArrayLike,
    sample_rate: int = 16000,
    *,
    n_fft: int = 1024,
    hop_length: int = 128,
    top_db: float = 60.0,
    max_frequency: float = 2000.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the spectrogram of a clip, in dB below its loudest point.

    Parameters
    ----------
    waveform, sample_rate, n_fft, hop_length, top_db, max_frequency
        As in :meth:`SpectrogramDisplay.from_waveform`.

    Returns
    -------
    power_db : ndarray of shape (n_bins, n_frames)
        From ``-top_db`` to 0.
    times : ndarray of shape (n_frames,)
        Centres of the frames in s.
    frequencies : ndarray of shape (n_bins,)
        Centres of the bins in Hz.

    Raises
    ------
    TypeError
        If `waveform` is a file name.
    ValueError
        If it is empty or more than one clip.

    Examples
    --------
    >>> from skbreath.plotting import spectrogram_db
    >>> power_db, times, frequencies = spectrogram_db([0.0] * 8000 + [0.5] * 8000)
    >>> power_db.shape, float(frequencies[-1])
    ((129, 118), 2000.0)
    """
    from scipy.signal import ShortTimeFFT, get_window

    if isinstance(waveform, str | PathLike):
        raise TypeError(
            f"waveform must be samples, got the file name {str(waveform)!r}; "
            "AudioReader().fit_transform([name])[0] reads them."
        )
    waveform = np.asarray(waveform, dtype=np.float64)
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(
            f"waveform must be the samples of one clip, got the shape {waveform.shape}."
        )
    if len(waveform) < n_fft:
        waveform = np.pad(waveform, (0, n_fft - len(waveform)))
    transform = ShortTimeFFT(get_window("hann", n_fft), hop_length, sample_rate)
    # Frames that lie within the clip: no edge that the sound does not have.
    first, last = (
        transform.lower_border_end[1],
        transform.upper_border_begin(len(waveform))[1],
    )
    power = transform.spectrogram(waveform, p0=first, p1=max(last, first + 1))
    loudest = max(power.max(), 1e-20)
    power_db = 10 * np.log10(np.maximum(power / loudest, 10 ** (-top_db / 10)))
    kept = transform.f <= max_frequency
    times = (first + np.arange(power.shape[1])) * transform.delta_t
    return power_db[kept], times, transform.f[kept]


class SpectrogramDisplay:
    """Spectrogram of one clip, in dB below its loudest point.

    Use :meth:`from_waveform` to make one.

    Parameters
    ----------
    power_db : ndarray of shape (n_bins, n_frames)
        Power in dB.
    times : ndarray of shape (n_frames,)
        Centres of the frames in seconds.
    frequencies : ndarray of shape (n_bins,)
        Centres of the bins in Hz.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the latest plot.
    figure_ : matplotlib Figure
        Its figure.
    colorbar_ : matplotlib Colorbar
        Its scale.
    """

    def __init__(
        self, power_db: np.ndarray, times: np.ndarray, frequencies: np.ndarray
    ) -> None:
        self.power_db = power_db
        self.times = times
        self.frequencies = frequencies

    @classmethod
    def from_waveform(
        cls,
        waveform: ArrayLike,
        sample_rate: int = 16000,
        *,
        n_fft: int = 1024,
        hop_length: int = 128,
        top_db: float = 60.0,
        max_frequency: float = 2000.0,
        title: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Compute and draw the spectrogram of a waveform.

        Parameters
        ----------
        waveform : array-like of shape (n_samples,)
            One clip.
        sample_rate : int, default=16000
            Its rate in Hz.
        n_fft, hop_length : int, default=1024, 128
            Frame and hop in samples.
        top_db : float, default=60
            Range of the colours in dB.
        max_frequency : float, default=2000
            Upper end in Hz; chest sounds have little above.
        title : str, default=None
            Title of the axes.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : SpectrogramDisplay

        Examples
        --------
        >>> import numpy as np
        >>> from skbreath.plotting import SpectrogramDisplay
        >>> display = SpectrogramDisplay.from_waveform(np.ones(16000))
        >>> display.ax_.get_ylabel()
        'Frequency (Hz)'
        """
        display = cls(
            *spectrogram_db(
                waveform,
                sample_rate,
                n_fft=n_fft,
                hop_length=hop_length,
                top_db=top_db,
                max_frequency=max_frequency,
            )
        )
        return display.plot(ax=ax, title=title)

    def plot(self, ax: Axes | None = None, *, title: str | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : SpectrogramDisplay
        """
        ax = new_axes(ax)
        mesh = ax.pcolormesh(
            self.times,
            self.frequencies,
            self.power_db,
            shading="nearest",
            cmap="magma",
            rasterized=True,
        )
        ax.set(xlabel="Time (s)", ylabel="Frequency (Hz)")
        ax.set_title(title or "", parse_math=False)
        self.colorbar_ = ax.figure.colorbar(mesh, ax=ax, label="Level (dB)")
        self.ax_, self.figure_ = ax, ax.figure
        return self


class FeatureMapDisplay:
    """All feature channels of one clip over time, group by group.

    The channels have units of their own (dB, shares, coefficients), so each is coloured
    over its own range, from its 1st to its 99th percentile; deltas from minus to plus
    their largest slope. Only the mel bands share one range, and so make a spectrogram.
    Groups of few channels are drawn taller.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    features : ndarray of shape (n_channels, n_frames)
        Values of one clip.
    times : ndarray of shape (n_frames,)
        Centres of the frames in s.
    channel_names : sequence of str of length n_channels
        Such as ``"mel_0"``; what stands before the first underscore is the group.

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
            If `estimator` is no BreathFeatures and does not begin with one.

        Examples
        --------
        >>> from skbreath import BreathFeatures, make_breath_sounds
        >>> from skbreath.plotting import FeatureMapDisplay
        >>> clip = make_breath_sounds(20, random_state=0).waveforms[0]
        >>> display = FeatureMapDisplay.from_estimator(BreathFeatures(), clip)
        >>> list(display.groups_)
        ['mel', 'rms', 'zcr', 'contrast', 'mfcc', 'delta', 'delta2']
        """
        from .features import BreathFeatures

        step = estimator[0] if isinstance(estimator, Pipeline) else estimator
        if not isinstance(step, BreathFeatures):
            raise ValueError(
                f"a feature map needs BreathFeatures, or a pipeline that begins with "
                f"them; got a {type(step).__name__}."
            )
        step = clone(step)  # of any length of clip, and the caller's stays as it is
        (features,) = step.fit_transform([waveform])
        times = np.arange(features.shape[1]) * step.hop_length / step.sample_rate
        return cls(features, times, step.channel_names_).plot(ax=ax, title=title)

    def plot(self, ax: Axes | None = None, *, title: str | None = None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        title : str, default=None
            Title of the axes.

        Returns
        -------
        display : FeatureMapDisplay
        """
        ax = new_axes(ax, figsize=(7, 6.5))
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
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _slices(channel_names):
    """Neighbouring channels of one group, by its name."""
    groups = [name.split("_")[0] for name in channel_names]
    starts = [i for i, group in enumerate(groups) if i == 0 or groups[i - 1] != group]
    ends = [*starts[1:], len(groups)]
    return {groups[a]: slice(a, b) for a, b in zip(starts, ends, strict=True)}


def _in_own_range(values, group):
    """Scale channels to 0..1; slopes so that 0 is in the middle."""
    axis = None if group == "mel" else 1
    if group.startswith("delta"):
        high = np.quantile(np.abs(values), 0.99, axis=axis, keepdims=True)
        low = -high
    else:
        low, high = np.quantile(values, [0.01, 0.99], axis=axis, keepdims=True)
    return np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1)
