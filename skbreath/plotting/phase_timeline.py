"""Draw a recording and its phases."""

from __future__ import annotations

from functools import partial
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from ..audio.inputs import as_recordings
from ..phases.breath_statistics import breath_statistics
from ..phases.phase_table import COLUMNS, check_phases
from .axes import BLUE, GREEN, INK, ORANGE
from .recording_columns import N_COLUMNS, merge_columns, read_columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from ..utils.typing import FilePath

__all__ = ["PhaseTimelineDisplay"]

_COLOURS = (BLUE, "#d55e00", GREEN, "#cc79a7")
_NAMES = {"I": "inhale", "E": "exhale"}
# What is a little longer than a row is still legible in one.
_ROW_S, _LONGEST_ROW_S, _PAGE_ROWS = 60, 75, 10
_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]
_STEPS += [60 * minutes for minutes in (1, 2, 5, 10, 30, 60, 120, 360, 720, 1440)]


class PhaseTimelineDisplay:
    """Waveform, phases and breathing rate of a recording, or of a part of it.

    What is drawn depends on the length. Up to 75 s: waveform, spectrogram and phases,
    one above the other. Up to 10 min: waveform and phases in rows of 60 s, and the
    rate over time. Longer: an overview of envelope, spectrogram, rate and pauses of
    10 s or longer, without single phases; :meth:`pages` draws those.

    Use :meth:`from_recording` to make one.

    Parameters
    ----------
    times : ndarray of shape (n_columns,)
        Centres of the columns of the envelope in s.
    envelope : ndarray of shape (2, n_columns)
        Lowest and highest sample of each column.
    power_db : ndarray of shape (n_bins, n_spectra)
        Spectrogram in dB below its loudest point, at equal distances in time.
    frequencies : ndarray of shape (n_bins,)
        In Hz.
    phases : DataFrame
        ``start_s``, ``end_s``, ``label`` and, if there, ``probability``.
    duration : float
        Length in s of what is drawn.
    start_s : float, default=0.0
        Where it begins in the recording, in s.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        From top to bottom: waveform, spectrogram and phases; or rows and rate; or
        envelope, spectrogram and rate.
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
        start_s: float = 0.0,
    ) -> None:
        self.times = times
        self.envelope = envelope
        self.power_db = power_db
        self.frequencies = frequencies
        self.phases = phases
        self.duration = duration
        self.start_s = start_s

    @classmethod
    def from_recording(
        cls,
        recording: FilePath | ArrayLike,
        phases: pd.DataFrame,
        sample_rate: int = 16000,
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
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
        start_s, end_s : float, default=0.0, None
            Part of the recording to draw, in s. None, or a time beyond the end, is
            the end of the recording.
        max_frequency : float, default=None
            Upper end of the spectrogram in Hz; None takes the frequency below which
            99 % of the power above 100 Hz lie, rounded up to 500 Hz, at least 2000.
        title : str, default=None
            Title of the picture.
        figure : matplotlib Figure, default=None
            Where to draw; None makes a new one of the size :meth:`figure_size`.

        Returns
        -------
        display : PhaseTimelineDisplay

        Raises
        ------
        ValueError
            If `start_s` is not before `end_s`, or not before the end of the recording.

        Examples
        --------
        >>> from skbreath import PhaseTimelineDisplay, make_breath_recording
        >>> made = make_breath_recording(20, random_state=0)
        >>> display = PhaseTimelineDisplay.from_recording(made.waveform, made.phases)
        >>> [ax.get_ylabel() for ax in display.axes_]
        ['Amplitude', 'Frequency (kHz)', '']

        A part of it:

        >>> display = PhaseTimelineDisplay.from_recording(
        ...     made.waveform, made.phases, start_s=5, end_s=12
        ... )
        >>> display.start_s, display.duration
        (5.0, 7.0)
        """
        _check_part(start_s, end_s)
        (recording,) = as_recordings([recording], sample_rate)
        envelope, power, rate, n_fft, n_samples = read_columns(
            recording, start_s, end_s
        )
        frequencies = np.fft.rfftfreq(n_fft, 1 / rate)
        power_db = 10 * np.log10(np.maximum(power / max(power.max(), 1e-20), 1e-8))
        if max_frequency is None:
            spectrum = power.sum(axis=1) * (frequencies > 100)
            share = np.cumsum(spectrum) / max(spectrum.sum(), 1e-20)
            top = frequencies[min(np.searchsorted(share, 0.99), len(frequencies) - 1)]  # type: ignore[call-overload]
            max_frequency = min(max(2000, 500 * np.ceil(top / 500)), rate / 2)
        kept = frequencies <= max_frequency
        display = cls(
            start_s + (np.arange(envelope.shape[1]) + 0.5) * n_fft / rate,
            envelope,
            power_db[kept],
            frequencies[kept],
            check_phases(phases),
            n_samples / rate,
            float(start_s),
        )
        return display.plot(title=title, figure=figure)

    @staticmethod
    def figure_size(duration: float) -> tuple[float, float]:
        """Compute the size of a picture that suits a duration.

        Parameters
        ----------
        duration : float
            Length in s of what is drawn.

        Returns
        -------
        width, height : float
            In inches.

        Examples
        --------
        >>> from skbreath import PhaseTimelineDisplay
        >>> PhaseTimelineDisplay.figure_size(20)
        (13.0, 5.2)
        """
        if duration <= _LONGEST_ROW_S:
            return 13.0, 5.2
        if duration <= _ROW_S * _PAGE_ROWS:
            return 13.0, 2.2 + 1.25 * np.ceil(duration / _ROW_S)
        return 13.0, 6.4

    def plot(self, *, title: str | None = None, figure: Figure | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        title : str, default=None
            Title of the picture.
        figure : matplotlib Figure, default=None
            Where to draw; None makes a new one of the size :meth:`figure_size`.

        Returns
        -------
        display : PhaseTimelineDisplay
        """
        if figure is None:
            import matplotlib.pyplot as plt

            size = self.figure_size(self.duration)
            figure = plt.figure(figsize=size, layout="constrained")
        if self.duration <= _LONGEST_ROW_S:
            self.axes_ = self._draw_parts(figure)
        elif self.duration <= _ROW_S * _PAGE_ROWS:
            self.axes_ = self._draw_rows(figure, *self._part)
        else:
            self.axes_ = self._draw_overview(figure)
        self.axes_[0].set_title(title or "", parse_math=False)
        self.figure_ = figure
        return self

    def pages(self, *, title: str | None = None) -> Iterator[Figure]:
        """Draw the single phases of an overview, 10 min on a page.

        Parameters
        ----------
        title : str, default=None
            Title of the pages.

        Yields
        ------
        figure : matplotlib Figure
            A page; none if the display is not longer than 10 min, as :meth:`plot`
            shows its phases.

        Examples
        --------
        >>> from skbreath import PhaseTimelineDisplay, make_breath_recording
        >>> made = make_breath_recording(700, random_state=0)
        >>> display = PhaseTimelineDisplay.from_recording(made.waveform, made.phases)
        >>> len(list(display.pages()))
        2
        """
        from matplotlib.figure import Figure

        start, stop = self._part
        length = _ROW_S * _PAGE_ROWS
        for first in np.arange(start, stop, length) if stop - start > length else ():
            last = min(first + length, stop)
            size = (13.0, 2.2 + 1.25 * np.ceil((last - first) / _ROW_S))
            figure = Figure(figsize=size, layout="constrained")
            axes = self._draw_rows(figure, first, last)
            axes[0].set_title(title or "", parse_math=False)
            yield figure

    @property
    def _part(self):
        return self.start_s, self.start_s + self.duration

    def _bars(self, ax, start, stop, height, opacity, **options):
        """Draw the phases between two times as bars, all as one artist."""
        from matplotlib.colors import to_rgba

        inside = (self.phases["end_s"] > start) & (self.phases["start_s"] < stop)
        phases = self.phases[inside]
        if len(phases) == 0:
            return phases
        if opacity is None:
            sure = phases.get("probability", phases["start_s"] * 0 + 1)
            opacity = 0.25 + 0.75 * np.nan_to_num(np.clip(sure, 0, 1))
        colours = phases["label"].map(self._colours())
        opacity = np.broadcast_to(opacity, len(phases))
        lengths = phases["end_s"] - phases["start_s"]
        ax.broken_barh(
            list(zip(phases["start_s"], lengths, strict=True)),
            height,
            facecolor=list(map(to_rgba, colours, opacity)),
            linewidth=0,
            **options,
        )
        return phases

    def _colours(self):
        # I and E keep their colours where one of them does not occur.
        labels = [*_NAMES, *sorted(set(self.phases["label"]) - set(_NAMES))]
        return dict(zip(labels, _COLOURS * len(labels), strict=False))

    def _draw_parts(self, figure):
        """Draw waveform, spectrogram and phases one above the other."""
        axes = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [2, 3, 1]}
        )
        self._draw_waveform(
            axes[0], *self._part, max(np.abs(self.envelope).max(), 1e-6)
        )
        self._draw_spectrogram(axes[1])
        self._draw_phases(axes[2], *self._part, 0.1, 0.8, 9)
        axes[2].set(ylim=(0, 1), yticks=[])
        axes[2].spines[["top", "right", "left"]].set_visible(False)
        self._draw_legend(axes[2], loc="center left", bbox_to_anchor=(1.005, 0.5))
        _set_times(axes[2], *self._part)
        return axes

    def _draw_rows(self, figure, start, stop):
        """Draw waveform and phases in rows of 60 s, and the rate below."""
        begins = np.arange(start, stop, _ROW_S)
        statistics = self._statistics()
        axes = figure.subplots(
            len(begins) + 1, 1, gridspec_kw={"height_ratios": [1] * len(begins) + [1.2]}
        )
        reach = self._reach()
        for ax, begin in zip(axes, begins, strict=False):
            end = min(begin + _ROW_S, stop)
            self._draw_waveform(ax, begin, end, reach, n_columns=N_COLUMNS // 2)
            self._draw_phases(ax, begin, begin + _ROW_S, -1.6 * reach, 0.5 * reach, 7)
            ax.set(ylim=(-1.65 * reach, 1.05 * reach), ylabel="", yticks=[])
            ax.spines["left"].set_visible(False)
            _set_times(ax, begin, begin + _ROW_S, label=False, longest=stop)
        self._draw_legend(axes[0], loc="lower right", bbox_to_anchor=(1, 1), ncols=4)
        self._draw_rate(axes[-1], start, stop, statistics)
        return axes

    def _draw_overview(self, figure):
        """Draw envelope, spectrogram and rate, without single phases."""
        axes = figure.subplots(
            3, 1, sharex=True, gridspec_kw={"height_ratios": [2, 2, 2]}
        )
        self._draw_waveform(axes[0], *self._part, self._reach(), shaded=False)
        self._draw_spectrogram(axes[1])
        self._draw_rate(axes[2], *self._part, self._statistics())
        return axes

    def _reach(self):
        """Return the amplitude that all but the loudest 0.1 % of columns reach."""
        return max(np.percentile(np.abs(self.envelope).max(axis=0), 99.9), 1e-6)

    def _draw_waveform(
        self, ax, start, stop, reach, *, shaded=True, n_columns=N_COLUMNS
    ):
        if shaded:
            self._bars(
                ax, start, stop, (0, 1), 0.16, transform=ax.get_xaxis_transform()
            )
        first, last = np.searchsorted(self.times, [start, stop])
        last = max(last, first + 1)
        (low, high), merge = merge_columns(self.envelope[:, first:last], n_columns)
        width = (self.times[-1] - self.times[0]) / max(len(self.times) - 1, 1)
        times = self.times[first:last:merge] + (merge - 1) / 2 * width
        ax.fill_between(times, low, high, color=INK, linewidth=0.4, step="mid")
        ax.set(ylim=(-1.05 * reach, 1.05 * reach), ylabel="Amplitude")
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
            extent=(*self._part, 0, self.frequencies[-1] / 1000),
        )
        ax.set_ylabel("Frequency (kHz)")

    def _draw_phases(self, ax, start, stop, bottom, height, fontsize):
        """Draw bars, and their labels where they fit."""
        phases = self._bars(ax, start, stop, (bottom, height), None)
        # A letter is about 0.09 inches wide, and a row 12 inches.
        for first, last, label in phases[list(COLUMNS)].itertuples(index=False):
            first, last = max(first, start), min(last, stop)
            if last - first > 0.01 * len(label) * (stop - start):
                ax.text(
                    (first + last) / 2,
                    bottom + height / 2,
                    label,
                    ha="center",
                    va="center",
                    color="white",
                    fontsize=fontsize,
                    fontweight="bold",
                    clip_on=True,
                    in_layout=False,  # or the layout of hundreds takes seconds
                )

    def _draw_legend(self, ax, **place):
        from matplotlib.patches import Patch

        ax.legend(
            handles=[
                Patch(color=colour, label=_NAMES.get(label, label))
                for label, colour in self._colours().items()
                if label in set(self.phases["label"])
            ],
            frameon=False,
            **place,
        )

    def _statistics(self):
        """Compute rate over time and pauses; None if there are over two labels."""
        labels = set(self.phases["label"])
        labels = sorted(labels | set(_NAMES) if labels <= set(_NAMES) else labels)
        if len(labels) > 2:
            return None
        stop = max([self._part[1], *self.phases["end_s"]])
        step = max(10.0, self.duration / 1000)
        return breath_statistics(
            self.phases,
            stop,
            inhale=labels[-1],
            exhale=labels[0],
            window_s=3 * step,
            step_s=step,
        )

    def _draw_rate(self, ax, start, stop, statistics):
        """Draw the rate over time, and the pauses of 10 s or longer."""
        ax.set(ylim=(0, 30), ylabel="Breaths\na minute")
        if statistics is None or len(self.phases) == 0:
            reason = "no phases" if statistics else "no rate: more than two labels"
            ax.text(0.5, 0.5, reason, ha="center", transform=ax.transAxes)
        else:
            table = statistics.over_time
            times = (table["start_s"] + table["end_s"]) / 2
            doubt = statistics.rate_note
            ax.plot(times, table["rate_per_min"], color=INK, ls=":" if doubt else "-")
            ax.text(0.01, 0.05, doubt, transform=ax.transAxes, fontsize=8)
            top = table["rate_per_min"][times.between(start, stop)].max()
            ax.set_ylim(0, max(30, 1.15 * top) if top > 0 else 30)
            _draw_pauses(ax, statistics.pauses)
        ax.grid(axis="y", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
        _set_times(ax, start, stop)


def _draw_pauses(ax, pauses):
    """Mark the pauses of 10 s or longer."""
    pauses = pauses[pauses["is_apnoea"]]
    if len(pauses) == 0:
        return
    ax.broken_barh(
        list(zip(pauses["start_s"], pauses["duration_s"], strict=True)),
        (0, 1),
        transform=ax.get_xaxis_transform(),
        facecolor=ORANGE,
        edgecolor=ORANGE,  # a pause in hours is thinner than a pixel
        alpha=0.5,
        label="pause of 10 s or longer",
    )
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.98), frameon=False)


def _check_part(start_s, end_s):
    """Raise an error if a part of a recording has no length, or is not of times."""
    for name, value in {"start_s": start_s, "end_s": end_s}.items():
        if value is None and name == "end_s":
            continue
        if not isinstance(value, Real) or not 0 <= value < np.inf:
            raise ValueError(f"{name} must be a time in s of 0 or more, got {value!r}.")
    if end_s is not None and end_s <= start_s:
        raise ValueError(
            f"end_s must be after start_s, got {start_s:g} to {end_s:g} s."
        )


def _set_times(ax, start, stop, *, label=True, longest=None):
    """Set the limits of a time axis, and ticks at round times."""
    from matplotlib.ticker import MultipleLocator

    longest = stop if longest is None else longest
    step = next((one for one in _STEPS if (stop - start) / one <= 13), _STEPS[-1])
    ax.set_xlim(start, stop)
    ax.xaxis.set_major_locator(MultipleLocator(step))
    ax.xaxis.set_major_formatter(partial(_clock, longest, step))
    if label:
        unit = "h:min:s" if longest >= 3600 else "min:s" if longest > 75 else "s"
        ax.set_xlabel(f"Time ({unit})")


def _clock(longest, step, seconds, position):
    """Format a tick in s, min:s or h:min:s, by the last time of the axis."""
    tenths = 1 if step < 1 else 0
    seconds = round(seconds, tenths) + 0.0
    if longest <= _LONGEST_ROW_S:
        return f"{seconds:.{tenths}f}"
    minutes, rest = divmod(seconds, 60)
    rest = f"{rest:0{2 + 2 * tenths}.{tenths}f}"
    if longest < 3600:
        return f"{minutes:.0f}:{rest}"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{rest}"
