"""The kernels, where the public estimator does not show them."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import BreathFeatures
from skbreath.features import filters, kernels


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

    monkeypatch.setattr(kernels, "njit", no_cache)

    @kernels.cached_kernel
    def double(x):
        return 2 * x

    assert double(21) == 42
