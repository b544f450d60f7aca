import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback
from torch import nn

from skbreath import (
    ResidualCNN1d,
    ResidualCNN2d,
    ResidualCNNClassifier,
    load_model,
    save_model,
)

WEIGHTS_ARE_NOT_REPEATS = (
    "training is stochastic: the batches of repeated rows are not those of "
    "weighted rows"
)


@parametrize_with_checks(
    [ResidualCNNClassifier(random_state=0, hidden_channels=16)],
    expected_failed_checks=lambda est: {
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS_ARE_NOT_REPEATS,
    },
)
@pytest.mark.filterwarnings("ignore:Too few:UserWarning")
def test_estimator_checks(estimator, check):
    check(estimator)


def small_net(**params):
    defaults = {"hidden_channels": 8, "max_epochs": 8, "lr": 0.01, "batch_size": 16}
    return ResidualCNNClassifier(random_state=0, **(defaults | params))


@pytest.fixture(scope="module")
def clips():
    """Clips that differ in the order of time only: rising or falling ramps."""
    rng = np.random.default_rng(0)
    y = np.tile(["E", "I"], 60)
    rising = np.tile(np.linspace(-2, 2, 5), 4)
    X = rng.normal(scale=0.5, size=(120, 6, 20))
    X += np.where((y == "I")[:, None, None], rising, rising[::-1])
    X = X.astype(np.float32)
    groups = np.repeat(np.arange(12), 10)
    return X, y, groups


def test_learns_what_depends_on_the_order_of_time(clips):
    X, y, _ = clips
    assert cross_val_score(small_net(), X, y, cv=3).min() > 0.9


@pytest.mark.parametrize("labels", [["E", "I"], [0, 1], [False, True], [-3, 7]])
def test_keeps_the_labels_it_was_given(clips, labels):
    X, y, _ = clips
    own = np.where(y == "I", labels[1], labels[0])
    net = small_net().fit(X, own)
    assert net.classes_.tolist() == labels
    assert (net.predict(X) == own).mean() > 0.9
    assert net.predict(X).dtype == own.dtype


def test_more_than_two_classes(clips):
    X, y, groups = clips
    three = np.where(groups % 3 == 0, "pause", y)
    X = np.where((three == "pause")[:, None, None], 0, X)
    net = small_net(max_epochs=15).fit(X, three)
    assert net.predict_proba(X).shape == (120, 3)
    np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1)
    assert net.score(X, three) > 0.8


