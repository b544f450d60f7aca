"""Rates, ratios and pauses of tables whose answers are known."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import breath_statistics


def table(*rows):
    return pd.DataFrame(rows, columns=["start_s", "end_s", "label"])


def breathing(n, cycle=4.0, inhale=1.0, exhale=2.0, turn=0.25, begin=0.0):
    rows = []
    for k in range(n):
        start = begin + k * cycle
        rows.append((start, start + inhale, "I"))
        rows.append((start + inhale + turn, start + inhale + turn + exhale, "E"))
    return table(*rows)


@given(cycle=st.floats(1.5, 8), share=st.floats(0.1, 0.5), n=st.integers(3, 20))
@settings(deadline=None, max_examples=20)
def test_regular_breathing(cycle, share, n):
    phases = breathing(n, cycle, share * cycle, 0.4 * cycle, turn=0.02 * cycle)
    summary = breath_statistics(phases).summary
    assert summary["n_breaths"] == n
    assert summary["rate_per_min"] == pytest.approx(60 / cycle)
    assert summary["mean_rate_per_min"] == pytest.approx(60 / cycle)
    assert summary["ie_ratio"] == pytest.approx(share / 0.4)
    assert summary["duty_cycle"] == pytest.approx(share)
    assert summary["ttot_cv"] == pytest.approx(0, abs=1e-9)


def test_breaths_with_a_phase_that_is_missing():
    phases = table((0, 1, "I"), (1, 3, "E"), (4, 6, "E"), (7, 8, "I"), (9, 10, "I"))
    breaths = breath_statistics(phases).breaths
    assert breaths["onset_s"].tolist() == [0, 4, 7, 9]
    assert np.allclose(breaths["ti_s"], [1, np.nan, 1, 1], equal_nan=True)
    assert np.allclose(breaths["te_s"], [2, 2, np.nan, np.nan], equal_nan=True)
    assert np.allclose(breaths["pause_s"], [1, 1, 1, np.nan], equal_nan=True)


def test_rate_follows_the_phase_that_is_more_frequent():
    phases = breathing(10)
    without = phases[(phases["label"] == "E") | (phases.index < 6)]
    assert breath_statistics(without).summary["rate_per_min"] == pytest.approx(15)


def test_a_missed_phase_moves_the_mean_and_not_the_median():
    phases = breathing(20).drop([10, 11])
    summary = breath_statistics(phases).summary
    assert summary["rate_per_min"] == pytest.approx(15)
    assert summary["mean_rate_per_min"] == pytest.approx(15 * 18 / 19)


def test_pauses_and_apnoeas():
    phases = pd.concat([breathing(3, begin=2.0), breathing(3, begin=30.0)])
    statistics = breath_statistics(phases, duration=60.0)
    pauses = statistics.pauses
    assert pauses.loc[0, ["start_s", "end_s", "after"]].tolist() == [0, 2, ""]
    apnoeas = pauses[pauses["is_apnoea"]]
    assert apnoeas["start_s"].tolist() == [13.25, 41.25]
    assert apnoeas["duration_s"].tolist() == [16.75, 18.75]
    assert statistics.summary["n_apnoeas"] == 2
    assert statistics.summary["longest_pause_s"] == 18.75
    assert breath_statistics(phases, apnoea_s=17).summary["n_apnoeas"] == 0


def test_rate_over_time():
    fast = breathing(15, cycle=2.0, inhale=0.5, exhale=1.0, begin=60.0)
    statistics = breath_statistics(
        pd.concat([breathing(15), fast]), duration=90, window_s=30, step_s=30
    )
    assert np.allclose(statistics.over_time["rate_per_min"], [15, 15, 30])
    assert statistics.over_time["n_breaths"].tolist() == [8, 7, 15]
    assert statistics.over_time["end_s"].tolist() == [30, 60, 90]


def found(phases, probability=0.9, note=""):
    """A table as a segmenter gives it."""
    phases = phases.assign(probability=probability).reset_index(drop=True)
    phases.attrs["note"] = note
    return phases


def irregular(n=12):
    cycles = np.random.default_rng(0).permutation(np.geomspace(1, 8, n))
    begins = np.cumsum(cycles)
    rows = [row for t in begins for row in ((t, t + 0.3, "I"), (t + 0.4, t + 0.9, "E"))]
    return table(*rows)


def test_confidence_of_the_rate():
    phases = found(breathing(9))
    statistics = breath_statistics(phases, duration=36)
    assert statistics.summary["rate_confidence"] == pytest.approx(8 / 9)
    assert statistics.summary["rate_per_min"] == pytest.approx(15)
    assert statistics.rate_note == ""
    # At the chest exhales are often not audible, which is no reason for doubt.
    inhales = phases[phases["label"] == "I"]
    summary = breath_statistics(inhales, duration=36).summary
    assert summary["rate_confidence"] == pytest.approx(8 / 9)
    few = breath_statistics(phases, duration=640).summary
    assert few["rate_confidence"] == pytest.approx(8 / 9 * 2 * 32 / 640)
    assert breath_statistics(breathing(9)).summary["rate_confidence"] > 0.85
    missed = found(breathing(20).drop(range(0, 40, 4)))  # every other inhale
    doubted = breath_statistics(missed, duration=80, min_confidence=0.6)
    assert "inhales and exhales at different rates" in doubted.rate_note
    assert list(statistics.summary.index[:3]) == [
        "n_breaths",
        "rate_per_min",
        "rate_confidence",
    ]


UNLIKE = "sounds unlike what the segmenter was fitted on in 80% of its sounds"


@pytest.mark.parametrize(
    "phases, reason",
    [
        (found(irregular()), "cycles of different lengths"),
        (found(breathing(9), 0.62), r"its confidence is 0.09 \(phases of low"),
        (found(breathing(9), np.nan), "phases of low probability"),
        (found(breathing(9), note=UNLIKE), "as the recording sounds unlike"),
        (found(breathing(9), note=f"is clipped: 9%; {UNLIKE}"), "sounds unlike"),
        (found(breathing(6, cycle=22.0)), "or with long pauses"),
        (found(breathing(2)), r"too few breaths for a rate \(2\)"),
        (found(breathing(1)), r"too few breaths for a rate \(1\)"),
        (found(breathing(0)), r"too few breaths for a rate \(0\)"),
    ],
)
def test_a_rate_that_cannot_be_trusted_is_not_given(phases, reason):
    statistics = breath_statistics(phases)
    assert np.isnan(statistics.summary["rate_per_min"])
    assert re.search(reason, statistics.rate_note), statistics.rate_note
    if len(phases) > 3:
        anyway = breath_statistics(phases, min_confidence=0)
        assert anyway.summary["rate_per_min"] > 0 and anyway.rate_note == ""


def test_labels_made_by_hand_are_trusted():
    summary = breath_statistics(irregular(), duration=100).summary
    assert summary["rate_confidence"] < 0.4 and summary["rate_per_min"] > 0
    summary = breath_statistics(found(breathing(9), note="is clipped: 9%")).summary
    assert summary["rate_per_min"] == pytest.approx(15)


def test_own_labels_and_a_shuffled_table():
    phases = (
        breathing(5).replace({"I": "in", "E": "out"}).sample(frac=1, random_state=0)
    )
    summary = breath_statistics(phases, inhale="in", exhale="out").summary
    assert summary["rate_per_min"] == pytest.approx(15)


@pytest.mark.parametrize("n", [0, 1])
def test_statistics_of_too_few_phases_are_nan(n):
    phases = breathing(1).iloc[:n]
    phases = phases.astype({"start_s": float, "end_s": float, "label": object})
    statistics = breath_statistics(phases)
    assert np.isnan(statistics.summary["rate_per_min"])
    assert len(statistics.breaths) == n


def test_wrong_tables_are_errors():
    with pytest.raises(ValueError, match="beyond the end"):
        breath_statistics(breathing(5), duration=3)
    with pytest.raises(ValueError, match="a label other than 'I', 'E'"):
        breath_statistics(breathing(5).replace({"E": "X"}))
