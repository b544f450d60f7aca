"""Windows, filters, taps and bands of the features: librosa's definitions.

The fast kernels and the exportable network take their constants from here. All are in
double precision.
"""

import warnings

import numpy as np
from scipy.fft import dct

__all__ = [
    "CONTRAST_FMIN",
    "CROSSING_THRESHOLD",
    "DELTA_WIDTH",
    "DYNAMIC_RANGE_DB",
    "LOWEST_POWER",
    "N_MFCC_MELS",
    "contrast_bands",
    "dct_basis",
    "delta_taps",
    "hann_window",
    "mel_filters",
]

N_MFCC_MELS = 128
"""Mel bands of the MFCC, whatever `n_mels` is (the default of librosa)."""

CONTRAST_FMIN = 200.0
"""Upper edge of the lowest contrast band, in Hz; the octaves start here."""

CONTRAST_QUANTILE = 0.02
"""Share of a band's bins that make its peak, and its valley."""

DELTA_WIDTH = 9
"""Frames in the window of a delta, where a clip has that many."""

CROSSING_THRESHOLD = 1e-10
"""Samples up to this magnitude count as zero, not as negative."""

LOWEST_POWER = 1e-10
"""Lower bound of powers before the logarithm: silence is -100 dB."""

DYNAMIC_RANGE_DB = 80.0
"""Decibels of a clip are clipped this far below its highest value."""


def hann_window(n_fft):
    """Compute the periodic Hann window of `n_fft` samples."""
    # scipy.signal.get_window differs from it in the last bit, which would change the
    # features of stored models.
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)


def mel_filters(sample_rate, n_fft, n_mels, fmin=0.0, fmax=None):
    """Compute librosa's mel filters in double precision.

    Importing librosa takes longer than predicting a clip: the filters are computed
    when :class:`~skbreath.BreathFeatures` is fitted, and kept with the model.

    Returns
    -------
    filters : ndarray of shape (n_mels, n_fft // 2 + 1)
        To be applied to the power spectrum. Rows of zeros are bands without a bin.
    """
    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters detected")
        return librosa.filters.mel(
            sr=sample_rate,
            n_fft=n_fft,
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            dtype=np.float64,
        )


def dct_basis(n_coefficients, n_bands):
    """Compute the first rows of the orthonormal type 2 cosine transform."""
    return dct(np.eye(n_bands), norm="ortho", axis=0)[:n_coefficients]


def delta_taps(n_frames, order):
    """Compute the Savitzky-Golay taps of the local slope (1) or curvature (2).

    The derivative of the line or parabola that fits a window of frames best. Frames
    within half a window of an end take the value of the first or last whole window,
    as with ``mode="interp"`` of :func:`librosa.feature.delta`.

    Parameters
    ----------
    n_frames : int
        Frames of the clip. The window has 9 frames, or the largest odd number that
        fits, where librosa raises an error.
    order : {1, 2}
        Order of the derivative.

    Returns
    -------
    taps : ndarray of shape (width,)
        Empty for fewer than 3 frames, where the derivative is set to 0.
    """
    width = min(DELTA_WIDTH, n_frames - (n_frames + 1) % 2)
    if width < 3:
        return np.zeros(0)
    # scipy.signal.savgol_coeffs gives the same up to the last bit, but importing
    # scipy.signal would delay the first prediction.
    offset = np.arange(width) - width // 2
    fit = np.linalg.pinv(np.vander(offset, order + 1, increasing=True).astype(float))
    return fit[order] * order  # the factorial of order, for 1 and 2


def contrast_bands(sample_rate, n_fft, n_bands):
    """Compute the octave bands of the spectral contrast.

    One band below 200 Hz, then octaves from 200 Hz on; the last one reaches to half
    the sample rate. Octaves that would start at or above it are left out. librosa has
    no function for the bands alone.

    Parameters
    ----------
    sample_rate : float
        In Hz.
    n_fft : int
        Length of the Fourier transform.
    n_bands : int
        Requested octaves above 200 Hz.

    Returns
    -------
    edges : ndarray of shape (n_kept + 2,)
        In Hz, from 0 to half the sample rate; ``n_kept <= n_bands``.
    bins : ndarray of shape (n_kept + 1, 3), dtype int64
        First bin, last bin + 1, and the number of bins in a peak or a valley.
        Bands overlap by a bin, and all but the last are without their highest one,
        as in librosa.

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
