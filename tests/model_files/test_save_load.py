"""Test that models are the same after saving and loading."""

import io
import json
import os
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import skbreath
from skbreath import (
    BreathFeatures,
    ChannelScaler,
    ClipMemory,
    MaskFrames,
    Mixup,
    ModelFileError,
    OptunaSearchCV,
    ResidualCNN2d,
    ResidualCNNClassifier,
    SummaryPooling,
    ThresholdClassifier,
    WeightedVotingClassifier,
    load_model,
    make_breath_classifier,
    make_breath_sounds,
    model_info,
    save_model,
)

FIXTURES = Path(__file__).parent
SOUNDS = make_breath_sounds(40, n_subjects=10, random_state=0)
X, y = make_classification(80, n_features=6, random_state=0)
NAMES = np.where(y == 1, "I", "E")


def chirps():
    """Make clips that are the same with all versions of all packages."""
    time = np.arange(16000) / 16000
    rising = [np.sin(2 * np.pi * f * time * (1 + time)) * time for f in (150, 300)]
    return np.array([*rising, *(clip[::-1] for clip in rising)], dtype=np.float32)


def tiny_net(**params):
    settings = {"hidden_channels": 4, "max_epochs": 1, "random_state": 0}
    return ResidualCNNClassifier(**settings | params)


def trip(model, path):
    save_model(model, path)
    return load_model(path)


def assert_same_bits(model, loaded, X):
    assert type(loaded) is type(model)
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    if hasattr(model, "predict_proba"):
        assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    parameters = [
        re.sub("0x[0-9A-F]+", "", str(m.get_params())) for m in (model, loaded)
    ]
    assert parameters[0] == parameters[1]


@pytest.fixture(scope="module")
def breath_model():
    features = BreathFeatures(n_mels=8, groups=("mel", "rms"))
    boosting = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    members = [
        ("net", make_pipeline(features, ChannelScaler(), tiny_net())),
        ("wide", make_pipeline(features, tiny_net(module=ResidualCNN2d))),
        ("boosting", make_pipeline(features, SummaryPooling(n_bins=2), boosting)),
    ]
    model = make_breath_classifier(members, cv=2, random_state=0)
    return model.fit(
        SOUNDS.waveforms, SOUNDS.target, classifier__groups=SOUNDS.recording
    )


def test_whole_classifier_to_the_bit(breath_model, tmp_path):
    loaded = trip(breath_model, tmp_path / "model.skb")
    assert_same_bits(breath_model, loaded, SOUNDS.waveforms)
    mine, theirs = breath_model["classifier"], loaded["classifier"]
    assert theirs.best_threshold_ == mine.best_threshold_
    vote = theirs.estimator_
    assert vote.oof_proba_.tobytes() == mine.estimator_.oof_proba_.tobytes()
    assert vote.named_estimators_["net"] is vote.estimators_[0]
    refitted = clone(loaded).fit(SOUNDS.waveforms, SOUNDS.target)
    assert refitted.predict(SOUNDS.waveforms).shape == (40,)


def test_same_model_same_bytes_and_no_larger_than_a_pickle(breath_model, tmp_path):
    save_model(breath_model, tmp_path / "a.skb")
    save_model(load_model(tmp_path / "a.skb"), tmp_path / "b.skb")
    content = (tmp_path / "a.skb").read_bytes()
    assert content == (tmp_path / "b.skb").read_bytes()
    joblib.dump(breath_model, tmp_path / "a.joblib")
    assert len(content) < (tmp_path / "a.joblib").stat().st_size


