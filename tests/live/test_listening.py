"""``skbreath listen``: sound from a pipe and from a device of ALSA, not from a mock."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from skbreath import (
    PhaseSegmenter,
    make_breath_recording,
    read_label_track,
    save_model,
    write_label_track,
)
from skbreath.cli import main

MADE = [make_breath_recording(25, random_state=seed) for seed in range(4)]
RATE = 16000
SOUND = np.round(MADE[3].waveform * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2")
ALSA = Path("/usr/share/alsa/alsa.conf")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a model, a recording, and its labels by `annotate`."""
    folder = tmp_path_factory.mktemp("listen")
    model = PhaseSegmenter(emission_weight=0.2, random_state=0)
    model.fit([one.waveform for one in MADE[:3]], [one.phases for one in MADE[:3]])
    save_model(model, folder / "live.skb")
    soundfile.write(folder / "sound.wav", SOUND, RATE)
    run("annotate", folder / "sound.wav", "--out", folder / "wanted.csv", model=folder)
    assert len(read_label_track(folder / "wanted.csv")) > 6
    return folder


def run(*args, model, sound=None, code=0):
    args = [*map(str, args), "--model", str(model / "live.skb")]
    result = CliRunner().invoke(main, args, input=sound)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def command(*args):
    return [sys.executable, "-m", "skbreath", *map(str, args)]


def phases_of(lines):
    rows = [json.loads(line) for line in lines.splitlines()]
    return [(row["start_s"], row["end_s"], row["label"]) for row in rows]


def wanted_of(folder):
    table = read_label_track(folder / "wanted.csv")
    return list(table[["start_s", "end_s", "label"]].itertuples(index=False, name=None))


def wav(samples=SOUND, rate=RATE, **options):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", **options)
    return file.getvalue()


