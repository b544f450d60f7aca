"""Recordings with a known rate, sounds that are not breathing, and their phases."""

import numpy as np
from scipy.signal import butter, correlate, detrend, find_peaks, sosfiltfilt
from sklearn.model_selection import GroupKFold

from benchmarks.phase_data import RATE, nose_recordings, people_recordings
from skbreath import PhaseSegmenter, breath_statistics

N_FOLDS, SECONDS, N_SEEDS = 4, 40, 5
SETS = {
    "people": "nose-20, by segmenters fitted on other people",
    "mic": "nose-mic, another microphone, by one fitted on nose-20",
    "swapped": "nose-20, by one fitted on the one person of nose-mic",
    "sounds": "simulated sounds that are not breathing, by one fitted on nose-20",
}


def nose_20(folder):
    """People, waveforms, tables and true rates of the recordings of nose-20."""
    known, waveforms, tables = people_recordings(folder)
    return known["person"].to_numpy(), waveforms, tables, known["rate"].to_numpy()


def nose_mic(folder):
    """Waveforms, tables and true rates of the set nose-mic, of one person."""
    _, waveforms, tables = nose_recordings(folder)
    rates = [breath_statistics(t).summary["rate_per_min"] for t in tables]
    return waveforms, tables, np.array(rates)


def fit_segmenter(waveforms, tables):
    """Fit the segmenter of this benchmark."""
    return PhaseSegmenter(lag=1.0, random_state=0).fit(waveforms, tables)


def found_phases(folder):
    """Phases that segmenters find in all sets of sounds.

    Returns
    -------
    found : dict of str to list of DataFrame
        By the keys of `SETS`.
    """
    person, waveforms, tables, _ = nose_20(folder)
    other, other_tables, _ = nose_mic(folder)
    people = [None] * len(waveforms)
    for train, test in GroupKFold(N_FOLDS).split(waveforms, groups=person):
        model = fit_segmenter([waveforms[i] for i in train], [tables[i] for i in train])
        found = model.predict([waveforms[i] for i in test])
        for i, table in zip(test, found, strict=True):
            people[i] = table
    model = fit_segmenter(waveforms, tables)
    return {
        "people": people,
        "mic": model.predict(other),
        "sounds": model.predict([sound for _, sound in other_sounds()]),
        "swapped": fit_segmenter(other, other_tables).predict(waveforms),
    }


def other_sounds():
    """Kinds and waveforms of simulated sounds that are not breathing."""
    return [
        (name, make(np.random.default_rng(seed)))
        for name, make in _KINDS.items()
        for seed in range(N_SEEDS)
    ]


def _time():
    return np.arange(SECONDS * RATE) / RATE


def _noise(rng, slope):
    """Noise whose amplitude falls with frequency to the power `slope`."""
    spectrum = np.fft.rfft(rng.normal(size=SECONDS * RATE))
    frequency = np.fft.rfftfreq(SECONDS * RATE, 1 / RATE)
    spectrum /= np.maximum(frequency, 20) ** slope
    noise = np.fft.irfft(spectrum, SECONDS * RATE)
    return 0.05 * noise / noise.std()


def _envelope(rng, lengths, pauses, rise=0.03):
    """Sounds and pauses in turn, of random lengths in s, faded in and out."""
    level, time = np.zeros(SECONDS * RATE), rng.uniform(*pauses)
    while time < SECONDS:
        end = time + rng.uniform(*lengths)
        level[round(time * RATE) : round(end * RATE)] = rng.uniform(0.3, 1)
        time = end + rng.uniform(*pauses)
    window = np.hanning(round(2 * rise * RATE))
    return np.convolve(level, window / window.sum(), mode="same")


def _speech(rng):
    """Syllables of voice or hiss, in phrases of 1 to 4 s with pauses between."""
    pitch = rng.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 0.4 * _time()))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 25))
    voice *= _envelope(rng, (0.08, 0.25), (0.03, 0.1))
    hiss = _noise(rng, -0.5) * _envelope(rng, (0.05, 0.15), (0.1, 0.6)) * 4
    phrases = _envelope(rng, (1.0, 4.0), (0.2, 1.0))
    return (0.1 * voice + hiss) * phrases + _noise(rng, 0.5) * 0.02


def _music(rng):
    """Chords of decaying notes."""
    out, time = np.zeros(SECONDS * RATE), _time()
    beat = rng.uniform(0.4, 1.0)
    for start in np.arange(0, SECONDS - 1, beat):
        first = round(start * RATE)
        decay = np.exp(-3 * time[: len(out) - first])
        for step in rng.choice([0, 3, 4, 5, 7, 9, 12], 3, replace=False):
            note = 220 * 2 ** (step / 12)
            for k in (1, 2, 3):
                out[first:] += decay * np.sin(2 * np.pi * k * note * time[: len(decay)])
    return 0.03 * out + _noise(rng, 0.5) * 0.02


def _tones(rng):
    """Beeps at a steady or a random distance."""
    tone = np.sin(2 * np.pi * rng.uniform(300, 3000) * _time())
    level = _envelope(rng, (0.2, 1.0), (0.5, 3.0), rise=0.01)
    return 0.1 * tone * level + _noise(rng, 0.5) * 0.02


def _knocks(rng):
    """Knocks at random times."""
    out = np.zeros(SECONDS * RATE)
    out[rng.integers(0, len(out), 60)] = rng.uniform(0.3, 1, 60)
    ring = np.exp(-np.arange(2000) / 200) * rng.normal(size=2000)
    return np.convolve(out, ring)[: len(out)] * 0.3 + _noise(rng, 0.5) * 0.02


def _gusts(rng):
    """Noise whose level wanders, as of wind or traffic."""
    level = np.cumsum(rng.normal(size=SECONDS * 10)) * 2
    level = np.interp(_time(), np.arange(len(level)) / 10, level - level.mean())
    return np.clip(_noise(rng, 0.5) * 10 ** (np.clip(level, -25, 12) / 20), -1, 1)


_KINDS = {
    "white noise": lambda rng: _noise(rng, 0.0),
    "pink noise": lambda rng: _noise(rng, 0.5),
    "gusts": _gusts,
    "speech-like": _speech,
    "music-like": _music,
    "beeps": _tones,
    "knocks": _knocks,
}


def envelope_rate(waveform, band=(300.0, 6000.0), rates=(6.0, 100.0)):
    """The rival: rate and height of the highest peak of the envelope's autocorrelation.

    The envelope is the level in dB between 300 Hz and 6 kHz, 20 times a second. A
    breath has two sounds, so a peak at half of the cycle may be higher.
    """
    hop = RATE // 20
    sound = sosfiltfilt(butter(4, band, "bandpass", fs=RATE, output="sos"), waveform)
    frames = sound[: len(sound) // hop * hop].reshape(-1, hop)
    level = detrend(10 * np.log10(np.square(frames).mean(axis=1) + 1e-10))
    level = sosfiltfilt(butter(2, 2.0, fs=20, output="sos"), level)
    n = len(level)
    product = correlate(level, level)[n - 1 :] / np.arange(n, 0, -1)
    # A lag of more than half of the recording is seen less than twice.
    product = product[: n // 2] / max(product[0], 1e-12)
    peaks = find_peaks(product)[0]
    peaks = peaks[(peaks >= 1200 / rates[1]) & (peaks <= 1200 / rates[0])]
    if len(peaks) == 0:
        return np.nan, 0.0
    best = peaks[np.argmax(product[peaks])]
    return 1200 / best, product[best]
