"""Write a model file of this folder, named after the version of scikit-learn.

``python -m tests.model_files.make`` in the root of the repository, once for each format
and with the lowest and the highest scikit-learn. Older files are kept.
"""

import json
from pathlib import Path

import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skbreath import (
    BreathFeatures,
    ChannelScaler,
    ResidualCNNClassifier,
    SummaryPooling,
    make_breath_classifier,
    make_breath_sounds,
    model_info,
    save_model,
)

from .test_save_load import chirps


def main():
    sounds = make_breath_sounds(60, random_state=0)
    features = BreathFeatures(n_mels=4, groups=("mel", "rms"))
    net = ResidualCNNClassifier(hidden_channels=4, max_epochs=20, random_state=0)
    boosting = HistGradientBoostingClassifier(max_iter=10, random_state=0)
    pooling = SummaryPooling(n_bins=2)
    members = [
        ("net", make_pipeline(features, ChannelScaler(), net)),
        ("boosting", make_pipeline(features, pooling, boosting)),
        ("linear", make_pipeline(features, pooling, LogisticRegression(C=1e-3))),
    ]
    model = make_breath_classifier(members, cv=2, random_state=0)
    model.set_params(classifier__estimator__calibration="temperature")
    model.fit(sounds.waveforms, sounds.target, classifier__groups=sounds.recording)
    version = ".".join(sklearn.__version__.split(".")[:2])
    file = Path(__file__).with_name(f"scikit-learn-{version}.skb")
    save_model(model, file)
    expected = {
        "format_version": model_info(file)["format_version"],
        "labels": model.predict(chirps()).tolist(),
        "probabilities": model.predict_proba(chirps()).tolist(),
    }
    text = json.dumps(expected, indent=1) + "\n"
    file.with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
