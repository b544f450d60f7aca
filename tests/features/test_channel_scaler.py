"""ChannelScaler: one mean and one scale per channel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import ChannelScaler


@parametrize_with_checks([ChannelScaler()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 150), st.integers(1, 5), st.integers(1, 9)),
    dtype=st.sampled_from([np.float32, np.float64]),
    offset=st.floats(-1e3, 1e3),
)
def test_is_the_standard_scaler_over_clips_and_frames(shape, dtype, offset):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=shape) + offset).astype(dtype)
    table = X.transpose(0, 2, 1).reshape(-1, shape[1]).astype(float)
    expected = StandardScaler().fit(table)
    scaler = ChannelScaler().fit(X)
    np.testing.assert_allclose(scaler.mean_, expected.mean_, rtol=1e-9)
    if len(table) > 1:
        np.testing.assert_allclose(scaler.scale_, expected.scale_, rtol=1e-7)
    scaled = scaler.transform(X)
    assert scaled.shape == shape
    assert scaled.dtype == np.float32
    again = expected.transform(table).reshape(shape[0], shape[2], shape[1])
    np.testing.assert_allclose(scaled, again.transpose(0, 2, 1), atol=1e-4)


def test_constant_channels_become_zero():
    X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    X[:, 1] = 0.1
    scaler = ChannelScaler().fit(X)
    assert scaler.scale_[1] == 1
    assert np.abs(scaler.transform(X)[:, 1]).max() < 1e-6


def test_is_stable_far_from_zero():
    X = np.random.default_rng(0).normal(size=(200, 2, 5)) + 1e9
    np.testing.assert_allclose(ChannelScaler().fit(X).scale_, 1, rtol=0.1)


def test_two_dimensions_are_one_frame():
    X = np.random.default_rng(0).normal(size=(6, 4))
    flat, deep = (
        ChannelScaler().fit_transform(X),
        ChannelScaler().fit_transform(X[..., None]),
    )
    assert flat.shape == (6, 4)
    assert np.array_equal(flat, deep[:, :, 0])


def test_the_number_of_frames_may_change_but_not_that_of_channels():
    X = np.random.default_rng(0).normal(size=(6, 4, 5))
    scaler = ChannelScaler().fit(X)
    assert np.array_equal(scaler.transform(X[:, :, :2]), scaler.transform(X)[:, :, :2])
    for n_channels in (3, 5):
        with pytest.raises(ValueError, match=f"X has {n_channels} features, but .* 4"):
            scaler.transform(np.zeros((6, n_channels, 5)))


def test_only_the_fitted_clips_set_mean_and_scale():
    X = np.random.default_rng(0).normal(size=(20, 3, 4))
    scaler = ChannelScaler().fit(X[:10])
    assert np.array_equal(scaler.transform(X)[:10], scaler.transform(X[:10]))


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 0)])
def test_other_shapes_are_errors(shape):
    with pytest.raises(ValueError, match="n_clips, n_channels, n_frames"):
        ChannelScaler().fit(np.zeros(shape))


def test_nan_is_an_error():
    with pytest.raises(ValueError, match="NaN"):
        ChannelScaler().fit(np.full((2, 3, 4), np.nan))
