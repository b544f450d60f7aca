"""Define residual convolutional networks over the frames of a clip.

A network is a :class:`torch.nn.Module` that maps features of shape ``(n_clips,
n_channels, n_frames)`` to logits of shape ``(n_clips, n_outputs)``.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["ResidualCNN1d", "ResidualCNN2d", "class_probabilities"]


def class_probabilities(logits):
    """Turn logits into probabilities of shape ``(n_clips, n_classes)``."""
    if logits.shape[1] == 1:
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=1)
    return torch.softmax(logits, dim=1)


def _check_kernel_size(kernel_size):
    # With an even size the blocks would change the number of frames.
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, got {kernel_size}.")


def _head_layers(n_in, n_hidden, n_outputs, dropout):
    """Make the two linear layers that turn a pooled vector into logits."""
    return [
        nn.Linear(n_in, n_hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(n_hidden, n_outputs),
    ]


def _mean_and_maximum(x):
    """Concatenate the mean and the maximum over the last axis."""
    return torch.cat([x.mean(dim=-1), x.amax(dim=-1)], dim=1)


class _ResidualBlock(nn.Module):
    """Apply two convolutions with a skip connection, and max pooling before or after.

    Images are channels-last, which makes training on a CPU a quarter faster with one
    row, a third with many. `kernel` and `pool` are sizes over rows and columns.
    """

    def __init__(self, n_in, n_out, kernel, pool, *, bias, pool_first=False):
        super().__init__()
        same = {"padding": "same", "bias": bias}
        self.body = nn.Sequential(
            nn.Conv2d(n_in, n_out, kernel, **same),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, kernel, **same),
            nn.BatchNorm2d(n_out),
        )
        self.skip = nn.Identity()
        if n_in != n_out:
            self.skip = nn.Conv2d(n_in, n_out, 1, bias=bias)
        self.pool = pool
        self.pool_first = pool_first

    def forward(self, x):
        # A single row or frame cannot be pooled.
        window = [min(pair) for pair in zip(self.pool, x.shape[-2:], strict=True)]
        if self.pool_first:
            x = F.max_pool2d(x, window)
            return F.relu(self.body(x) + self.skip(x))
        # Pooling before the ReLU gives the same numbers with fewer comparisons.
        return F.relu(F.max_pool2d(self.body(x) + self.skip(x), window))


class ResidualCNN1d(nn.Module):
    """Residual CNN over time with global average and max pooling.

    The feature channels of a frame are the input channels of the first
    convolution. A stem is followed by one residual block at `hidden_channels` and one
    at twice as many, each of which halves the frames. The mean and the maximum over the
    remaining frames go to a head of two layers.

    Parameters
    ----------
    n_channels : int
        Feature channels of a frame, 112 for the whole stack of
        :class:`~skbreath.BreathFeatures`.
    n_outputs : int, default=1
        Logits per clip: 1 for two classes, else the number of classes.
    hidden_channels : int, default=64
        Width of the first block; the second has twice as many.
    kernel_size : int, default=3
        Frames that one convolution covers, odd.
    dropout : float, default=0.5
        Probability of dropping a unit, before the pooling and inside the head.

    Raises
    ------
    ValueError
        If `kernel_size` is even: the blocks could not keep their frames.

    See Also
    --------
    ResidualCNNClassifier : Trains it as a scikit-learn classifier.

    References
    ----------
    He K., Zhang X., Ren S., Sun J. (2016). Deep residual learning for image
    recognition. CVPR, 770-778.

    Examples
    --------
    >>> import torch
    >>> from skbreath import ResidualCNN1d
    >>> network = ResidualCNN1d(n_channels=112).eval()
    >>> network(torch.zeros(4, 112, 63)).shape
    torch.Size([4, 1])
    >>> network.embed(torch.zeros(4, 112, 63)).shape
    torch.Size([4, 256])
    """

    def __init__(
        self,
        n_channels: int,
        n_outputs: int = 1,
        *,
        hidden_channels: int = 64,
        kernel_size: int = 3,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        _check_kernel_size(kernel_size)
        wide, kernel, pool = 2 * hidden_channels, (1, kernel_size), (1, 2)
        self.stem = nn.Sequential(
            nn.Conv2d(n_channels, hidden_channels, kernel, padding="same"),
            nn.BatchNorm2d(hidden_channels),
            nn.ReLU(),
        )
        self.block1 = _ResidualBlock(
            hidden_channels, hidden_channels, kernel, pool, bias=True
        )
        self.block2 = _ResidualBlock(hidden_channels, wide, kernel, pool, bias=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(
            *_head_layers(2 * wide, hidden_channels, n_outputs, dropout)
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Pool a clip to one vector.

        Parameters
        ----------
        x : torch.Tensor of shape (n_clips, n_channels, n_frames)

        Returns
        -------
        embedding : torch.Tensor of shape (n_clips, 4 * hidden_channels)
            Mean, then maximum over the frames of the last block.
        """
        x = x[:, :, None].contiguous(memory_format=torch.channels_last)
        x = self.block2(self.block1(self.stem(x)))
        x = self.dropout(x.squeeze(2))
        return _mean_and_maximum(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits of shape ``(n_clips, n_outputs)``."""
        return self.head(self.embed(x))


class ResidualCNN2d(nn.Module):
    """Residual CNN over frequency and time with global average and max pooling.

    The channels of the features are taken as neighbouring frequencies, as the mel
    bands are: give it ``BreathFeatures(groups=("mel",))``. A strided stem halves both
    axes, three residual blocks of growing width halve them further, then as in
    :class:`ResidualCNN1d`.

    Parameters
    ----------
    n_channels : int
        Frequencies, and planes; any number is taken later.
    n_outputs : int, default=1
        Logits per clip: 1 for two classes, else the number of classes.
    hidden_channels : int, default=16
        Width of the stem; the blocks have two, four and eight times as many.
    kernel_size : int, default=3
        Size of the convolutions of the blocks in both directions, odd. That of the
        stem is larger by two.
    dropout : float, default=0.3
        Probability of dropping a unit of the pooled vector, and inside the head.
    n_planes : int, default=0
        Channels at the end that are not frequencies, such as the two of the group
        ``"loop"``: each becomes a plane of its own beside the spectrogram, with the
        same values at all frequencies.
    pool_first : bool, default=False
        Halve both axes before the two convolutions of a block rather than after them:
        they then compute a quarter, and training takes a third of the time.

    Raises
    ------
    ValueError
        If `kernel_size` is even, or there is no frequency beside the planes.

    References
    ----------
    He et al. (2016), as for :class:`ResidualCNN1d`.

    Examples
    --------
    >>> import torch
    >>> from skbreath import ResidualCNN2d
    >>> network = ResidualCNN2d(n_channels=64).eval()
    >>> network(torch.zeros(4, 64, 101)).shape
    torch.Size([4, 1])
    """

    def __init__(
        self,
        n_channels: int,
        n_outputs: int = 1,
        *,
        hidden_channels: int = 16,
        kernel_size: int = 3,
        dropout: float = 0.3,
        n_planes: int = 0,
        pool_first: bool = False,
    ) -> None:
        super().__init__()
        _check_kernel_size(kernel_size)
        if not 0 <= n_planes < n_channels:
            raise ValueError(
                f"n_planes must leave at least one of the {n_channels} channels for "
                f"the frequencies, got {n_planes}."
            )
        self.n_planes = n_planes
        wide = kernel_size + 2
        self.stem = nn.Sequential(
            nn.Conv2d(
                1 + n_planes,
                hidden_channels,
                wide,
                stride=2,
                padding=wide // 2,
                bias=False,
            ),
            nn.BatchNorm2d(hidden_channels),
            nn.ReLU(),
        )
        widths = [hidden_channels * factor for factor in (1, 2, 4, 8)]
        kernel = (kernel_size, kernel_size)
        self.blocks = nn.Sequential(
            *(
                _ResidualBlock(
                    n_in, n_out, kernel, (2, 2), bias=False, pool_first=pool_first
                )
                for n_in, n_out in pairwise(widths)
            )
        )
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            *_head_layers(2 * widths[-1], widths[-1], n_outputs, dropout),
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Pool a clip to one vector.

        Parameters
        ----------
        x : torch.Tensor of shape (n_clips, n_channels, n_frames)

        Returns
        -------
        embedding : torch.Tensor of shape (n_clips, 16 * hidden_channels)
            Mean, then maximum over frequency and time of the last block.
        """
        n_frequencies = x.shape[1] - self.n_planes
        images = [x[:, None, :n_frequencies]]
        if self.n_planes:
            planes = x[:, n_frequencies:, None]
            images.append(planes.expand(-1, -1, n_frequencies, -1))
        x = torch.cat(images, dim=1).contiguous(memory_format=torch.channels_last)
        return self.pool(self.blocks(self.stem(x)))

    def pool(self, images: torch.Tensor) -> torch.Tensor:
        """Pool the output of the blocks; a subclass may override this.

        Parameters
        ----------
        images : torch.Tensor of shape (n_clips, 8 * hidden_channels, height, width)

        Returns
        -------
        embedding : torch.Tensor of shape (n_clips, 16 * hidden_channels)
        """
        return _mean_and_maximum(images.flatten(start_dim=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits of shape ``(n_clips, n_outputs)``."""
        return self.head(self.embed(x))
