"""What a live stream costs, how late its phases are, and an hour of it.

``python -m benchmarks.bench_live [--model phases.skb] [--save]``

*cost*: `PhaseStream.push` of sound of 44.1 kHz, per second of sound, one thread; of the
60 s the fastest tenth shows the cost without that of other programs. *delay*: time from
the end of a phase until its emission, in sound. *an hour*: raw sound into
`skbreath listen -`, as fast as it takes it: memory, and the labels of `annotate`.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from benchmarks import harness
from skbreath import load_model, load_pretrained, make_breath_recording
from skbreath.live import LIVE_MODEL

RATE, HOUR_RATE, MINUTES = 44100, 16000, 60
BLOCKS = (128, 1024, 4410)


def cost_row(model, sound, size):
    stream = model.partial(RATE)
    started = time.perf_counter()
    stream.push(sound[:size])
    first = time.perf_counter() - started
    shares, calls = [], []
    for second in range(1, len(sound) // RATE):
        part = sound[second * RATE : (second + 1) * RATE]
        silent, began = [], time.process_time()
        for at in range(0, RATE, size):
            before = time.process_time()
            found = stream.push(part[at : at + size])
            if not len(found):
                silent.append(time.process_time() - before)
        shares.append(time.process_time() - began)
        calls.append(np.mean(silent))
    figures = [f"{1000 * np.quantile(calls, q):.3f}" for q in (0.1, 0.5)]
    figures += [f"{100 * np.quantile(shares, q):.1f}" for q in (0.1, 0.5)]
    return (size, *figures, f"{1000 * first:.1f}")


def delay_row(model, sound, rate, size):
    stream, delays = model.partial(rate), []
    for at in range(0, len(sound), size):
        found = stream.push(sound[at : at + size])
        delays += [(at + size) / rate - end for end in found["end_s"]]
    figures = [f"{value:.3f}" for value in (np.median(delays), max(delays))]
    return (rate, size, len(delays), *figures, f"{stream.latency + size / rate:.3f}")


def hour(model, folder, report):
    sound = folder / "hour.wav"
    with soundfile.SoundFile(sound, "w", HOUR_RATE, 1) as file:
        for seed in range(MINUTES):
            made = make_breath_recording(60, 8 + seed % 18, random_state=seed)
            file.write(made.waveform)
    labels, kept = folder / "live.csv", folder / "kept.wav"
    command = [sys.executable, "-m", "skbreath"]
    arguments = ["--model", model, "--out", labels, "--record", kept]
    process = subprocess.Popen(
        [*command, "listen", "-", *arguments, "--rate", str(HOUR_RATE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    rows, started = [], time.perf_counter()
    with soundfile.SoundFile(sound) as file:
        for minute in range(MINUTES):
            block = file.read(60 * HOUR_RATE, dtype="int16")
            process.stdin.write(block.tobytes())
            if minute + 1 in (5, 15, 30, 60):
                memory = harness.memory_mb("VmRSS", process.pid)
                rows.append((minute + 1, f"{memory:.0f}"))
    process.stdin.close()
    assert process.wait() == 0
    seconds = time.perf_counter() - started
    whole = folder / "whole.csv"
    subprocess.run(
        [*command, "annotate", sound, "--model", model, "--out", whole],
        check=True,
        capture_output=True,
    )
    report.table("An hour of sound: memory of the process", ("minute", "MB"), rows)
    live, offline = (pd.read_csv(file) for file in (labels, whole))
    columns = ["start_s", "end_s", "label"]
    same = (
        [*live] == [*offline]
        and live[columns].equals(offline[columns])
        # Rounding in sums depends on the number of frames that are added at once.
        and np.allclose(live["probability"], offline["probability"], rtol=0, atol=2e-6)
    )
    kept_sound, first = (soundfile.read(f, dtype="int16")[0] for f in (kept, sound))
    report.line(f"took {seconds:.0f} s; labels are those of annotate: {same}")
    equal = np.array_equal(kept_sound, first)
    report.line(f"{len(offline)} phases; the recorded sound is that sent: {equal}")


def main():
    parser = harness.parser(__doc__)
    parser.add_argument("--model", help=f"a model file instead of {LIVE_MODEL}")
    options = parser.parse_args()
    report = harness.Report("bench_live")
    report.line(f"model {options.model or LIVE_MODEL}")
    model = load_model(options.model) if options.model else load_pretrained(LIVE_MODEL)
    made = make_breath_recording(61, sample_rate=RATE, random_state=1)
    sound = made.waveform.astype(np.float32)
    report.table(
        "Cost at 44.1 kHz: ms of CPU of a push that reports nothing; % of a core",
        ("samples", "ms, fast", "ms", "%, fast", "%", "first push, ms"),
        [cost_row(model, sound, size) for size in BLOCKS],
    )
    low = make_breath_recording(61, sample_rate=HOUR_RATE, random_state=1).waveform
    report.table(
        "Delay from the end of a phase until it is reported, s of sound",
        ("rate", "samples", "phases", "median", "most", "promised"),
        [
            delay_row(model, which, rate, size)
            for rate, which in ((HOUR_RATE, low), (RATE, sound))
            for size in (128, 1024)
        ],
    )
    with tempfile.TemporaryDirectory() as name:
        hour(options.model or LIVE_MODEL, Path(name), report)
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
