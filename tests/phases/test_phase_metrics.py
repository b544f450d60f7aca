"""Scores of phases: hand-made cases, properties, and mir_eval where it counts alike."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from skbreath import boundary_errors, event_scores, rate_errors, segment_scores


def table(*rows):
    return pd.DataFrame(rows, columns=["start_s", "end_s", "label"])


@st.composite
def random_tables(draw):
    steps = draw(st.lists(st.integers(1, 40), min_size=0, max_size=16))
    times = np.cumsum(steps) / 10
    rows = [
        (start, end, draw(st.sampled_from("IE")))
        for start, end in zip(times[::2], times[1::2], strict=False)
    ]
    return table(*rows).astype({"start_s": float, "end_s": float, "label": object})


TRUTH = table((0, 1, "I"), (1, 3, "E"), (4, 5, "I"), (5, 7, "E"))


def test_events_of_a_hand_made_case():
    predicted = table((0.4, 1, "I"), (1, 2.5, "E"), (4, 5, "E"), (5, 6, "E"))
    scores = event_scores(TRUTH, predicted)
    # E: 1-2.5 has 0.75, 5-6 has exactly 0.5, 4-5 nothing; I: 0.4-1 has 0.6.
    assert scores.loc["E", ["n_true", "n_predicted", "n_matched"]].tolist() == [2, 3, 2]
    assert scores.loc["I", ["n_true", "n_predicted", "n_matched"]].tolist() == [2, 1, 1]
    assert scores.loc["E", "sensitivity"] == 1
    assert scores.loc["E", "ppv"] == pytest.approx(2 / 3)
    assert scores.loc["I", "f1"] == pytest.approx(2 / 3)
    assert scores.loc["E", "mean_iou"] == pytest.approx((0.75 + 0.5) / 2)
    strict = event_scores(TRUTH, predicted, min_iou=0.7)
    assert strict["n_matched"].tolist() == [1, 0]


def test_one_long_event_matches_one_of_those_it_covers():
    truth = table((0, 1, "I"), (1, 2, "I"), (2, 3, "I"))
    scores = event_scores(truth, table((0, 3, "I")), min_iou=0.3)
    assert scores.loc["I", "n_matched"] == 1


def test_as_many_as_possible_are_matched():
    # The better overlap for the first truth would leave nothing for the second.
    truth = table((0, 2, "I"), (2, 4, "I"))
    predicted = table((0.9, 1.0, "I"), (1.0, 3.0, "I"))
    assert event_scores(truth, predicted, min_iou=0.04).loc["I", "n_matched"] == 2


def test_segments_of_a_hand_made_case():
    predicted = table((0.0, 2.0, "I"), (2.0, 3.0, "E"))
    scores = segment_scores(TRUTH, predicted, segment_s=0.5)
    assert scores.loc["I", ["n_true", "n_predicted", "n_both"]].tolist() == [4, 4, 2]
    assert scores.loc["E", ["n_true", "n_predicted", "n_both"]].tolist() == [8, 2, 2]
    assert scores.loc["E", "f1"] == pytest.approx(0.4)


@given(truth=random_tables(), predicted=random_tables())
@settings(deadline=None, max_examples=25)
def test_scores_are_symmetric_bounded_and_perfect_on_themselves(truth, predicted):
    for score in (event_scores, segment_scores):
        there, back = score(truth, predicted), score(predicted, truth)
        assert there["f1"].equals(back["f1"])
        assert there["sensitivity"].equals(back["ppv"])
        assert there[["sensitivity", "ppv", "f1"]].fillna(0).stack().between(0, 1).all()
        assert (score(truth, truth)["f1"] == 1).all()
    assert (boundary_errors(truth, truth).iloc[:, 1:] == 0).all(axis=None)


@given(st.lists(st.tuples(random_tables(), random_tables()), min_size=1, max_size=3))
@settings(deadline=None, max_examples=10)
def test_recordings_are_pooled_and_never_mixed(pairs):
    truths, predictions = map(list, zip(*pairs, strict=True))
    pooled = event_scores(truths, predictions)
    one_by_one = [event_scores(*pair) for pair in pairs]
    for label in pooled.index:
        counts = [t.loc[label, "n_matched"] for t in one_by_one if label in t.index]
        assert pooled.loc[label, "n_matched"] == sum(counts)


@given(shifts=st.lists(st.floats(-0.2, 0.2), min_size=4, max_size=4))
@settings(deadline=None, max_examples=15)
def test_overlap_agrees_with_mir_eval(shifts):
    transcription = pytest.importorskip("mir_eval.transcription")
    starts = np.array([0.5, 2.0, 4.0, 6.0])
    truth = pd.DataFrame({"start_s": starts, "end_s": starts + 1, "label": "I"})
    predicted = truth.assign(start_s=starts + shifts)
    intervals = [t[["start_s", "end_s"]].to_numpy() for t in (truth, predicted)]
    pitch = np.full(4, 440.0)
    # With tolerances that match what belongs together, and no more.
    *_, overlap = transcription.precision_recall_f1_overlap(
        intervals[0], pitch, intervals[1], pitch, onset_tolerance=0.5
    )
    mine = event_scores(truth, predicted).loc["I", "mean_iou"]
    assert mine == pytest.approx(overlap)


def test_boundary_errors_are_signed_and_of_matched_phases_only():
    predicted = table((0.1, 0.9, "I"), (1.5, 3, "E"), (5.9, 6, "E"))
    errors = boundary_errors(TRUTH, predicted)
    assert errors["label"].tolist() == ["E", "I"]
    assert np.allclose(errors.iloc[:, 1:], [[0.5, 0.0], [0.1, -0.1]])


def test_rate_errors_are_of_rates_of_any_confidence():
    truth = table(*[(4.0 * k, 4.0 * k + 1, "I") for k in range(6)])
    assert rate_errors(truth, truth.assign(probability=0.1)).tolist() == [0.0]


def test_rate_errors_by_recording():
    def breathing(cycle, n):
        starts = cycle * np.arange(n)
        return pd.DataFrame({"start_s": starts, "end_s": starts + 1, "label": "E"})

    errors = rate_errors(
        [breathing(4, 5), breathing(6, 5), breathing(4, 1)],
        [breathing(4, 9), breathing(5, 3), breathing(4, 3)],
    )
    assert np.allclose(errors, [0, 2, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    "predicted, what",
    [
        ([TRUTH, TRUTH], "truth has 1 recordings, but predicted has 2"),
        (table((1, 0, "I")), "predicted has a phase that ends before it begins"),
        (table((0, 2, "I"), (1, 3, "I")), r"overlaps the one before it: row 1"),
        (TRUTH.drop(columns="label"), "lacks the column 'label'"),
        ([[1, 2]], "must be a DataFrame"),
    ],
)
def test_wrong_tables_are_named(predicted, what):
    with pytest.raises(ValueError, match=what):
        event_scores(TRUTH, predicted)


def test_nothing_found_scores_nothing():
    scores = event_scores(TRUTH, TRUTH.iloc[:0])
    assert scores["f1"].tolist() == [0, 0]
    assert scores["ppv"].isna().all()
    assert event_scores(TRUTH.iloc[:0], TRUTH.iloc[:0]).empty


@settings(deadline=None, max_examples=50)
@given(random_tables(), random_tables(), st.sampled_from([1e-6, 0.1, 0.5]))
def test_the_best_pairs_are_matched(truth, predicted, min_iou):
    result = event_scores(truth, predicted, min_iou=min_iou)
    for label, row in result.iterrows():
        one, other = (
            t.loc[t.label == label, ["start_s", "end_s"]].to_numpy(float)
            for t in (truth, predicted)
        )
        both = np.minimum(one[:, None, 1], other[:, 1])
        both = np.maximum(both - np.maximum(one[:, None, 0], other[:, 0]), 0)
        iou = both / (np.ptp(one, axis=1)[:, None] + np.ptp(other, axis=1) - both)
        worth = np.where((iou >= min_iou) & (both > 0), 1000 + iou, 0)
        best = worth[linear_sum_assignment(worth, maximize=True)]
        assert row["n_matched"] == (best > 0).sum()
        if row["n_matched"]:
            assert row["mean_iou"] == pytest.approx(best[best > 0].mean() - 1000)


def test_a_night_needs_little_memory():
    start = np.arange(40_000.0)  # all pairs of these would take 12 GB
    truth = pd.DataFrame({"start_s": start, "end_s": start + 1, "label": "I"})
    predicted = truth.assign(start_s=start + 0.3, end_s=start + 1.3)
    assert event_scores(truth, predicted, min_iou=0.1)["n_matched"].item() == 40_000
