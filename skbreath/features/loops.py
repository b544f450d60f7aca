"""Find the period of clips that repeat themselves.

In data sets of clips of one length, shorter sounds are often repeated sample by sample
to fill the clip. The period is then the true length of the sound, and the position
within it shows where in a breath a frame lies.
"""

import numpy as np

from .kernels import cached_kernel

__all__ = ["loop_channels", "loop_periods"]

SHORTEST_MATCH = 64
"""Samples that must repeat in a loop: fewer may be equal by chance."""


@cached_kernel
def _find_periods(clips, shortest, periods):
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
    """Find the period of clips that repeat themselves sample by sample.

    Parameters
    ----------
    clips : ndarray of shape (n_clips, n_samples)
        Waveforms as they were read: processing after the repetition, such as
        resampling or added noise, hides it.
    shortest : int
        Shortest period to find, in samples; the result for silence.

    Returns
    -------
    periods : ndarray of shape (n_clips,), dtype int64
        In samples; the length of the clip where it does not repeat itself.

    Examples
    --------
    >>> import numpy as np
    >>> sound = np.random.default_rng(0).normal(size=600)
    >>> clip = np.resize(sound, 1000)
    >>> loop_periods(np.stack([clip, np.arange(1000.0)]), shortest=100)
    array([ 600, 1000])

    References
    ----------
    Knuth D. E., Morris J. H., Pratt V. R. (1977). Fast pattern matching in strings.
    SIAM Journal on Computing 6 (2), 323-350.
    """
    periods = np.empty(len(clips), dtype=np.int64)
    _find_periods(clips, shortest, periods)
    return periods


def loop_channels(clips, hop_length, shortest, out):
    """Compute the two channels of the group ``"loop"``.

    Parameters
    ----------
    clips : ndarray of shape (n_clips, n_samples)
        Waveforms.
    hop_length, shortest : int
        Samples between frames, and of the shortest period looked for.
    out : ndarray of shape (n_clips, 2, n_frames)
        Receives the position of each frame's centre within its period, from -1 at
        the beginning to 1 at the end, and the period as a part of the clip.
    """
    n_samples = clips.shape[1]
    periods = loop_periods(clips, min(shortest, n_samples))[:, None]
    centres = np.arange(out.shape[2]) * hop_length
    out[:, 0] = 2.0 * (centres % periods) / periods - 1.0
    out[:, 1] = periods / n_samples
