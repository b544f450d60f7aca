"""Change batches of features while a network is trained.

An augmentation is a callable ``(X, targets) -> (X, targets)`` on torch tensors:
features of shape ``(n_clips, n_channels, n_frames)`` and targets of shape ``(n_clips,
n_outputs)``. Random numbers come from torch's generator, which the classifier seeds.

None reverses time or stretches it much: inhale and exhale differ in how the sound rises
and falls over time.
"""

import math
from dataclasses import dataclass
from numbers import Real

import torch

__all__ = [
    "CircularShift",
    "CutMix",
    "LeaveRecording",
    "MaskChannels",
    "MaskFrames",
    "Mixup",
]

_Batch = tuple[torch.Tensor, torch.Tensor]


def _check_fraction(owner, name):
    """Raise an error if an attribute of `owner` is not a number from 0 to 1."""
    value = getattr(owner, name)
    if not (isinstance(value, Real) and 0 <= value <= 1):
        raise ValueError(
            f"{name} of {type(owner).__name__} must be a number from 0 to 1, got "
            f"{value!r}."
        )


@dataclass(frozen=True)
class CircularShift:
    """Rotate each clip in time: frames shifted out at one end enter at the other.

    Suits clips that are filled by repeating a shorter phase.

    Parameters
    ----------
    max_fraction : float, default=0.25
        Largest shift, as a part of the clip, to either side.

    Examples
    --------
    >>> import torch
    >>> from skbreath import CircularShift
    >>> X, targets = torch.arange(12.0).reshape(1, 1, 12), torch.ones(1, 1)
    >>> shifted, _ = CircularShift()(X, targets)
    >>> bool((shifted.sort().values == X).all())
    True
    """

    max_fraction: float = 0.25

    def __post_init__(self):
        _check_fraction(self, "max_fraction")

    def __call__(self, X: torch.Tensor, targets: torch.Tensor) -> _Batch:
        n_clips, n_channels, n_frames = X.shape
        reach = int(self.max_fraction * n_frames)
        shift = torch.randint(-reach, reach + 1, (n_clips, 1), device=X.device)
        source = (torch.arange(n_frames, device=X.device) - shift) % n_frames
        index = source[:, None, :].expand(n_clips, n_channels, n_frames)
        return X.gather(2, index), targets


def _random_spans(n_clips, length, max_fraction, device):
    """Draw a mask (n_clips, length) that is True in a random stretch of each row."""
    width = torch.rand(n_clips, 1, device=device) * max_fraction * length
    start = torch.rand(n_clips, 1, device=device) * (length - width)
    place = torch.arange(length, device=device)
    return (place >= start.round()) & (place < (start + width).round())


@dataclass(frozen=True)
class _Mask:
    """Replace a random stretch along `_axis` by zero."""

    _axis = 0  # without annotation, so that it is not a parameter

    max_fraction: float = 0.2

    def __post_init__(self):
        _check_fraction(self, "max_fraction")

    def __call__(self, X: torch.Tensor, targets: torch.Tensor) -> _Batch:
        length = X.shape[self._axis]
        span = _random_spans(len(X), length, self.max_fraction, X.device)
        return X.masked_fill(span.unsqueeze(3 - self._axis), 0.0), targets


class MaskFrames(_Mask):
    """Replace a random stretch of frames of each clip by zero.

    Zero is the mean of channels scaled by :class:`~skbreath.ChannelScaler`.

    Parameters
    ----------
    max_fraction : float, default=0.2
        Longest stretch, as a part of the clip.

    References
    ----------
    Park D. S. et al. (2019). SpecAugment: a simple data augmentation method for
    automatic speech recognition. Interspeech, 2613-2617.

    Examples
    --------
    >>> import torch
    >>> from skbreath import MaskFrames
    >>> X, _ = MaskFrames(0.5)(torch.ones(4, 3, 100), torch.ones(4, 1))
    >>> bool((X.mean(dim=(1, 2)) >= 0.49).all())
    True
    """

    _axis = 2


class MaskChannels(_Mask):
    """Replace a random run of neighbouring channels of each clip by zero.

    Parameters
    ----------
    max_fraction : float, default=0.2
        Longest run, as a part of the channels.

    References
    ----------
    Park et al. (2019), as for :class:`MaskFrames`.

    Examples
    --------
    >>> import torch
    >>> from skbreath import MaskChannels
    >>> X, _ = MaskChannels(0.0)(torch.ones(4, 3, 10), torch.ones(4, 1))
    >>> bool((X == 1).all())
    True
    """

    _axis = 1


