"""Many processes at once on one machine, and a million files in one call.

``python -m benchmarks.bench_load [--minutes 10] [--paths 1000000] [--save]``

Eight processes predict and two train, for some minutes, with one cache, one folder of
models (which the two write and the eight read) and one folder of clips. All that is
predicted is compared, to the bit, with what one process alone predicts. Then as many
paths as asked for (links to a few hundred clips) are predicted by one command.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from benchmarks import harness
from skbreath import (
    BreathFeatures,
    ClipMemory,
    SummaryPooling,
    load_kaggle_breath,
    make_breath_classifier,
    make_breath_sounds,
    write_breath_sounds,
)
from skbreath.utils.files import atomic_path

PREDICTING, TRAINING = 8, 2
VARIANTS = (0, 1)
WARM_UP = 0.2  # of the time


def build(variant, cache=None):
    """One of two classifiers; small, so that they are trained often."""
    model = make_breath_classifier(
        preset="reference", max_epochs=2, cv=2, random_state=variant
    )
    for member in ("trial_8", "trial_54"):
        model.set_params(
            **{f"classifier__estimator__{member}__net__hidden_channels": 16}
        )
    return model.set_params(memory=None if cache is None else ClipMemory(cache))


def fit(model, folder):
    clips = load_kaggle_breath(folder / "data")
    return model.fit(clips.paths, clips.target, classifier__groups=clips.recording)


def save(model, path):
    with atomic_path(path) as temporary:
        joblib.dump(model.set_params(memory=None), temporary)


def worker(kind, folder, number, deadline):
    """In a process of its own: work until the time is over, and print what happened."""
    folder, rng = Path(folder), np.random.default_rng(number)
    paths = load_kaggle_breath(folder / "data").paths
    expected = {
        variant: np.load(folder / f"expected-{variant}.npy") for variant in VARIANTS
    }
    began, memory, rounds, wrong, errors = time.time(), [], 0, 0, []
    while time.time() < float(deadline):
        variant = int(rng.choice(VARIANTS))
        saved = folder / "models" / f"{variant}.joblib"
        try:
            if kind == "train":
                model = fit(build(variant, folder / "cache"), folder)
                save(model, saved)
                rows = np.arange(len(paths))
            else:
                model = joblib.load(saved)
                # The same batch as the serial run: torch may add up another batch
                # in another order.
                rows = np.arange(len(paths))
            proba = model.predict_proba(paths[rows])
            wrong += not np.array_equal(proba, expected[variant][rows])
        except Exception as error:  # what a load test is there to count
            errors.append(f"{type(error).__name__}: {error}")
        rounds += 1
        memory.append((time.time() - began, _resident()))
    print(json.dumps([rounds, wrong, errors, memory]))


def _resident():
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth(memory):
    """MB gained from the first third of the time after the warm-up to the last."""
    times, megabytes = np.array(memory).T
    later = megabytes[times > WARM_UP * times[-1]]
    third = max(1, len(later) // 3)
    return np.median(later[-third:]) - np.median(later[:third])


def share_a_machine(report, folder, minutes):
    for variant in VARIANTS:
        model = fit(build(variant), folder)
        save(model, folder / "models" / f"{variant}.joblib")
        paths = load_kaggle_breath(folder / "data").paths
        np.save(folder / f"expected-{variant}.npy", model.predict_proba(paths))
    command = [sys.executable, "-m", "benchmarks.bench_load", "--worker"]
    deadline = str(time.time() + 60 * minutes)
    kinds = ["predict"] * PREDICTING + ["train"] * TRAINING
    running = [
        subprocess.Popen(
            [*command, kind, str(folder), str(number), deadline],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            encoding="utf-8",
        )
        for number, kind in enumerate(kinds)
    ]
    rows, failures = [], []
    for number, (kind, process) in enumerate(zip(kinds, running, strict=True)):
        output = process.communicate()[0]
        if process.returncode:
            failures.append(f"process {number} ended with {process.returncode}")
            continue
        rounds, wrong, errors, memory = json.loads(output.splitlines()[-1])
        failures += errors
        peak = max(megabytes for _, megabytes in memory)
        rows.append(
            (
                *(f"{kind} {number}", rounds, len(errors), wrong),
                *(f"{peak:.0f}", f"{growth(memory):+.1f}"),
            )
        )
    report.table(
        f"{PREDICTING} processes predict and {TRAINING} train for {minutes:g} minutes",
        ("process", "rounds", "errors", "not equal", "peak MB", "growth MB"),
        rows,
    )
    cached = [fit(build(v, folder / "cache"), folder) for v in VARIANTS]
    intact = all(
        np.array_equal(
            model.predict_proba(paths), np.load(folder / f"expected-{v}.npy")
        )
        for v, model in zip(VARIANTS, cached, strict=True)
    )
    report.line(f"fitted from the cache they left, equal to serial: {intact}")
    for failure in failures[:10]:
        report.line(failure)


def make_light_model(folder):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skbreath import AudioReader

    steps = BreathFeatures(groups=("mel",)), SummaryPooling(), StandardScaler()
    model = make_pipeline(AudioReader(drift="warn"), *steps, LogisticRegression())
    clips = load_kaggle_breath(folder / "data")
    joblib.dump(model.fit(clips.paths, clips.target), folder / "light.joblib")


def predict_very_many(report, folder, n_paths):
    """Predict a folder of links with one command, and measure its memory."""
    make_light_model(folder)
    sources = load_kaggle_breath(folder / "data").paths
    links = folder / "links"
    for number in range(n_paths):
        if number % 10_000 == 0:
            part = links / f"{number // 10_000:03}"
            part.mkdir(parents=True)
        os.symlink(sources[number % len(sources)], part / f"{number:07}.wav")
    out = folder / "labels.csv"
    command = [sys.executable, "-m", "skbreath", "predict", "--skip-bad"]
    command += ["--model", folder / "light.joblib", links, "--out", out]
    began, memory = time.perf_counter(), []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        memory.append(_resident_of(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    if process.returncode:
        report.line(f"the command ended with {process.returncode}")
        return
    memory = [megabytes for megabytes in memory if megabytes]
    half, tenth = len(memory) // 2, max(1, len(memory) // 10)
    report.table(
        f"skbreath predict --skip-bad, {n_paths:,} links, mel bands and a linear model",
        ("seconds", "MB half-way", "MB late"),
        [
            (
                f"{seconds:.0f}",
                f"{np.median(memory[half : half + tenth]):.0f}",
                f"{np.median(memory[-tenth:]):.0f}",
            )
        ],
    )
    complete = sum(len(part) for part in pd.read_csv(out, chunksize=100_000))
    bad = len(pd.read_csv(folder / "bad-files.csv"))
    report.line(f"rows in the table: {complete:,}; bad files: {bad}")


def _resident_of(pid):
    try:
        return harness.memory_mb("VmRSS", pid)
    except (FileNotFoundError, ProcessLookupError, IndexError):  # ended, or about to
        return None


def main():
    options = harness.parser(__doc__)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--paths", type=int, default=1_000_000)
    options = options.parse_args()
    report = harness.Report("bench_load")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "models").mkdir()
        sounds = make_breath_sounds(120, n_subjects=12, random_state=0)
        write_breath_sounds(sounds, folder / "data")
        if options.minutes:
            share_a_machine(report, folder, options.minutes)
        if options.paths:
            predict_very_many(report, folder, options.paths)
    if options.save:
        report.save()


if __name__ == "__main__":
    if "--worker" in sys.argv:
        worker(*sys.argv[2:4], int(sys.argv[4]), sys.argv[5])
    else:
        main()
