"""Constants and kernels of the features, where public estimators do not show them."""

import os
import subprocess
import sys

import librosa
import numba
import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import BreathFeatures
from skbreath.features import filters
from skbreath.features.feature_set import GROUPS, FeatureStack
from skbreath.features.kernels import loop_periods
from skbreath.utils import compiled

STACK = FeatureStack(
    sample_rate=16000, groups=GROUPS, n_mels=64, n_fft=1024, hop_length=256, fmin=0.0,
    fmax=None, n_mfcc=13, n_contrast_bands=6, log_scale=True, dtype="float32",
)  # fmt: skip


def test_window_is_periodic_hann():
    expected = librosa.filters.get_window("hann", 1024)
    np.testing.assert_allclose(filters.hann_window(1024), expected, atol=1e-15)


@pytest.mark.parametrize("n_coefficients", [1, 13, 128])
def test_basis_is_the_orthonormal_cosine_transform(n_coefficients):
    expected = scipy.fft.dct(np.eye(128), type=2, norm="ortho", axis=0)
    basis = filters.dct_basis(n_coefficients, 128)
    np.testing.assert_allclose(basis, expected[:n_coefficients], atol=1e-13)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("n_frames", [3, 4, 5, 8, 9, 10, 63])
def test_taps_are_the_middle_of_the_derivative_of_librosa(n_frames, order):
    taps = filters.delta_taps(n_frames, order)
    width = len(taps)
    assert width == min(9, n_frames if n_frames % 2 else n_frames - 1)
    expected = librosa.feature.delta(np.eye(width), width=width, order=order)
    np.testing.assert_allclose(taps, expected[:, width // 2], atol=1e-12)


@pytest.mark.parametrize("n_frames", [1, 2])
def test_no_taps_where_there_is_no_derivative(n_frames):
    assert len(filters.delta_taps(n_frames, 1)) == 0


@settings(deadline=None, max_examples=50)
@given(
    sample_rate=st.integers(500, 50000),
    n_fft=st.integers(1, 2048).map(lambda half: 2 * half),
    n_bands=st.integers(1, 9),
)
def test_contrast_bands_lie_in_the_spectrum(sample_rate, n_fft, n_bands):
    if sample_rate / n_fft > filters.CONTRAST_FMIN:
        return
    edges, bins = filters.contrast_bands(sample_rate, n_fft, n_bands)
    assert edges[0] == 0
    assert edges[-1] == sample_rate / 2
    assert (np.diff(edges) > 0).all()
    assert len(edges) == len(bins) + 1 <= n_bands + 2
    first, stop, n_extreme = bins.T
    assert first[0] == 0
    assert stop[-1] == n_fft // 2 + 1
    assert (n_extreme >= 1).all()
    assert (n_extreme <= stop - first).all()


def plan_of(n_frames=63, **changes):
    stack = STACK._replace(**changes)
    return filters.make_plan(stack, *stack.mel_filters(), n_frames)


def test_filters_of_another_shape_are_errors():
    mel, mfcc = STACK.mel_filters()
    for shapes in ((mel[:, :-1], mfcc), (mel, mfcc[:-1])):
        with pytest.raises(ValueError, match="Expected mel filters of shapes"):
            filters.make_plan(STACK, *shapes, 63)


def test_groups_left_out_leave_no_gap():
    plan = plan_of(groups=("delta", "contrast"))
    assert plan.first_rows == (-1, -1, -1, 0, -1, 7, -1)
    assert len(plan.mel_bands) == 0
    assert len(plan.cepstral_bands) == 128


def test_crossings_need_no_spectrum():
    plan = plan_of(groups=("zcr",))
    assert not plan.needs_frames
    assert not plan.needs_spectrum


def test_short_clips_have_narrow_deltas():
    assert [len(plan_of(n).slope) for n in (2, 3, 6, 63)] == [0, 3, 5, 9]


@settings(deadline=None, max_examples=40)
@given(n_fft=st.integers(1, 1100).map(lambda half: 2 * half))
def test_mel_powers_are_those_of_a_plain_transform_of_any_even_length(n_fft):
    rng = np.random.default_rng(n_fft)
    y = rng.normal(size=n_fft)
    features = BreathFeatures(
        groups=["mel"], n_mels=1, n_fft=n_fft, hop_length=n_fft, log_scale=False
    )
    if n_fft == 2:  # no bin between nothing and half the sample rate
        with pytest.raises(ValueError, match="n_mels=1 is too many"):
            features.fit(y[None])
        return
    padded = np.pad(y, n_fft // 2).reshape(2, n_fft)
    spectrum = np.fft.rfft(padded * filters.hann_window(n_fft))
    expected = filters.mel_filters(16000, n_fft, 1) @ np.abs(spectrum.T) ** 2
    actual = features.fit_transform(y[None])[0]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_kernels_work_where_nothing_can_be_cached(monkeypatch):
    plain = numba.njit

    def no_cache(*args, **options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return plain(*args, **options)

    monkeypatch.setattr(compiled, "njit", no_cache)

    @compiled.cached_kernel
    def double(x):
        return 2 * x

    assert double(21) == 42


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.integers(-1, 1), min_size=70, max_size=150),
    repeated=st.integers(0, 120),
    shortest=st.integers(1, 60),
)
def test_the_shortest_period_is_found(values, repeated, shortest):
    # Few different values, so that much repeats by chance.
    clip = np.resize(np.asarray(values, dtype=np.float32), len(values) + repeated)
    n = len(clip)
    periods = [
        lag
        for lag in range(shortest, n - 63)
        if np.array_equal(clip[lag:], clip[: n - lag])
    ]
    assert loop_periods(clip[None], shortest).tolist() == [min(periods, default=n)]


def test_channels_follow_the_loop():
    rng = np.random.default_rng(0)
    clips = rng.normal(scale=0.1, size=(2, 16000))
    clips[0] = np.resize(clips[0, :6400], 16000)
    features = BreathFeatures(groups=("mel", "loop"), hop_length=160).fit(clips)
    assert features.channel_names_[-2:].tolist() == ["loop_position", "loop_period"]
    position, period = features.transform(clips)[:, -2:].swapaxes(0, 1)
    np.testing.assert_allclose(period, np.array([[0.4], [1.0]]) * np.ones(101))
    np.testing.assert_allclose(
        position[0, :41], np.linspace(-1, 1, 41)[:-1].tolist() + [-1], atol=1e-6
    )
    np.testing.assert_allclose(position[0, 40:80], position[0, :40], atol=1e-6)
    np.testing.assert_allclose(
        position[1, :-1], np.linspace(-1, 1, 101)[:-1], atol=1e-6
    )


def test_the_other_groups_are_unchanged():
    clips = np.random.default_rng(0).normal(size=(3, 4000))
    alone = BreathFeatures(groups=("rms", "mfcc")).fit_transform(clips)
    both = BreathFeatures(groups=("loop", "rms", "mfcc")).fit_transform(clips)
    assert (both[:, :-2] == alone).all()
    only = BreathFeatures(groups=("loop",), n_jobs=2, batch_size=1).fit_transform(clips)
    assert (only == both[:, -2:]).all()


@pytest.mark.parametrize("n_samples", [1, 63, 1600, 1601])
def test_short_clips_are_no_loops(n_samples):
    clips = np.random.default_rng(0).normal(size=(2, n_samples))
    features = BreathFeatures(groups=("loop",)).fit_transform(clips)
    assert (features[:, 1] == 1).all()


@pytest.mark.slow
def test_a_damaged_cache_is_compiled_again(tmp_path):
    code = (
        "import numpy as np; from skbreath import BreathFeatures as B\n"
        "print(B(groups=('rms',)).fit_transform(np.ones((1, 16000))).sum())"
    )
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def run():
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=env, check=True, capture_output=True).stdout

    expected = run()
    for ending in ("nbi", "nbc"):
        for file in tmp_path.rglob(f"*.{ending}"):
            os.truncate(file, 20)
        assert run() == expected
