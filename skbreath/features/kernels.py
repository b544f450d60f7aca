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

They are all in this file because numba's cache is invalidated only by changes in the
file of the cached function.
"""

import numpy as np

from ..utils.compiled import cached_kernel, kernel

__all__ = ["SHORTEST_MATCH", "extract", "loop_channels", "loop_periods"]

SHORTEST_MATCH = 64
"""Samples that must repeat in a loop: fewer may be equal by chance."""

LANES = 32
"""Frames in a block: with fewer the compiler unrolls small loops instead of using
vector instructions, with more the working set outgrows the cache."""


@kernel
def _load(padded, start, columns):
    """Copy a block of overlapping frames to `columns` (hop, n_hops)."""
    # columns[r, c] is sample r of the c-th hop of the block; a few rows at a time,
    # so that they stay in the cache.
    hop, n_columns = columns.shape
    for first in range(0, hop, 16):
        rows = columns[first : first + 16]
        for c in range(n_columns):
            samples = padded[start + c * hop + first :]
            for r in range(len(rows)):
                rows[r, c] = samples[r]


@kernel
def _window(columns, window, x, energy):
    """Window the frames of a block to `x`, and sum their squares to `energy`."""
    # Even samples are the real part and odd ones the imaginary part of a transform
    # of half the length. Sums of squares are taken on the way, for the RMS.
    hop = len(columns)
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


@kernel
def _pass_of_4(x, y, twiddles):
    """Apply one pass of radix 4 of the transform, from `x` to `y`."""
    n = len(x) // 4
    outputs = y.reshape(n, 8 * LANES)
    for p in range(n):
        a, b, c, d = x[p], x[p + n], x[p + 2 * n], x[p + 3 * n]
        w1r, w1i = twiddles[p, 1, 0], twiddles[p, 1, 1]
        w2r, w2i = twiddles[p, 2, 0], twiddles[p, 2, 1]
        w3r, w3i = twiddles[p, 3, 0], twiddles[p, 3, 1]
        out = outputs[p]
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


@kernel
def _last_pass_of_2(x, y):
    """Apply the last pass, of radix 2, of the transform, from `x` to `y`."""
    half = len(x) // 2
    a, b = x[:half].reshape(-1), x[half:].reshape(-1)
    even, odd = y[:half].reshape(-1), y[half:].reshape(-1)
    for i in range(len(a)):
        even[i] = a[i] + b[i]
        odd[i] = a[i] - b[i]


@kernel
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


@kernel
def _transform(x, y, radices, twiddles, roots):
    """Compute the complex transform of `x` to `x` or `y`, and return that one."""
    # Pease's constant geometry: every pass reads rows a fixed distance apart and
    # writes neighbours, which leaves the frequencies in the order of their digits.
    start = 0
    for step in range(len(radices)):
        radix = radices[step]
        n = len(x) // radix
        table = twiddles[start : start + n * radix].reshape(n, radix, 2)
        if radix == 4:
            _pass_of_4(x, y, table)
        elif radix == 2:
            _last_pass_of_2(x, y)
        else:
            _pass_of_any(x, y, table, roots[step, :radix])
        start += n * radix
        x, y = y, x
    return x


@kernel
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


@kernel
def _filter(power, bands, weights, out):
    """Apply sparse filters to a power spectrum."""
    # Four bins at a time; filters are padded with zero weights to a multiple of it.
    for band in range(len(bands)):
        row, first, w = out[band], bands[band, 0], bands[band, 1]
        for i in range(LANES):
            row[i] = 0
        for b in range(first, first + 4 * bands[band, 2], 4):
            w0, w1, w2, w3 = weights[w], weights[w + 1], weights[w + 2], weights[w + 3]
            p0, p1, p2, p3 = power[b], power[b + 1], power[b + 2], power[b + 3]
            for i in range(LANES):
                row[i] += (w0 * p0[i] + w1 * p1[i]) + (w2 * p2[i] + w3 * p3[i])
            w += 4


@kernel
def _extremes(bins, n_extreme, ranks, passed):
    """Find the lowest and the highest bins of a band."""
    # Keep the n lowest and n highest bins sorted, by insertion, two ranks at a time.
    # A row of ranks: lowest, second lowest, highest, second highest; the next row
    # goes on with what the first one lets pass.
    n_rows = (n_extreme + 1) // 2
    for j in range(n_rows):
        row = ranks[j]
        for i in range(2 * LANES):
            row[i] = np.inf
            row[2 * LANES + i] = 0
    for b in range(len(bins)):
        new = bins[b]
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


@kernel
def _contrast(power, bands, shares, ranks, passed, valley, peak):
    """Compute the mean amplitude of the lowest and of the highest bins of each band."""
    for k in range(len(bands)):
        first, stop, n_extreme = bands[k, 0], bands[k, 1], bands[k, 2]
        _extremes(power[first:stop], n_extreme, ranks, passed)
        valley_row, peak_row, share = valley[k], peak[k], shares[k]
        for i in range(LANES):
            valley_row[i] = 0
            peak_row[i] = 0
        for j in range(n_extreme):
            row, second = ranks[j // 2], j % 2 * LANES
            for i in range(LANES):
                valley_row[i] += np.sqrt(row[second + i]) * share
                peak_row[i] += np.sqrt(row[2 * LANES + second + i]) * share


@kernel
def _cosine(levels, basis, out):
    """Apply a cosine transform to the levels of bands."""
    for k in range(len(basis)):
        row = out[k]
        for i in range(LANES):
            row[i] = 0
    for m in range(0, len(levels), 4):
        s0, s1, s2, s3 = levels[m], levels[m + 1], levels[m + 2], levels[m + 3]
        for k in range(len(basis)):
            row, w0, w1 = out[k], basis[k, m], basis[k, m + 1]
            w2, w3 = basis[k, m + 2], basis[k, m + 3]
            for i in range(LANES):
                row[i] += (w0 * s0[i] + w1 * s1[i]) + (w2 * s2[i] + w3 * s3[i])


@kernel
def _decibels(blocks, exponents, highest, log):
    """Convert powers to dB in place, not lower than the dynamic range allows."""
    # 10 log10(v) of all blocks of a clip, in place, not lower than the dynamic range
    # beneath the highest. From the exponent and the mantissa m in [1, 2) of v:
    # ln m = ln(r) + 2 (s + s^3 / 3 + s^5 / 5 + ...), where r is the square root of 2
    # and s = (m - r) / (m + r).
    shift, mask, one_bits = log.mantissa_bits, log.bit_masks[0], log.bit_masks[1]
    lowest, octave, offset, root = log.lowest, log.octave, log.offset, log.root
    t0, t1, t2 = log.terms[0], log.terms[1], log.terms[2]
    t3, t4, t5 = log.terms[3], log.terms[4], log.terms[5]
    for i in range(LANES):
        highest[i] = log.silence
    for block in range(len(blocks)):
        values = blocks[block].reshape(-1)
        bits = values.view(exponents.dtype)
        for i in range(len(values)):
            values[i] = max(values[i], lowest)
        for i in range(len(values)):
            exponents[i] = bits[i] >> shift
            bits[i] = (bits[i] & mask) | one_bits
        for i in range(len(values)):
            s = (values[i] - root) / (values[i] + root)
            z = s * s
            series = t0 + z * (t1 + z * (t2 + z * (t3 + z * (t4 + z * t5))))
            values[i] = exponents[i] * octave + (offset + s * series)
        for k in range(blocks.shape[1]):
            row = blocks[block, k]
            for i in range(LANES):
                highest[i] = max(highest[i], row[i])
    floor = highest[0]
    for i in range(LANES):
        floor = max(floor, highest[i])
    floor -= log.dynamic_range
    values = blocks.reshape(-1)
    for i in range(len(values)):
        values[i] = max(values[i], floor)


@kernel
def _silence(blocks, n_frames):
    """Set the lanes beyond the last frame to 0."""
    # The lanes that fill up the last block are frames beyond the end of the clip. They
    # may hold more of its last samples than any frame, and must not set the floor.
    last = len(blocks) - 1
    for k in range(blocks.shape[1]):
        row = blocks[last, k]
        for i in range(n_frames - last * LANES, LANES):
            row[i] = 0


@kernel
def _store(blocks, rows):
    """Copy blocks of lanes to channels."""
    n_frames = rows.shape[1]
    for block in range(len(blocks)):
        first = block * LANES
        n_lanes = min(LANES, n_frames - first)
        for r in range(blocks.shape[1]):
            lanes, row = blocks[block, r], rows[r]
            for i in range(n_lanes):
                row[first + i] = lanes[i]


@kernel
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


@kernel
def _derivative(rows, taps, out):
    """Compute the local slope or curvature of rows, with the given taps."""
    n_frames = rows.shape[1]
    width = len(taps)
    half = width // 2
    last = n_frames - 1 - half
    for r in range(len(rows)):
        row, slope = rows[r], out[r]
        for t in range(n_frames):
            slope[t] = 0
        if width == 0:
            continue
        target = slope[half : last + 1]
        for j in range(width):
            tap, source = taps[j], row[j:]
            for t in range(len(target)):
                target[t] += tap * source[t]
        for t in range(half):
            slope[t] = slope[half]
            slope[last + 1 + t] = slope[last]


@cached_kernel
def extract(clips, plan, out):
    """Compute the features of clips (n_clips, n_samples), overwriting `out`.

    `out` has shape (n_clips, n_channels, n_frames). Samples are finite; `clips`, `plan`
    and `out` are of one type.
    """
    n_samples, n_frames, dtype = clips.shape[1], out.shape[2], out.dtype
    wide = plan.window.dtype
    n_fft, hop, pad = len(plan.window), plan.hop, len(plan.window) // 2
    n_blocks = (n_frames + LANES - 1) // LANES
    n_mels, n_cepstral = len(plan.mel_bands), len(plan.cepstral_bands)
    n_mfcc, n_bands = len(plan.cosines), len(plan.contrast_bands)
    rows, log = plan.first_rows, plan.log

    padded = np.zeros(n_blocks * LANES * hop + n_fft, dtype)
    columns = np.empty((hop, LANES + (n_fft - 1) // hop), wide)
    x = np.empty((n_fft // 2, 2 * LANES), wide)
    y = np.empty((n_fft // 2, 2 * LANES), wide)
    power = np.zeros((n_fft // 2 + 4, LANES), dtype)  # 3 more for padded filters
    energy = np.empty((n_blocks, 1, LANES), dtype)
    mel = np.empty((n_blocks, n_mels, LANES), dtype)
    cepstral = np.empty((n_blocks, n_cepstral, LANES), dtype)
    cepstra = np.empty((n_blocks, n_mfcc, LANES), dtype)
    mfcc = np.empty((n_mfcc, n_frames), dtype)
    valley = np.empty((n_blocks, n_bands, LANES), dtype)
    peak = np.empty((n_blocks, n_bands, LANES), dtype)
    ranks = np.empty((plan.most_extreme // 2 + 1, 4 * LANES), dtype)
    passed = np.empty(2 * LANES, dtype)
    highest = np.empty(LANES, dtype)
    n_logs = LANES * max(n_mels, n_cepstral, n_bands, 1)
    exponents = np.empty(n_logs, log.bit_masks.dtype)
    counts = np.empty(n_samples, np.int32)

    for c in range(len(clips)):
        clip, features = clips[c], out[c]
        if plan.needs_frames:
            for i in range(n_samples):
                padded[pad + i] = clip[i]
            for block in range(n_blocks):
                _load(padded, block * LANES * hop, columns)
                _window(columns, plan.window, x, energy[block, 0])
                if plan.needs_spectrum:
                    z = _transform(x, y, plan.radices, plan.twiddles, plan.roots)
                    _power(z, plan.order, plan.split_twiddles, power)
                    _filter(power, plan.mel_bands, plan.mel_weights, mel[block])
                    _filter(
                        power,
                        plan.cepstral_bands,
                        plan.cepstral_weights,
                        cepstral[block],
                    )
                    _contrast(
                        power,
                        plan.contrast_bands,
                        plan.contrast_shares,
                        ranks,
                        passed,
                        valley[block],
                        peak[block],
                    )
            for blocks in (mel, energy, valley, peak, cepstral):
                _silence(blocks, n_frames)
        if rows.mel >= 0:
            if plan.log_scale:
                _decibels(mel, exponents, highest, log)
            _store(mel, features[rows.mel :])
        if rows.rms >= 0:
            values = energy.reshape(-1)
            for i in range(len(values)):
                values[i] *= plan.frame_share
            if plan.log_scale:
                _decibels(energy, exponents, highest, log)
            else:
                for i in range(len(values)):
                    values[i] = np.sqrt(values[i])
            _store(energy, features[rows.rms :])
        if rows.zcr >= 0:
            quiet, share = plan.crossing_threshold, plan.frame_share
            _crossings(clip, n_fft, hop, quiet, share, counts, features[rows.zcr])
        if rows.contrast >= 0:
            _decibels(valley, exponents, highest, log)
            _decibels(peak, exponents, highest, log)
            values, lows = peak.reshape(-1), valley.reshape(-1)
            for i in range(len(values)):
                values[i] -= lows[i]
            _store(peak, features[rows.contrast :])
        if n_mfcc:
            _decibels(cepstral, exponents, highest, log)
            for block in range(n_blocks):
                _cosine(cepstral[block], plan.cosines, cepstra[block])
            _store(cepstra, mfcc)
        if rows.mfcc >= 0:
            _store(cepstra, features[rows.mfcc :])
        if rows.delta >= 0:
            _derivative(mfcc, plan.slope, features[rows.delta :])
        if rows.delta2 >= 0:
            _derivative(mfcc, plan.curvature, features[rows.delta2 :])


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