def test_same_seed_same_bits_and_callers_random_numbers_untouched(clips):
    X, y, _ = clips
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = small_net().fit(X, y).predict_proba(X)
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(first, small_net().fit(X, y).predict_proba(X))
    assert not np.array_equal(
        first, small_net().set_params(random_state=1).fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("module", [None, ResidualCNN2d])
def test_mixed_precision_learns_the_same_and_repeats_to_the_bit(clips, module):
    X, y, _ = clips
    nets = [
        small_net(module=module, precision=precision).fit(X, y)
        for precision in (None, "bf16", "bf16")
    ]
    exact, mixed, again = (net.predict_proba(X) for net in nets)
    assert np.array_equal(mixed, again)
    assert not np.array_equal(mixed, exact)
    assert np.abs(mixed - exact).mean() < 0.1
    assert all(p.dtype == torch.float32 for p in nets[1].net_.module_.parameters())


class GroupsSeen(ResidualCNN1d):
    """Records the groups, in `X[:, 0, 0]`, of the rows trained on and validated."""

    def forward(self, x):
        if len(x) > 1:  # one row alone is the check of a finished training
            SEEN[self.training] += x[:, 0, 0].int().tolist()
        return super().forward(x)


SEEN = {}


@pytest.mark.parametrize("seed", range(5))
def test_rows_held_back_share_no_group_with_those_trained_on(clips, seed):
    X, y, groups = clips
    X = X.copy()
    X[:, 0, 0] = groups
    SEEN.update({True: [], False: []})
    net = small_net(module=GroupsSeen, max_epochs=1)
    net.set_params(random_state=seed).fit(X, y, groups=groups)
    trained, held_back = set(SEEN[True]), set(SEEN[False])
    assert held_back and trained and not held_back & trained
    assert held_back | trained == set(range(12))
    assert len(SEEN[True]) + len(SEEN[False]) == len(y)


def test_early_stopping_keeps_the_best_epoch(clips):
    X, y, _ = clips
    rng = np.random.default_rng(0)
    noise = rng.permutation(y)  # nothing to learn: the loss soon rises
    net = small_net(max_epochs=60, patience=3).fit(X, noise)
    assert len(net.history_) < 60
    losses = [epoch["valid_loss"] for epoch in net.history_]
    assert losses[-1] > min(losses)


def test_too_few_groups_to_stop_early_is_said(clips):
    X, y, _ = clips
    with pytest.warns(UserWarning, match="Too few groups"):
        small_net(max_epochs=1).fit(X, y, groups=np.zeros(120))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small_net(max_epochs=1, early_stopping=False).fit(X, y, groups=np.zeros(120))


def test_weightless_rows_and_class_weights_count(clips):
    X, y, _ = clips
    poisoned = X.copy()
    poisoned[:20] = 1e6
    weight = np.r_[np.zeros(20), np.ones(100)]
    a = small_net(max_epochs=2).fit(X, y, sample_weight=weight).predict_proba(X)
    b = small_net(max_epochs=2).fit(poisoned, y, sample_weight=weight)
    assert np.array_equal(a, b.predict_proba(X))
    leaning = small_net(max_epochs=2, class_weight={"E": 1, "I": 50}).fit(X, y)
    even = small_net(max_epochs=2, class_weight="balanced").fit(X, y)
    assert leaning.predict_proba(X)[:, 1].mean() > even.predict_proba(X)[:, 1].mean()


def test_pickle_gives_the_same_probabilities_in_a_fresh_process(clips, tmp_path):
    X, y, _ = clips
    net = small_net().fit(X, y)
    joblib.dump(net, tmp_path / "net.joblib")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import joblib, numpy as np, sys\n"
        "net = joblib.load('net.joblib')\n"
        "np.save('proba.npy', net.predict_proba(np.load('X.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert np.array_equal(np.load(tmp_path / "proba.npy"), net.predict_proba(X))


@pytest.mark.parametrize("device", ["cuda:63", "mps:63"])
def test_model_of_a_missing_gpu_loads_on_the_cpu(clips, device):
    X, y, _ = clips
    net = small_net(max_epochs=1).fit(X, y)
    expected = net.predict_proba(X)
    net.device = device  # as if it had been trained there
    assert np.array_equal(pickle.loads(pickle.dumps(net)).predict_proba(X), expected)


def test_clips_of_another_length_can_be_predicted(clips):
    X, y, _ = clips
    net = small_net().fit(X, y)
    assert net.predict(X[:, :, :15]).shape == (120,)
    with pytest.raises(ValueError, match="expecting 6 features"):
        net.predict(X[:, :5])


def test_own_module_and_callbacks(clips):
    from skorch.callbacks import Callback

    class Pooled(nn.Module):
        def __init__(self, n_channels, n_outputs, **unused):
            super().__init__()
            self.linear = nn.Linear(n_channels, n_outputs)

        def forward(self, x):
            return self.linear(x[:, :, 5] - x[:, :, 7])

    class Count(Callback):
        n_epochs = 0

        def on_epoch_end(self, net, **kwargs):
            Count.n_epochs += 1

    X, y, _ = clips
    net = small_net(module=Pooled, callbacks=[Count()], scheduler=None).fit(X, y)
    assert Count.n_epochs == 8
    assert net.score(X, y) > 0.9


@pytest.mark.parametrize("optimizer", [torch.optim.RMSprop, torch.optim.SGD])
def test_another_optimizer(clips, optimizer):
    X, y, _ = clips
    net = small_net(max_epochs=2, net_params={"optimizer": optimizer}).fit(X, y)
    assert type(net.net_.optimizer_) is optimizer


def test_grid_search_over_its_parameters(clips):
    X, y, _ = clips
    grid = {"kernel_size": [3, 5], "scheduler": ["cosine", None]}
    search = GridSearchCV(small_net(max_epochs=1), grid, cv=2).fit(X, y)
    assert clone(search.best_estimator_).get_params()["kernel_size"] in (3, 5)


def test_ctrl_c_is_not_swallowed(clips):
    class Interrupted(nn.Module):
        def __init__(self, n_channels, n_outputs, **unused):
            super().__init__()
            self.linear = nn.Linear(n_channels, n_outputs)

        def forward(self, x):
            raise KeyboardInterrupt

    X, y, _ = clips
    with pytest.raises(KeyboardInterrupt):
        small_net(module=Interrupted).fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr": 0.0}, "'lr'"),
        ({"dropout": 1.0}, "'dropout'"),
        ({"kernel_size": 4}, "kernel_size must be odd"),
        ({"scheduler": "cyclic"}, "'scheduler'"),
    ],
)
def test_bad_parameters_are_named(clips, params, message):
    X, y, _ = clips
    with pytest.raises(ValueError, match=message):
        small_net(**params).fit(X, y)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "device='cuda' is not available here"),
        ("cuda:1", "device='cuda:1' is not available here"),
        ("gpu", "device='gpu'.*such as 'cpu'"),
    ],
)
def test_devices_that_are_not_there_are_named(clips, device, message):
    X, y, _ = clips
    with pytest.raises(ValueError, match=message):
        small_net(device=device).fit(X, y)


