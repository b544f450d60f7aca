import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
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
from skbreath.onnx_export.model_graph import ModelGraph
from skbreath.pretrained import PRETRAINED

N_SAMPLES = 4000


@pytest.fixture(scope="module")
def sounds():
    sounds = make_breath_sounds(80, n_subjects=8, duration=0.25, random_state=0)
    assert sounds.waveforms.shape[1] == N_SAMPLES
    # As data sets do it: a part of the clips is a shorter sound repeated.
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
    """Of another network, nested, beside a table."""
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
def test_what_cannot_be_exported_is_named(member, named, sounds, tmp_path):
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
    told = json.loads(result.stdout)
    assert told["ok"] and told["difference"] < 1e-5
    assert told["metadata"]["metadata"] == note
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


def test_the_pretrained_model_takes_its_licence_along(tmp_path, monkeypatch):
    """By its name; what is written is tested above, and takes half a minute here."""
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
    assert seen["metadata"] == model_info(PRETRAINED)["metadata"]
    assert "licence: CC BY-NC 4.0" in result.stdout


def test_wrong_arguments_are_named(whole, sounds, tmp_path, monkeypatch):
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
    assert result.exit_code == 2 and "skbreath[onnx]" in result.stderr
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


def test_a_network_that_torch_cannot_export_is_one_error(sounds, tmp_path):
    pytest.importorskip("onnxruntime")
    model = net(module=Strange).fit(sounds.waveforms, sounds.target)
    with pytest.raises(ValueError, match="PyTorch cannot export this model"):
        export_onnx(model, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="the model takes 3999"):
        ModelGraph(model, 3999)
    assert not list(tmp_path.iterdir())


def test_a_graph_unlike_the_model_is_not_written(sounds, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    model = linear().fit(sounds.waveforms, sounds.target)
    wrong = model.predict_proba

    def slightly_off(X):
        return wrong(X) + 0.01

    monkeypatch.setattr(model, "predict_proba", slightly_off)
    with pytest.raises(ValueError, match="disagree by 0.01"):
        export_onnx(model, tmp_path / "m.onnx", sounds.waveforms[:4])
    assert not list(tmp_path.iterdir())
