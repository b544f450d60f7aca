"""Train the models of whole recordings that come with the package.

``python -m benchmarks.train_segmenters [--models nose nose-live chest ...]``

*nose*: the 73 recordings of 14 people in nose-20, each also in changed versions, as
other people and microphones would sound. *nose-live*: the same, but it looks a fraction
of a second ahead. *chest*: recordings joined from stethoscope clips, with the timing of
real recordings. *nose-clips*: the single phases of nose-20
whose limits are certain. *microphones*: which of nose and chest a recording is nearer
to. The seeds are fixed. The files in ``skbreath/pretrained`` are replaced. ``python -m
benchmarks.bench_phases --parts people`` measures models trained in the same way on
people and days that they were not trained on.
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import harness, phase_data
from benchmarks.recording_augmentation import augment
from skbreath import (
    FrameNetwork,
    PhaseSegmenter,
    clips_from_recordings,
    make_breath_classifier,
    save_model,
)
from skbreath.audio.inputs import as_recordings
from skbreath.pretrained import MICROPHONES, PRETRAINED
from skbreath.pretrained.choice import describe_sound
from skbreath.utils.files import atomic_path

FILES = {
    name: PRETRAINED[name] for name in ("nose", "nose-live", "chest", "nose-clips")
}
FILES["microphones"] = MICROPHONES
N_VERSIONS = 6
N_STRINGS, STRING_S = 400, 24
MOST_BYTES = 3_000_000
NOSE = {
    "licence": "Apache-2.0, from its training data",
    "licence_url": "https://www.apache.org/licenses/LICENSE-2.0",
    "training_data": "hamanhbui/personalized-breath, 14 people, microphone at the nose "
    "(arXiv 2110.15941)",
}
CHEST = {
    "licence": "CC BY-NC 4.0 (non-commercial), from its training data",
    "licence_url": "https://creativecommons.org/licenses/by-nc/4.0/",
    "training_data": "recordings joined from one-second stethoscope clips of "
    "HF_Lung_V1 (Hsu et al., PLoS ONE 2021), with the timing of 18 of its recordings",
}
COMMON = {
    "intended_use": "research; not a medical device, and not for diagnosis",
    "trained_by": "python -m benchmarks.train_segmenters",
}


def segmenter(lag=1.0, n_symmetric=6, n_networks=3, **params):
    """Make a segmenter as the pretrained models are, not fitted."""
    network = FrameNetwork(n_symmetric=n_symmetric, n_networks=n_networks)
    return PhaseSegmenter(
        classifier=network, lag=lag, emission_weight=0.3, random_state=0, **params
    )


def live_segmenter():
    """Make the segmenter for sound as it is recorded: less than 0.5 s late.

    A single network, as it must keep up with a microphone on a small machine.
    """
    return segmenter(lag=0.1, n_symmetric=2, n_networks=1, lookahead=0.11)


def versions(waveforms, tables):
    """Return recordings and changed versions of them, with their tables."""
    sounds, labels = [], []
    for number, (waveform, table) in enumerate(zip(waveforms, tables, strict=True)):
        rng = np.random.default_rng([0, number])
        changed = [augment(waveform, table, rng) for _ in range(N_VERSIONS)]
        for sound, phases in [(waveform, table), *changed]:
            sounds.append(sound)
            labels.append(phases)
    return sounds, labels


def strings(phases, timing, number=N_STRINGS, seed=0):
    """Return recordings joined from phases of clips, with their tables."""
    rng = np.random.default_rng(seed)
    made = [
        phase_data.string_timed(phases, timing, STRING_S, rng) for _ in range(number)
    ]
    return tuple(map(list, zip(*made, strict=True)))


def describe(waveforms):
    """Describe the sound of waveforms."""
    return list(map(describe_sound, as_recordings(waveforms, phase_data.RATE)))


def microphones(nose, chest):
    """Fit the classifier of microphones on waveforms of both kinds."""
    kinds = ["nose"] * len(nose) + ["chest"] * len(chest)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
    model = make_pipeline(StandardScaler(), model)
    return model.fit(describe([*nose, *chest]), kinds)


def nose_clips_model(folder):
    """Fit the classifier of single phases at the nose, on certain ones."""
    info, _, _ = phase_data.people_recordings(folder)
    files = [folder / "nose-20" / name for name in info["file"]]
    tables = [pd.read_csv(file.with_suffix(".csv")) for file in files]
    tables = [table[table["certain"].astype(bool)] for table in tables]
    clips = clips_from_recordings(files, tables, info["person"])
    model = make_breath_classifier(preset="fast", random_state=0)
    return model.fit(clips.waveforms, clips.target, classifier__groups=clips.groups)


def train(name, folder):
    """Train a model of FILES."""
    if name == "nose-clips":
        return nose_clips_model(folder)
    if name in ("chest", "microphones"):
        timing = phase_data.chest_timing(folder)
        chest = strings(phase_data.chest_phases(folder), timing)
    if name != "chest":
        nose = versions(*phase_data.people_recordings(folder)[1:])
    if name == "microphones":
        return microphones(nose[0], chest[0])
    if name == "chest":
        return chest_segmenter(*chest)
    return (live_segmenter() if name == "nose-live" else segmenter()).fit(*nose)


def chest_segmenter(sounds, tables):
    """Fit the segmenter of chest sounds: a stethoscope has little above 2 kHz."""
    return segmenter(n_networks=2, fmax=2000.0).fit(sounds, tables)


def main():
    options = harness.parser(__doc__)
    options.add_argument("--models", nargs="+", choices=FILES, default=tuple(FILES))
    options = options.parse_args()
    folder = harness.data_folder()
    if folder is None:
        raise SystemExit("no real recordings: set SKBREATH_DATA")
    for name in options.models:
        model = train(name, folder)
        origin = NOSE if name.startswith("nose") else CHEST
        with atomic_path(FILES[name]) as path:
            metadata = {"name": f"skbreath {name}", **origin, **COMMON}
            save_model(model, path, metadata=metadata, half_size=True)
            size = path.stat().st_size
            if size > MOST_BYTES:
                raise ValueError(f"{name} has {size:,} bytes, more than {MOST_BYTES:,}")
        print(f"{FILES[name]}: {size:,} bytes")


if __name__ == "__main__":
    main()
