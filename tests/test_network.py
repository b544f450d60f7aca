import pytest
import torch

from skbreath import ResidualCNN1d, ResidualCNN2d


def test_is_the_network_of_the_description():
    network = ResidualCNN1d(112)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv1d)]
    shapes = [tuple(c.weight.shape) for c in convolutions]
    assert shapes == [
        (64, 112, 3),
        (64, 64, 3),
        (64, 64, 3),
        (128, 64, 3),
        (128, 128, 3),
        (128, 64, 1),
    ]
    linear = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in linear] == [(64, 256), (1, 64)]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 63, 500])
@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("kind", [ResidualCNN1d, ResidualCNN2d])
def test_any_number_of_frames(kind, n_frames, kernel_size):
    network = kind(5, 3, hidden_channels=4, kernel_size=kernel_size).eval()
    assert network(torch.randn(2, 5, n_frames)).shape == (2, 3)


@pytest.mark.parametrize(("kind", "width"), [(ResidualCNN1d, 8), (ResidualCNN2d, 16)])
def test_embedding_joins_the_mean_and_the_maximum(kind, width):
    embedding = kind(5, hidden_channels=4).eval().embed(torch.randn(6, 5, 40))
    mean, maximum = embedding.split(width, dim=1)
    assert mean.shape == maximum.shape == (6, width)
    assert (maximum >= mean).all()


@pytest.mark.parametrize("kind", [ResidualCNN1d, ResidualCNN2d])
def test_even_kernel_is_refused(kind):
    with pytest.raises(ValueError, match="kernel_size must be odd, got 4"):
        kind(5, kernel_size=4)
