"""Pictures of sounds and of fitted models, in the manner of scikit-learn displays."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._accuracy_coverage import AccuracyCoverageDisplay
from ._phase_timeline import PhaseTimelineDisplay

__all__ = [
    "AccuracyCoverageDisplay",
    "PhaseTimelineDisplay",
    "SpectrogramDisplay",
    "ThresholdCurveDisplay",
]


def _axes(ax):
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1] if ax is None else ax


def _title(scoring):
    return {"f1": "F1"}.get(scoring, scoring.replace("_", " "))


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
    """

    def __init__(self, power_db, times, frequencies):
        self.power_db = power_db
        self.times = times
        self.frequencies = frequencies

    @classmethod
    def from_waveform(
        cls,
        waveform,
        sample_rate=16000,
        *,
        n_fft=1024,
        hop_length=128,
        top_db=60.0,
        max_frequency=2000.0,
        title=None,
        ax=None,
    ):
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
        from scipy.signal import ShortTimeFFT, get_window

        waveform = np.asarray(waveform, dtype=np.float64)
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
        frequencies = transform.f
        display = cls(power_db[kept], times, frequencies[kept])
        return display.plot(ax=ax, title=title)

    def plot(self, ax=None, *, title=None):
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
        ax = _axes(ax)
        mesh = ax.pcolormesh(
            self.times,
            self.frequencies,
            self.power_db,
            shading="nearest",
            cmap="magma",
            rasterized=True,
        )
        ax.set(xlabel="Time (s)", ylabel="Frequency (Hz)", title=title or "")
        self.colorbar_ = ax.figure.colorbar(mesh, ax=ax, label="Level (dB)")
        self.ax_, self.figure_ = ax, ax.figure
        return self


class ThresholdCurveDisplay:
    """Score against decision threshold, with the chosen threshold marked.

    Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Thresholds on the score of the positive class.
    scores : ndarray of shape (n_thresholds,)
        Out-of-fold score at each.
    best_threshold, best_score : float
        The chosen point.
    score_name : str, default="score"
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the latest plot.
    figure_ : matplotlib Figure
        Its figure.
    """

    def __init__(
        self, thresholds, scores, best_threshold, best_score, score_name="score"
    ):
        self.thresholds = thresholds
        self.scores = scores
        self.best_threshold = best_threshold
        self.best_score = best_score
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the curve that a fitted ThresholdClassifier kept.

        Parameters
        ----------
        estimator : :class:`~skbreath.ThresholdClassifier`
            Fitted.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ThresholdCurveDisplay

        Examples
        --------
        >>> from sklearn.datasets import make_classification
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skbreath import ThresholdClassifier
        >>> from skbreath.plotting import ThresholdCurveDisplay
        >>> X, y = make_classification(random_state=0)
        >>> model = ThresholdClassifier(LogisticRegression(), pos_label=1).fit(X, y)
        >>> ThresholdCurveDisplay.from_estimator(model).ax_.get_ylabel()
        'Out-of-fold F1'
        """
        check_is_fitted(estimator, "threshold_curve_")
        scoring = estimator.scoring
        display = cls(
            estimator.threshold_curve_["thresholds"],
            estimator.threshold_curve_["scores"],
            estimator.best_threshold_,
            estimator.best_score_,
            score_name=_title(scoring) if isinstance(scoring, str) else "score",
        )
        return display.plot(ax=ax)

    def plot(self, ax=None):
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ThresholdCurveDisplay
        """
        ax = _axes(ax)
        ax.plot(self.thresholds, self.scores, color="#0072b2")
        ax.axvline(self.best_threshold, color="#d55e00", linestyle="--")
        ax.plot(self.best_threshold, self.best_score, "o", color="#d55e00")
        ax.set(
            xlabel="Decision threshold",
            ylabel=f"Out-of-fold {self.score_name}",
            title=f"{self.score_name} {self.best_score:.3f} at threshold "
            f"{self.best_threshold:.3f}",
        )
        ax.grid(alpha=0.3)
        self.ax_, self.figure_ = ax, ax.figure
        return self
