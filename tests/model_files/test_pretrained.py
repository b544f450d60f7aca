import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
import soxr
from click.testing import CliRunner

from skbreath import (
    event_scores,
    load_kaggle_breath,
    load_pretrained,
    model_info,
    read_label_track,
)
from skbreath.cli import main
from skbreath.pretrained import PRETRAINED


@pytest.fixture(scope="module")
def model():
    return load_pretrained()


@pytest.mark.parametrize(
    ("name", "licence", "origin"),
    [
        ("clips", "CC BY-NC 4.0", "HF_Lung_V1"),
        ("chest", "CC BY-NC 4.0", "HF_Lung_V1"),
        ("nose", "Apache-2.0", "personalized-breath"),
        ("nose-clips", "Apache-2.0", "personalized-breath"),
        ("nose-live", "Apache-2.0", "personalized-breath"),
    ],
)
def test_metadata_have_licence_and_origin(name, licence, origin):
    file = PRETRAINED[name]
    metadata = model_info(file)["metadata"]
    assert licence in metadata["licence"]
    assert origin in metadata["training_data"]
    assert "not for diagnosis" in metadata["intended_use"]
    assert file.stat().st_size <= (6_000_000 if name == "clips" else 3_000_000)
    text = file.with_name("LICENSE-WEIGHTS.txt").read_text(encoding="utf-8")
    assert licence in text and file.name in text


def test_unknown_name_is_an_error():
    with pytest.raises(ValueError, match="name must be one of .*'nose'.*got 'lung'"):
        load_pretrained("lung")


def test_accuracy_on_training_clips(model, real_data):
    clips = load_kaggle_breath(real_data / "kaggle-breath")
    some = np.arange(0, len(clips.target), 20)
    assert (model.predict(clips.paths[some]) == clips.target[some]).mean() > 0.75


def test_another_microphone_and_person(real_data):
    files = sorted((real_data / "nose-mic").glob("*.wav"))[::5]
    result = CliRunner().invoke(main, ["annotate", "--json", *map(str, files)])
    chosen = [one["model"] for one in json.loads(result.stdout)["recordings"]]
    assert chosen == ["nose"] * len(files)
    found = load_pretrained("nose").predict(files)
    truth = [read_label_track(file.with_suffix(".txt")) for file in files]
    f1 = event_scores(truth, found)["f1"]
    assert f1["E"] > 0.9 and f1["I"] > 0.4


WITHOUT_LIBROSA = """
import sys
import numpy as np
from skbreath import load_model
load_model(sys.argv[1]).predict(np.zeros((1, 16000)))
assert "librosa" not in sys.modules
"""


def test_prediction_does_not_import_librosa():
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        WITHOUT_LIBROSA,
        PRETRAINED["clips"],
    ]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 0, result.stderr


def test_rate_and_channels_do_not_change_the_probabilities(model, real_data, tmp_path):
    # Clips without loops, as resampling destroys those.
    clips = load_kaggle_breath(real_data / "kaggle-breath")
    waves = [soundfile.read(path)[0] for path in clips.paths[:60]]
    unlooped = [w for w in waves if _period(w) is None][:8]
    assert len(unlooped) == 8
    expected = model.predict_proba(np.array(unlooped, dtype=np.float32))
    for rate, channels in ((16000, 1), (22050, 1), (44100, 2), (96000, 1)):
        paths = []
        for number, wave in enumerate(unlooped):
            wave = soxr.resample(wave, 16000, rate)
            paths.append(tmp_path / f"{number}-{rate}.wav")
            columns = np.repeat(wave[:, None], channels, axis=1)
            soundfile.write(paths[-1], columns, rate, subtype="PCM_24")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.predict_proba(paths)
        assert np.abs(found - expected).max() < 0.1


def _period(wave):
    for shift in range(1600, len(wave) - 1600):
        if np.array_equal(wave[shift : shift + 1600], wave[:1600]):
            return shift
    return None


def test_command_uses_pretrained_model_and_prints_its_licence(tmp_path):
    rng = np.random.default_rng(0)
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, rng.normal(scale=0.05, size=48000), 48000)
    result = subprocess.run(
        [sys.executable, "-m", "skbreath", "predict", clip],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    header, row = result.stdout.splitlines()
    assert header == "path,label,probability_E,probability_I"
    assert row.split(",")[1] in ("E", "I")
    assert "CC BY-NC 4.0" in result.stderr and "not for diagnosis" in result.stderr
