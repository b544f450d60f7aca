"""Warnings of audio unlike the training audio: how often false, how often missed.

``python -m benchmarks.bench_drift [--save]``

Needs the real recordings (``SKBREATH_DATA``). A tenth of the days, as a stand-in for
patients, is held out at a time, in three shuffles of the days; what is learned of the
others judges them, recordings of another microphone, and the same clips spoilt.
"""

import sys

import numpy as np
import soxr
from sklearn.model_selection import GroupKFold

from benchmarks import harness
from skbreath import AudioReader, load_audio, load_kaggle_breath
from skbreath.audio.clip_warnings import describe_reference, drift_scores, find_drift

RATE = 16000
SHUFFLES = (11, 12, 13)


def phases_of(folder):
    """Labelled phases of whole recordings, one second at most, padded."""
    clips = []
    for path in sorted(folder.glob("*.wav")):
        recording, _ = load_audio(path, sample_rate=RATE)
        for line in path.with_suffix(".txt").read_text(encoding="utf-8").splitlines():
            start, stop = (round(float(x) * RATE) for x in line.split("\t")[:2])
            clip = recording[start : min(stop, start + RATE)]
            clips.append(np.pad(clip, (0, RATE - len(clip))))
    return np.stack(clips)


def through(clips, rate):
    """As if recorded at another rate."""
    lower = soxr.resample(clips.T, RATE, rate)
    return np.ascontiguousarray(soxr.resample(lower, rate, RATE).T[:, :RATE])


def spoilt(clips):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 10 ** (-50 / 20), clips.shape).astype(np.float32)
    return {
        "as they are": clips,
        "10 dB louder": clips * np.float32(10**0.5),
        "20 dB louder": clips * np.float32(10),
        "20 dB quieter": clips / np.float32(10),
        "40 dB quieter": clips / np.float32(100),
        "recorded at 8 kHz": through(clips, 8000),
        "recorded at 4 kHz": through(clips, 4000),
        "white noise at -50 dB": clips + noise,
        "twice as fast": np.tile(clips[:, ::2], 2),
    }


def main():
    options = harness.parser(__doc__).parse_args()
    folder = harness.data_folder()
    if folder is None:
        sys.exit("no real recordings; set SKBREATH_DATA")
    report = harness.Report("bench_drift")
    real = load_kaggle_breath(folder / "kaggle-breath")
    waveforms = AudioReader().fit_transform(real.paths)
    microphone = phases_of(folder / "nose-mic")
    unusual, day_warned, recording_warned, found = [], [], [], {}
    for seed in SHUFFLES:
        folds = GroupKFold(10, shuffle=True, random_state=seed)
        for train, test in folds.split(waveforms, groups=real.day):
            reference = describe_reference(waveforms[train], RATE)
            unusual.append(drift_scores(waveforms[test], reference) > 1)
            for groups, warned in (
                (real.day, day_warned),
                (real.recording, recording_warned),
            ):
                for group in np.unique(groups[test]):
                    clips = waveforms[groups == group]
                    warned.append(find_drift(clips, reference) is not None)
            kinds = spoilt(waveforms[test]) | {"nose microphone": microphone}
            for kind, clips in kinds.items():
                alone = (drift_scores(clips, reference) > 1).mean()
                drift = find_drift(clips, reference)
                reasons = "; ".join(drift.reasons) if drift else ""
                found.setdefault(kind, []).append((alone, drift is not None, reasons))
    n_days = len(np.unique(real.day))
    report.table(
        f"False alarms: {len(real.paths)} clips of {n_days} days, each held out "
        f"{len(SHUFFLES)} times",
        ("a call of predict with", "calls", "false alarms", "%"),
        [
            _rate("a single clip", np.concatenate(unusual)),
            _rate("the clips of a recording", recording_warned),
            _rate("the clips of a day", day_warned),
        ],
    )
    report.table(
        "Found: held-out clips spoilt, and another microphone",
        ("", "one clip alone %", "all of a test part %", "reason in the first of them"),
        [
            (
                kind,
                f"{100 * np.mean([alone for alone, _, _ in results]):.1f}",
                f"{100 * np.mean([warned for _, warned, _ in results]):.0f}",
                next((reasons for _, _, reasons in results if reasons), "-"),
            )
            for kind, results in found.items()
        ],
    )
    batch = waveforms[:512]
    timings = harness.measure(
        {"one batch of 512": lambda: find_drift(batch, reference)},
        repeats=options.repeats,
        per=len(batch),
    )
    report.line()
    report.line(
        f"costs {timings['one batch of 512'].text()} microseconds of CPU a clip, "
        "in batches of 512"
    )
    if options.save:
        report.save()


def _rate(name, warned):
    return name, len(warned), int(np.sum(warned)), f"{100 * np.mean(warned):.2f}"


if __name__ == "__main__":
    main()