def test_another_process_gives_the_same_bits(breath_model, tmp_path):
    save_model(breath_model, tmp_path / "model.skb")
    np.save(tmp_path / "clips.npy", SOUNDS.waveforms)
    code = (
        "import sys, numpy as np, skbreath\n"
        "model = skbreath.load_model('model.skb')\n"
        "assert 'skops' not in sys.modules\n"
        "proba = model.predict_proba(np.load('clips.npy'))\n"
        "print(proba.tobytes().hex())"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    mine = breath_model.predict_proba(SOUNDS.waveforms)
    assert done.stdout.strip() == mine.tobytes().hex()


MODELS = {
    "logistic": LogisticRegression(class_weight={"E": 1, "I": 2}),
    "svc": SVC(),
    "naive Bayes": GaussianNB(),
    "discriminant": LinearDiscriminantAnalysis(),
    "forest": RandomForestClassifier(5, random_state=0),
    "extra trees": ExtraTreesClassifier(5, random_state=0),
    "tree": DecisionTreeClassifier(),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "hist boosting": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "bagging": BaggingClassifier(DecisionTreeClassifier(), 3, max_features=0.5),
    "perceptron": MLPClassifier(4, max_iter=5, random_state=np.random.RandomState(0)),
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
    "calibrated": CalibratedClassifierCV(GaussianNB(), cv=2),
    "stacked": StackingClassifier([("nb", GaussianNB())], SVC()),
    "grid": GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2, scoring="f1"),
    "net": tiny_net(augmentations=[Mixup(), MaskFrames(0.1)]),
    "2-D net": tiny_net(module=ResidualCNN2d),
    "vote": WeightedVotingClassifier(
        [("nb", GaussianNB()), ("lr", LogisticRegression()), ("none", "drop")],
        weights={"nb": 1, "lr": 2, "none": 0},
    ),
    "scorer": ThresholdClassifier(
        GaussianNB(),
        pos_label="I",
        scoring=make_scorer(f1_score, pos_label="I"),
        cv=StratifiedGroupKFold(2),
    ),
    "search": OptunaSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {
            "logisticregression__C": FloatDistribution(0.1, 10, log=True),
            "standardscaler__with_mean": CategoricalDistribution([True, False]),
        },
        n_trials=2,
        cv=2,
        random_state=0,
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Too few")
@pytest.mark.parametrize("name", MODELS)
def test_round_trip_of(name, tmp_path):
    labels = (NAMES == "I").astype(int) if name == "grid" else NAMES
    params = {"groups": np.arange(80) // 4} if name in ("scorer", "net") else {}
    model = clone(MODELS[name]).fit(X, labels, **params)
    assert_same_bits(model, trip(model, tmp_path / "m.skb"), X)


def test_files_name_the_public_class_so_that_modules_can_move(breath_model, tmp_path):
    save_model(breath_model, tmp_path / "model.skb")
    data = zipfile.ZipFile(tmp_path / "model.skb").read("model.skops")
    schema = zipfile.ZipFile(io.BytesIO(data)).read("schema.json").decode()
    modules = set(re.findall(r'"(skbreath[\w.]*)"', schema))
    assert modules == {"skbreath"}
    assert (
        model_info(tmp_path / "model.skb")["estimator"] == "sklearn.pipeline.Pipeline"
    )


@pytest.mark.parametrize(
    "labels",
    [[True, False], [0, 1], [2.0, 3.0], np.array(["ein", "aus"], object), ["I", "E"]],
)
def test_labels_of_any_kind(labels, tmp_path):
    target = np.asarray(labels)[y]
    model = LogisticRegression().fit(X, target)
    loaded = trip(model, tmp_path / "m.skb")
    assert loaded.classes_.dtype == model.classes_.dtype
    assert_same_bits(model, loaded, X)


def test_names_of_columns_and_frozen_parts(tmp_path):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(6)])
    frozen = FrozenEstimator(LogisticRegression().fit(frame, NAMES))
    model = WeightedVotingClassifier([("lr", frozen)]).fit(frame, NAMES)
    loaded = trip(model, tmp_path / "m.skb")
    assert loaded.feature_names_in_.tolist() == frame.columns.tolist()
    assert_same_bits(model, loaded, frame)


def test_cache_and_study_of_a_search_are_left_out(tmp_path):
    memory = ClipMemory(tmp_path / "cache")
    model = make_pipeline(StandardScaler(), GaussianNB(), memory=memory).fit(X, NAMES)
    assert trip(model, tmp_path / "m.skb").memory is None
    assert model.memory is memory
    space = {"var_smoothing": FloatDistribution(1e-9, 1, log=True)}
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    search = OptunaSearchCV(GaussianNB(), space, n_trials=2, cv=2, storage=storage)
    search.fit(X, NAMES)
    loaded = trip(search, tmp_path / "s.skb")
    assert loaded.storage is None and not hasattr(loaded, "study_")
    assert loaded.best_params_ == search.best_params_
    found = loaded.cv_results_["mean_test_score"]
    assert found.tolist() == search.cv_results_["mean_test_score"].tolist()
    assert search.storage == storage and len(search.study_.trials) == 2


