"""Draw a recording and its phases."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ..phases.phase_table import check_phases
from .axes import BLUE, GREEN, INK

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from ..utils.typing import FilePath

__all__ = ["PhaseTimelineDisplay"]

_COLOURS = (BLUE, "#d55e00", GREEN, "#cc79a7")
# More columns than the pixels of a screen cost memory in vain.
_COLUMNS = 2400
_NAMES = {"I": "inhale", "E": "exhale"}


class PhaseTimelineDisplay:
    """Waveform, spectrogram and phases of a recording, one above the other.

    Use :meth:`from_recording` to make one.

    Parameters
    ----------
    times : ndarray of shape (n_columns,)
        Centres of the columns in s.
    envelope : ndarray of shape (2, n_columns)
        Lowest and highest sample of each column.
    power_db : ndarray of shape (n_bins, n_columns)
        Spectrogram in dB below its loudest point.
    frequencies : ndarray of shape (n_bins,)
        In Hz.
    phases : DataFrame
        ``start_s``, ``end_s``, ``label`` and, if there, ``probability``.
    duration : float
        Of the recording in s.

    Attributes
    ----------
    axes_ : ndarray of 3 matplotlib Axes
        Of waveform, spectrogram and phases.
    figure_ : matplotlib Figure
        Their figure.
    """

    def __init__(
        self,
        times: np.ndarray,
        envelope: np.ndarray,
        power_db: np.ndarray,
        frequencies: np.ndarray,
        phases: pd.DataFrame,
        duration: float,
    ) -> None:
        self.times = times
        self.envelope = envelope
        self.power_db = power_db
        self.frequencies = frequencies
        self.phases = phases
        self.duration = duration

    @classmethod
    def from_recording(
        cls,
        recording: FilePath | ArrayLike,
        phases: pd.DataFrame,
        sample_rate: int = 16000,
        *,
        max_frequency: float | None = None,
        title: str | None = None,
        figure: Figure | None = None,
    ) -> Self:
        """Read a recording, block by block, and draw it with its phases.

        Parameters
        ----------
        recording : path or array-like of shape (n_samples,)
            A file of any length, or a waveform at `sample_rate`.
        phases : DataFrame
            Its phases.
        sample_rate : int, default=16000
            Rate of a waveform in Hz.
        max_frequency : float, default=None
            Upper end of the spectrogram in Hz; None takes the frequency below which
            99 % of the power above 100 Hz lie, rounded up to 500 Hz, at least 2000.
        title : str, default=None
            Title of the picture.
        figure : matplotlib Figure, default=None
            Where to draw; None makes a new one.

        Returns
        -------
        display : PhaseTimelineDisplay

        Examples
        --------
        >>> from skbreath import PhaseTimelineDisplay, make_breath_recording
        >>> made = make_breath_recording(20, random_state=0)
        >>> display = PhaseTimelineDisplay.from_recording(made.waveform, made.phases)
        >>> [ax.get_ylabel() for ax in display.axes_]
        ['Amplitude', 'Frequency (kHz)', '']
        """
        from ..audio.inputs import as_recordings

        (recording,) = as_recordings([recording], sample_rate)
        lowest, highest, power = [], [], []
        blocks = recording.blocks()
        rate, first = next(blocks)
        blocks = itertools.chain([first], (block for _, block in blocks))
        n_fft = 2 ** int(np.ceil(np.log2(0.02 * rate)))
        window = np.hanning(n_fft)
        for columns in _columns(blocks, n_fft):
            lowest.append(columns.min(axis=1))
            highest.append(columns.max(axis=1))
            spectra = np.fft.rfft(columns * window, axis=1)
            power.append((spectra.real**2 + spectra.imag**2).astype(np.float32))
        n_columns = sum(map(len, lowest))
        duration = n_columns * n_fft / rate
        merge = -(-n_columns // _COLUMNS)
        edges = np.arange(0, n_columns, merge)
        lowest = np.minimum.reduceat(np.concatenate(lowest), edges)
        highest = np.maximum.reduceat(np.concatenate(highest), edges)
        power = np.add.reduceat(np.concatenate(power), edges, axis=0).T
        frequencies = np.fft.rfftfreq(n_fft, 1 / rate)
        power_db = 10 * np.log10(np.maximum(power / max(power.max(), 1e-20), 1e-8))
        if max_frequency is None:
            spectrum = power.sum(axis=1) * (frequencies > 100)
            share = np.cumsum(spectrum) / max(spectrum.sum(), 1e-20)
            top = frequencies[min(np.searchsorted(share, 0.99), len(frequencies) - 1)]  # type: ignore[call-overload]
            max_frequency = min(max(2000, 500 * np.ceil(top / 500)), rate / 2)
        kept = frequencies <= max_frequency
        display = cls(
            (edges + merge / 2) * n_fft / rate,
            np.stack([lowest, highest]),
            power_db[kept],
            frequencies[kept],
            check_phases(phases),
            duration,
        )
        return display.plot(title=title, figure=figure)

    def plot(self, *, title: str | None = None, figure: Figure | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        title : str, default=None
            Title of the picture.
        figure : matplotlib Figure, default=None
            Where to draw; None makes a new one.

        Returns
        -------
        display : PhaseTimelineDisplay
        """
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=(13, 5.2), layout="constrained")
        axes = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [2, 3, 1]}
        )
        # I and E keep their colours where one of them does not occur.
        labels = [*_NAMES, *sorted(set(self.phases["label"]) - set(_NAMES))]
        colours = dict(zip(labels, _COLOURS * len(labels), strict=False))
        self._draw_waveform(axes[0], colours)
        self._draw_spectrogram(axes[1])
        self._draw_phases(axes[2], colours)
        axes[0].set_title(title or "", parse_math=False)
        axes[2].set(xlim=(0, self.duration), xlabel="Time (s)")
        if self.duration > 180:
            axes[2].xaxis.set_major_formatter(_minutes)
            axes[2].set_xlabel("Time (min:s)")
        self.axes_, self.figure_ = axes, figure
        return self

    def _spans(self):
        return self.phases[["start_s", "end_s", "label"]].itertuples(index=False)

    def _draw_waveform(self, ax, colours):
        for start, end, label in self._spans():
            ax.axvspan(start, end, color=colours[label], alpha=0.16, linewidth=0)
        low, high = self.envelope
        ax.fill_between(self.times, low, high, color=INK, linewidth=0.4, step="mid")
        reach = max(np.abs(self.envelope).max(), 1e-6) * 1.05
        ax.set(ylim=(-reach, reach), ylabel="Amplitude")
        ax.spines[["top", "right"]].set_visible(False)

    def _draw_spectrogram(self, ax):
        # Darkest: the quietest tenth, which is noise; the loudest 0.2 % saturate.
        low, high = np.percentile(self.power_db, [10, 99.8])
        ax.imshow(
            self.power_db,
            aspect="auto",
            origin="lower",
            cmap="magma",
            vmin=low,
            vmax=max(high, low + 1),
            interpolation="nearest",
            extent=(0, self.duration, 0, self.frequencies[-1] / 1000),
        )
        ax.set_ylabel("Frequency (kHz)")

    def _draw_phases(self, ax, colours):
        from matplotlib.patches import Patch

        sure = self.phases.get("probability", np.ones(len(self.phases)))
        crowded = len(self.phases) > 60
        for (start, end, label), probability in zip(self._spans(), sure, strict=True):
            fade = 0.25 + 0.75 * float(np.clip(probability, 0, 1))
            ax.barh(0.5, end - start, 0.8, start, color=colours[label], alpha=fade)
            if not crowded:
                ax.text(
                    (start + end) / 2,
                    0.5,
                    label,
                    ha="center",
                    va="center",
                    color="white",
                    fontsize=9,
                    fontweight="bold",
                    clip_on=True,
                )
        ax.set(ylim=(0, 1), yticks=[])
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.legend(
            handles=[
                Patch(color=colour, label=_NAMES.get(label, label))
                for label, colour in colours.items()
                if label in set(self.phases["label"])
            ],
            loc="center left",
            bbox_to_anchor=(1.005, 0.5),
            frameon=False,
        )


def _columns(blocks, size):
    """Cut samples into rows of length `size`; the last is padded with zeros."""
    left = np.zeros(0, dtype=np.float32)
    for block in blocks:
        left = np.concatenate([left, block])
        # In parts, as a block may be minutes long.
        for first in range(0, len(left) - size + 1, 512 * size):
            part = left[first : first + 512 * size]
            yield part[: len(part) // size * size].reshape(-1, size)
        left = left[len(left) // size * size :]
    if len(left):
        yield np.pad(left, (0, size - len(left)))[None]


def _minutes(seconds, position):
    """Format a tick as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
