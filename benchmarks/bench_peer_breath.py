"""Inhale against exhale by pybreathparams 1.0.4, as installed and trained again.

It pins versions of its own and needs a virtual environment of its own, whose Python is
--python: ``pip install pybreathparams==1.0.4``.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import harness
from benchmarks.phase_data import RATE, nose_recordings, people_recordings
from skbreath import (
    clips_from_recordings,
    evaluate,
    load_kaggle_breath,
    load_pretrained,
    score_predictions,
)

# Runs in the other environment: features and probability of an inhale of each file.
PEER = """
import sys, numpy as np
from PyBreathParams.get_breath_params import extract_features, model_ie
files = open(sys.argv[1], encoding="utf-8").read().splitlines()
features = np.array([extract_features(file) for file in files])
np.savez(sys.argv[2], features=features, inhale=model_ie.predict_proba(features)[:, 0])
"""


def ask_peer(python, files, folder):
    """Return features and probabilities of an inhale that the peer computes."""
    listed, made = folder / "files.txt", folder / "made.npz"
    listed.write_text("\n".join(map(str, files)), encoding="utf-8")
    subprocess.run([python, "-c", PEER, listed, made], check=True)
    with np.load(made) as arrays:
        return arrays["features"], arrays["inhale"]


def recipe():
    """Build the classifier of the peer, to be trained here on its features."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def cut(waveforms, tables, folder):
    """Write each phase of 0.2 s or more as a file of its own length."""
    files = []
    for waveform, table in zip(waveforms, tables, strict=True):
        for phase in table.itertuples():
            if phase.end_s - phase.start_s >= 0.2:
                files.append(folder / f"{len(files)}.wav")
                part = waveform[round(phase.start_s * RATE) : round(phase.end_s * RATE)]
                soundfile.write(files[-1], part, RATE)
    return files


def data_sets(data, folder):
    """Yield name, files, labels, groups, and waveforms for skbreath or None."""
    clips = load_kaggle_breath(data / "kaggle-breath")
    yield "chest, by day", clips.paths, clips.target, clips.day, None
    names, waveforms, tables = nose_recordings(data)
    info, people_waveforms, people_tables = people_recordings(data)
    sets = {
        "nose-mic, by recording": (waveforms, tables, names),
        "nose-20, by person": (people_waveforms, people_tables, info["person"]),
    }
    for name, (sounds, labels, groups) in sets.items():
        place = Path(tempfile.mkdtemp(dir=folder))
        files = cut(sounds, labels, place)
        made = clips_from_recordings(sounds, labels, groups, sample_rate=RATE)
        sounds = made.waveforms if name.startswith("nose-mic") else None
        yield name, files, made.target, made.groups, sounds


def row(name, side, table):
    """Format the scores of one side."""
    cells = [
        f"{table.loc[key, 'value']:.3f} [{table.loc[key, 'low']:.3f}, "
        f"{table.loc[key, 'high']:.3f}]"
        for key in ("accuracy", "roc_auc")
    ]
    return (f"{name}: {side}", *cells)


def main():
    options = harness.parser(__doc__)
    options.add_argument("--python", required=True, help="Python of its environment.")
    options = options.parse_args()
    data = harness.data_folder()
    if data is None:
        raise SystemExit("no real recordings (set SKBREATH_DATA)")
    report = harness.Report("bench_peer_breath")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, files, y, groups, sounds in data_sets(data, Path(folder)):
            features, inhale = ask_peer(options.python, files, Path(folder))
            called = np.where(inhale > 0.5, "I", "E")
            table = score_predictions(y, called, inhale, groups)
            rows.append(row(name, "pybreathparams, as installed", table))
            table = evaluate(recipe(), features, y, groups).table
            rows.append(row(name, "pybreathparams, trained here", table))
            if sounds is not None:
                model = load_pretrained("nose-clips")
                column = list(model.classes_).index("I")
                score = model.predict_proba(sounds)[:, column]
                table = score_predictions(y, model.predict(sounds), score, groups)
                rows.append(row(name, "skbreath nose-clips, as installed", table))
    report.table(
        "Inhale against exhale, 95 % intervals by group",
        ["data, groups: model", "accuracy", "AUC"],
        rows,
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
