import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import (
    CircularShift,
    CutMix,
    LeaveRecording,
    MaskChannels,
    MaskFrames,
    Mixup,
    ResidualCNN2d,
    ResidualCNNClassifier,
)

ALL = [
    CircularShift(0.3),
    CutMix(probability=1.0),
    MaskChannels(0.5),
    MaskFrames(0.5),
    Mixup(0.4),
]


def batch(n_clips=6, n_channels=5, n_frames=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n_clips, n_channels, n_frames, generator=generator) + 1
    return X, (torch.arange(n_clips)[:, None] % 2).float()


@pytest.mark.parametrize("augment", ALL, ids=lambda a: type(a).__name__)
@settings(deadline=None, max_examples=30)
@given(
    n_clips=st.integers(1, 5),
    n_channels=st.integers(1, 6),
    n_frames=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
def test_shapes_and_ranges_stay(augment, n_clips, n_channels, n_frames, seed):
    X, targets = batch(n_clips, n_channels, n_frames, seed)
    before = X.clone(), targets.clone()
    torch.manual_seed(seed)
    new, new_targets = augment(X, targets)
    assert new.shape == X.shape and new_targets.shape == targets.shape
    assert (new >= 0).all() and (new <= X.max() + 1e-6).all()
    assert (new_targets >= 0).all() and (new_targets <= 1).all()
    assert torch.equal(X, before[0]) and torch.equal(targets, before[1])
    torch.manual_seed(seed)
    assert torch.equal(augment(X, targets)[0], new)


def test_clips_that_leave_their_recording():
    X, targets = batch(200, 5, 7)
    left, same = LeaveRecording(0.5, n_planes=1)(X, targets)
    assert torch.equal(same, targets)
    assert torch.equal(left[:, [0, 1, 4]], X[:, [0, 1, 4]])
    alone = left[:, 2:4].mean(dim=2).abs().amax(dim=1) < 1e-6
    assert 60 < alone.sum() < 140
    assert torch.equal(left[~alone], X[~alone])
    assert torch.equal(X, batch(200, 5, 7)[0])


def test_shift_rotates_no_further_than_said():
    X = torch.zeros(200, 1, 40)
    X[:, :, 20] = 1
    shifted, _ = CircularShift(0.25)(X, torch.zeros(200, 1))
    reach = (shifted.argmax(dim=-1) - 20).abs()
    assert reach.max() == 10
    assert (shifted.sum(dim=-1) == 1).all()


@pytest.mark.parametrize(("mask", "axis"), [(MaskFrames, 2), (MaskChannels, 1)])
def test_masks_blank_one_run_of_at_most_their_length(mask, axis):
    X, targets = batch(200, 40, 40)
    masked, same = mask(0.3)(X, targets)
    assert same is targets
    blank = (masked == 0).all(dim=3 - axis)
    assert 10 <= blank.sum(dim=1).max() <= 12
    edges = blank.int().diff(dim=1).abs().sum(dim=1)
    assert (edges <= 2).all()


@pytest.mark.parametrize("mix", [Mixup(), CutMix(probability=1.0)])
def test_targets_are_mixed_as_the_clips_are(mix):
    X, _ = batch(50, 1, 100)
    X = (torch.arange(50) % 2)[:, None, None].float().expand(50, 1, 100)
    mixed, targets = mix(X, X[:, 0, :1])
    torch.testing.assert_close(mixed.mean(dim=2), targets)
    assert ((targets > 0) & (targets < 1)).any()


def test_bad_parameters_are_named():
    for build in (CircularShift, MaskFrames, MaskChannels):
        with pytest.raises(ValueError, match="max_fraction"):
            build(1.5)
    with pytest.raises(ValueError, match="alpha"):
        Mixup(0)
    with pytest.raises(ValueError, match="probability"):
        CutMix(probability=-1)


@pytest.mark.parametrize("value", ["a", None, [0.1], float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("build", "name"),
    [(type(a), f) for a in ALL for f in a.__dataclass_fields__],
)
def test_parameters_are_finite_numbers(build, name, value):
    with pytest.raises(ValueError, match=f"^{name} of {build.__name__} must be"):
        build(**{name: value})


def untouched(X, targets):
    return X, targets


@pytest.mark.parametrize("wrong", ["mixup", Mixup, 3, None])
def test_what_is_no_augmentation_is_named_by_fit(wrong):
    X, y = np.zeros((8, 3, 4), np.float32), list("EIEIEIEI")
    net = ResidualCNNClassifier(augmentations=[untouched, wrong], hidden_channels=2)
    with pytest.raises(TypeError, match=r"augmentations\[1\].*such as Mixup\(\)"):
        net.fit(X, y)


def test_classifier_trains_with_all_of_them_and_repeats_to_the_bit():
    rng = np.random.default_rng(0)
    y = np.tile(["E", "I"], 40)
    X = rng.normal(size=(80, 12, 24)).astype(np.float32)
    X[y == "I", :6] += 2
    X[y == "E", 6:] += 2
    net = ResidualCNNClassifier(
        module=ResidualCNN2d,
        augmentations=ALL,
        hidden_channels=4,
        batch_size=16,
        lr=0.01,
        max_epochs=15,
        random_state=0,
    )
    proba = net.fit(X, y).predict_proba(X)
    assert net.score(X, y) > 0.9
    assert np.array_equal(proba, net.fit(X, y).predict_proba(X))


def test_augmentations_touch_training_batches_only():
    seen = []

    def spy(X, targets):
        seen.append(len(X))
        return X, targets

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4, 8)), np.tile([0, 1], 25)
    net = ResidualCNNClassifier(
        augmentations=[spy], hidden_channels=4, max_epochs=2, random_state=0
    )
    net.fit(X, y).predict(X)
    assert seen == [40, 40]
