"""A monitor that runs in a process of its own, with a model of simulated recordings."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import soundfile

from skbreath import PhaseSegmenter, load_model, make_breath_recording, save_model


@contextmanager
def run_monitor(model, port=0):
    """Run `skbreath monitor`; yield its process and its port."""
    command = [sys.executable, "-m", "skbreath", "monitor", "--no-browser"]
    command += ["--model", str(model), "--port", str(port)]
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line + process.stdout.read()
        yield process, int(found[1])
        if process.poll() is None:
            # Ctrl-C; Windows has it for whole groups of processes only.
            process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        rest = process.communicate(timeout=30)[0]
        assert (
            os.name != "posix"
            or process.returncode == -signal.SIGKILL
            or (process.returncode == 0 and rest == "Ended.\n")
        ), rest
    finally:
        process.kill()


@pytest.fixture(scope="session")
def start_monitor():
    return run_monitor


@pytest.fixture(scope="session")
def live_model(tmp_path_factory):
    """Write a model that reports phases less than half a second late."""
    made = [make_breath_recording(30, random_state=seed) for seed in range(3)]
    segmenter = PhaseSegmenter(emission_weight=0.4, random_state=0)
    segmenter.fit([one.waveform for one in made], [one.phases for one in made])
    path = tmp_path_factory.mktemp("model") / "live.skb"
    save_model(segmenter, path)
    return path


@pytest.fixture(scope="session")
def segmenter(live_model):
    return load_model(live_model)


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """Write a recording with a pause of some seconds."""
    made = make_breath_recording(20, rate=18, pauses=[(8, 5)], random_state=7)
    path = tmp_path_factory.mktemp("recording") / "breath.wav"
    soundfile.write(path, made.waveform, made.sample_rate, subtype="PCM_16")
    return path
