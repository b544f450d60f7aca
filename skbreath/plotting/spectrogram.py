"""Draw the spectrogram of a clip."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from .axes import TitledDisplay

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["SpectrogramDisplay", "spectrogram_db"]


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
    waveform : array-like of shape (n_samples,)
        As in :meth:`SpectrogramDisplay.from_waveform`.
    sample_rate, n_fft, hop_length : int
        As there.
    top_db, max_frequency : float
        As there.

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
    >>> from skbreath import spectrogram_db
    >>> power_db, times, frequencies = spectrogram_db([0.0] * 8000 + [0.5] * 8000)
    >>> power_db.shape, float(frequencies[-1])
    ((129, 118), 2000.0)
    """
    from scipy.signal import ShortTimeFFT, get_window

    if isinstance(waveform, str | PathLike):
        raise TypeError(
            f"waveform must be samples, got the file name {str(waveform)!r}; "
            "AudioReader().fit_transform([name])[0] reads the samples of a file."
        )
    waveform = np.asarray(waveform, dtype=np.float64)
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(
            f"waveform must be the samples of one clip, got the shape {waveform.shape}."
        )
    if len(waveform) < n_fft:
        waveform = np.pad(waveform, (0, n_fft - len(waveform)))
    transform = ShortTimeFFT(get_window("hann", n_fft), hop_length, sample_rate)
    # Only frames within the clip, as padding adds an artificial edge.
    first = transform.lower_border_end[1]
    last = transform.upper_border_begin(len(waveform))[1]
    power = transform.spectrogram(waveform, p0=first, p1=max(last, first + 1))
    loudest = max(power.max(), 1e-20)
    power_db = 10 * np.log10(np.maximum(power / loudest, 10 ** (-top_db / 10)))
    kept = transform.f <= max_frequency
    times = (first + np.arange(power.shape[1])) * transform.delta_t
    return power_db[kept], times, transform.f[kept]


class SpectrogramDisplay(TitledDisplay):
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
        >>> from skbreath import SpectrogramDisplay
        >>> display = SpectrogramDisplay.from_waveform(np.ones(16000))
        >>> display.ax_.get_ylabel()
        'Frequency (Hz)'
        """
        values = spectrogram_db(
            waveform,
            sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            top_db=top_db,
            max_frequency=max_frequency,
        )
        return cls(*values).plot(ax=ax, title=title)

    def _draw(self, ax, title):
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
