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


def people_recordings(folder):
    """Table, waveforms at 16 kHz and tables of phases of the recordings of 14 people.

    The table has file, person, share of certain phases and breaths a minute.
    """
    folder = folder / "nose-20"
    info = pd.read_csv(folder / "recordings.csv", dtype={"person": str})
    cycles = [np.diff([float(t) for t in row.split()]) for row in info.cycle_starts_s]
    info["rate"] = [60 / np.median(cycle) for cycle in cycles]
    files = [folder / name for name in info["file"]]
    waveforms = [load_audio(file, RATE)[0] for file in files]
    tables = [read_label_track(file.with_suffix(".txt")) for file in files]
    return info, waveforms, tables


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
    periods = np.arange(n // 20, n - 64)
    for k in range(64):  # few are left after the first samples
        periods = periods[clip[periods + k] == clip[k]]
    for period in periods.tolist():
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

    Neighbouring phases come from one day (a recording has one or two phases only) as
    long as it has any; then another day goes on at another level. Pauses after
    inhales and after exhales are alike, so that only the sound and the turns tell
    them apart. What is heard in a pause is noise with the spectrum and level of the
    quietest 0.15 s of the phase before it; all is faded into each other.
    """
    days = rng.permutation(table["day"].unique())
    fade = round(FADE_S * RATE)
    rise = np.sin(np.linspace(0, np.pi / 2, fade))
    length = round(duration * RATE)
    sound, rows, time = np.zeros(length + 3 * RATE, dtype=np.float32), [], 0
    label, number = rng.choice(["I", "E"]), 0
    while time < length:
        own = table[table["day"] == days[number % len(days)]]
        number += 1
        gain = 10 ** (rng.uniform(-8, 8) / 20)
        waiting = {
            key: rng.permutation(np.flatnonzero(own["label"] == key)).tolist()
            for key in "IE"
        }
        while waiting[label] and time < length:
            phase = own["phase"].iloc[waiting[label].pop()] * gain
            silence = _background(phase, round(rng.uniform(0.05, 1.0) * RATE), rng)
            for part in (phase, silence):
                part = part.copy()
                part[:fade] *= rise
                part[-fade:] *= rise[::-1]
                sound[time : time + len(part)] += part[: len(sound) - time]
                time += len(part) - fade
            start = time - len(silence) - len(phase) + 2 * fade
            rows.append((start / RATE, (start + len(phase)) / RATE, label))
            label = "E" if label == "I" else "I"
    rows = [(a, min(b, duration), k) for a, b, k in rows if a < duration]
    phases = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
    return sound[:length], phases


def chest_timing(folder):
    """Timing of each real chest recording: exhale share, gaps and cycles in s."""
    table = pd.read_csv(folder / "chest-timing" / "phases.csv")
    table = table[table["label"].isin(["I", "E"])]
    timing = []
    for _, phases in table.sort_values("start_s").groupby("recording"):
        label = phases["label"].to_numpy()
        start, end = phases["start_s"].to_numpy(), phases["end_s"].to_numpy()
        inhales = np.flatnonzero(label == "I")
        if len(inhales) < 3:
            continue
        gap, follows = start[1:] - end[:-1], (label[:-1] == "I") & (label[1:] == "E")
        timing.append(
            {
                "exhales": np.mean(np.isin(inhales, np.flatnonzero(follows))),
                "gap": np.maximum(gap[follows], 0),
                "cycle": np.diff(start[inhales]),
            }
        )
    return timing


def string_timed(table, timing, duration, rng):
    """Join phases of one day into a recording with the timing of a real recording.

    Where the recording has no exhales after some of its inhales, there are none here.
    Pauses are noise like the quietest 0.15 s of the phase before.
    """
    days = table["day"].value_counts()
    own = table[table["day"] == rng.choice(days.index[days >= 4])]
    while own["label"].nunique() < 2:
        own = table[table["day"] == rng.choice(days.index[days >= 4])]
    of_label = {key: own["phase"][own["label"] == key].tolist() for key in "IE"}
    timing = timing[rng.integers(len(timing))]
    fade = round(FADE_S * RATE)
    rise = np.sin(np.linspace(0, np.pi / 2, fade))
    length = round(duration * RATE)
    sound, rows, time = np.zeros(length + 12 * RATE, dtype=np.float32), [], 0

    def append(part):
        nonlocal time
        if len(part) < 2 * fade:
            return
        part = part.copy()
        part[:fade] *= rise
        part[-fade:] *= rise[::-1]
        sound[time : time + len(part)] += part[: len(sound) - time]
        time += len(part) - fade

    def pick(label):
        # The level of clips of one day differs by the distance from the stethoscope.
        phase = of_label[label][rng.integers(len(of_label[label]))]
        gain = levels[label] / max(np.sqrt(np.mean(phase**2)), 1e-6)
        return phase * gain * 10 ** (rng.normal(0, 1.5) / 20)

    levels = {
        key: np.median([np.sqrt(np.mean(p**2)) for p in of_label[key]]) for key in "IE"
    }
    append(_background(pick("I"), round(rng.uniform(0.05, 2.0) * RATE), rng))
    while time < length:
        begun = time
        phase = pick("I")
        rows.append((time / RATE, (time + len(phase)) / RATE, "I"))
        append(phase)
        if rng.random() < timing["exhales"]:
            gap = rng.choice(timing["gap"]) if len(timing["gap"]) else 0.02
            append(_background(phase, round(gap * RATE) + 2 * fade, rng))
            phase = pick("E")
            rows.append((time / RATE, (time + len(phase)) / RATE, "E"))
            append(phase)
        cycle = rng.choice(timing["cycle"]) * rng.uniform(0.9, 1.1)
        rest = max(begun + round(cycle * RATE) - time, round(0.05 * RATE))
        append(_background(phase, min(rest, 8 * RATE), rng))
    rows = [(a, min(b, duration), k) for a, b, k in rows if a < duration - 0.1]
    phases = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
    return sound[:length], phases


def _background(phase, n, rng):
    """Noise like the quietest 0.15 s of a phase."""
    size = min(round(0.15 * RATE), len(phase))
    starts = range(0, len(phase) - size + 1, max(1, size // 4))
    pieces = [phase[k : k + size] for k in starts]
    quiet = min(pieces, key=lambda piece: np.square(piece).sum())
    power = np.abs(np.fft.rfft(quiet * np.hanning(size))) ** 2
    power = np.convolve(power, np.ones(5) / 5, mode="same")
    spectrum = np.interp(
        np.fft.rfftfreq(n, 1 / RATE), np.fft.rfftfreq(size, 1 / RATE), np.sqrt(power)
    )
    turns = np.exp(2j * np.pi * rng.uniform(size=len(spectrum)))
    noise = np.fft.irfft(spectrum * turns, n)
    noise *= np.sqrt(np.mean(np.square(quiet))) / max(np.std(noise), 1e-12)
    return noise.astype(np.float32)