def test_a_device_of_torch_is_a_device(clips, tmp_path):
    X, y, _ = clips
    net = small_net(max_epochs=1, device=torch.device("cpu")).fit(X, y)
    save_model(net, tmp_path / "net.skb")
    loaded = load_model(tmp_path / "net.skb")
    assert loaded.device == "cpu"
    assert np.array_equal(loaded.predict_proba(X), net.predict_proba(X))
    with pytest.raises(ValueError, match="device=0.5 is not available here"):
        small_net(device=0.5).fit(X, y)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_labels_are_named_by_row(clips, missing):
    X, y, _ = clips
    with pytest.raises(ValueError, match="y has 1 missing value, the first at row 3"):
        small_net().fit(X, [*y[:3].tolist(), missing, *y[4:].tolist()])


def test_bad_data_is_refused(clips):
    X, y, _ = clips
    with pytest.raises(ValueError, match="1 class"):
        small_net().fit(X, np.repeat("I", 120))
    with pytest.raises(ValueError, match="inconsistent"):
        small_net().fit(X, y[:-1])
    with pytest.raises(ValueError, match="4 dimensions"):
        small_net().fit(X[..., None], y)
    with pytest.raises(ValueError, match="NaN"):
        small_net().fit(np.where(X > 3, np.nan, X), y)


def test_one_cycle_warms_up_and_cools_down():
    rates = []

    class Watch(Callback):
        def on_batch_end(self, net, training, **kwargs):
            if training:
                rates.append(net.optimizer_.param_groups[0]["lr"])

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 4, 8)), np.tile(["E", "I"], 32)
    ResidualCNNClassifier(
        scheduler="one_cycle",
        lr=0.01,
        max_epochs=5,
        batch_size=8,
        hidden_channels=4,
        early_stopping=False,
        callbacks=[Watch()],
        random_state=0,
    ).fit(X, y)
    assert len(rates) == 40
    assert np.argmax(rates) in (2, 3, 4) and max(rates) == pytest.approx(0.01, rel=0.05)
    assert rates[0] < 0.002 and rates[-1] < 1e-4


