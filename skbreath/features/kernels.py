"""Compute all groups of channels from one Fourier transform, with compiled kernels.

Frames are processed in blocks, each frame in one *lane*: the last, contiguous axis of
every array here. Each step, including the transform, is a plain loop over lanes that
the compiler turns into vector instructions. Frames overlap, but in a clip arranged as
(sample within a hop, hop) the n-th samples of neighbouring frames are adjacent: a block
is loaded without copying any overlap.

The transform is in double precision, as librosa's is: in single precision the
valleys of the spectral contrast are lost in rounding errors. All later steps use the
requested type.

The result for a clip does not depend on other clips, to the bit: its frames always take
the same lanes. The kernels release the GIL and use one thread.

Numba needs a tenth of a second for each kernel, and more for each statement, whatever
its work. So a kernel is compiled when a group needs it, and holds only what numpy would
do slowly or with other rounding: arrays are made, reshaped and copied outside.

They are all in this file because numba's cache is invalidated only by changes in the
file of the cached function.
"""

import numpy as np

from ..utils.compiled import cached_kernel

__all__ = ["SHORTEST_MATCH", "extract", "loop_channels", "loop_periods"]

SHORTEST_MATCH = 64
"""Samples that must repeat in a loop: fewer may be equal by chance."""

LANES = 32
"""Frames in a block: with fewer the compiler unrolls small loops instead of using
vector instructions, with more the working set outgrows the cache."""

_BLOCKS_AT_ONCE = 32
"""Blocks after which the clips so far are finished, so that they stay in the cache."""

_SPECTRA_AT_ONCE = 4
"""Blocks whose spectra are in memory at a time."""


@cached_kernel
def _window(padded, start, columns, window, x, energy):
    """Window a block of overlapping frames to `x`, and sum their squares."""
    # columns[r, c] is sample r of the c-th hop of the block; a few rows at a time,
    # so that they stay in the cache.
    hop, n_columns = columns.shape
    for first in range(0, hop, 16):
        rows = columns[first : first + 16]
        for c in range(n_columns):
            samples = padded[start + c * hop + first :]
            for r in range(len(rows)):
                rows[r, c] = samples[r]
    # Even samples are the real part and odd ones the imaginary part of a transform
    # of half the length. Sums of squares are taken on the way, for the RMS.
    for i in range(LANES):
        energy[i] = 0
    r = c = 0
    for j in range(len(x)):
        even = columns[r, c:]
        r, c = (r + 1, c) if r + 1 < hop else (0, c + 1)
        odd = columns[r, c:]
        r, c = (r + 1, c) if r + 1 < hop else (0, c + 1)
        w_even, w_odd, z = window[2 * j], window[2 * j + 1], x[j]
        for i in range(LANES):
            energy[i] += even[i] * even[i] + odd[i] * odd[i]
            z[i] = even[i] * w_even
            z[LANES + i] = odd[i] * w_odd


@cached_kernel
def _passes_of_4(x, x_by_4, y, y_by_4, twiddles):
    """Apply passes of radix 4 of the transform, from `x` to `y`, back, and so on.

    In `x_by_4` and `y_by_4` each row holds four rows of `x` and `y`.
    """
    # Pease's constant geometry: every pass reads rows a fixed distance apart and
    # writes neighbours, which leaves the frequencies in the order of their digits.
    n = len(x) // 4
    for step in range(len(twiddles)):
        for p in range(n):
            a, b = x[p], x[p + n]
            c, d = x[p + 2 * n], x[p + 3 * n]
            out, w = y_by_4[p], twiddles[step, p]
            w1r, w1i, w2r, w2i = w[1, 0], w[1, 1], w[2, 0], w[2, 1]
            w3r, w3i = w[3, 0], w[3, 1]
            for i in range(LANES):
                k = LANES + i
                sum_r, sum_i = a[i] + c[i], a[k] + c[k]
                dif_r, dif_i = a[i] - c[i], a[k] - c[k]
                odd_r, odd_i = b[i] + d[i], b[k] + d[k]
                rot_r, rot_i = b[k] - d[k], d[i] - b[i]
                out[i] = sum_r + odd_r
                out[k] = sum_i + odd_i
                r, m = dif_r + rot_r, dif_i + rot_i
                out[2 * LANES + i] = r * w1r - m * w1i
                out[2 * LANES + k] = r * w1i + m * w1r
                r, m = sum_r - odd_r, sum_i - odd_i
                out[4 * LANES + i] = r * w2r - m * w2i
                out[4 * LANES + k] = r * w2i + m * w2r
                r, m = dif_r - rot_r, dif_i - rot_i
                out[6 * LANES + i] = r * w3r - m * w3i
                out[6 * LANES + k] = r * w3i + m * w3r
        x, y = y, x
        x_by_4, y_by_4 = y_by_4, x_by_4


