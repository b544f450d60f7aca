from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skbreath import ResidualCNN1d, ResidualCNN2d


def test_is_the_network_of_the_description():
    network = ResidualCNN1d(112)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    shapes = [tuple(c.weight.shape) for c in convolutions]
    assert shapes == [
        (64, 112, 1, 3),
        (64, 64, 1, 3),
        (64, 64, 1, 3),
        (128, 64, 1, 3),
        (128, 128, 1, 3),
        (128, 64, 1, 1),
    ]
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in linear] == [(64, 256), (1, 64)]


def test_computes_what_a_network_of_one_dimensional_convolutions_does():
    def convolve(layer, x):
        weight = layer.weight[:, :, 0]
        return F.conv1d(x, weight, layer.bias, padding=weight.shape[-1] // 2)

    def normalise(layer, x):
        mean, var = layer.running_mean, layer.running_var
        return F.batch_norm(x, mean, var, layer.weight, layer.bias)

    def block(layer, x):
        first, norm, _, second, last_norm = layer.body
        inner = F.relu(normalise(norm, convolve(first, x)))
        skip = x if isinstance(layer.skip, nn.Identity) else convolve(layer.skip, x)
        return F.relu(normalise(last_norm, convolve(second, inner)) + skip)

    torch.manual_seed(0)
    network, x = ResidualCNN1d(12, hidden_channels=8), torch.randn(16, 12, 31)
    network(x)  # the statistics of a batch
    network.eval()
    convolution, norm, _ = network.stem
    h = F.relu(normalise(norm, convolve(convolution, x)))
    h = F.max_pool1d(block(network.block1, h), 2)
    h = F.max_pool1d(block(network.block2, h), 2)
    h = torch.cat([h.mean(dim=2), h.amax(dim=2)], dim=1)
    torch.testing.assert_close(network.embed(x), h)
    torch.testing.assert_close(network(x), network.head(h))


@pytest.mark.parametrize("n_frames", [1, 2, 3, 63, 500])
@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize(
    "kind", [ResidualCNN1d, ResidualCNN2d, partial(ResidualCNN2d, pool_first=True)]
)
def test_any_number_of_frames(kind, n_frames, kernel_size):
    network = kind(5, 3, hidden_channels=4, kernel_size=kernel_size).eval()
    assert network(torch.randn(2, 5, n_frames)).shape == (2, 3)


@pytest.mark.parametrize(("kind", "width"), [(ResidualCNN1d, 8), (ResidualCNN2d, 32)])
def test_embedding_joins_the_mean_and_the_maximum(kind, width):
    embedding = kind(5, hidden_channels=4).eval().embed(torch.randn(6, 5, 40))
    mean, maximum = embedding.split(width, dim=1)
    assert mean.shape == maximum.shape == (6, width)
    assert (maximum >= mean).all()


@pytest.mark.parametrize("kind", [ResidualCNN1d, ResidualCNN2d])
def test_even_kernel_is_refused(kind):
    with pytest.raises(ValueError, match="kernel_size must be odd, got 4"):
        kind(5, kernel_size=4)


def test_pooling_before_the_convolutions():
    later = ResidualCNN2d(8, hidden_channels=4).eval()
    network = ResidualCNN2d(8, hidden_channels=4, pool_first=True).eval()
    network.load_state_dict(later.state_dict())  # the same weights, in another order
    x = torch.randn(3, 8, 20)
    h = network.stem(x[:, None])
    for block, old in zip(network.blocks, later.blocks, strict=True):
        h = F.max_pool2d(h, [min(2, size) for size in h.shape[2:]])
        h = F.relu(old.body(h) + old.skip(h))
        assert block.pool_first
    torch.testing.assert_close(network.embed(x), network.pool(h))
    assert not torch.allclose(network(x), later(x))


def test_planes_are_seen_at_every_frequency():
    torch.manual_seed(0)
    network = ResidualCNN2d(10, hidden_channels=4, n_planes=2).eval()
    x = torch.randn(3, 10, 20)
    images = torch.stack(
        [x[:, :8], *(x[:, i : i + 1].expand(-1, 8, -1) for i in (8, 9))], 1
    )
    h = network.blocks(network.stem(images)).flatten(2)
    h = torch.cat([h.mean(2), h.amax(2)], 1)
    torch.testing.assert_close(network.embed(x), h)
    with pytest.raises(ValueError, match="n_planes must leave at least one"):
        ResidualCNN2d(2, n_planes=2)
