"""Simulated recordings keep what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import breath_statistics, make_breath_recording


@given(
    rate=st.floats(8, 40),
    ratio=st.sampled_from([0.25, 0.5, 1.0]),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=10)
def test_rate_and_ratio_are_those_asked_for(rate, ratio, seed):
    made = make_breath_recording(
        60, rate, ratio, variability=0.02, sample_rate=4000, random_state=seed
    )
    summary = breath_statistics(made.phases, duration=60.0).summary
    assert summary["rate_per_min"] == pytest.approx(rate, rel=0.03)
    assert summary["ie_ratio"] == pytest.approx(ratio, rel=0.05)
    assert (made.phases["label"].to_numpy()[:2] == ["I", "E"]).all()
    assert made.waveform.dtype == np.float32
    assert np.abs(made.waveform).max() <= 0.95


def _level(waveform, spans, rate):
    parts = [waveform[round(a * rate) : round(b * rate)] for a, b in spans]
    return 10 * np.log10(np.mean(np.concatenate(parts) ** 2))


@pytest.mark.parametrize("noise", [5.0, 20.0])
def test_noise_is_as_far_below_the_breaths_as_asked(noise):
    made = make_breath_recording(
        120, pauses=[(20, 15), (60, 15)], noise=noise, random_state=1
    )
    spans = made.phases[["start_s", "end_s"]].to_numpy()
    breath = _level(made.waveform, spans, 16000)
    quiet = np.median(
        [
            _level(made.waveform, [(s, s + 0.05)], 16000)
            for a, b in made.pauses
            for s in np.arange(a, b - 0.05, 0.05)
        ]
    )  # the median passes over heart sounds and touches
    expected = 10 * np.log10(10 ** (noise / 10) + 1)
    assert breath - quiet == pytest.approx(expected, abs=2.5)


def test_pauses_are_silent_in_the_truth():
    made = make_breath_recording(60, pauses=[(10, 12), (40, 8)], random_state=0)
    pauses = breath_statistics(made.phases, duration=60.0).pauses
    found = pauses[pauses["duration_s"] > 5][["start_s", "end_s"]].to_numpy()
    assert np.allclose(found, made.pauses)
    assert np.all(np.diff(made.pauses, axis=1) >= [[12], [8]])


def test_same_seed_same_recording():
    first, second, other = (
        make_breath_recording(10, random_state=seed) for seed in (3, 3, 4)
    )
    assert np.array_equal(first.waveform, second.waveform)
    assert first.phases.equals(second.phases)
    assert not np.array_equal(first.waveform, other.waveform)


def test_an_apnoea_over_the_whole_recording_is_only_noise():
    made = make_breath_recording(5, rate=10, pauses=[(0, 60)], random_state=0)
    assert len(made.phases) <= 2
    assert np.isfinite(made.waveform).all()


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"ie_ratio": 0}, {"duration": 0.1}])
def test_impossible_breathing_is_an_error(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_breath_recording(**wrong)
