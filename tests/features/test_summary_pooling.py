"""SummaryPooling: one row per clip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbreath import SummaryPooling


@parametrize_with_checks(
    [
        SummaryPooling(),
        SummaryPooling(n_bins=0),
        SummaryPooling(statistics=()),
        SummaryPooling(relative=True, period_channel=-1),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_statistics_and_bins():
    X = np.array([[[0.0, 1, 2, 9], [4, 4, 4, 4]]])
    pooling = SummaryPooling(n_bins=2, statistics=("mean", "std", "min", "max"))
    pooled = pooling.fit(X).transform(X)
    std = np.std([0, 1, 2, 9])
    np.testing.assert_allclose(pooled, [[3, 4, std, 0, 0, 4, 9, 4, 0.5, 4, 5.5, 4]])
    names = pooling.get_feature_names_out(["rms", "zcr"]).tolist()
    assert names[:3] == ["rms_mean", "zcr_mean", "rms_std"]
    assert names[-2:] == ["rms_bin1", "zcr_bin1"]
    assert len(names) == pooled.shape[1]


@settings(deadline=None, max_examples=40)
@given(
    n_frames=st.integers(1, 40), n_bins=st.integers(0, 12), n_clips=st.integers(1, 70)
)
def test_bins_cover_every_frame(n_frames, n_bins, n_clips):
    X = np.broadcast_to(np.arange(n_frames, dtype=float), (n_clips, 3, n_frames))
    pooled = SummaryPooling(n_bins=n_bins).fit(X).transform(X)
    assert pooled.shape == (n_clips, 3 * (2 + n_bins))
    means = pooled[0, 6:].reshape(n_bins, 3)[:, 0]
    assert (np.diff(means) >= 0).all()
    if 0 < n_bins <= n_frames:
        edges = np.arange(n_bins + 1) * n_frames // n_bins
        widths = np.diff(edges)
        assert widths.max() - widths.min() <= 1
        np.testing.assert_allclose((means * widths).sum(), X[0, 0].sum())
    elif n_bins:
        assert set(means) == set(range(n_frames))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_the_batch(dtype):
    X = np.random.default_rng(0).normal(size=(150, 7, 63)).astype(dtype)
    pooling = SummaryPooling().fit(X)
    together = pooling.transform(X)
    assert together.dtype == dtype
    alone = np.concatenate([pooling.transform(X[i : i + 1]) for i in range(150)])
    assert np.array_equal(alone, together)
    assert np.array_equal(pooling.transform(np.asfortranarray(X)), together)


def test_two_dimensions_are_one_frame():
    X = np.random.default_rng(0).normal(size=(6, 4))
    pooled = SummaryPooling(n_bins=1).fit_transform(X)
    np.testing.assert_allclose(pooled, np.hstack([X, np.zeros((6, 4)), X]))


def test_data_frame_out():
    X = np.random.default_rng(0).normal(size=(6, 2, 9))
    frame = SummaryPooling(n_bins=1).set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == [
        "x0_mean", "x1_mean", "x0_std", "x1_std", "x0_bin0", "x1_bin0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_bins": -1}, "n_bins"),
        ({"statistics": ["median"]}, "statistics must be among"),
        ({"statistics": ["mean", "mean"]}, "each at most once"),
        ({"statistics": (), "n_bins": 0}, "Expected statistics or bins"),
    ],
)
def test_bad_parameters_are_errors(params, message):
    with pytest.raises(ValueError, match=message):
        SummaryPooling(**params).fit(np.zeros((2, 3, 4)))


def test_other_numbers_of_channels_are_errors():
    pooling = SummaryPooling().fit(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="X has 2 features, but .* 3"):
        pooling.transform(np.zeros((2, 2, 4)))


def test_relative_bins_separate_course_and_level():
    X = np.array([[[0.0, 1, 2, 9], [4, 4, 4, 4]]])
    pooling = SummaryPooling(n_bins=2, statistics=(), relative=True).fit(X)
    np.testing.assert_allclose(pooling.transform(X), [[3, 4, -2.5, 0, 2.5, 0]])
    names = pooling.get_feature_names_out(["a", "b"]).tolist()
    assert names == [
        "a_bins_mean",
        "b_bins_mean",
        "a_bin0",
        "b_bin0",
        "a_bin1",
        "b_bin1",
    ]
    louder = pooling.transform(X + 7)
    np.testing.assert_allclose(louder - pooling.transform(X), [[7, 7, 0, 0, 0, 0]])


def test_only_the_first_period_is_summarised():
    # Three periods of two frames and a half, and a clip that does not repeat itself.
    X = np.zeros((2, 2, 11))
    X[:, 0] = np.arange(11)
    X[:, 1] = np.array([0.3, 1.0])[:, None]
    pooling = SummaryPooling(n_bins=2, statistics=("max",), period_channel=1).fit(X)
    np.testing.assert_allclose(
        pooling.transform(X)[:, ::2], [[3, 0.5, 2.5], [10, 2, 7.5]]
    )
    every = pooling.transform(np.concatenate([X] * 40))
    assert (every.reshape(40, 2, -1) == pooling.transform(X)).all()


def test_impossible_combinations_are_errors():
    X = np.zeros((2, 3, 4))
    with pytest.raises(ValueError, match="one of 3 channels, got 3"):
        SummaryPooling(period_channel=3).fit(X)
    with pytest.raises(ValueError, match="relative=True needs bins"):
        SummaryPooling(n_bins=0, relative=True).fit(X)


def test_numbers_too_large_to_square_are_an_error():
    X = np.zeros((1, 1, 8))
    X[0, 0, 0] = 1e200
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match="pooled X contains infinity"),
    ):
        SummaryPooling().fit_transform(X)
