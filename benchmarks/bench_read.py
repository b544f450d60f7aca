"""Reading files: AudioReader against soundfile and soxr called by hand.

``python -m benchmarks.bench_read [--clips 400] [--repeats 9] [--save]``
"""

import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from benchmarks import harness
from skbreath import AudioReader

RATE = 16000


def write_clips(folder, n_clips, sample_rate, channels, suffix):
    """Noise, as files of one second."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(n_clips):
        path = Path(folder, f"{sample_rate}-{channels}-{number}.{suffix}")
        sound = rng.normal(scale=0.1, size=(sample_rate, channels)).clip(-1, 1)
        soundfile.write(path, sound, sample_rate)
        paths.append(str(path))
    return paths


def by_hand(paths):
    """Decode, average, resample and stack, nothing checked."""
    clips = np.empty((len(paths), RATE), dtype=np.float32)
    for row, path in enumerate(paths):
        sound, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = sound[:, 0] if sound.shape[1] == 1 else sound.mean(axis=1)
        if sample_rate != RATE:
            mono = soxr.resample(mono, sample_rate, RATE)
        clips[row] = mono[:RATE]
    return clips


def main():
    options = harness.parser(__doc__)
    options.add_argument("--clips", type=int, default=400)
    options = options.parse_args()
    report = harness.Report("bench_read")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sets = {
            "synthetic WAV, 16 kHz mono": write_clips(
                folder, options.clips, RATE, 1, "wav"
            ),
            "synthetic WAV, 44.1 kHz mono": write_clips(
                folder, options.clips, 44100, 1, "wav"
            ),
            "synthetic FLAC, 44.1 kHz stereo": write_clips(
                folder, options.clips, 44100, 2, "flac"
            ),
        }
        real = harness.data_folder()
        if real is not None:
            files = sorted((real / "kaggle-breath" / "train").glob("*.wav"))
            sets["real WAV, 16 kHz mono"] = [str(f) for f in files[: options.clips]]
        for name, paths in sets.items():
            one, two = AudioReader(n_jobs=1), AudioReader(n_jobs=2)
            if not np.allclose(one.fit_transform(paths), by_hand(paths), atol=1e-6):
                raise AssertionError(f"{name}: the two sides read different samples")
            timings = harness.measure(
                {
                    "by hand": lambda paths=paths: by_hand(paths),
                    "AudioReader": lambda paths=paths, r=one: r.fit_transform(paths),
                    "two threads": lambda paths=paths, r=two: r.fit_transform(paths),
                },
                repeats=options.repeats,
                per=len(paths),
            )
            hand = timings["by hand"]
            rows.extend(
                (
                    f"{name}, {who}",
                    timing.text("cpu"),
                    timing.text("wall"),
                    f"{1 / timing.ratio_to(hand, 'cpu'):.2f}",
                    f"{1 / timing.ratio_to(hand, 'wall'):.2f}",
                )
                for who, timing in timings.items()
            )
    report.table(
        f"Microseconds a clip, median (range) of {options.repeats} interleaved repeats",
        ("files of one second", "CPU us", "wall us", "CPU ratio", "wall ratio"),
        rows,
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
