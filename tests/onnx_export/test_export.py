import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from skbreath import (
    AudioReader,
    BreathFeatures,
    ChannelScaler,
    ResidualCNN2d,
    ResidualCNNClassifier,
    SummaryPooling,
    ThresholdClassifier,
    WeightedVotingClassifier,
    __version__,
    export_onnx,
    make_breath_classifier,
    make_breath_sounds,
    model_info,
    save_model,
)
from skbreath.cli import main
from skbreath.features.kernels import loop_periods
from skbreath.onnx_export.estimator_graphs import FeatureGraph, LoopGraph
from skbreath.onnx_export.model_graph import ModelGraph
from skbreath.pretrained import PRETRAINED

N_SAMPLES = 4000


@pytest.fixture(scope="module")
def sounds():
    sounds = make_breath_sounds(80, n_subjects=8, duration=0.25, random_state=0)
    assert sounds.waveforms.shape[1] == N_SAMPLES
    # As in data sets, every third clip is a shorter sound, repeated.
    for row in range(0, 80, 3):
        part = sounds.waveforms[row, : 2000 + 20 * row]
        sounds.waveforms[row] = np.resize(part, N_SAMPLES)
    return sounds


def net(**params):
    mel = BreathFeatures(groups=("mel", "loop"), n_mels=16)
    small = ResidualCNNClassifier(
        hidden_channels=4, max_epochs=2, random_state=0, early_stopping=False, **params
    )
    return make_pipeline(mel, ChannelScaler(), small)


def trees(max_iter=20):
    features = BreathFeatures(groups=("mel", "zcr", "contrast", "loop"), n_mels=8)
    course = SummaryPooling(
        n_bins=4,
        statistics=("mean", "std", "min", "max"),
        relative=True,
        period_channel=-1,
    )
    level = make_pipeline(BreathFeatures(groups=("rms",)), SummaryPooling())
    boosting = HistGradientBoostingClassifier(
        max_iter=max_iter, min_samples_leaf=5, random_state=0
    )
    return make_pipeline(make_union(make_pipeline(features, course), level), boosting)


def linear():
    return make_pipeline(
        BreathFeatures(groups=("mel", "mfcc")),
        SummaryPooling(n_bins=2),
        StandardScaler(),
        LogisticRegression(max_iter=500),
    )


def vote(members=None, **params):
    members = members or [("net", net()), ("trees", trees())]
    return WeightedVotingClassifier(members, cv=2, **params)


def embedding():
    classifier = LogisticRegression()
    return make_pipeline(*[step for _, step in net().steps], classifier)


def frozen_embedding():
    """Make a linear model on the embedding of a frozen network and on a table."""
    sounds = make_breath_sounds(40, duration=0.25, random_state=1)
    other = net().fit(sounds.waveforms, sounds.target)
    level = make_pipeline(BreathFeatures(groups=("rms",)), SummaryPooling())
    return make_pipeline(
        make_union(FrozenEstimator(other), level),
        StandardScaler(),
        LogisticRegression(),
    )


