"""Rates, ratios and pauses of tables whose answers are known."""

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
