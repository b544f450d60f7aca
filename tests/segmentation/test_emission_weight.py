"""The weight of frames against durations, chosen on held-out recordings."""

import numpy as np
import pandas as pd
import pytest

from skbreath import PhaseSegmenter
from skbreath.phases.phase_table import label_frames
from skbreath.segmentation.decoder import choose_emission_weight, estimate_phase_model

LABELS = ("I", "E")


def layout(lag):
    return PhaseSegmenter(lag=lag)._make_layout()


def breathing(cycle, seconds=60.0):
    starts = np.arange(0.0, seconds - cycle, cycle)
    rows = [(s, s + 0.4 * cycle, "I") for s in starts]
    rows += [(s + 0.45 * cycle, s + 0.9 * cycle, "E") for s in starts]
    return pd.DataFrame(sorted(rows), columns=["start_s", "end_s", "label"])


class GivenFrames:
    """A frame model whose rows are the probabilities."""

    log_prior = np.zeros(3)

    def predict(self, rows):
        return rows, np.ones(len(rows), dtype=bool)


def frame_probabilities(table, hop_s, sure, burst_s, rng):
    """Correct frames, except for bursts in which the labels are swapped."""
    n = int(60 / hop_s)
    classes = label_frames(table, LABELS, np.arange(n) * hop_s)
    rows = np.full((n, 3), (1 - sure) / 2)
    burst = np.zeros(n, dtype=bool)
    for start in rng.integers(0, n, 40):
        burst[start : start + round(burst_s / hop_s)] = True
    swapped = np.where(burst & (classes > 0), 3 - classes, classes)
    rows[np.arange(n), swapped] = sure
    return rows


def chosen(cycles, lag, burst_s, seed=0):
    rng = np.random.default_rng(seed)
    frames = layout(lag)
    tables = [breathing(cycle) for cycle in cycles]
    rows = [frame_probabilities(t, frames.hop_s, 0.8, burst_s, rng) for t in tables]

    def fit_models(train, step):
        assert step > 1
        model = estimate_phase_model([tables[i] for i in train], LABELS, frames.hop_s)
        return GivenFrames(), model

    return choose_emission_weight(fit_models, rows, tables, frames)


def test_a_decoder_that_waits_needs_to_trust_frames_less():
    cycles = [5.0, 6.0, 7.0, 5.5, 6.5, 7.5]
    assert chosen(cycles, 1.0, burst_s=0.3) <= 0.2 < chosen(cycles, 0.1, burst_s=0.016)


def test_slow_breathers_count_as_much_as_fast_ones():
    # Most phases are fast, for which a large weight is best; by F1 alone the weight
    # would be 0.8, and the rate of slow breathing several times too high.
    assert chosen([1.6, 1.7, 7.0, 1.8] * 2, 1.0, burst_s=0.5) <= 0.4


def test_a_single_recording_leaves_no_choice():
    assert chosen([4.0], 0.1, burst_s=0.1) == 0.4


def test_groups_must_fit():
    frames = layout(0.1)
    table = breathing(4.0)
    rows = [
        frame_probabilities(table, frames.hop_s, 0.8, 0.1, np.random.default_rng(0))
    ]
    with pytest.raises(ValueError, match="each of the 1 recordings, got 2"):
        choose_emission_weight(None, rows, [table], frames, groups=[1, 2])