def test_net_trained_elsewhere_is_put_on_the_cpu(tmp_path):
    net = tiny_net().fit(X, NAMES)
    net.device = "cuda"  # as if trained there
    loaded = trip(net, tmp_path / "m.skb")
    assert str(loaded.net_.device) == "cpu"
    assert loaded.predict_proba(X).tobytes() == net.predict_proba(X).tobytes()
    again = loaded.set_params(device="cpu").fit(X, NAMES)
    assert again.predict_proba(X).tobytes() == net.predict_proba(X).tobytes()


def test_info_describes_the_model(breath_model, tmp_path):
    save_model(breath_model, tmp_path / "m.skb")
    info = model_info(tmp_path / "m.skb")
    assert info["format_version"] == 1
    assert info["labels"] == ["E", "I"]
    threshold = breath_model["classifier"].best_threshold_
    assert info["threshold"] == {"pos_label": "I", "value": threshold}
    assert info["features"]["audio"]["sample_rate"] == 16000
    mel = info["features"]["classifier__estimator__net__breathfeatures"]
    assert mel["n_mels"] == 8 and mel["groups"] == ["mel", "rms"]
    assert info["packages"]["skbreath"] == skbreath.__version__
    data = info["training_data"]
    assert data["n_clips"] == 40 and data["n_groups"] == len(set(SOUNDS.recording))
    assert sum(data["classes"].values()) == 40 and len(data["digest"]) == 64
    json.dumps(info)


def test_digest_of_training_data_ignores_their_order(tmp_path):
    def digest_of(rows, labels):
        return trip_info(tiny_net().fit(X[rows], labels[rows]))["digest"]

    def trip_info(model):
        save_model(model, tmp_path / "m.skb")
        return model_info(tmp_path / "m.skb")["training_data"]

    rows = np.arange(80)
    assert digest_of(rows, NAMES) == digest_of(rows[::-1], NAMES)
    assert digest_of(rows, NAMES) != digest_of(rows[:-1], NAMES)
    flipped = np.where(rows == 3, "I", NAMES), np.where(rows == 3, "E", NAMES)
    assert digest_of(rows, flipped[0]) != digest_of(rows, flipped[1])
    assert trip_info(LogisticRegression().fit(X, NAMES)) is None


class Foreign(LogisticRegression):
    pass


class ForeignNet(ResidualCNN2d):
    pass


@pytest.mark.parametrize(
    "model",
    [
        Foreign(),
        make_pipeline(StandardScaler(), Foreign()),
        tiny_net(module=ForeignNet),
        ThresholdClassifier(
            GaussianNB(), scoring=lambda model, X, y: (model.predict(X) == y).mean()
        ),
        LogisticRegression(class_weight={True: 1, False: 2}),
    ],
)
def test_foreign_parts_are_refused_before_anything_is_written(model, tmp_path):
    labels = y == 1 if "class_weight" in str(model) else NAMES
    model.fit(X, labels)
    (tmp_path / "m.skb").write_bytes(b"old")
    with pytest.raises(ModelFileError, match=r"m.skb cannot hold this .*joblib"):
        save_model(model, tmp_path / "m.skb")
    assert (tmp_path / "m.skb").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["m.skb"]
    joblib.dump(make_pipeline(GaussianNB()), tmp_path / "m.joblib")