def test_raw_sound_gives_the_phases_of_annotate(folder, tmp_path):
    out, kept = tmp_path / "out.csv", tmp_path / "kept.wav"
    args = ("--rate", RATE, "--out", out, "--record", kept)
    result = run("listen", "-", *args, model=folder, sound=SOUND.tobytes())
    assert phases_of(result.stdout) == wanted_of(folder)
    assert out.read_bytes() == (folder / "wanted.csv").read_bytes()
    assert np.array_equal(soundfile.read(kept, dtype="int16")[0], SOUND)
    first = json.loads(result.stdout.splitlines()[0])
    assert 0 < first["probability"] <= 1 and first["rate_per_min"] is None
    again = run("listen", "-", *args, model=folder, sound=SOUND.tobytes(), code=2)
    assert "would overwrite an input or an audio file" in again.output
    again = run("listen", "-", "--out", out, model=folder, sound=wav(), code=2)
    assert "exists; name another file" in again.output


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_is_recognised_by_its_header(folder, subtype, tmp_path):
    both = np.stack([SOUND, SOUND[::-1] // 4], axis=1)[: 12 * RATE]
    path = tmp_path / "sound.wav"
    path.write_bytes(wav(both, subtype=subtype))
    annotated = run("annotate", path, "--json", model=folder)
    (wanted,) = json.loads(annotated.stdout)["recordings"]
    result = run("listen", "-", "--json", model=folder, sound=path.read_bytes())
    assert phases_of(result.stdout) == [
        (row["start_s"], row["end_s"], row["label"]) for row in wanted["phases"]
    ]


def edited(place, data):
    sound = wav(SOUND[:20000])
    return sound[:place] + data + sound[place + len(data) :]


@pytest.mark.parametrize(
    "sound, args, message",
    [
        (b"", ["--rate", "16000"], "has no sound"),
        (SOUND.tobytes(), [], "needs its rate"),
        (wav(), ["--rate", "8000"], "is WAV of 16000 Hz, got --rate 8000"),
        (edited(8, b"AVI "), [], "wrong WAV header: expected WAVE"),
        (edited(20, b"\x11\0"), [], "is WAV of format 17"),
        (edited(22, b"\0\0"), [], "wrong WAV header: 0 channels"),
        (edited(24, b"\0\0\0\0"), [], "wrong WAV header: a rate of 0 Hz"),
        (edited(36, b"junk"), [], "ends without samples"),
        (edited(12, b"tmf "), [], "does not say the format"),
        (b"RIFF", [], "wrong WAV header"),
        (SOUND.tobytes(), ["--rate", "7"], "sample_rate must be a whole number"),
        (SOUND.tobytes(), ["--device", "1"], "two sources"),
    ],
)
def test_sound_that_cannot_be_used_is_one_message(folder, sound, args, message):
    result = run("listen", "-", *args, model=folder, sound=sound, code=2)
    assert message in result.stderr and len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    "sound, args, message",
    [
        (SOUND.tobytes() + b"\1", ["--rate", str(RATE)], "middle of a sample (1 of 2"),
        (wav()[:-RATE], [], "is cut short: 0.5 s"),
    ],
)
def test_a_cut_end_is_a_warning_and_the_rest_is_kept(folder, sound, args, message):
    result = run("listen", "-", *args, model=folder, sound=sound)
    assert message in result.stderr
    assert phases_of(result.stdout)[:5] == wanted_of(folder)[:5]


def test_a_wrong_sample_ends_it_and_what_was_found_is_kept(folder, tmp_path):
    sound = (SOUND / 2**15).astype(np.float32)
    sound[-100] = np.nan
    out = tmp_path / "out.csv"
    sound = wav(sound, subtype="FLOAT")
    result = run("listen", "-", "--out", out, model=folder, sound=sound, code=2)
    assert "NaN" in result.stderr
    assert len(read_label_track(out)) >= 5


@pytest.mark.parametrize("suffix", [".TextGrid", ".json"])
def test_labels_that_cannot_grow_are_refused(folder, suffix, tmp_path):
    args = ("listen", "-", "--out", tmp_path / f"labels{suffix}")
    result = run(*args, model=folder, sound=wav(), code=2)
    assert "choose one of audacity, csv" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", ["audacity", "csv", "hf_lung", "raven"])
def test_labels_that_grow_are_those_written_at_once(folder, format, tmp_path):
    args = ("--out", tmp_path / "grown", "--format", format)
    run("listen", "-", *args, model=folder, sound=wav())
    write_label_track(
        tmp_path / "whole", read_label_track(folder / "wanted.csv"), format
    )
    assert (tmp_path / "grown").read_bytes() == (tmp_path / "whole").read_bytes()


def test_silence_and_a_late_model_are_warnings(folder, tmp_path):
    model = PhaseSegmenter(lag=1.0, emission_weight=0.2, random_state=0)
    model.fit([MADE[0].waveform], [MADE[0].phases])
    save_model(model, tmp_path / "live.skb")
    silence = np.zeros(8 * RATE, np.int16)
    sound = np.concatenate([SOUND, silence, SOUND]).tobytes()
    result = run("listen", "-", "--rate", RATE, model=tmp_path, sound=sound)
    late, *notes = result.stderr.splitlines()
    assert "1.3 s after their end" in late and "train-phases --live" in late
    (quiet,) = [note for note in notes if "no signal for" in note]
    assert "is the microphone unplugged or muted?" in quiet


@pytest.mark.skipif(os.name == "nt", reason="kills with signals of Unix")
def test_lines_come_at_once_and_survive_a_kill(folder, tmp_path):
    wanted, half = wanted_of(folder), 12 * RATE
    for number in (signal.SIGINT, signal.SIGKILL):
        out, kept = tmp_path / f"{number}.csv", tmp_path / f"{number}.wav"
        args = ("-", "--rate", RATE, "--model", folder / "live.skb", "--out", out)
        args = command("listen", *args, "--record", kept)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(args, **pipes) as process:
            process.stdin.write(SOUND[:half].tobytes())
            process.stdin.flush()
            come = sum(end < half / RATE - 0.5 for _, end, _ in wanted)
            lines = b"".join(process.stdout.readline() for _ in range(come)).decode()
            assert phases_of(lines) == wanted[:come]
            process.send_signal(number)
            rest = process.stdout.read().decode()
            code = process.wait(60)
        assert code == (0 if number == signal.SIGINT else -signal.SIGKILL)
        assert len(read_label_track(out)) == come + len(rest.splitlines())
        assert len(soundfile.read(kept)[0]) == half


@pytest.fixture
def device(monkeypatch, tmp_path):
    """Return a function that makes a device of ALSA that plays a file."""
    pytest.importorskip(
        "sounddevice",
        reason='needs "live" and PortAudio',
        exc_type=(ImportError, OSError),
    )
    if not ALSA.exists():
        pytest.skip("needs ALSA, which libportaudio2 of Debian brings")

    def make(path):
        text = 'pcm.mic { type file; slave.pcm "null"; file "/dev/null"; '
        text += f'infile "{path}"; format "raw"; hint {{ show on; description mic }} }}'
        (tmp_path / "asoundrc").write_text(text, encoding="utf-8")
        monkeypatch.setenv("ALSA_CONFIG_PATH", f"{ALSA}:{tmp_path / 'asoundrc'}")
        return ("listen", "--device", "mic", "--rate", RATE)

    return make


def test_a_device_gives_the_phases_of_annotate(device, folder, tmp_path):
    SOUND.tofile(tmp_path / "sound.raw")
    args = device(tmp_path / "sound.raw")
    listed = subprocess.run(
        command("listen", "--list-devices", "--json"), capture_output=True, check=True
    )
    assert json.loads(listed.stdout.splitlines()[0])["name"] == "mic"
    out, kept = tmp_path / "out.csv", tmp_path / "kept.wav"
    args = (*args, "--model", folder / "live.skb", "--out", out, "--record", kept)
    args = (*args, "--duration", len(SOUND) / RATE)
    done = subprocess.run(command(*args), capture_output=True, check=True)
    assert phases_of(done.stdout.decode()) == wanted_of(folder)
    assert out.read_bytes() == (folder / "wanted.csv").read_bytes()
    assert np.array_equal(soundfile.read(kept, dtype="int16")[0], SOUND)


def test_a_device_that_goes_away_is_an_error_and_the_labels_are_kept(
    device, folder, tmp_path
):
    fifo, out = tmp_path / "fifo", tmp_path / "out.csv"
    os.mkfifo(fifo)
    args = (*device(fifo), "--model", folder / "live.skb", "--out", out)
    with subprocess.Popen(command(*args), stderr=subprocess.PIPE) as process:
        # It waits where nothing more is written.
        with os.fdopen(os.open(fifo, os.O_RDWR), "wb") as file:
            file.write(SOUND[: 12 * RATE].tobytes())
            file.flush()
            # It is faster than a real device, so that the machine may be behind.
            lines = iter(process.stderr.readline, b"")
            assert any(b"was it unplugged?" in line for line in lines)
        # The driver of a device that is gone may crash at the end of the program.
        assert process.wait(60) in (2, -signal.SIGSEGV)
    assert len(read_label_track(out)) >= 4


@pytest.mark.parametrize(
    "args, message",
    [
        (["--device", "none", "--model", "nose-live"], "no microphone 'none' was"),
        (["--rate", "7"], "it does not record at 7 Hz"),
    ],
)
def test_a_device_that_cannot_be_used_is_one_message(
    device, folder, tmp_path, args, message
):
    SOUND.tofile(tmp_path / "sound.raw")
    args = (*device(tmp_path / "sound.raw"), "--model", folder / "live.skb", *args)
    done = subprocess.run(command(*args), capture_output=True, check=False)
    assert done.returncode == 2 and done.stdout == b""
    assert message in done.stderr.decode() and done.stderr.count(b"\n") == 1