@pytest.mark.parametrize("epochs", [1, 2, 10, 11])
def test_one_cycle_may_have_few_batches(epochs):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(16, 4, 8)), np.tile(["E", "I"], 8)
    net = ResidualCNNClassifier(
        scheduler="one_cycle",
        max_epochs=epochs,
        hidden_channels=4,
        early_stopping=False,
        random_state=0,
    )
    assert len(net.fit(X, y).history_) == epochs


def test_automatic_precision_is_one_of_the_two():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(32, 4, 8)), np.tile(["E", "I"], 16)
    params = {"hidden_channels": 4, "max_epochs": 2, "random_state": 0}

    def proba(precision):
        net = ResidualCNNClassifier(precision=precision, **params)
        return net.fit(X, y).predict_proba(X)

    auto = proba("auto")
    assert any(np.array_equal(auto, proba(choice)) for choice in (None, "bf16"))


def test_a_network_with_parameters_of_its_own_is_restored():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(32, 10, 12)), np.tile(["E", "I"], 16)
    net = ResidualCNNClassifier(
        module=ResidualCNN2d,
        net_params={"module__n_planes": 2},
        hidden_channels=4,
        max_epochs=1,
        random_state=0,
    ).fit(X, y)
    again = pickle.loads(pickle.dumps(net))
    assert again.net_.module_.n_planes == 2
    assert np.array_equal(again.predict_proba(X), net.predict_proba(X))


def test_pooled_features_are_a_step_before_other_models(clips):
    X, y, groups = clips
    net = small_net().fit(X, y)
    pooled = net.transform(X)
    assert pooled.shape == (120, 32) and pooled.dtype == np.float32
    # The network's head makes its own probabilities of them.
    with torch.inference_mode():
        logits = net.net_.module_.head(torch.from_numpy(pooled)).double().numpy()
    expected = 1 / (1 + np.exp(-logits[:, 0]))
    np.testing.assert_allclose(net.predict_proba(X)[:, 1], expected, atol=1e-6)
    assert net.get_feature_names_out()[-1] == "residualcnnclassifier31"
    model = make_pipeline(small_net(), LogisticRegression(max_iter=1000))
    model.fit(X, y, residualcnnclassifier__groups=groups)
    assert model.score(X, y) > 0.9


def test_a_network_without_pooled_features_is_no_transformer(clips):
    X, y, _ = clips
    assert not hasattr(small_net(module=Flat), "transform")
    assert small_net(module=Flat).fit(X, y).predict(X).shape == (120,)
    assert hasattr(small_net(module=ResidualCNN2d), "transform")


class Flat(nn.Module):
    def __init__(self, n_channels, n_outputs, **_):
        super().__init__()
        self.linear = nn.Linear(n_channels, n_outputs)

    def forward(self, x):
        return self.linear(x.mean(dim=2))


def test_warm_start_goes_on_where_it_was(clips):
    X, y, _ = clips
    net = small_net(max_epochs=2, early_stopping=False).fit(X, y)
    before = net.get_weights()
    losses = [epoch["train_loss"] for epoch in net.history_]
    net.set_params(warm_start=True, lr=1e-4, max_epochs=1).fit(X, y)
    assert net.history_[0]["train_loss"] < losses[0]
    moved = np.abs(net.get_weights()["stem.0.weight"] - before["stem.0.weight"]).max()
    assert 0 < moved < 0.01
    net.set_params(warm_start=False).fit(X, y)
    again = small_net(max_epochs=1, lr=1e-4, early_stopping=False).fit(X, y)
    assert np.array_equal(net.predict_proba(X), again.predict_proba(X))


def test_warm_start_goes_on_from_a_loaded_classifier(clips):
    X, y, _ = clips
    net = small_net(max_epochs=1, warm_start=True, early_stopping=False).fit(X, y)
    loaded = pickle.loads(pickle.dumps(net))
    assert np.array_equal(
        net.fit(X, y).predict_proba(X), loaded.fit(X, y).predict_proba(X)
    )


