"""Writes the files of this folder, once for each version of the format.

``python -m tests.model_files.make`` in the root of the repository. Files of older
versions are kept: that they still load is what they are for.
"""

import json
from pathlib import Path

from sklearn.ensemble import HistGradientBoostingClassifier
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
    members = [
        ("net", make_pipeline(features, ChannelScaler(), net)),
        ("boosting", make_pipeline(features, SummaryPooling(n_bins=2), boosting)),
    ]
    model = make_breath_classifier(members, cv=2, random_state=0)
    model.fit(sounds.waveforms, sounds.target, classifier__groups=sounds.recording)
    draft = Path(__file__).with_name("draft.skb")
    save_model(model, draft)
    version = model_info(draft)["format_version"]
    file = draft.rename(draft.with_name(f"format-{version}.skb"))
    expected = {
        "format_version": version,
        "labels": model.predict(chirps()).tolist(),
        "probabilities": model.predict_proba(chirps()).tolist(),
    }
    text = json.dumps(expected, indent=1) + "\n"
    file.with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
