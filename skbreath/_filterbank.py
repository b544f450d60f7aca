"""The one definition of windows, bands, filters and taps.

Whatever computes the features (the fast kernels, an exportable network) takes its
constants from here. All of them are librosa 0.11's defaults, in double precision;
the tests compare them with librosa's own.
"""

import numpy as np

__all__ = [
    "CONTRAST_FMIN",
    "CROSSING_THRESHOLD",
    "DYNAMIC_RANGE_DB",
    "LOWEST_POWER",
    "N_MFCC_MELS",
    "contrast_bands",
    "dct_basis",
    "delta_taps",
    "empty_bands",
    "hann_window",
    "mel_centres",
    "mel_weights",
]

N_MFCC_MELS = 128
"""Mel bands beneath the MFCC, whatever `n_mels` is (librosa's default)."""

CONTRAST_FMIN = 200.0
"""Upper edge of the lowest contrast band, in Hz; the octaves start here."""

CONTRAST_QUANTILE = 0.02
"""Share of a band's bins that make its peak, and its valley."""

DELTA_WIDTH = 9
"""Frames under a delta where there are that many."""

CROSSING_THRESHOLD = 1e-10
"""Samples up to this magnitude count as zero, which is not negative."""

LOWEST_POWER = 1e-10
"""Power is raised to this before the logarithm: silence is -100 dB."""

DYNAMIC_RANGE_DB = 80.0
"""A clip's decibels end this far below its loudest value."""


def hann_window(n_fft):
    """Periodic Hann window of `n_fft` samples."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)


def _hz_to_mel(hz):
    # Slaney's scale: linear to 1 kHz (15 mel), then 27 mel for each factor 6.4.
    hz = np.asarray(hz, dtype=float)
    log_part = 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(hz < 1000.0, hz * 0.015, log_part)


def _mel_to_hz(mel):
    mel = np.asarray(mel, dtype=float)
    log_part = 1000.0 * 6.4 ** ((np.maximum(mel, 15.0) - 15.0) / 27.0)
    return np.where(mel < 15.0, mel / 0.015, log_part)


def _mel_edges(sample_rate, n_mels, fmin, fmax):
    fmax = sample_rate / 2 if fmax is None else fmax
    return _mel_to_hz(np.linspace(_hz_to_mel(fmin), _hz_to_mel(fmax), n_mels + 2))


def mel_centres(sample_rate, n_mels, fmin=0.0, fmax=None):
    """Where the filters of :func:`mel_weights` are highest.

    Returns
    -------
    centres : ndarray of shape (n_mels,)
        In Hz.
    """
    return _mel_edges(sample_rate, n_mels, fmin, fmax)[1:-1]


def mel_weights(sample_rate, n_fft, n_mels, fmin=0.0, fmax=None):
    """Triangular mel filters of equal area, on Slaney's scale.

    Parameters
    ----------
    sample_rate : float
        In Hz.
    n_fft : int
        Length of the Fourier transform.
    n_mels : int
        Number of filters.
    fmin, fmax : float
        Band the filters cover, in Hz; None means half the sample rate.

    Returns
    -------
    weights : ndarray of shape (n_mels, n_fft // 2 + 1)
        To be applied to the power spectrum.

    References
    ----------
    M. Slaney, "Auditory Toolbox, version 2", Interval Research Corporation, 1998.
    """
    edges = _mel_edges(sample_rate, n_mels, fmin, fmax)
    low, centre, high = (edges[i : n_mels + i, None] for i in range(3))
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))


def empty_bands(weights):
    """Indices of the filters in `weights` that no bin of the spectrum touches."""
    return np.flatnonzero(weights.max(axis=1) <= 0.0)


def dct_basis(n_coefficients, n_bands):
    """First rows of the orthonormal type 2 cosine transform.

    Returns
    -------
    basis : ndarray of shape (n_coefficients, n_bands)
    """
    order = np.arange(n_coefficients)[:, None]
    angle = np.pi / n_bands * (np.arange(n_bands) + 0.5)
    basis = np.sqrt(2.0 / n_bands) * np.cos(order * angle)
    basis[0] /= np.sqrt(2.0)
    return basis


def delta_taps(n_frames, order):
    """Taps of the local slope (`order` 1) or curvature (`order` 2).

    Least squares fits a line (a parabola) to a window of frames, by Savitzky and
    Golay; its first (second) derivative is the same all over the window. So the
    frames nearer than half a window to an end simply take the value of the first
    or last whole window, which is librosa's ``mode="interp"``.

    Parameters
    ----------
    n_frames : int
        Frames of the clip. The window has 9 frames, or the largest odd number that
        fits; librosa refuses fewer than 9.
    order : {1, 2}
        Order of the derivative.

    Returns
    -------
    taps : ndarray of shape (width,)
        Empty if there are fewer than 3 frames: then the derivative is taken as 0.
    """
    width = min(DELTA_WIDTH, n_frames - (n_frames + 1) % 2)
    if width < 3:
        return np.zeros(0)
    offset = np.arange(width) - width // 2
    fit = np.linalg.pinv(np.vander(offset, order + 1, increasing=True).astype(float))
    return fit[order] * order  # the factorial of order, for 1 and 2


def contrast_bands(sample_rate, n_fft, n_bands):
    """Octave bands of the spectral contrast.

    One band below 200 Hz, then octaves from 200 Hz on; the last one reaches to half
    the sample rate. Octaves that would start at or above it are left out.

    Parameters
    ----------
    sample_rate : float
        In Hz.
    n_fft : int
        Length of the Fourier transform.
    n_bands : int
        Octaves wanted above 200 Hz.

    Returns
    -------
    edges : ndarray of shape (n_kept + 2,)
        In Hz, from 0 to half the sample rate; ``n_kept <= n_bands``.
    bins : ndarray of shape (n_kept + 1, 3), dtype int64
        First bin, last bin + 1, and the number of bins in a peak or a valley.
        Bands overlap by a bin, and all but the last give up their highest one, as
        in librosa.

    References
    ----------
    D.-N. Jiang et al., "Music type classification by spectral contrast feature",
    ICME 2002.
    """
    nyquist = sample_rate / 2
    starts = CONTRAST_FMIN * 2.0 ** np.arange(n_bands)
    starts = starts[starts < nyquist]
    edges = np.concatenate(([0.0], starts, [nyquist]))
    highs = np.concatenate((starts, [max(nyquist, 2 * starts[-1])]))
    frequencies = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    bins = np.empty((len(starts) + 1, 3), dtype=np.int64)
    for band, (low, high) in enumerate(zip(edges[:-1], highs, strict=True)):
        inside = np.flatnonzero((frequencies >= low) & (frequencies <= high))
        first, stop = inside[0] - (band > 0), inside[-1] + 1
        last = band == len(starts)
        stop = len(frequencies) if last else stop
        n_extreme = max(1, int(np.rint(CONTRAST_QUANTILE * (stop - first))))
        bins[band] = first, stop - (not last), n_extreme
    return edges, bins
