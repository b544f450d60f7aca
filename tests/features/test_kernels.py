"""The kernels, where the public estimator does not show them."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import BreathFeatures
from skbreath.features import filters
from skbreath.features.kernels import loop_periods
from skbreath.utils import compiled


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