@cached_kernel
def _pass_of_any(x, y, twiddles, roots):
    """Apply one pass of any radix of the transform, from `x` to `y`."""
    radix = len(roots)
    n = len(x) // radix
    for p in range(n):
        for j in range(radix):
            out = y[radix * p + j]
            for i in range(2 * LANES):
                out[i] = 0
            wr, wi = twiddles[p, j, 0], twiddles[p, j, 1]
            for k in range(radix):
                ur, ui = roots[j * k % radix, 0], roots[j * k % radix, 1]
                vr, vi = ur * wr - ui * wi, ur * wi + ui * wr
                a = x[p + k * n]
                for i in range(LANES):
                    out[i] += a[i] * vr - a[LANES + i] * vi
                    out[LANES + i] += a[i] * vi + a[LANES + i] * vr


@cached_kernel
def _power(z, order, twiddles, power):
    """Compute the power spectrum of real frames from the complex transform `z`."""
    # Take the two interleaved real transforms apart again. The window is halved, so
    # no factors appear here.
    n = len(z)
    for f in range(len(order)):
        a, b = z[order[f, 0]], z[order[f, 1]]
        wr, wi = twiddles[f, 0], twiddles[f, 1]
        low, high = power[f], power[n - f]
        for i in range(LANES):
            k = LANES + i
            even_r, even_i = a[i] + b[i], a[k] - b[k]
            r, m = a[k] + b[k], b[i] - a[i]
            odd_r, odd_i = r * wr - m * wi, r * wi + m * wr
            r, m = even_r + odd_r, even_i + odd_i
            low[i] = r * r + m * m
            r, m = even_r - odd_r, even_i - odd_i
            high[i] = r * r + m * m


@cached_kernel
def _filter(power, bands, weights, out):
    """Apply sparse filters to the power spectra of blocks."""
    # Four bins at a time; filters are padded with zero weights to a multiple of it.
    for block in range(len(power)):
        for band in range(len(bands)):
            row, w = out[block, band], bands[band, 1]
            for i in range(LANES):
                row[i] = 0
            for b in range(bands[band, 0], bands[band, 0] + 4 * bands[band, 2], 4):
                w0, w1, w2, w3 = (
                    weights[w],
                    weights[w + 1],
                    weights[w + 2],
                    weights[w + 3],
                )
                p0, p1 = power[block, b], power[block, b + 1]
                p2, p3 = power[block, b + 2], power[block, b + 3]
                for i in range(LANES):
                    row[i] += (w0 * p0[i] + w1 * p1[i]) + (w2 * p2[i] + w3 * p3[i])
                w += 4