@dataclass(frozen=True)
class LeaveRecording:
    """Make some clips recordings of their own.

    For features of :class:`~skbreath.RecordingContext`: the channels that are relative
    to the recording are brought to mean 0 over the frames of the clip. A network then
    learns from every clip with and without the other clips of its recording.

    Parameters
    ----------
    probability : float, default=0.5
        Part of the clips of a batch.
    n_planes : int, default=2
        Channels at the end that are not compared with the recording.

    Examples
    --------
    >>> import torch
    >>> from skbreath import LeaveRecording
    >>> X = torch.tensor([5.0, 2.0, 1.0]).reshape(1, 3, 1)  # a channel, relative, loop
    >>> left, _ = LeaveRecording(probability=1.0, n_planes=1)(X, torch.ones(1, 1))
    >>> left.flatten().tolist()
    [5.0, 0.0, 1.0]
    """

    probability: float = 0.5
    n_planes: int = 2

    def __post_init__(self):
        _check_fraction(self, "probability")

    def __call__(self, X: torch.Tensor, targets: torch.Tensor) -> _Batch:
        n_compared = (X.shape[1] - self.n_planes) // 2
        relative = X[:, n_compared : 2 * n_compared]
        leaves = torch.rand(len(X), 1, 1, device=X.device) < self.probability
        mean = relative.mean(dim=2, keepdim=True)
        X = X.clone()
        X[:, n_compared : 2 * n_compared] = relative - leaves * mean
        return X, targets


@dataclass(frozen=True)
class Mixup:
    """Mix each clip, and its target, with another of the batch.

    Parameters
    ----------
    alpha : float, default=0.4
        Both parameters of the beta distribution of the mixing weight; small values
        keep most of one clip.

    References
    ----------
    Zhang H. et al. (2018). mixup: beyond empirical risk minimization. ICLR.

    Examples
    --------
    >>> import torch
    >>> from skbreath import Mixup
    >>> X = torch.tensor([0.0, 1.0]).reshape(2, 1, 1)
    >>> mixed, targets = Mixup()(X, X[:, :, 0])
    >>> bool((mixed[:, :, 0] == targets).all())
    True
    """

    alpha: float = 0.4

    def __post_init__(self):
        if not (isinstance(self.alpha, Real) and 0 < self.alpha < math.inf):
            raise ValueError(
                f"alpha of Mixup must be a number above 0, got {self.alpha!r}."
            )

    def __call__(self, X: torch.Tensor, targets: torch.Tensor) -> _Batch:
        alpha = torch.tensor(float(self.alpha), device=X.device)
        weight = torch.distributions.Beta(alpha, alpha).sample((len(X),))
        other = torch.randperm(len(X), device=X.device)
        keep = weight[:, None, None]
        X = keep * X + (1 - keep) * X[other]
        keep = weight[:, None]
        return X, keep * targets + (1 - keep) * targets[other]


@dataclass(frozen=True)
class CutMix:
    """Replace a stretch of frames by those of another clip, and mix the targets.

    Parameters
    ----------
    probability : float, default=0.5
        Part of the batches that are cut.
    max_fraction : float, default=0.5
        Longest stretch, as a part of the clip.

    References
    ----------
    Yun S. et al. (2019). CutMix: regularization strategy to train strong
    classifiers with localizable features. ICCV, 6023-6032.

    Examples
    --------
    >>> import torch
    >>> from skbreath import CutMix
    >>> X = torch.tensor([0.0, 1.0]).reshape(2, 1, 1).expand(2, 1, 10)
    >>> mixed, targets = CutMix(probability=1.0)(X, X[:, :, 0])
    >>> torch.allclose(mixed.mean(dim=2), targets)
    True
    """

    probability: float = 0.5
    max_fraction: float = 0.5

    def __post_init__(self):
        _check_fraction(self, "probability")
        _check_fraction(self, "max_fraction")

    def __call__(self, X: torch.Tensor, targets: torch.Tensor) -> _Batch:
        if torch.rand(()) >= self.probability:
            return X, targets
        span = _random_spans(len(X), X.shape[2], self.max_fraction, X.device)
        other = torch.randperm(len(X), device=X.device)
        X = torch.where(span[:, None, :], X[other], X)
        keep = 1 - span.float().mean(dim=1, keepdim=True)
        return X, keep * targets + (1 - keep) * targets[other]
