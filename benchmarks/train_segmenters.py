"""Train the models of whole recordings that come with the package.

``python -m benchmarks.train_segmenters [--models nose chest nose-clips]``

*nose*: the 73 recordings of 14 people in nose-20, each also in changed versions, as
other people and microphones would sound. *chest*: recordings joined from stethoscope
clips, with the timing of real recordings. *nose-clips*: the single phases of nose-20
whose limits are certain. The seeds are fixed. The files in ``skbreath/pretrained`` are
replaced. ``python -m benchmarks.bench_phases --parts people`` measures models trained
in the same way on people and days that they were not trained on.
"""

import numpy as np
import pandas as pd

from benchmarks import harness, phase_data
from benchmarks.recording_augmentation import augment
from skbreath import (
    FrameNetwork,
    PhaseSegmenter,
    clips_from_recordings,
    make_breath_classifier,
    save_model,
)
from skbreath.pretrained import PRETRAINED
from skbreath.utils.files import atomic_path

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


def segmenter(**params):
    """Make the segmenter of the pretrained models, not fitted."""
    network = FrameNetwork(n_symmetric=4, n_epochs=8)
    return PhaseSegmenter(
        classifier=network, lag=1.0, emission_weight=0.3, random_state=0, **params
    )


def versions(waveforms, tables):
    """Return recordings and changed versions of them, with their tables."""
    sounds, labels = [], []
    for number, (waveform, table) in enumerate(zip(waveforms, tables, strict=True)):
        rng = np.random.default_rng([0, number])
        versions = [augment(waveform, table, rng) for _ in range(N_VERSIONS)]
        for sound, phases in [(waveform, table), *versions]:
            sounds.append(sound)
            labels.append(phases)
    return segmenter().fit(sounds, labels)


def chest_segmenter(phases, timing):
    """Fit the chest model on recordings joined from phases of clips."""
    rng = np.random.default_rng(0)
    made = [
        phase_data.string_timed(phases, timing, STRING_S, rng) for _ in range(N_STRINGS)
    ]
    return segmenter(fmax=2000.0).fit(*map(list, zip(*made, strict=True)))


def nose_clips_model(folder):
    """Fit the classifier of single phases at the nose, on certain ones."""
    info, _, _ = phase_data.people_recordings(folder)
    files = [folder / "nose-20" / name for name in info["file"]]
    tables = [pd.read_csv(file.with_suffix(".csv")) for file in files]
    tables = [table[table["certain"].astype(bool)] for table in tables]
    clips = clips_from_recordings(files, tables, info["person"])
    model = make_breath_classifier(preset="fast", random_state=0)
    return model.fit(clips.waveforms, clips.target, classifier__groups=clips.groups)


def main():
    options = harness.parser(__doc__)
    names = ("nose", "chest", "nose-clips")
    options.add_argument("--models", nargs="+", choices=names, default=names)
    options = options.parse_args()
    folder = harness.data_folder()
    if folder is None:
        raise SystemExit("no real recordings: set SKBREATH_DATA")
    for name in options.models:
        if name == "nose":
            _, waveforms, tables = phase_data.people_recordings(folder)
            model = nose_segmenter(waveforms, tables)
        elif name == "chest":
            timing = phase_data.chest_timing(folder)
            model = chest_segmenter(phase_data.chest_phases(folder), timing)
        else:
            model = nose_clips_model(folder)
        origin = CHEST if name == "chest" else NOSE
        with atomic_path(PRETRAINED[name]) as path:
            metadata = {"name": f"skbreath {name}", **origin, **COMMON}
            save_model(model, path, metadata=metadata, half_size=True)
            size = path.stat().st_size
            if size > MOST_BYTES:
                raise ValueError(f"{name} has {size:,} bytes, more than {MOST_BYTES:,}")
        print(f"{PRETRAINED[name]}: {size:,} bytes")


if __name__ == "__main__":
    main()