def test_initial_weights_survive_clone(clips):
    X, y, _ = clips
    start = small_net().fit(X, y).get_weights()
    settings = {"max_epochs": 1, "lr": 1e-5, "early_stopping": False}
    tuned = clone(small_net(initial_weights=start, **settings)).fit(X, y)
    assert np.abs(
        tuned.get_weights()["head.3.weight"] - start["head.3.weight"]
    ).max() < (1e-3)
    assert tuned.score(X, y) > 0.9


def test_frozen_parts_keep_weights_and_statistics(clips):
    X, y, _ = clips
    net = small_net(early_stopping=False).fit(X, y)
    before = net.get_weights()
    net.set_params(warm_start=True, frozen=["stem", "block1.body"]).fit(X, y)
    after = net.get_weights()
    same = {name for name in after if np.array_equal(after[name], before[name])}
    frozen = {n for n in after if n.startswith(("stem.", "block1.body."))}
    assert frozen <= same
    assert "head.0.weight" not in same and "block2.body.1.running_mean" not in same


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"frozen": ["stom"]}, "got 'stom'"),
        ({"frozen": ["stem", "block1", "block2", "head"]}, "nothing to train"),
        ({"initial_weights": {"a": np.zeros(3)}}, "initial_weights do not fit"),
    ],
)
def test_wrong_parts_and_weights_are_named(clips, params, message):
    X, y, _ = clips
    with pytest.raises(ValueError, match=message):
        small_net(**params).fit(X, y)


def test_weights_that_do_not_fit_are_named_with_both_shapes(clips):
    X, y, _ = clips
    net = small_net(max_epochs=1, early_stopping=False).fit(X, y)
    start = net.get_weights()
    shapes = r"'stem.0.weight' has the shape \(8, 6, .*, where .* \(16, 6, "
    with pytest.raises(ValueError, match=f"^initial_weights do not fit.*{shapes}"):
        small_net(initial_weights=start, hidden_channels=16).fit(X, y)
    with pytest.raises(ValueError, match=f"last fit .warm_start=True.*{shapes}"):
        net.set_params(warm_start=True, hidden_channels=16).fit(X, y)
    unknown = start | {"tail": np.zeros(2)}
    with pytest.raises(ValueError, match="no weight 'tail'"):
        small_net(initial_weights=unknown).fit(X, y)
    del start["head.0.bias"]
    with pytest.raises(ValueError, match="'head.0.bias' is missing"):
        small_net(initial_weights=start).fit(X, y)


def to_nan(X, targets):
    return X * float("nan"), targets


@pytest.mark.parametrize(
    "params",
    [
        {"lr": 1e30},
        {"lr": 1e30, "early_stopping": False},
        # A single step: finite weights, whose outputs are not.
        {"lr": 1e30, "early_stopping": False, "max_epochs": 1, "batch_size": 256},
        {"augmentations": [to_nan]},
    ],
)
def test_a_network_that_diverged_is_no_model(clips, params):
    X, y, _ = clips
    net = small_net(**({"max_epochs": 2} | params))
    with pytest.raises(ValueError, match=r"training diverged.*lower lr.*augmentations"):
        net.fit(X, y)
    with pytest.raises(NotFittedError):
        net.predict(X)


def test_initial_weights_that_are_not_finite_are_named(clips):
    X, y, _ = clips
    start = small_net(max_epochs=1).fit(X, y).get_weights()
    start["head.0.bias"][0] = np.nan
    with pytest.raises(ValueError, match="initial_weights.*'head.0.bias'.*NaN"):
        small_net(initial_weights=start).fit(X, y)


def test_warm_start_refuses_other_classes(clips):
    X, y, _ = clips
    net = small_net(max_epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="needs the classes of the last fit"):
        net.fit(X, np.where(y == "I", "in", "out"))
    assert net.classes_.tolist() == ["E", "I"]
