"""Bulk prediction: peak memory and speed for few and many files; latency of one.

``python -m benchmarks.bench_predict [--clips 100000] [--save]``

The files are links to a few hundred clips; each count runs in a process of its own.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

from benchmarks import harness
from skbreath import (
    load_kaggle_breath,
    make_breath_classifier,
    make_breath_sounds,
    write_breath_sounds,
)

CHILD = "--child"


def predict_many(model_path, folder, n_clips):
    """In a process of its own: predict, and print peak memory and time."""
    from skbreath import predict_files

    clips = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    paths = [clips[number % len(clips)] for number in range(n_clips)]
    model = joblib.load(model_path)
    next(predict_files(model, paths[:512]))  # compile and load everything
    began, n_rows = time.perf_counter(), 0
    for table in predict_files(model, paths):
        n_rows += len(table)
    seconds = time.perf_counter() - began
    assert n_rows == n_clips
    print(f"{harness.memory_mb('VmHWM')} {seconds}")


def latencies(model, path, repeats):
    """Seconds from one WAV file to its label, in a warm process."""
    seconds = []
    model.predict([path])
    for _ in range(repeats):
        began = time.perf_counter()
        model.predict([path])
        seconds.append(time.perf_counter() - began)
    return np.percentile(seconds, [50, 99]) * 1e3


def main():
    options = harness.parser(__doc__)
    options.add_argument("--clips", type=int, default=100_000)
    options = options.parse_args()
    report = harness.Report("bench_predict")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        sounds = make_breath_sounds(300, n_subjects=20, random_state=0)
        write_breath_sounds(sounds, data)
        train = load_kaggle_breath(data)
        model = make_breath_classifier(max_epochs=2, cv=2, random_state=0)
        model.fit(train.paths, train.target)
        saved = Path(folder, "model.joblib")
        joblib.dump(model, saved)
        rows, first_peak = [], None
        for n_clips in sorted({1000, options.clips // 10, options.clips}):
            command = [sys.executable, "-m", "benchmarks.bench_predict", CHILD]
            command += [str(saved), str(data / "train"), str(n_clips)]
            output = subprocess.run(
                command, check=True, capture_output=True, text=True, encoding="utf-8"
            ).stdout
            peak, seconds = map(float, output.split()[-2:])
            first_peak = peak if first_peak is None else first_peak
            rows.append(
                (
                    f"{n_clips:,}",
                    f"{peak:,.0f}",
                    f"{peak - first_peak:+,.0f}",
                    f"{seconds:,.1f}",
                    f"{n_clips / seconds:,.0f}",
                )
            )
        report.table(
            "predict_files, two nets and boosted trees, one thread",
            ("clips", "peak MB", "above the first", "seconds", "clips/s"),
            rows,
        )
        p50, p99 = latencies(model, train.paths[0], 200)
        report.table(
            "One WAV file to its label, warm process, 200 repeats",
            ("", "p50 ms", "p99 ms"),
            [("latency", f"{p50:.1f}", f"{p99:.1f}")],
        )
    if options.save:
        report.save()


if __name__ == "__main__":
    if CHILD in sys.argv:
        predict_many(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
