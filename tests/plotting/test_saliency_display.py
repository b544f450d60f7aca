import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skbreath import (
    SaliencyDisplay,
    WeightedVotingClassifier,
    make_breath_sounds,
    make_net_member,
    make_spectrogram_member,
)


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


@pytest.mark.parametrize("make", [make_net_member, make_spectrogram_member])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_maps_are_those_of_captum(make, n_classes, sounds):
    attr = pytest.importorskip("captum.attr")
    labels = np.arange(len(sounds.target)) % n_classes
    member = make(max_epochs=1, hidden_channels=4, random_state=0)
    member.fit(sounds.waveforms, labels)
    clip = sounds.waveforms[0]
    network = member[-1].net_.module_.eval()
    inputs = torch.as_tensor(member[:-1].transform([clip]))
    for label in range(n_classes):
        # A network of two classes has one output, the logit of the second.
        attributions = attr.LayerGradCam(network, network.stem).attribute(
            inputs, target=0 if n_classes == 2 else label
        )
        sign = -1 if n_classes == 2 and label == 0 else 1
        expected = (sign * attributions.detach()[0, 0]).clip(min=0)
        expected = expected.reshape(1, 1, -1, expected.shape[-1])
        display = SaliencyDisplay.from_estimator(
            member, clip, label=label, layer="stem"
        )
        expected = torch.nn.functional.interpolate(
            expected, display.saliency.shape, mode="bilinear"
        )[0, 0].numpy()
        expected /= max(expected.max(), 1e-12)
        np.testing.assert_allclose(display.saliency, expected, atol=1e-5)


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
    vote = WeightedVotingClassifier(
        [("net", over_both)], calibration="temperature", refit=False, cv=2
    ).fit(sounds.waveforms, sounds.target)
    (member,) = vote.estimators_
    clip = sounds.waveforms[0]
    display = SaliencyDisplay.from_estimator(member, clip, label="I")
    of_folds = [
        SaliencyDisplay.from_estimator(model, clip, label="I").saliency
        for model in member.estimators
    ]
    mean = np.mean(of_folds, axis=0)
    np.testing.assert_allclose(display.saliency, mean / mean.max(), atol=1e-5)


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
