"""Constants of the fast kernels, computed once for each fitted extractor."""

from typing import NamedTuple

import numpy as np

from . import filters
from .feature_set import GROUPS

__all__ = ["Plan", "make_plan"]


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
    return np.stack([values.real, values.imag], axis=-1)


def _radices(n):
    # Odd primes, then fours, and at most one two, last, where it needs no twiddles.
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
        lowest=float_(filters.LOWEST_POWER),
        silence=float_(10.0 * np.log10(filters.LOWEST_POWER)),
        dynamic_range=float_(filters.DYNAMIC_RANGE_DB),
    )


def make_plan(stack, mel_filters, mfcc_filters, n_frames):
    """Compute the constants of the kernels.

    Parameters
    ----------
    stack : FeatureStack
        Checked.
    mel_filters, mfcc_filters : ndarray
        From :meth:`FeatureStack.mel_filters`.
    n_frames : int
        Frames of a clip, on which the width of the deltas depends.

    Returns
    -------
    plan : Plan

    Raises
    ------
    ValueError
        If the shapes of the filters are not those of the stack.
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
    cosines = filters.dct_basis(stack.n_mfcc * cepstral, filters.N_MFCC_MELS)
    bands = np.zeros((0, 3), dtype=np.int64)
    if "contrast" in groups:
        _, bands = filters.contrast_bands(
            stack.sample_rate, stack.n_fft, stack.n_contrast_bands
        )
    first_rows, row = {}, 0
    for group in GROUPS:
        first_rows[group] = row if group in groups else -1
        row += len(stack.names_of(group)) if group in groups else 0
    return Plan(
        hop=stack.hop_length,
        window=0.5 * filters.hann_window(stack.n_fft),
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
        slope=filters.delta_taps(n_frames, 1).astype(dtype),
        curvature=filters.delta_taps(n_frames, 2).astype(dtype),
        contrast_bands=bands,
        contrast_shares=(1.0 / bands[:, 2]).astype(dtype),
        most_extreme=int(bands[:, 2].max(initial=1)),
        log=_log_constants(dtype),
        frame_share=dtype.type(1.0 / stack.n_fft),
        crossing_threshold=dtype.type(filters.CROSSING_THRESHOLD),
        first_rows=FirstRows(**first_rows),
        log_scale=bool(stack.log_scale),
        needs_frames=needs_spectrum or "rms" in groups,
        needs_spectrum=needs_spectrum,
    )
