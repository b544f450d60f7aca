import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skbreath import (
    ResidualCNN1d,
    ResidualCNN2d,
    SaliencyDisplay,
    make_breath_sounds,
    make_net_member,
    make_spectrogram_member,
)
from skbreath.ensemble.mixture import FoldAverage
from skbreath.plotting.saliency import grad_cam


@pytest.fixture(scope="module")
def sounds():
    return make_breath_sounds(40, random_state=0)


@pytest.fixture(scope="module")
def over_both(sounds):
    member = make_spectrogram_member(max_epochs=1, hidden_channels=4, random_state=0)
    return member.fit(sounds.waveforms, sounds.target)


@pytest.fixture(scope="module")
def over_time(sounds):
    member = make_net_member(max_epochs=1, hidden_channels=4, random_state=0)
    return member.fit(sounds.waveforms, sounds.target)


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("agg")
    plt.close("all")  # those of other tests
    yield
    plt.close("all")


@pytest.mark.parametrize("kind", [ResidualCNN1d, ResidualCNN2d])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_maps_are_those_of_captum(kind, n_outputs):
    attr = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    network = kind(n_channels=32, n_outputs=n_outputs).eval()
    layer = network.block2 if kind is ResidualCNN1d else network.blocks[1]
    x = torch.randn(3, 32, 40)
    for output in range(n_outputs):
        expected = attr.LayerGradCam(network, layer).attribute(
            x, target=output, relu_attributions=True
        )
        ours = grad_cam(network, x, layer, output=output)
        np.testing.assert_allclose(ours, expected.detach()[:, 0].numpy(), atol=1e-6)


def test_map_is_largest_where_the_network_uses_its_input():
    class SecondHalf(torch.nn.Module):
        """Compute the level of the second half."""

        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Identity()

        def forward(self, x):
            return (self.layer(x[:, None])[..., 20:] ** 2).mean(dim=(1, 2, 3))[:, None]

    network = SecondHalf()
    x = torch.zeros(1, 8, 40)
    x[:, 2, 30] = 1.0
    found = grad_cam(network, x, network.layer)
    assert np.unravel_index(found[0].argmax(), (8, 40)) == (2, 30)
    assert not grad_cam(network, x, network.layer, sign=-1.0).any()


def test_a_network_over_frequency_and_time_has_a_map_of_both(over_both, sounds):
    ax = Figure().subplots()
    display = SaliencyDisplay.from_estimator(over_both, sounds.waveforms[0], ax=ax)
    assert display.ax_ is ax and plt.get_fignums() == []
    assert display.saliency.shape == display.power.shape == (64, 63)
    assert display.saliency.min() >= 0 and display.saliency.max() <= 1
    assert display.label in ("E", "I") and display.probability >= 0.5
    assert ax.get_xlabel() == "Time (s)" and ax.get_ylabel() == "Mel band (Hz)"
    assert 50 < display.frequencies[0] < display.frequencies[-1] < 2000


def test_both_classes_can_be_explained(over_both, sounds):
    inhale, exhale = (
        SaliencyDisplay.from_estimator(over_both, sounds.waveforms[0], label=label)
        for label in ("I", "E")
    )
    assert inhale.probability + exhale.probability == pytest.approx(1)
    assert not np.array_equal(inhale.saliency, exhale.saliency)


def test_network_over_time_has_one_value_per_frame(over_time, sounds):
    display = SaliencyDisplay.from_estimator(over_time, sounds.waveforms[1])
    assert display.saliency.shape == (1, 63) and display.power.shape == (64, 63)
    assert display.time_ax_.get_ylabel() == "Saliency"


def test_models_of_folds_are_averaged(over_both, sounds):
    clip = sounds.waveforms[0]
    alone = SaliencyDisplay.from_estimator(over_both, clip)
    twice = SaliencyDisplay.from_estimator(FoldAverage([over_both] * 2), clip)
    np.testing.assert_allclose(twice.saliency, alone.saliency, atol=1e-6)


def test_errors_of_wrong_estimators_labels_and_layers(over_both, sounds):
    clip = sounds.waveforms[0]
    with pytest.raises(ValueError, match="LogisticRegression"):
        SaliencyDisplay.from_estimator(LogisticRegression(), clip)
    with pytest.raises(ValueError, match="label='X'"):
        SaliencyDisplay.from_estimator(over_both, clip, label="X")
    with pytest.raises(ValueError, match="stem, blocks, head, got 'nose'"):
        SaliencyDisplay.from_estimator(over_both, clip, layer="nose")
    with pytest.raises(NotFittedError):
        SaliencyDisplay.from_estimator(make_spectrogram_member(), clip)


def test_explaining_leaves_the_network_as_it_was(over_both, sounds):
    before = over_both.predict_proba(sounds.waveforms[:4])
    SaliencyDisplay.from_estimator(over_both, sounds.waveforms[0])
    assert np.array_equal(before, over_both.predict_proba(sounds.waveforms[:4]))
    assert not over_both[-1].net_.module_.blocks[-1]._forward_hooks
