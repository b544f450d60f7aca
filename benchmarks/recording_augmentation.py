"""Change recordings as other people and microphones would, with their phases."""

import numpy as np
import soxr
from scipy.signal import fftconvolve, firwin2

from benchmarks.phase_data import RATE

# Strong breathing is up to twice as fast as normal breathing.
_SHORTEST, _LONGEST = 0.5, 1.9
_FREQUENCIES = np.array([0, 60, 150, 300, 600, 1200, 2400, 4000, 6000, 8000])


def augment(waveform, table, rng):
    """Return a changed waveform and its table of phases.

    The speed changes, as do the levels of inhales, exhales and pauses (a microphone may
    suppress noise, or be far from the nose), the frequency response and the noise.
    """
    table = table[["start_s", "end_s", "label"]].copy()
    if rng.random() < 0.7:
        factor = np.exp(rng.uniform(np.log(_SHORTEST), np.log(_LONGEST)))
        waveform = soxr.resample(waveform, RATE, round(RATE * factor))
        table[["start_s", "end_s"]] *= factor
    sound = waveform * _gain(len(waveform), table, rng)
    if rng.random() < 0.8:
        sound = _filter(sound, rng)
    distance_db = rng.uniform(6, 80)
    noise = _noise(len(sound), rng)
    sound = sound + noise * np.sqrt(np.mean(sound**2)) * 10 ** (-distance_db / 20)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32), table


def _gain(n_samples, table, rng):
    """Draw a gain for inhales, exhales and pauses; return it by sample."""
    gain = np.full(n_samples, -rng.uniform(0, 45) if rng.random() < 0.6 else 0.0)
    of_label = {
        "I": rng.uniform(-28, 10) if rng.random() < 0.6 else 0.0,
        "E": rng.uniform(-10, 6) if rng.random() < 0.3 else 0.0,
    }
    spread = rng.uniform(0, 3)
    for start, end, label in table.itertuples(index=False):
        here = slice(round(start * RATE), round(end * RATE))
        gain[here] = of_label[label] + rng.normal(0, spread)
    ramp = np.hanning(round(rng.uniform(0.01, 0.12) * RATE))
    half = len(ramp) // 2
    gain = fftconvolve(np.pad(gain, half, mode="edge"), ramp / ramp.sum(), mode="same")
    return 10 ** (gain[half : half + n_samples] / 20)


def _filter(sound, rng):
    """Apply a random frequency response: bumps, a tilt, sometimes a smaller band."""
    gain = np.pad(rng.normal(0, 6, len(_FREQUENCIES)), 1, mode="edge")
    gain = np.convolve(gain, [0.25, 0.5, 0.25], "valid")
    octaves = np.log2(np.maximum(_FREQUENCIES, 60) / 700)
    gain += rng.uniform(-3, 3) * octaves
    if rng.random() < 0.3:
        gain[_FREQUENCIES <= rng.choice([60, 150, 300])] -= rng.uniform(10, 30)
    if rng.random() < 0.25:
        gain[_FREQUENCIES >= rng.choice([2400, 4000, 6000])] -= rng.uniform(10, 40)
    gain = 10 ** (np.clip(gain, -50, 30) / 20)
    return fftconvolve(sound, firwin2(511, _FREQUENCIES / 8000, gain), mode="same")


def _noise(n_samples, rng):
    """Make noise between white and brown, in one of three with some tones."""
    frequency = np.fft.rfftfreq(n_samples, 1 / RATE)
    spectrum = np.fft.rfft(rng.normal(size=n_samples))
    spectrum /= np.maximum(frequency, 40) ** rng.uniform(0, 1.5)
    if rng.random() < 1 / 3:
        for _ in range(rng.integers(1, 5)):
            tone = np.abs(frequency - rng.uniform(50, 3000)) < 2
            spectrum[tone] *= rng.uniform(3, 30)
    noise = np.fft.irfft(spectrum, n_samples)
    return noise / noise.std()
