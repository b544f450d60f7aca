"""The compiled part of finding sound above noise, see :mod:`skbreath._clip_odds`."""

from ._spectral import cached_kernel

__all__ = ["follow"]


@cached_kernel
def follow(bands, smooth, floor, down, up, above):
    """Fill `above` with the smoothed level of each band above its running floor.

    Parameters
    ----------
    bands : ndarray of shape (smooth - 1 + n_frames, n_bands)
        In dB.
    smooth : int
        Frames that are averaged.
    floor : ndarray of shape (n_bands,)
        Goes on from call to call.
    down : float
        Share of the distance that the floor falls per frame.
    up : float
        Most dB that it rises per frame.
    above : ndarray of shape (n_frames, n_bands)
        Overwritten.
    """
    for t in range(len(above)):
        for b in range(len(floor)):
            level = 0.0
            for k in range(smooth):
                level += bands[t + k, b]
            level /= smooth
            if level < floor[b]:
                floor[b] += down * (level - floor[b])
            else:
                floor[b] += min(up, level - floor[b])
            above[t, b] = level - floor[b]
