"""Define windows, filters, taps and bands of the features, with librosa's definitions.

The fast kernels and the exportable network take their constants from here. All are in
double precision, but for the plan of the kernels, which is in the type of the features.
"""

import warnings
from typing import NamedTuple

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
    "make_plan",
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
    """Compute librosa's mel filters of the power spectrum, in double precision.

    Rows of zeros are bands without a bin. Importing librosa takes longer than
    predicting a clip: the filters are computed when :class:`~skbreath.BreathFeatures`
    is fitted, and kept with the model.
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
    as with ``mode="interp"`` of :func:`librosa.feature.delta`. The window has 9 frames,
    or the largest odd number of `n_frames`; it is empty for fewer than 3 frames, where
    the derivative is set to 0.
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
    """Compute the octave bands of the spectral contrast (Jiang et al., ICME 2002).

    One band below 200 Hz, then `n_bands` octaves; the last one reaches to half the
    sample rate. Octaves that would start at or above it are left out. librosa does not
    have a function for the bands alone.

    Returns
    -------
    edges : ndarray of shape (n_kept + 2,)
        In Hz, from 0 to half the sample rate; ``n_kept <= n_bands``.
    bins : ndarray of shape (n_kept + 1, 3), dtype int64
        First bin, last bin + 1, and the number of bins in a peak or a valley.
        Bands overlap by a bin, and all but the last are without their highest one,
        as in librosa.
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


class FirstRows(NamedTuple):
    """First output channel of each group; -1 for groups left out."""

    mel: int
    rms: int
    zcr: int
    contrast: int
    mfcc: int
    delta: int
    delta2: int


class Log(NamedTuple):
    """Constants of the logarithm, in the type of the features."""

    mantissa_bits: int
    bit_masks: np.ndarray  # bits of a mantissa; bits of 1.0; as wide as the float
    root: np.floating
    octave: np.floating  # decibels of a factor of 2
    offset: np.floating  # decibels of the bias of the exponent, and of the root
    terms: np.ndarray  # of the series for the mantissa
    lowest: np.floating
    silence: np.floating
    dynamic_range: np.floating


class Plan(NamedTuple):
    """Constants of the kernels. Groups left out have empty arrays."""

    hop: int
    window: np.ndarray
    radices: np.ndarray
    twiddles: np.ndarray
    roots: np.ndarray
    order: np.ndarray
    split_twiddles: np.ndarray
    mel_bands: np.ndarray
    mel_weights: np.ndarray
    cepstral_bands: np.ndarray
    cepstral_weights: np.ndarray
    cosines: np.ndarray
    slope: np.ndarray
    curvature: np.ndarray
    contrast_bands: np.ndarray
    contrast_shares: np.ndarray
    most_extreme: int
    log: Log
    frame_share: np.floating
    crossing_threshold: np.floating
    first_rows: FirstRows
    log_scale: bool
    needs_frames: bool
    needs_spectrum: bool


def _parts(values):
    """Stack the real and the imaginary part on a new last axis."""
    return np.stack([values.real, values.imag], axis=-1)


def _radices(n):
    """Factor a length into odd primes, then 4s, and at most one 2."""
    # The two comes last, where it does not need twiddles.
    fours = []
    while n % 4 == 0:
        fours.append(4)
        n //= 4
    if n % 2 == 0:
        fours.append(2)
        n //= 2
    odd, factor = [], 3
    while n > 1:
        while n % factor == 0:
            odd.append(factor)
            n //= factor
        factor += 2
    return odd + fours


