"""The same seed gives the same bits: whatever the process, the jobs and the cache."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    ClipMemory,
    ResidualCNNClassifier,
    SummaryPooling,
    evaluate,
    load_kaggle_breath,
    make_breath_classifier,
    save_model,
)


def members(memory=None):
    features = BreathFeatures(n_mels=8, groups=("mel", "rms"))
    net = ResidualCNNClassifier(hidden_channels=4, max_epochs=2, random_state=0)
    steps = [("features", features), ("scaler", ChannelScaler()), ("net", net)]
    pooled = [("features", features), ("pool", SummaryPooling()), ("nb", GaussianNB())]
    return [
        ("net", Pipeline(steps, memory=memory)),
        ("linear", Pipeline(pooled, memory=memory)),
    ]


def fit(folder, n_jobs=1, memory=None):
    clips = load_kaggle_breath(folder)
    model = make_breath_classifier(members(memory), cv=2, n_jobs=n_jobs, random_state=0)
    return model.fit(clips.paths, clips.target, classifier__groups=clips.recording)


def content_of(model, path):
    """Save a model without the durations of its fit; return the bytes of the file."""
    for member in model["classifier"].estimator_.estimators_:
        for epoch in getattr(member[-1], "history_", ()):
            epoch["dur"] = 0.0  # seconds, of this run
    save_model(model, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def reference(breath_folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "model.skb"
    return content_of(fit(breath_folder), path)


def without_jobs(model):
    vote = model["classifier"].estimator
    for part in (vote, model["classifier"].estimator_):
        part.n_jobs = 1
    return model


@pytest.mark.slow
def test_two_jobs_give_the_same_file(breath_folder, reference, tmp_path):
    model = without_jobs(fit(breath_folder, n_jobs=2))
    assert content_of(model, tmp_path / "m.skb") == reference


def test_cold_and_warm_cache_give_the_same_file(breath_folder, reference, tmp_path):
    memory = ClipMemory(tmp_path / "cache")
    for _ in ("cold", "warm"):
        model = fit(breath_folder, memory=memory)
        assert content_of(model, tmp_path / "m.skb") == reference


@pytest.mark.slow
def test_another_process_gives_the_same_file(breath_folder, reference, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from test_determinism import content_of, fit\n"
        "from pathlib import Path\n"
        "content_of(fit(sys.argv[1]), Path(sys.argv[2]))"
    )
    arguments = [breath_folder, tmp_path / "m.skb", __file__.rpartition("/")[0]]
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)
    assert (tmp_path / "m.skb").read_bytes() == reference


@pytest.mark.slow
def test_evaluation_repeats_with_two_jobs(breath_folder):
    clips = load_kaggle_breath(breath_folder)
    data = clips.paths, clips.target, clips.recording
    tables = []
    for n_jobs in (1, 2):
        model = make_breath_classifier(members(), cv=2, random_state=0)
        result = evaluate(model, *data, cv=2, n_jobs=n_jobs, n_resamples=50)
        tables.append((result.table.to_numpy(), result.predictions["y_score"]))
    np.testing.assert_array_equal(tables[0][0], tables[1][0])
    np.testing.assert_array_equal(tables[0][1], tables[1][1])
