"""How much slower the commands are where another program keeps one core busy.

``python -m benchmarks.bench_busy_machine [--repeats 3] [--save]``

Each command runs alone and beside a process that spins, in turn, with the threads that
it takes by itself. It should take at most 2.5 times as long.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL

import soundfile

from benchmarks import harness
from skbreath import (
    make_breath_recording,
    make_breath_sounds,
    write_breath_sounds,
    write_label_track,
)

MOST = 2.5


@contextmanager
def busy_core():
    """Keep one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def make_data(folder):
    """Write 600 clips and 13 recordings of 20 s with label tracks."""
    sounds = make_breath_sounds(600, n_subjects=60, random_state=0)
    write_breath_sounds(sounds, folder / "clips")
    (folder / "recordings").mkdir()
    for seed in range(13):
        made = make_breath_recording(20, random_state=seed)
        file = folder / "recordings" / f"{seed}.wav"
        soundfile.write(file, made.waveform, made.sample_rate)
        write_label_track(file.with_suffix(".txt"), made.phases)


def main():
    options = harness.parser(__doc__, repeats=3).parse_args()
    report = harness.Report("bench_busy_machine")
    # Without the limits of this package, which its benchmarks begin with.
    free = {key: v for key, v in os.environ.items() if "_NUM_THREADS" not in key}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder)
        commands = {
            "demo": ["demo", "--out", "demo"],
            "check": ["check", "clips"],
            "train-phases": ["train-phases", "recordings", "--out", "phases.skb"],
        }

        def seconds(words):
            command = [sys.executable, "-m", "skbreath", *words]
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, env=free, check=True, stdout=DEVNULL)
            return time.perf_counter() - started

        seconds(commands["check"])  # compiles what is not compiled yet
        rows = []
        for title, words in commands.items():
            alone, busy = harness.Timing([], []), harness.Timing([], [])
            for _ in range(1 if title == "demo" else options.repeats):
                alone.wall.append(seconds(words))
                with busy_core():
                    busy.wall.append(seconds(words))
            ratio = alone.ratio_to(busy, "wall")
            verdict = "" if ratio <= MOST else f"more than {MOST}"
            texts = [timing.text("wall", 1) for timing in (alone, busy)]
            rows.append((title, *texts, f"{ratio:.2f}", verdict))
    report.table(
        f"Whole process, wall s, median (range) of {options.repeats}; demo once",
        ("skbreath", "alone", "beside a busy core", "ratio", ""),
        rows,
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
