"""Frames and rows do not depend on how the sound is cut, and are what they claim."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import BreathFeatures
from skbreath.segmentation.frames import FrameContext, FrameStream, frame_features

BLOCKS = st.lists(st.integers(1, 9000), min_size=1, max_size=4)


def sound(n=40000, seed=0):
    return (np.random.default_rng(seed).normal(size=n) * 0.1).astype(np.float32)


def run(stream, values, sizes):
    out, first, k = [], 0, 0
    while first < len(values):
        size = sizes[k % len(sizes)]
        out.append(stream.push(values[first : first + size]))
        first, k = first + size, k + 1
    out.append(stream.finish())
    return np.concatenate([rows for rows in out if rows is not None])


def frames(rate=16000):
    return FrameStream(frame_features(n_mels=32, fmin=50.0), rate)


@pytest.mark.parametrize("rate", [16000, 44100, 8000])
@given(sizes=BLOCKS, n=st.integers(1, 30000))
@settings(deadline=None, max_examples=8)
def test_frames_do_not_depend_on_blocks(rate, sizes, n):
    whole = run(frames(rate), sound(n), [10**7])
    assert np.array_equal(run(frames(rate), sound(n), sizes), whole)


@pytest.mark.parametrize("n", [1, 255, 256, 1000, 70_000, 700_000])
def test_frames_are_those_of_the_features(n):
    features = BreathFeatures(
        groups=("mel", "zcr"), n_mels=32, fmin=50.0, log_scale=False
    ).fit_transform(sound(n)[None])[0]
    bands = run(frames(), sound(n), [10**7])
    expected = 10 * np.log10(np.maximum(features[:-1], 1e-12))
    assert bands.shape == (features.shape[1], 33)
    assert np.allclose(bands[:, :-1].T, expected, atol=1e-4)
    # The last frames count the step into the silence after the end as a crossing.
    assert np.allclose(bands[:, -1], features[-1], atol=1.01 / 1024)


def test_rows_do_not_depend_on_blocks_or_level():
    bands = run(frames(), sound(80_000), [10**7])
    whole = run(FrameContext(0.016, 0.3), bands, [10**7])
    assert len(whole) == len(bands)
    for sizes in ([1], [7, 100, 2]):
        assert np.array_equal(run(FrameContext(0.016, 0.3), bands, sizes), whole)
    louder = bands + np.append(np.full(32, 17.0), 0)
    assert np.allclose(run(FrameContext(0.016, 0.3), louder, [10**7]), whole, atol=1e-4)


def test_rows_are_the_means_they_claim():
    bands = run(frames(), sound(60_000, seed=3), [10**7])
    rows = run(FrameContext(0.016, 0.2), bands, [999])
    t, ahead = 120, 12  # frames; 0.2 s are 12.5, rounded to even
    level = bands[:, :-1].mean(axis=1)
    shape = bands[:, :-1] - level[:, None]
    assert np.allclose(rows[t, :32], shape[t], atol=1e-4)
    assert np.isclose(rows[t, 32], bands[t, -1])
    # 18 columns a span: 16 pairs of bands, level, crossings. The first is long past.
    assert np.isclose(
        rows[t, 33 + 16], level[t - 50 : t - 25 + 1].mean() - level[t], atol=1e-4
    )
    last = 33 + 5 * 18
    assert np.isclose(
        rows[t, last + 16], level[t + 6 : t + ahead + 1].mean() - level[t], atol=1e-4
    )
    # The mean of the last 2 s and the look-ahead has grown in only as far as this.
    first = 33 + 6 * 18
    grown = level[: t + ahead + 1]
    assert np.isclose(rows[t, first + 16], level[t] - grown.mean(), atol=1e-4)


def test_silence_clipping_and_wrong_samples_are_detected():
    stream = frames()
    stream.push(np.zeros(100, dtype=np.float32))
    assert stream.is_silent
    stream.push(np.array([1.0, -1.0, 0.5], dtype=np.float32))
    assert (stream.n_samples, stream.n_clipped, stream.peak) == (103, 2, 1.0)
    with pytest.raises(ValueError, match="near sample 105"):
        stream.push(np.array([0, 0, np.nan], dtype=np.float32))