MODELS = {
    "net": net,
    "2-D net": lambda: net(
        module=ResidualCNN2d, net_params={"module__n_planes": 2, "verbose": 0}
    ),
    "trees": trees,
    "linear": linear,
    "embedding": embedding,
    "frozen embedding": frozen_embedding,
    "search": lambda: GridSearchCV(
        linear(), {"logisticregression__C": [0.1, 1.0]}, cv=2
    ),
    "given weights": lambda: vote(weights={"net": 3, "trees": 1}),
    "folds": lambda: vote(weights="learned", calibration="sigmoid", refit=False),
    "isotonic": lambda: vote([("a", trees(5))], weights=[1], calibration="isotonic"),
    "temperature": lambda: vote(
        [("a", linear())], weights=[1], calibration="temperature"
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_graph_gives_the_probabilities_of_the_model(name, sounds):
    model = MODELS[name]().fit(sounds.waveforms[:60], sounds.target[:60])
    graph = ModelGraph(model, N_SAMPLES).eval()
    with torch.inference_mode():
        found = graph(torch.from_numpy(sounds.waveforms)).numpy()
    expected = model.predict_proba(sounds.waveforms)
    assert np.ptp(expected[:, 1]) > 0.001
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("make", [net, trees, linear])
def test_three_classes(make, sounds):
    y = sounds.target.astype("U5")
    y[::4] = "pause"
    model = vote([("a", make())], weights=[1], calibration="sigmoid").fit(
        sounds.waveforms, y
    )
    with torch.inference_mode():
        found = ModelGraph(model, N_SAMPLES)(torch.from_numpy(sounds.waveforms))
    np.testing.assert_allclose(found, model.predict_proba(sounds.waveforms), atol=1e-5)


def test_features_that_members_share_are_computed_once(sounds):
    model = vote(weights=[1, 1], calibration="sigmoid", refit=False)
    model.fit(sounds.waveforms, sounds.target)
    kinds = [type(part).__name__ for part in ModelGraph(model, N_SAMPLES).modules()]
    assert kinds.count("FeatureGraph") == 3  # of the net, the course and the level
    assert kinds.count("TreesGraph") == 1  # of both folds


@pytest.mark.parametrize(
    "member, named",
    [
        (
            make_pipeline(BreathFeatures(), SummaryPooling(), RandomForestClassifier()),
            "forest.randomforestclassifier is a RandomForestClassifier",
        ),
        (RandomForestClassifier(), "forest is a RandomForestClassifier"),
    ],
)
def test_error_names_parts_that_cannot_be_exported(member, named, sounds, tmp_path):
    pytest.importorskip("onnxruntime")
    model = vote([("linear", linear()), ("forest", member)], weights=[1, 1])
    model.fit(sounds.waveforms, sounds.target)
    with pytest.raises(ValueError, match=named):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def whole(sounds):
    """Audio reader, threshold, calibrated vote of a network and trees."""
    model = make_pipeline(
        AudioReader(duration=0.25),
        ThresholdClassifier(
            vote(weights=[1, 1], calibration="sigmoid", refit=False),
            pos_label="I",
            cv=2,
        ),
    )
    return model.fit(sounds.waveforms, sounds.target)


def test_exported_file_classifies_like_the_model(whole, sounds, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    note = {"licence": "CC BY-NC 4.0", "patients": 8}
    save_model(whole, tmp_path / "model.skb", metadata=note)
    path = tmp_path / "model.onnx"
    result = CliRunner().invoke(
        main, ["export", str(tmp_path / "model.skb"), str(path), "--json"]
    )
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["ok"] and shown["difference"] < 1e-5
    assert shown["metadata"]["metadata"] == note
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape[1]) == ("waveform", N_SAMPLES)
    assert (made.name, made.shape[1]) == ("probability", 2)
    about = session.get_modelmeta().custom_metadata_map
    assert about.pop("model_license") == "CC BY-NC 4.0"  # the name of the standard
    about = {name: json.loads(value) for name, value in about.items()}
    assert about["classes"] == ["E", "I"] and about["sample_rate"] == 16000
    assert about["pos_label"] == "I" and about["n_samples"] == N_SAMPLES
    assert about["skbreath"] == __version__ and about["metadata"] == note
    expected = whole.predict_proba(sounds.waveforms)
    for n_clips in (1, 80):  # any number of clips
        waveforms = sounds.waveforms[:n_clips]
        (found,) = session.run(None, {"waveform": waveforms})
        np.testing.assert_allclose(found, expected[:n_clips], atol=1e-5)
    positive = found[:, about["classes"].index("I")] >= about["threshold"]
    labels = np.where(positive, "I", "E")
    assert labels.tolist() == whole.predict(sounds.waveforms).tolist()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.skb"]


def test_graph_equals_the_model_on_real_clips(real_data):
    paths = sorted((real_data / "kaggle-breath" / "test").iterdir())
    clips = AudioReader().fit_transform(paths)
    members = [("net", net()), ("trees", trees()), ("linear", linear())]
    model = vote(members, weights=[1, 1, 1])
    model.fit(clips, np.random.default_rng(0).permutation(["E", "I"] * 75))
    with torch.inference_mode():
        found = ModelGraph(model, 16000).eval()(torch.from_numpy(clips)).numpy()
    np.testing.assert_allclose(found, model.predict_proba(clips), atol=1e-4)


@pytest.mark.slow
def test_the_largest_preset_is_exported(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    sounds = make_breath_sounds(60, n_subjects=10, random_state=0)
    model = make_breath_classifier(
        preset="accurate", max_epochs=10, cv=2, random_state=0
    )
    for name, member in model["classifier"].estimator.estimators:
        if name != "boosting":
            member.set_params(net__hidden_channels=8, net__lr=0.01, net__batch_size=8)
    model.fit(sounds.waveforms, sounds.target, classifier__groups=sounds.subject)
    clips = sounds.waveforms[:20]
    assert np.ptp(model.predict_proba(clips)[:, 1]) > 0.01
    about = export_onnx(model, tmp_path / "model.onnx", clips)
    assert about.difference < 1e-4 and about.n_clips == 20


def test_export_of_the_pretrained_model_keeps_its_licence(tmp_path, monkeypatch):
    # Without the export itself, which takes half a minute.
    seen = {}

    def instead(model, path, clips=None, *, metadata=None):
        seen.update(model=model, metadata=metadata)
        about = {"classes": ["E", "I"], "model_license": metadata["licence"]}
        return Bunch(
            inputs={"waveform": ["n_clips", 16000]},
            metadata=about,
            difference=0.0,
            n_clips=1,
        )

    monkeypatch.setattr("skbreath.onnx_export.export.export_onnx", instead)
    result = CliRunner().invoke(
        main, ["export", "pretrained", str(tmp_path / "m.onnx")]
    )
    assert result.exit_code == 0, result.output
    assert seen["model"].classes_.tolist() == ["E", "I"]
    assert seen["metadata"] == model_info(PRETRAINED["clips"])["metadata"]
    assert "licence: CC BY-NC 4.0" in result.stdout


def test_errors_name_wrong_arguments(whole, sounds, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    for wrong in ({"clips": {1, 2}}, ["CC0"], {1: "CC0"}):
        with pytest.raises(ValueError, match="metadata"):
            export_onnx(whole, tmp_path / "m.onnx", metadata=wrong)
    with pytest.raises(ValueError, match="number of samples of a clip is unknown"):
        export_onnx(_Unsized().fit(None, None), tmp_path / "m.onnx")
    save_model(whole, tmp_path / "m.skb")
    run = CliRunner().invoke
    result = run(main, ["export", str(tmp_path / "m.skb"), str(tmp_path / "m.txt")])
    assert result.exit_code == 2 and ".onnx" in result.stderr
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    result = run(main, ["export", str(tmp_path / "m.skb"), str(tmp_path / "m.onnx")])
    assert result.exit_code == 2 and ".[onnx]" in result.stderr
    assert not (tmp_path / "m.onnx").exists()


class _Unsized(LogisticRegression):
    def fit(self, X, y):
        self.classes_ = np.array(["E", "I"])
        return self


class Strange(torch.nn.Module):
    """A network with an operation that depends on values."""

    def __init__(self, n_channels, n_outputs, **_):
        super().__init__()
        self.linear = torch.nn.Linear(n_channels, n_outputs)

    def forward(self, x):
        if x.sum().item() > 1e9:
            x = x * 0.5
        return self.linear(x.mean(dim=2))


def test_network_that_torch_cannot_export_is_one_error(sounds, tmp_path):
    pytest.importorskip("onnxruntime")
    model = net(module=Strange).fit(sounds.waveforms, sounds.target)
    with pytest.raises(ValueError, match="PyTorch cannot export this model"):
        export_onnx(model, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="clips of 3999 samples"):
        ModelGraph(model, 3999)
    assert not list(tmp_path.iterdir())


def test_graph_unlike_the_model_is_not_written(sounds, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    model = linear().fit(sounds.waveforms, sounds.target)
    wrong = model.predict_proba

    def slightly_off(X):
        return wrong(X) + 0.01

    monkeypatch.setattr(model, "predict_proba", slightly_off)
    with pytest.raises(ValueError, match="got 0.01"):
        export_onnx(model, tmp_path / "m.onnx", sounds.waveforms[:4])
    assert not list(tmp_path.iterdir())


ALL_GROUPS = ("mel", "rms", "zcr", "contrast", "mfcc", "delta", "delta2", "loop")


@pytest.fixture(scope="module")
def clips():
    random = np.random.default_rng(0)
    clips = random.normal(scale=0.1, size=(6, 4000)) * np.hanning(4000)
    clips[1] = np.resize(clips[1, :1700], 4000)
    clips[2] = 0
    clips[3, :3000] = 0
    clips[4] = np.sin(np.arange(4000) / 20)
    clips[5] *= 1e-6
    return clips.astype(np.float32)


@pytest.mark.parametrize(
    "params",
    [
        {"groups": ALL_GROUPS},
        {"groups": ALL_GROUPS, "log_scale": False, "hop_length": 160},
        {"groups": ("mel", "loop"), "fmin": 50, "fmax": 2000, "n_mels": 20},
        {"groups": ("rms", "zcr", "delta2"), "n_fft": 600, "hop_length": 125},
        {"groups": ALL_GROUPS, "sample_rate": 8000, "n_fft": 512, "n_mels": 32},
        {"groups": ("mel", "mfcc"), "n_mfcc": 20},
    ],
)
def test_feature_graph_equals_the_kernels(clips, params):
    features = BreathFeatures(**params).fit(clips)
    expected = features.transform(clips)
    found = FeatureGraph(features)(torch.from_numpy(clips)).numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-4)


def test_few_frames_have_no_derivative():
    clips = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    features = BreathFeatures(groups=("delta", "delta2")).fit(clips)
    graph = FeatureGraph(features)
    np.testing.assert_array_equal(graph(torch.from_numpy(clips)), 0)


@settings(deadline=None, max_examples=60)
@given(
    unit=st.lists(st.integers(-2, 2), min_size=1, max_size=150),
    n_samples=st.integers(70, 400),
    shortest=st.integers(1, 90),
    change=st.integers(0, 800),
)
def test_periods_are_those_of_the_string_search(unit, n_samples, shortest, change):
    clip = np.resize(np.array(unit, dtype=np.float32) / 4, n_samples)
    if change < n_samples:
        clip[change] += 2.0**-15  # the smallest step of 16 bits
    shortest = min(shortest, n_samples)
    expected = loop_periods(clip[None], shortest)
    graph = LoopGraph(n_samples, 1, 1, shortest)
    assert graph.periods(torch.from_numpy(clip[None]).double())[0].item() == expected[0]
