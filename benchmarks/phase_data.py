"""Recordings for the benchmark of phases: real, made from real clips, and changed."""

import numpy as np
import pandas as pd

from skbreath import load_audio, load_kaggle_breath, read_label_track

RATE = 16000
FADE_S = 0.02


def nose_recordings(folder):
    """Names, waveforms at 16 kHz and tables of the nose microphone recordings."""
    files = sorted((folder / "nose-mic").glob("*.wav"))
    waveforms = [load_audio(file, RATE)[0] for file in files]
    tables = [read_label_track(file.with_suffix(".txt")) for file in files]
    return [file.stem for file in files], waveforms, tables


def is_complete(table):
    """Whether each exhale but the first is preceded by a labelled inhale."""
    labels = table["label"].tolist()
    pairs = list(zip(labels, labels[1:], strict=False))
    return ("E", "E") not in pairs and "I" in labels


def equalise(waveform, table, rng=None):
    """Bring all phases to one level, or each to a random one.

    Without `rng` the level says nothing about inhale and exhale any more. Gains
    change within 50 ms.
    """
    gain = np.zeros(len(waveform))
    spans = [
        (round(start * RATE), round(end * RATE))
        for start, end in table[["start_s", "end_s"]].to_numpy()
    ]
    levels = [
        10 * np.log10(np.mean(np.square(waveform[a:b], dtype=float)) + 1e-12)
        for a, b in spans
    ]
    for (a, b), level in zip(spans, levels, strict=True):
        gain[a:b] = np.median(levels) - level
    window = np.hanning(round(0.05 * RATE))
    gain = np.convolve(gain, window / window.sum(), mode="same")
    return (waveform * 10 ** (gain / 20)).astype(np.float32)


def loop_period(clip):
    """Samples after which a clip repeats itself exactly, or its length."""
    n = len(clip)
    for period in range(n // 20, n - 64):
        if clip[period] == clip[0] and np.array_equal(
            clip[period : period + 64], clip[:64]
        ):
            if np.array_equal(clip[period:], clip[: n - period]):
                return period
    return n


def chest_phases(folder):
    """Real stethoscope phases, cut to their loop period, with recording and day."""
    clips = load_kaggle_breath(folder / "kaggle-breath")
    phases = []
    for path in clips.paths:
        waveform = load_audio(path, RATE)[0]
        phases.append(waveform[: loop_period(waveform)])
    table = pd.DataFrame(
        {"label": clips.target, "recording": clips.recording, "day": clips.day}
    )
    table["phase"] = phases
    return table


def string_phases(table, duration, rng):
    """Join phases into a recording: inhale and exhale in turn, pauses, levels.

    Neighbouring phases come from one recording as long as it has any; then another
    goes on at another level. Pauses after inhales and after exhales are alike, so
    that only the sound and the turns tell them apart. What is heard in a pause is
    noise with the spectrum of the quietest 0.15 s of the recording's phases.
    """
    order = rng.permutation(table["recording"].unique())
    sound = np.zeros(round(duration * RATE) + 4 * RATE, dtype=np.float32)
    rows, time = [], round(rng.uniform(0, 1) * RATE)
    fade = np.sin(np.linspace(0, np.pi / 2, round(FADE_S * RATE)))
    label = rng.choice(["I", "E"])
    number, begin = 0, 0
    while time < duration * RATE:
        own = table[table["recording"] == order[number % len(order)]]
        number += 1
        waiting = {
            key: rng.permutation(np.flatnonzero(own["label"] == key)).tolist()
            for key in "IE"
        }
        gain = 10 ** (rng.uniform(-8, 8) / 20)
        while waiting[label] and time < duration * RATE:
            phase = own["phase"].iloc[waiting[label].pop()].copy() * gain
            n = len(fade)
            phase[:n] *= fade
            phase[-n:] *= fade[::-1]
            sound[time : time + len(phase)] += phase[: len(sound) - time]
            rows.append((time / RATE, (time + len(phase)) / RATE, label))
            time += len(phase) + round(rng.uniform(0.05, 1.0) * RATE)
            label = "E" if label == "I" else "I"
        if time > begin:
            _fill_pauses(sound, begin, time, rows, own["phase"], gain, rng)
            begin = time
    length = round(duration * RATE)
    rows = [(a, min(b, duration), k) for a, b, k in rows if a < duration]
    phases = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
    return sound[:length], phases


def _fill_pauses(sound, begin, end, rows, phases, gain, rng):
    size = round(0.15 * RATE)
    pieces = [
        p[k : k + size] for p in phases for k in range(0, len(p) - size, size // 2)
    ]
    quiet = min(pieces, key=lambda piece: np.square(piece).sum()) * gain
    power = np.abs(np.fft.rfft(quiet * np.hanning(size))) ** 2
    power = np.convolve(power, np.ones(5) / 5, mode="same")
    n = end - begin
    spectrum = np.interp(
        np.fft.rfftfreq(n, 1 / RATE), np.fft.rfftfreq(size, 1 / RATE), np.sqrt(power)
    )
    noise = np.fft.irfft(
        spectrum * np.exp(2j * np.pi * rng.uniform(size=len(spectrum))), n
    )
    noise *= np.sqrt(np.mean(np.square(quiet))) / max(np.std(noise), 1e-12)
    silent = np.ones(n)
    for start, stop, _ in rows:
        a, b = (round(time * RATE) - begin for time in (start, stop))
        if b > 0 and a < n:
            silent[max(a, 0) : max(b, 0)] = 0
    width = round(FADE_S * RATE)
    silent = np.convolve(silent, np.ones(width) / width, mode="same")
    sound[begin:end] += (noise * silent).astype(np.float32)[: len(sound) - begin]
