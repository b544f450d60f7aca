import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import BreathFeatures
from skbreath.features.kernels import loop_periods
from skbreath.onnx_export.feature_graph import FeatureGraph, LoopGraph

EVERYTHING = ("mel", "rms", "zcr", "contrast", "mfcc", "delta", "delta2", "loop")


@pytest.fixture(scope="module")
def clips():
    random = np.random.default_rng(0)
    clips = random.normal(scale=0.1, size=(6, 4000)) * np.hanning(4000)
    clips[1] = np.resize(clips[1, :1700], 4000)
    clips[2] = 0
    clips[3, :3000] = 0
    clips[4] = np.sin(np.arange(4000) / 20)
    clips[5] *= 1e-6
    return clips.astype(np.float32)


@pytest.mark.parametrize(
    "params",
    [
        {"groups": EVERYTHING},
        {"groups": EVERYTHING, "log_scale": False, "hop_length": 160},
        {"groups": ("mel", "loop"), "fmin": 50, "fmax": 2000, "n_mels": 20},
        {"groups": ("rms", "zcr", "delta2"), "n_fft": 600, "hop_length": 125},
        {"groups": EVERYTHING, "sample_rate": 8000, "n_fft": 512, "n_mels": 32},
        {"groups": ("mel", "mfcc"), "n_mfcc": 20},
    ],
)
def test_equals_the_kernels(clips, params):
    features = BreathFeatures(**params).fit(clips)
    expected = features.transform(clips)
    found = FeatureGraph(features)(torch.from_numpy(clips)).numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-4)


def test_few_frames_have_no_derivative():
    clips = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    features = BreathFeatures(groups=("delta", "delta2")).fit(clips)
    graph = FeatureGraph(features)
    np.testing.assert_array_equal(graph(torch.from_numpy(clips)), 0)


@settings(deadline=None, max_examples=60)
@given(
    unit=st.lists(st.integers(-2, 2), min_size=1, max_size=150),
    n_samples=st.integers(70, 400),
    shortest=st.integers(1, 90),
    change=st.integers(0, 800),
)
def test_periods_are_those_of_the_string_search(unit, n_samples, shortest, change):
    clip = np.resize(np.array(unit, dtype=np.float32) / 4, n_samples)
    if change < n_samples:
        clip[change] += 2.0**-15  # the smallest step of 16 bits
    shortest = min(shortest, n_samples)
    expected = loop_periods(clip[None], shortest)
    graph = LoopGraph(n_samples, 1, 1, shortest)
    assert graph.periods(torch.from_numpy(clip[None]).double())[0].item() == expected[0]