@cached_kernel
def _contrast(power, bands, shares, ranks, passed, valley, peak):
    """Compute the mean amplitude of the lowest and of the highest bins of each band."""
    for block in range(len(power)):
        for band in range(len(bands)):
            # Keep the n lowest and n highest bins sorted, by insertion, two ranks at a
            # time. A row of ranks: lowest, second lowest, highest, second highest; the
            # next row goes on with what the first one lets pass.
            n_extreme = bands[band, 2]
            n_rows = (n_extreme + 1) // 2
            for j in range(n_rows):
                row = ranks[j]
                for i in range(2 * LANES):
                    row[i] = np.inf
                    row[2 * LANES + i] = 0
            for b in range(bands[band, 0], bands[band, 1]):
                new = power[block, b]
                for i in range(LANES):
                    passed[i] = new[i]
                    passed[LANES + i] = new[i]
                for j in range(n_rows):
                    row = ranks[j]
                    for i in range(LANES):
                        v, first, second = passed[i], row[i], row[LANES + i]
                        row[i] = min(first, v)
                        v = max(first, v)
                        row[LANES + i] = min(second, v)
                        passed[i] = max(second, v)
                        v = passed[LANES + i]
                        first, second = row[2 * LANES + i], row[3 * LANES + i]
                        row[2 * LANES + i] = max(first, v)
                        v = min(first, v)
                        row[3 * LANES + i] = max(second, v)
                        passed[LANES + i] = min(second, v)
            valley_row, peak_row, share = (
                valley[block, band],
                peak[block, band],
                shares[band],
            )
            for i in range(LANES):
                valley_row[i] = 0
                peak_row[i] = 0
            for j in range(n_extreme):
                row, second = ranks[j // 2], j % 2 * LANES
                for i in range(LANES):
                    valley_row[i] += np.sqrt(row[second + i]) * share
                    peak_row[i] += np.sqrt(row[2 * LANES + second + i]) * share


@cached_kernel
def _logarithm(values, exponents, root, octave, offset, terms):
    """Compute decibels from mantissas, overwriting them, and exponents."""
    # 10 log10(v). From the exponent and the mantissa m in [1, 2) of v:
    # ln m = ln(r) + 2 (s + s^3 / 3 + s^5 / 5 + ...), where r is the square root of 2
    # and s = (m - r) / (m + r).
    t0, t1, t2 = terms[0], terms[1], terms[2]
    t3, t4, t5 = terms[3], terms[4], terms[5]
    for i in range(len(values)):
        s = (values[i] - root) / (values[i] + root)
        z = s * s
        series = t0 + z * (t1 + z * (t2 + z * (t3 + z * (t4 + z * t5))))
        values[i] = exponents[i] * octave + (offset + s * series)


@cached_kernel
def _cosine(levels, basis, out):
    """Add a cosine transform of the levels of bands to `out`."""
    for block in range(len(levels)):
        for m in range(0, levels.shape[1], 4):
            s0, s1 = levels[block, m], levels[block, m + 1]
            s2, s3 = levels[block, m + 2], levels[block, m + 3]
            for k in range(len(basis)):
                row, w0, w1 = out[block, k], basis[k, m], basis[k, m + 1]
                w2, w3 = basis[k, m + 2], basis[k, m + 3]
                for i in range(LANES):
                    row[i] += (w0 * s0[i] + w1 * s1[i]) + (w2 * s2[i] + w3 * s3[i])


@cached_kernel
def _crossings(clip, n_fft, hop, threshold, share, counts, row):
    """Compute the share of samples of each frame that cross zero."""
    # counts[i]: changes of sign up to sample i. Nothing changes beyond the ends.
    last = len(clip) - 1
    before, after, changes = clip[:last], clip[1:], counts[1:]
    for i in range(last):
        changes[i] = (before[i] < -threshold) != (after[i] < -threshold)
    counts[0] = 0
    for i in range(last):
        changes[i] += counts[i]
    for frame in range(len(row)):
        first = frame * hop - n_fft // 2
        low, high = max(first, 0), min(first + n_fft - 1, last)
        row[frame] = (counts[high] - counts[low]) * share


@cached_kernel
def _derivative(rows, taps, out):
    """Add the local slope or curvature of rows, with the given taps, to `out`."""
    for r in range(len(rows)):
        target = out[r]
        for j in range(len(taps)):
            tap, source = taps[j], rows[r, j:]
            for t in range(len(target)):
                target[t] += tap * source[t]


def _transform(x, y, plan):
    """Compute the complex transform of `x` to `x` or `y`, and return that one."""
    n, start = len(x), 0
    radices = plan.radices.tolist()
    for step, radix in enumerate(radices):
        if radix in (2, 4):
            break
        table = plan.twiddles[start : start + n].reshape(-1, radix, 2)
        _pass_of_any(x, y, table, plan.roots[step, :radix])
        x, y = y, x
        start += n
    if n_of_4 := radices.count(4):
        table = plan.twiddles[start : start + n * n_of_4].reshape(n_of_4, -1, 4, 2)
        _passes_of_4(x, x.reshape(n // 4, -1), y, y.reshape(n // 4, -1), table)
        if n_of_4 % 2:
            x, y = y, x
    if 2 in radices:  # the last pass
        np.add(x[: n // 2], x[n // 2 :], out=y[: n // 2])
        np.subtract(x[: n // 2], x[n // 2 :], out=y[n // 2 :])
        x = y
    return x


def _spectra(clips, plan, energy, mel, cepstral, valley, peak):
    """Compute the sums and bands of the spectra of the frames of clips."""
    n_fft, hop, n_samples = len(plan.window), plan.hop, clips.shape[1]
    n_blocks, dtype, wide = energy.shape[1], clips.dtype, plan.window.dtype
    padded = np.zeros(n_blocks * LANES * hop + n_fft, dtype)
    columns = np.empty((hop, LANES + (n_fft - 1) // hop), wide)
    x = np.empty((n_fft // 2, 2 * LANES), wide)
    y = np.empty_like(x)
    # 3 rows more for padded filters.
    power = np.zeros((_SPECTRA_AT_ONCE, n_fft // 2 + 4, LANES), dtype)
    ranks = np.empty((plan.most_extreme // 2 + 1, 4 * LANES), dtype)
    passed = np.empty(2 * LANES, dtype)
    for c, clip in enumerate(clips):
        padded[n_fft // 2 : n_fft // 2 + n_samples] = clip
        for first in range(0, n_blocks, _SPECTRA_AT_ONCE):
            blocks = range(first, min(first + _SPECTRA_AT_ONCE, n_blocks))
            for block in blocks:
                start = block * LANES * hop
                _window(padded, start, columns, plan.window, x, energy[c, block, 0])
                if plan.needs_spectrum:
                    z = _transform(x, y, plan)
                    _power(z, plan.order, plan.split_twiddles, power[block - first])
            some, part = power[: len(blocks)], slice(first, blocks.stop)
            if mel.size:
                _filter(some, plan.mel_bands, plan.mel_weights, mel[c, part])
            if cepstral.size:
                weights = plan.cepstral_weights
                _filter(some, plan.cepstral_bands, weights, cepstral[c, part])
            if peak.size:
                _contrast(
                    some,
                    plan.contrast_bands,
                    plan.contrast_shares,
                    ranks,
                    passed,
                    valley[c, part],
                    peak[c, part],
                )


def _to_decibels(blocks, log):
    """Convert powers to dB in place, not lower than the dynamic range allows."""
    values = blocks.reshape(-1)
    np.maximum(values, log.lowest, out=values)
    bits = values.view(log.bit_masks.dtype)
    exponents = bits >> log.mantissa_bits
    bits &= log.bit_masks[0]
    bits |= log.bit_masks[1]
    _logarithm(values, exponents, log.root, log.octave, log.offset, log.terms)
    highest = blocks.max(axis=(1, 2, 3), keepdims=True, initial=log.silence)
    np.maximum(blocks, highest - log.dynamic_range, out=blocks)


def _store(blocks, first, out):
    """Copy blocks of lanes to the channels of `out` that begin with `first`."""
    rows = out[:, first : first + blocks.shape[2]]
    for block in range(blocks.shape[1]):
        frames = rows[:, :, block * LANES : (block + 1) * LANES]
        frames[...] = blocks[:, block, :, : frames.shape[2]]


def _store_derivative(rows, taps, first, out):
    """Compute the slope or curvature of rows, the same beyond the first and last."""
    target = out[:, first : first + rows.shape[1]]
    if not len(taps):
        target[...] = 0
        return
    half, n_inner = len(taps) // 2, rows.shape[2] - len(taps) + 1
    inner = np.zeros((*rows.shape[:2], n_inner), rows.dtype)
    _derivative(rows.reshape(-1, rows.shape[2]), taps, inner.reshape(-1, n_inner))
    target[:, :, :half] = inner[:, :, :1]
    target[:, :, half : half + n_inner] = inner
    target[:, :, half + n_inner :] = inner[:, :, -1:]


def extract(clips, plan, out):
    """Compute the features of clips (n_clips, n_samples), overwriting `out`.

    `out` has shape (n_clips, n_channels, n_frames). Samples are finite; `clips`, `plan`
    and `out` are of one type.
    """
    n_blocks = -(-out.shape[2] // LANES)
    size = max(1, _BLOCKS_AT_ONCE // n_blocks)
    for first in range(0, len(clips), size):
        _extract(clips[first : first + size], plan, n_blocks, out[first : first + size])


def _extract(clips, plan, n_blocks, out):
    """Compute the features of a few clips."""
    n_frames, rows, log = out.shape[2], plan.first_rows, plan.log
    n_mels, n_cepstral = len(plan.mel_bands), len(plan.cepstral_bands)
    n_bands = len(plan.contrast_bands)
    energy, mel, cepstral, valley, peak = blocks = [
        np.empty((len(clips), n_blocks, n, LANES), out.dtype)
        for n in (1, n_mels, n_cepstral, n_bands, n_bands)
    ]
    if plan.needs_frames:
        _spectra(clips, plan, *blocks)
        # The lanes that fill up the last block are frames beyond the end of the clip.
        # They may hold more of its last samples than any frame, and must not set the
        # floor.
        for part in blocks:
            part[:, -1, :, n_frames - (n_blocks - 1) * LANES :] = 0
    if rows.mel >= 0:
        if plan.log_scale:
            _to_decibels(mel, log)
        _store(mel, rows.mel, out)
    if rows.rms >= 0:
        energy *= plan.frame_share
        if plan.log_scale:
            _to_decibels(energy, log)
        else:
            np.sqrt(energy, out=energy)
        _store(energy, rows.rms, out)
    if rows.zcr >= 0:
        counts = np.empty(clips.shape[1], np.int32)
        n_fft, quiet = len(plan.window), plan.crossing_threshold
        for clip, row in zip(clips, out[:, rows.zcr], strict=True):
            _crossings(clip, n_fft, plan.hop, quiet, plan.frame_share, counts, row)
    if rows.contrast >= 0:
        _to_decibels(valley, log)
        _to_decibels(peak, log)
        peak -= valley
        _store(peak, rows.contrast, out)
    if n_cepstral:
        _to_decibels(cepstral, log)
        n_mfcc = len(plan.cosines)
        cepstra = np.zeros((*cepstral.shape[:2], n_mfcc, LANES), out.dtype)
        levels = cepstral.reshape(-1, n_cepstral, LANES)
        _cosine(levels, plan.cosines, cepstra.reshape(-1, n_mfcc, LANES))
        mfcc = np.empty((len(clips), n_mfcc, n_frames), out.dtype)
        _store(cepstra, 0, mfcc)
        if rows.mfcc >= 0:
            _store(cepstra, rows.mfcc, out)
        if rows.delta >= 0:
            _store_derivative(mfcc, plan.slope, rows.delta, out)
        if rows.delta2 >= 0:
            _store_derivative(mfcc, plan.curvature, rows.delta2, out)


@cached_kernel
def _find_periods(clips, shortest, periods):
    """Find the period of each clip, as :func:`loop_periods`."""
    # A clip has the period n - b if its first b samples equal its last b samples (a
    # "border"). One pass finds the longest border of every prefix, as in the string
    # search of Knuth, Morris and Pratt (1977).
    n_clips, n_samples = clips.shape
    longest = np.zeros(n_samples, np.int32)
    for c in range(n_clips):
        clip = clips[c]
        border = 0
        for i in range(1, n_samples):
            while border > 0 and clip[i] != clip[border]:
                border = longest[border - 1]
            if clip[i] == clip[border]:
                border += 1
            longest[i] = border
        while border > n_samples - shortest:
            border = longest[border - 1]
        periods[c] = n_samples - border if border >= SHORTEST_MATCH else n_samples


def loop_periods(clips, shortest):
    """Find the period of clips that repeat themselves, in samples; else their length.

    Processing after the repetition, such as resampling or added noise, hides it.
    Silence has the period `shortest`, the shortest one that is searched for.
    """
    periods = np.empty(len(clips), dtype=np.int64)
    _find_periods(clips, shortest, periods)
    return periods


def loop_channels(clips, hop_length, shortest, out):
    """Compute the two channels of the group "loop".

    They are written to `out` of shape (n_clips, 2, n_frames): the position of each
    frame's centre within its period, from -1 at the beginning to 1 at the end, and the
    period as a part of the clip.
    """
    n_samples = clips.shape[1]
    periods = loop_periods(clips, min(shortest, n_samples))[:, None]
    centres = np.arange(out.shape[2]) * hop_length
    out[:, 0] = 2.0 * (centres % periods) / periods - 1.0
    out[:, 1] = periods / n_samples
