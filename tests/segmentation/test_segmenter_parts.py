"""From samples to frames, rows and phases: the parts of PhaseSegmenter.

The frames and rows against their definitions, the decoder against exhaustive search and
librosa, and all of them whatever the blocks.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import BreathFeatures, PhaseSegmenter
from skbreath.phases.phase_table import label_frames
from skbreath.segmentation.decoder import (
    LagDecoder,
    PhaseModel,
    choose_emission_weight,
    estimate_phase_model,
)
from skbreath.segmentation.frames import FrameContext, FrameStream, frame_features

BLOCKS = st.lists(st.integers(1, 9000), min_size=1, max_size=4)


def sound(n=40000, seed=0):
    return (np.random.default_rng(seed).normal(size=n) * 0.1).astype(np.float32)


def push_in_blocks(stream, values, sizes):
    out, first, k = [], 0, 0
    while first < len(values):
        size = sizes[k % len(sizes)]
        out.append(stream.push(values[first : first + size]))
        first, k = first + size, k + 1
    out.append(stream.finish())
    return np.concatenate([rows for rows in out if rows is not None])


def frame_stream(rate=16000):
    return FrameStream(frame_features(n_mels=32, fmin=50.0), rate)


@pytest.mark.parametrize("rate", [16000, 44100, 8000])
@given(sizes=BLOCKS, n=st.integers(1, 30000))
@settings(deadline=None, max_examples=8)
def test_frames_do_not_depend_on_blocks(rate, sizes, n):
    whole = push_in_blocks(frame_stream(rate), sound(n), [10**7])
    assert np.array_equal(push_in_blocks(frame_stream(rate), sound(n), sizes), whole)


@pytest.mark.parametrize("n", [1, 255, 256, 1000, 70_000, 700_000])
def test_frames_are_those_of_the_features(n):
    features = BreathFeatures(
        groups=("mel", "zcr"), n_mels=32, fmin=50.0, log_scale=False
    ).fit_transform(sound(n)[None])[0]
    bands = push_in_blocks(frame_stream(), sound(n), [10**7])
    expected = 10 * np.log10(np.maximum(features[:-1], 1e-12))
    assert bands.shape == (features.shape[1], 33)
    assert np.allclose(bands[:, :-1].T, expected, atol=1e-4)
    # The last frames count the step into the silence after the end as a crossing.
    assert np.allclose(bands[:, -1], features[-1], atol=1.01 / 1024)


def test_rows_do_not_depend_on_blocks_or_level():
    bands = push_in_blocks(frame_stream(), sound(80_000), [10**7])
    whole = push_in_blocks(FrameContext(0.016, 0.3), bands, [10**7])
    assert len(whole) == len(bands)
    for sizes in ([1], [7, 100, 2]):
        assert np.array_equal(
            push_in_blocks(FrameContext(0.016, 0.3), bands, sizes), whole
        )
    louder = bands + np.append(np.full(32, 17.0), 0)
    assert np.allclose(
        push_in_blocks(FrameContext(0.016, 0.3), louder, [10**7]), whole, atol=1e-4
    )


def test_rows_are_the_means_they_claim():
    bands = push_in_blocks(frame_stream(), sound(60_000, seed=3), [10**7])
    rows = push_in_blocks(FrameContext(0.016, 0.2), bands, [999])
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
    stream = frame_stream()
    stream.push(np.zeros(100, dtype=np.float32))
    assert stream.is_silent
    stream.push(np.array([1.0, -1.0, 0.5], dtype=np.float32))
    assert (stream.n_samples, stream.n_clipped, stream.peak) == (103, 2, 1.0)
    with pytest.raises(ValueError, match="near sample 105"):
        stream.push(np.array([0, 0, np.nan], dtype=np.float32))


def breathing(n=12, cycle=4.0):
    rows = []
    for k in range(n):
        rows += [(k * cycle, k * cycle + 1, "I"), (k * cycle + 1.3, k * cycle + 3, "E")]
    return pd.DataFrame(rows, columns=["start_s", "end_s", "label"])


MODEL = estimate_phase_model([breathing()], ["I", "E"], hop_s=0.1, min_s=0.3)


def decode(scores, model, lag, sizes=(10**6,)):
    decoder, out, first = LagDecoder(model, lag), [], 0
    for size in itertools.cycle(sizes):
        out += decoder.push(scores[first : first + size])
        first += size
        if first >= len(scores):
            return out + decoder.finish()


def random_scores(seed, n=200):
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.integers(0, 3, n), 12)[:n]
    scores = rng.normal(size=(n, 3)) - 1
    scores[np.arange(n), truth] += 1.5
    return scores


def score_of(path, scores, model):
    """The score of segments [(state, first, stop)], from the definition."""
    total = model.log_start[path[0][0]]
    for k, (state, first, stop) in enumerate(path):
        total += scores[first:stop, model.emission[state]].sum()
        length = stop - first
        last = k == len(path) - 1
        table = model.log_residual if first == 0 else model.log_duration
        table = model.log_survival if last else table
        n = table.shape[1]
        total += table[state, min(length, n) - 1]
        total += max(0, length - n) * model.log_tail[state]
        if k:
            total += model.log_transition[path[k - 1][0], state]
    return total


@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=4)
def test_with_a_long_lag_no_path_is_better(seed):
    rng = np.random.default_rng(seed)
    n = 5
    scores = rng.normal(size=(n, 3)) * 3
    labels = ["I", "E"]
    model = estimate_phase_model([breathing()], labels, hop_s=1.0, max_s=4.0)
    best = -np.inf
    for cuts in itertools.product([0, 1], repeat=n - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), n]
        spans = list(itertools.pairwise(edges))
        for states in itertools.product(range(4), repeat=len(spans)):
            path = [(s, a, b) for s, (a, b) in zip(states, spans, strict=True)]
            best = max(best, score_of(path, scores, model))
    found = decode(scores, model, lag=100)
    assert score_of(found, scores, model) == pytest.approx(best)


def test_geometric_durations_are_an_ordinary_hidden_markov_model():
    librosa = pytest.importorskip("librosa")
    n_states, stay = 4, 0.9
    powers = stay ** np.arange(400)
    move = np.array([[0, 0.5, 0.5, 0], [0, 0, 1, 0], [0.5, 0, 0, 0.5], [1.0, 0, 0, 0]])
    with np.errstate(divide="ignore"):
        model = PhaseModel(
            emission=np.array([1, 0, 2, 0]),
            log_duration=np.log(np.tile((1 - stay) * powers, (n_states, 1))),
            log_survival=np.log(np.tile(powers, (n_states, 1))),
            log_residual=np.log(np.tile((1 - stay) * powers, (n_states, 1))),
            log_tail=np.full(n_states, np.log(stay)),
            log_transition=np.maximum(np.log(move), -1e18),
            log_start=np.full(n_states, -np.log(n_states)),
        )
    scores = random_scores(0)
    scores -= scores.max()
    states = librosa.sequence.viterbi(
        np.exp(scores[:, model.emission]).T, stay * np.eye(4) + (1 - stay) * move
    )
    expected = np.flatnonzero(np.diff(states)) + 1
    found = decode(scores, model, lag=1000)
    assert [first for _, first, _ in found[1:]] == expected.tolist()
    assert [state for state, *_ in found] == states[[0, *expected]].tolist()


@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    lag=st.sampled_from([0, 1, 7, 30]),
)
@settings(deadline=None, max_examples=25)
def test_blocks_do_not_matter_and_the_path_is_one(seed, sizes, lag):
    scores = random_scores(seed)
    found = decode(scores, MODEL, lag, sizes)
    assert found == decode(scores, MODEL, lag)
    assert found[0][1] == 0 and found[-1][2] == len(scores)
    for (state, _, stop), (following, first, _) in itertools.pairwise(found):
        assert stop == first
        assert MODEL.log_transition[state, following] > -1e17
    for state, first, stop in found[1:-1]:
        assert state % 2 or stop - first >= 3  # the least duration


@given(seed=st.integers(0, 1000), lag=st.integers(0, 20), end=st.integers(1, 200))
@settings(deadline=None, max_examples=25)
def test_what_was_said_needs_only_the_lag(seed, lag, end):
    scores = random_scores(seed)
    whole = decode(scores, MODEL, lag)
    said = LagDecoder(MODEL, lag).push(scores[:end])
    assert said == whole[: len(said)]
    over = [segment for segment in whole if segment[2] <= end - lag - 1]
    assert len(said) >= len(over)


def test_more_lag_is_no_worse():
    def total(lag):
        return sum(
            score_of(
                decode(random_scores(seed), MODEL, lag), random_scores(seed), MODEL
            )
            for seed in range(5)
        )

    totals = [total(lag) for lag in (1, 10, 1000)]
    assert totals[0] <= totals[1] <= totals[2]


def test_durations_and_order_are_learned():
    duration = np.exp(MODEL.log_duration)
    mean = (duration * np.arange(1, duration.shape[1] + 1)).sum(axis=1) * 0.1
    assert 0.8 < mean[0] < 1.6 and 1.4 < mean[2] < 2.6
    assert mean[1] < mean[3]  # the turn is shorter than the rest
    assert np.allclose(duration.sum(axis=1), 1)
    transition = np.exp(MODEL.log_transition)
    assert transition[0, 1] > 0.7 and transition[0, 0] == 0
    assert transition[1, 2] > 0.7


def test_an_apnoea_costs_little():
    scores = np.full((1500, 3), -1.0)
    scores[:, 0] = 0
    scores[:10, 1] = scores[-10:, 1] = 2
    found = decode(scores, MODEL, lag=10)
    assert [state for state, *_ in found] == [0, 1, 0]


def test_no_frames():
    decoder = LagDecoder(MODEL, 5)
    assert decoder.current is None
    assert decoder.push(np.zeros((0, 3))) + decoder.finish() == []


LABELS = ("I", "E")


def layout(lag):
    return PhaseSegmenter(lag=lag)._make_layout()


def breathing_at(cycle, seconds=60.0):
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
    frame_layout = layout(lag)
    tables = [breathing_at(cycle) for cycle in cycles]
    rows = [
        frame_probabilities(t, frame_layout.hop_s, 0.8, burst_s, rng) for t in tables
    ]

    def fit_models(train, step):
        assert step > 1
        model = estimate_phase_model(
            [tables[i] for i in train], LABELS, frame_layout.hop_s
        )
        return GivenFrames(), model

    weight, found = choose_emission_weight(fit_models, rows, tables, frame_layout)
    assert found is None or len(found) == len(tables)
    return weight


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
    frame_layout = layout(0.1)
    table = breathing_at(4.0)
    rows = [
        frame_probabilities(
            table, frame_layout.hop_s, 0.8, 0.1, np.random.default_rng(0)
        )
    ]
    with pytest.raises(ValueError, match="each of the 1 recordings, got 2"):
        choose_emission_weight(None, rows, [table], frame_layout, groups=[1, 2])