def _transform_tables(n_fft):
    """Compute radices, twiddles, roots, order of frequencies, and split twiddles."""
    n = n_fft // 2
    radices = _radices(n)
    tables, done, order = [], 1, np.zeros(1, dtype=np.int64)
    roots = np.zeros((len(radices), max(radices, default=1)), dtype=complex)
    for step, radix in enumerate(radices):
        row, output = np.ogrid[: n // radix, :radix]
        tables.append(np.exp(-2j * np.pi * done / n * (row // done * output)).ravel())
        roots[step, :radix] = np.exp(-2j * np.pi / radix * np.arange(radix))
        # The rows of frequency f + done * digit.
        if radix == 2:
            order = np.concatenate((order, order + n // 2))
        else:
            order = (order * radix + np.arange(radix)[:, None]).ravel()
        done *= radix
    twiddles = np.concatenate([np.zeros(0), *tables])
    split = np.exp(-2j * np.pi / n_fft * np.arange(n // 2 + 1))
    return (
        np.asarray(radices, dtype=np.int64),
        _parts(twiddles),
        _parts(roots),
        order[np.stack((np.arange(n // 2 + 1), -np.arange(n // 2 + 1) % n), axis=1)],
        _parts(split),
    )


def _sparse(weights, dtype):
    """Turn rows of `weights` into (first column, first weight, number of fours)."""
    bands, kept, start = [], [np.zeros(0)], 0
    for row in weights:
        columns = np.flatnonzero(row)
        first, stop = (columns[0], columns[-1] + 1) if len(columns) else (0, 0)
        fours = -(-(stop - first) // 4)
        bands.append((first, start, fours))
        kept.append(np.pad(row[first:stop], (0, 4 * fours - (stop - first))))
        start += 4 * fours
    bands = np.asarray(bands, dtype=np.int64).reshape(-1, 3)
    return bands, np.concatenate(kept).astype(dtype)


def _log_constants(dtype):
    """Compute the constants of the logarithm for a floating type."""
    float_, info = dtype.type, np.finfo(dtype)
    integer = np.dtype(f"int{info.bits}")
    octave = 10.0 * np.log10(2.0)
    return Log(
        mantissa_bits=int(info.nmant),
        bit_masks=np.array([2**info.nmant - 1, float_(1.0).view(integer)], integer),
        root=float_(np.sqrt(2.0)),
        octave=float_(octave),
        offset=float_(octave * (0.5 - (info.maxexp - 1))),
        terms=(20.0 / np.log(10.0) / (2 * np.arange(6) + 1)).astype(dtype),
        lowest=float_(LOWEST_POWER),
        silence=float_(10.0 * np.log10(LOWEST_POWER)),
        dynamic_range=float_(DYNAMIC_RANGE_DB),
    )


def make_plan(stack, mel_filters, mfcc_filters, n_frames):
    """Compute the constants of the kernels from a checked stack and its mel filters.

    The width of the deltas depends on `n_frames`, the frames of a clip.
    """
    shapes = [np.shape(mel_filters), np.shape(mfcc_filters)]
    if shapes != stack.filter_shapes():  # the kernels do not check any bounds
        raise ValueError(
            f"Expected mel filters of shapes {stack.filter_shapes()}, got {shapes}; "
            "the model is damaged: fit it again."
        )
    dtype, groups = np.dtype(stack.dtype), stack.groups
    cepstral = stack.is_cepstral
    needs_spectrum = cepstral or "mel" in groups or "contrast" in groups
    radices, twiddles, roots, order, split_twiddles = _transform_tables(stack.n_fft)
    mel_bands, mel_weights = _sparse(mel_filters, dtype)
    cepstral_bands, cepstral_weights = _sparse(mfcc_filters, dtype)
    cosines = dct_basis(stack.n_mfcc * cepstral, N_MFCC_MELS)
    bands = np.zeros((0, 3), dtype=np.int64)
    if "contrast" in groups:
        _, bands = contrast_bands(
            stack.sample_rate, stack.n_fft, stack.n_contrast_bands
        )
    first_rows, row = {}, 0
    for group in FirstRows._fields:
        first_rows[group] = row if group in groups else -1
        row += len(stack.names_of(group)) if group in groups else 0
    return Plan(
        hop=stack.hop_length,
        window=0.5 * hann_window(stack.n_fft),
        radices=radices,
        twiddles=twiddles,
        roots=roots,
        order=order,
        split_twiddles=split_twiddles,
        mel_bands=mel_bands,
        mel_weights=mel_weights,
        cepstral_bands=cepstral_bands,
        cepstral_weights=cepstral_weights,
        cosines=cosines.astype(dtype),
        slope=delta_taps(n_frames, 1).astype(dtype),
        curvature=delta_taps(n_frames, 2).astype(dtype),
        contrast_bands=bands,
        contrast_shares=(1.0 / bands[:, 2]).astype(dtype),
        most_extreme=int(bands[:, 2].max(initial=1)),
        log=_log_constants(dtype),
        frame_share=dtype.type(1.0 / stack.n_fft),
        crossing_threshold=dtype.type(CROSSING_THRESHOLD),
        first_rows=FirstRows(**first_rows),
        log_scale=bool(stack.log_scale),
        needs_frames=needs_spectrum or "rms" in groups,
        needs_spectrum=needs_spectrum,
    )