def test_unfitted_model_and_bad_destination(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(LogisticRegression(), tmp_path / "m.skb")
    model = GaussianNB().fit(X, NAMES)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        save_model(model, tmp_path / "nowhere" / "m.skb")
    with pytest.raises(IsADirectoryError):
        load_model(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "gone.skb")
    assert os.listdir(tmp_path) == []


def test_model_of_zeros_is_not_refused_as_a_zip_bomb(tmp_path):
    model = LogisticRegression().fit(X, NAMES)
    model.coef_ = np.zeros((1, 10**6))
    assert trip(model, tmp_path / "m.skb").coef_.tolist() == model.coef_.tolist()


def test_objects_of_object_arrays(tmp_path):
    model = GaussianNB().fit(X, NAMES)
    model.notes_ = np.empty((2, 1), object)
    model.notes_[0, 0], model.notes_[1, 0] = [1, 2], {"a": None}
    notes = trip(model, tmp_path / "m.skb").notes_
    assert notes.shape == (2, 1) and notes.tolist() == [[[1, 2]], [{"a": None}]]


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.skb")), ids=lambda p: p.name)
def test_files_of_other_versions(file):
    expected = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load_model(file)
    proba = model.predict_proba(chirps())
    assert model.predict(chirps()).tolist() == expected["labels"]
    np.testing.assert_allclose(proba, expected["probabilities"], atol=1e-4)
    assert model_info(file)["format_version"] == expected["format_version"]


def test_skops_itself_reads_the_data(tmp_path):
    import skops.io

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, NAMES)
    save_model(model, tmp_path / "m.skb")
    data = zipfile.ZipFile(tmp_path / "m.skb").read("model.skops")
    assert_same_bits(model, skops.io.load(io.BytesIO(data)), X)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12)[::2].reshape(3, 2).T,
        np.empty((0, 3), np.float32),
        np.array(3.5),
        np.array(["a", "Ä"]),
        np.zeros(2, [("x", "<f8"), ("y", "u1", 3)]),
        np.array([np.nan, -0.0, np.inf], ">f4"),
    ],
    ids=str,
)
def test_arrays_of_any_layout(array, tmp_path):
    model = GaussianNB().fit(X, NAMES)
    model.notes_ = array
    notes = trip(model, tmp_path / "m.skb").notes_
    assert (notes.dtype, notes.shape) == (array.dtype, array.shape)
    assert notes.tobytes() == array.tobytes() and notes.flags.writeable
    assert notes.flags.f_contiguous == array.flags.f_contiguous


def test_metadata_round_trip(tmp_path):
    model = LogisticRegression().fit([[0.0], [1.0]], ["E", "I"])
    path = tmp_path / "model.skb"
    save_model(model, path)
    assert model_info(path)["metadata"] is None
    metadata = {"licence": "CC BY-NC 4.0", "seeds": [1, 2]}
    save_model(model, path, metadata=metadata)
    assert model_info(path)["metadata"] == metadata
    assert load_model(path).predict([[2.0]]) == ["I"]
    for wrong in ({"a": {1, 2}}, {1: "a"}, ["a"], {"a": float("nan")}):
        with pytest.raises(ValueError, match="metadata must be"):
            save_model(model, path, metadata=wrong)
    assert model_info(path)["metadata"] == metadata  # the file is as it was


def test_half_size_takes_half_the_bytes_and_nearly_the_same_probabilities(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(24, 8, 16)).astype("float32"), np.tile(["E", "I"], 12)
    net = ResidualCNNClassifier(max_epochs=1, random_state=0).fit(X, y)
    paths = tmp_path / "whole.skb", tmp_path / "half.skb"
    save_model(net, paths[0])
    save_model(net, paths[1], half_size=True)
    sizes = [path.stat().st_size for path in paths]
    assert sizes[1] < 0.6 * sizes[0]
    whole, half = (load_model(path) for path in paths)
    assert np.array_equal(whole.predict_proba(X), net.predict_proba(X))
    assert np.abs(half.predict_proba(X) - net.predict_proba(X)).max() < 2e-3
    weights = half.get_weights()
    assert all(a.dtype == b.dtype for a, b in zip(
        weights.values(), net.get_weights().values(), strict=True
    ))  # fmt: skip
    # Values out of the range of float16 are kept.
    with torch.no_grad():
        net.net_.module_.head[0].weight[0, 0] = 1e6
    save_model(net, paths[1], half_size=True)
    assert load_model(paths[1]).get_weights()["head.0.weight"][0, 0] == 1e6


def test_error_names_the_type_of_a_wrong_path(tmp_path):
    with pytest.raises(TypeError, match="must be a file name.* got NoneType"):
        load_model(None)
    with pytest.raises(TypeError, match="must be a file name.* got int"):
        model_info(3)
    with pytest.raises(TypeError, match="must be a file name.* got LinearDiscrim"):
        save_model(tmp_path / "model.skb", LinearDiscriminantAnalysis())
