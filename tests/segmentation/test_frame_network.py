"""The network over the frames of recordings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import (
    FrameNetwork,
    PhaseSegmenter,
    event_scores,
    load_model,
    make_breath_recording,
    save_model,
)


def frames(n_frames, seed):
    """Frames of two classes that only their neighbours tell apart."""
    rng = np.random.default_rng(seed)
    y = np.repeat(rng.integers(0, 2, n_frames // 20), 20)
    return (y[:, None] + 2 * rng.normal(size=(len(y), 4))).astype(np.float32), y


@pytest.fixture(scope="module")
def network():
    X, y = frames(4000, 0)
    network = FrameNetwork(
        width=8, n_layers=4, n_epochs=40, n_frames=100, random_state=0
    )
    return network.fit(X, y, lengths=[1000, 3000])


def test_neighbours_are_used(network):
    X, y = frames(2000, 1)
    alone = np.mean((X.mean(axis=1) > 0.5) == y)
    assert network.score(X, y) > alone + 0.1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=20))
def test_probabilities_do_not_depend_on_the_blocks(network, sizes):
    X = frames(400, 2)[0]
    stream, parts = network.stream(), []
    for part in np.split(X, np.cumsum(sizes).clip(max=len(X))):
        parts.append(stream.push(part))
    parts.append(stream.finish())
    expected = network.predict_proba(X)
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-5)


@pytest.mark.parametrize("n_symmetric", [0, 2, 4])
def test_a_frame_depends_on_as_many_frames_ahead_as_stated(n_symmetric):
    X, y = frames(600, 3)
    network = FrameNetwork(
        width=4, n_layers=4, n_symmetric=n_symmetric, n_epochs=1, random_state=0
    )
    network.fit(X, y)
    before = network.predict_proba(X)
    X[300] += 10
    changed = np.flatnonzero(np.any(network.predict_proba(X) != before, axis=1))
    assert 300 - changed.min() == network.n_ahead


def test_same_seed_same_weights():
    X, y = frames(600, 4)
    first, second = (
        FrameNetwork(width=4, n_epochs=2, n_networks=2, random_state=0).fit(X, y)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    input_weights = [weights["input"] for weights in first.weights_]
    assert not np.array_equal(*input_weights)


def test_wrong_lengths_are_an_error():
    X, y = frames(600, 5)
    with pytest.raises(ValueError, match="add up to the 600 frames of X, got 500"):
        FrameNetwork().fit(X, y, lengths=[500])


def test_a_segmenter_with_a_network_streams_and_is_saved(tmp_path):
    made = [make_breath_recording(20, random_state=seed) for seed in range(5)]
    network = FrameNetwork(width=16, n_epochs=120, n_frames=200, n_symmetric=3)
    segmenter = PhaseSegmenter(
        classifier=network, lag=1.0, emission_weight=0.4, random_state=0
    )
    segmenter.fit([m.waveform for m in made[:4]], [m.phases for m in made[:4]])
    sound, truth = made[4].waveform, made[4].phases
    (phases,) = segmenter.predict([sound])
    assert event_scores(truth, phases)["f1"].mean() > 0.7

    stream, rows, late = segmenter.partial(), [], []
    for first in range(0, len(sound), 500):
        table = stream.push(sound[first : first + 500])
        rows += table.to_numpy().tolist()
        heard = (first + 500) / segmenter.sample_rate
        late += [heard - end for end in table["end_s"]]
    rows += stream.finish().to_numpy().tolist()
    assert [row[2] for row in rows] == phases["label"].tolist()
    np.testing.assert_allclose([row[0] for row in rows], phases["start_s"])
    assert max(late) <= segmenter.latency_ + 500 / segmenter.sample_rate

    save_model(segmenter, tmp_path / "model.skb")
    (again,) = load_model(tmp_path / "model.skb").predict([sound])
    np.testing.assert_allclose(again["start_s"], phases["start_s"])
