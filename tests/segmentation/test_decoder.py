"""The decoder: against exhaustive search, against librosa, and whatever the blocks."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath.segmentation.decoder import LagDecoder, PhaseModel, estimate_phase_model


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
