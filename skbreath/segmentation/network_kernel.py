"""Compile the layers of :class:`~skbreath.FrameNetwork` for frames in blocks.

A stream has one or two frames at a time, for which the calls of numpy take longer than
the arithmetic. For whole recordings this is as fast as BLAS, and unlike there, the
result for a frame does not depend on how many others are in its block.
"""

import numpy as np

from ..utils.compiled import cached_kernel

__all__ = ["push_through"]

_ZERO = np.float32(0)


@cached_kernel
def push_through(values, first, spans, convolution, mixing, offsets, kept, n_kept):
    """Pass frames through layer `first` and all after it, in place.

    `values` (n_frames, width) are overwritten by the outputs that are complete, whose
    number is returned. `spans` (n_layers, 3) are dilation and zeros before and after
    the input; `convolution` (n_layers, kernel size, in, out) and `mixing` (n_layers,
    in, out) are weights, `offsets` (n_layers, 2, out) those of both. `kept` (n_layers,
    n_rows, width) and `n_kept` (n_layers,) are inputs that later frames need.
    """
    n_taps, width = convolution.shape[1], convolution.shape[2]
    hidden = np.empty((4, width), np.float32)
    out = np.empty((4, width), np.float32)
    n = len(values)
    for layer in range(first, len(spans)):
        dilation, own = spans[layer, 0], spans[layer, 1]
        before = n_kept[layer]
        total = before + n
        inputs = np.empty((total, width), np.float32)
        for t in range(total):
            for j in range(width):
                new = t >= before
                inputs[t, j] = values[t - before, j] if new else kept[layer, t, j]
        n = max(0, total - dilation * (n_taps - 1))
        n_kept[layer] = total - n
        for t in range(total - n):
            for j in range(width):
                kept[layer, t, j] = inputs[n + t, j]
        # Four frames at a time, since loading weights takes longest. Beyond the last
        # frame it is repeated.
        for t in range(0, n, 4):
            b, c, d = min(t + 1, n - 1), min(t + 2, n - 1), min(t + 3, n - 1)
            for j in range(width):
                for k in range(4):
                    hidden[k, j] = offsets[layer, 0, j]
                    out[k, j] = inputs[min(t + k, n - 1) + own, j]
                    out[k, j] += offsets[layer, 1, j]
            for tap in range(n_taps):
                at = tap * dilation
                for i in range(width):
                    x0, x1 = inputs[t + at, i], inputs[b + at, i]
                    x2, x3 = inputs[c + at, i], inputs[d + at, i]
                    for j in range(width):
                        weight = convolution[layer, tap, i, j]
                        hidden[0, j] += x0 * weight
                        hidden[1, j] += x1 * weight
                        hidden[2, j] += x2 * weight
                        hidden[3, j] += x3 * weight
            for i in range(width):
                x0, x1 = max(hidden[0, i], _ZERO), max(hidden[1, i], _ZERO)
                x2, x3 = max(hidden[2, i], _ZERO), max(hidden[3, i], _ZERO)
                for j in range(width):
                    weight = mixing[layer, i, j]
                    out[0, j] += x0 * weight
                    out[1, j] += x1 * weight
                    out[2, j] += x2 * weight
                    out[3, j] += x3 * weight
            for k in range(min(4, n - t)):
                for j in range(width):
                    values[t + k, j] = out[k, j]
    return n
