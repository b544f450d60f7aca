"""Make breath sounds from noise, for demonstrations and tests without recordings."""

from __future__ import annotations

import os
import secrets
import shutil
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import soundfile
from scipy.fft import irfft, next_fast_len
from sklearn.utils import Bunch, check_random_state

from ..utils.sklearn_compat import Interval, validate_params

if TYPE_CHECKING:
    from typing import Any

    from ..utils.typing import FilePath, Seed

# Amplitude grows with flow to this power: Gavriely and Cugell (1996).
_FLOW_POWER = 1.66
# Approximate pass band of an electronic stethoscope, in Hz.
_STETHOSCOPE_BAND = (60.0, 2000.0)
_CLIPS_PER_RECORDING = 5

_DESCR = """\
Synthetic breath sounds
-----------------------
{n_clips} clips of {duration} s at {sample_rate} Hz from {n_subjects} made-up
subjects, about half inhales ("I"), half exhales ("E"). Made by
skbreath.make_breath_sounds with difficulty {difficulty}. They imitate
the difficulties of the task, not the physiology: results on them do not transfer to
recordings.
"""


@validate_params(
    {
        "n_clips": [Interval(Integral, 2, None, closed="left")],
        "n_subjects": [Interval(Integral, 1, None, closed="left")],
        "sample_rate": [Interval(Integral, 1000, 1_000_000, closed="both")],
        "duration": [Interval(Real, 0.05, None, closed="left")],
        "difficulty": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_breath_sounds(
    n_clips: int = 200,
    n_subjects: int = 10,
    *,
    sample_rate: int = 16000,
    duration: float = 1.0,
    difficulty: float = 0.5,
    random_state: Seed | None = None,
) -> Bunch:
    """Make clips of inhales and exhales like those of a chest stethoscope.

    Each clip is one phase of a breath: turbulent noise with a spectrum and an
    envelope, with heart sounds, sensor noise and an occasional touch of the
    stethoscope. On average, inhales and exhales differ as chest wall sounds do:

    - The spectrum falls by 13 to 15 dB per octave in inhales and by 13 to 20 in
      exhales [2]_, whose highest audible frequency is lower [1]_ [4]_.
    - Sound follows flow to the power of 1.66 [3]_; the flow of an inhale rises
      towards its middle, that of a passive exhale peaks early and dies away [5]_.

    Subjects differ in slope, corner frequency, resonances, noise, heart rate and
    level. The level of a clip does not depend on its phase. Phases shorter than a
    clip are repeated until it is full, as in published data sets.

    Parameters
    ----------
    n_clips : int, default=200
        Clips, about half of them inhales.
    n_subjects : int, default=10
        Subjects; each has several recordings of about five clips.
    sample_rate : int, default=16000
        In Hz.
    duration : float, default=1.0
        Length of a clip in s.
    difficulty : float, default=0.5
        0: the phases differ clearly, 1: not at all. At 0.5 a simple classifier on
        the mean and deviation of log-mel bands is right in about 4 of 5 clips of
        new subjects.
    random_state : int, RandomState instance or None, default=None
        An int makes the same clips to the bit on one machine.

    Returns
    -------
    sounds : Bunch
        ``waveforms`` (n_clips, n_samples) float32 within -1..1; ``target``
        (n_clips,) of ``"I"`` and ``"E"``; ``subject`` and ``recording``
        (n_clips,) of str, such as ``"S03"`` and ``"synth_S03_00_00_02"``;
        ``groups``, the same as ``subject``; ``sample_rate``; ``DESCR``. Rows come
        in random order.

    See Also
    --------
    write_breath_sounds : Write them as files.

    References
    ----------
    .. [1] N. Gavriely, Y. Palti, G. Alroy (1981). Spectral characteristics of normal
       breath sounds. Journal of Applied Physiology 50, 307-314.
    .. [2] N. Gavriely, M. Nissan, A. H. Rubin, D. W. Cugell (1995). Spectral
       characteristics of chest wall breath sounds in normal subjects. Thorax 50.
    .. [3] N. Gavriely, D. W. Cugell (1996). Airflow effects on amplitude and spectral
       content of normal breath sounds. Journal of Applied Physiology 80, 5-13.
    .. [4] H. Pasterkamp, S. S. Kraman, G. R. Wodicka (1997). Respiratory sounds:
       advances beyond the stethoscope. American Journal of Respiratory and Critical
       Care Medicine 156, 974-987.
    .. [5] A. Bohadana, G. Izbicki, S. S. Kraman (2014). Fundamentals of lung
       auscultation. New England Journal of Medicine 370, 744-751.

    Examples
    --------
    >>> sounds = make_breath_sounds(n_clips=20, n_subjects=2, random_state=0)
    >>> sounds.waveforms.shape, sounds.waveforms.dtype
    ((20, 16000), dtype('float32'))
    >>> sorted(set(sounds.recording.tolist()))
    ['synth_S00_00_00_00', 'synth_S00_00_00_01',
     'synth_S01_00_00_00', 'synth_S01_00_00_01']
    """
    if n_subjects > n_clips:
        raise ValueError(f"n_subjects={n_subjects} exceeds n_clips={n_clips}.")
    rng = check_random_state(random_state)
    n_samples = max(1, round(duration * sample_rate))
    subject_of = np.arange(n_clips) % n_subjects
    # Phases alternate in the clips of a subject, so that each has half of both.
    place = np.arange(n_clips) // n_subjects
    is_inhale = (place + subject_of) % 2 == 0
    subjects = [Subject(rng, difficulty) for _ in range(n_subjects)]
    waveforms = np.empty((n_clips, n_samples), dtype=np.float32)
    for i in range(n_clips):
        waveforms[i] = subjects[subject_of[i]].clip(
            rng, is_inhale[i], n_samples, sample_rate
        )
    order = rng.permutation(n_clips)
    names = np.array([f"S{s:02d}" for s in range(n_subjects)])
    recording = np.array(
        [
            f"synth_{names[s]}_00_{r // 60:02d}_{r % 60:02d}"
            for s, r in zip(subject_of, place // _CLIPS_PER_RECORDING, strict=True)
        ]
    )
    return Bunch(
        waveforms=waveforms[order],
        target=np.where(is_inhale, "I", "E")[order],
        subject=names[subject_of][order],
        recording=recording[order],
        groups=names[subject_of][order],
        sample_rate=sample_rate,
        DESCR=_DESCR.format(
            n_clips=n_clips,
            n_subjects=n_subjects,
            duration=duration,
            sample_rate=sample_rate,
            difficulty=difficulty,
        ),
    )


def write_breath_sounds(
    sounds: Any, folder: FilePath, *, test_size: float = 0.1, random_state: Seed = 0
) -> Path:
    """Write synthetic clips as files in the layout of the Kaggle competition.

    The files can be read by :func:`~skbreath.load_kaggle_breath`:
    ``train/``, ``test/`` (16 bit WAV), ``train.csv`` and ``test.csv``. File names
    contain the recording and a number in random order, not the label.

    Parameters
    ----------
    sounds : Bunch
        From :func:`make_breath_sounds`.
    folder : str or path
        New or empty folder.
    test_size : float, default=0.1
        Share of the clips that go to ``test/``, without labels.
    random_state : int, RandomState instance or None, default=0
        Chooses the test clips, and numbers the clips of each recording.

    Returns
    -------
    folder : pathlib.Path
        As given. It appears complete or not at all.

    Raises
    ------
    ValueError
        If `folder` is not empty, or `test_size` leaves no training clips.

    Examples
    --------
    >>> import tempfile
    >>> from skbreath import load_kaggle_breath
    >>> sounds = make_breath_sounds(20, 2, random_state=0)
    >>> folder = write_breath_sounds(sounds, tempfile.mkdtemp() + "/breath")
    >>> load_kaggle_breath(folder).target.shape
    (18,)
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{str(folder)!r} exists and is not empty; name a new folder.")
    n_clips = len(sounds.target)
    n_test = round(test_size * n_clips)
    if not 0 <= n_test < n_clips:
        raise ValueError(f"test_size={test_size} leaves no training clips.")
    rng = check_random_state(random_state)
    order = rng.permutation(n_clips)  # of numbers, and of rows
    shuffled = pd.Series(sounds.recording[order])
    number = shuffled.groupby(shuffled).cumcount() + 1
    parent = folder.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    half_done = parent / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        (half_done / "train").mkdir(parents=True)
        (half_done / "test").mkdir()
        rows = {"train": ["ID,Target"], "test": ["ID"]}
        for place, (i, k) in enumerate(zip(order, number, strict=True)):
            recording, label = sounds.recording[i], sounds.target[i]
            name = f"{recording}_{k:03d}.wav"
            subset = "test" if place < n_test else "train"
            soundfile.write(
                half_done / subset / name, sounds.waveforms[i], sounds.sample_rate
            )
            # As in the competition, training IDs are not file names.
            train_row = f"{recording}_{label}_{k:03d},{label}"
            rows[subset].append(name if subset == "test" else train_row)
        for subset, lines in rows.items():
            (half_done / f"{subset}.csv").write_text(
                "\n".join(lines) + "\n", encoding="utf-8"
            )
        if folder.is_dir():
            folder.rmdir()
        os.replace(half_done, folder)
    except BaseException:
        shutil.rmtree(half_done, ignore_errors=True)
        raise
    return folder


class Subject:
    """Subject-specific transfer function, noise and heart of all clips of a subject."""

    def __init__(self, rng, difficulty):
        # On one axis, typical inhales lie at +contrast and typical exhales at
        # -contrast; clips vary around it with a standard deviation of `spread`.
        self.contrast = 1 - difficulty**2
        self.spread = 0.15 + 0.5 * difficulty
        self.slope = rng.normal(15, 0.3 + 1.0 * difficulty)  # dB per octave
        self.corner = 140 * 2 ** rng.normal(0, 0.1 + 0.3 * difficulty)  # Hz
        self.resonances = [
            (rng.uniform(120, 1200), rng.uniform(0.1, 0.4), rng.uniform(-5, 5))
            for _ in range(3)
        ]  # Hz, octaves, dB
        self.level = rng.normal(-30, 4)  # dB of full scale
        self.floor = rng.uniform(-28, -16)  # dB below the breath
        self.heart_period = 60 / rng.uniform(55, 95)  # s
        self.heart_pitch = rng.uniform(35, 70)  # Hz
        self.heart_level = rng.uniform(-12, 3)  # dB of the breath

    def clip(self, rng, is_inhale, n_samples, sample_rate):
        """Make one phase in noise, repeated or cut to `n_samples`."""
        typical, timbre, shape = self.draw_phase(rng, is_inhale)
        length = (0.9 - 0.04 * typical) * 2 ** rng.normal(0, 0.4)
        n_phase = max(16, round(length * n_samples))
        time = np.arange(n_phase) / sample_rate
        breath = self.breath(rng, timbre, shape, n_phase, sample_rate)
        heart = self.heart(rng, time, sample_rate)
        floor = band_noise(rng, n_phase, sample_rate, sensor_slope)
        sound = (
            breath
            + heart * gain_of(self.heart_level + rng.normal(0, 4))
            + floor * gain_of(self.floor + rng.normal(0, 3))
        )
        if rng.uniform() < 0.25:
            sound = sound + self.touch(rng, time, sample_rate)
        sound = np.resize(sound, n_samples)  # repeats a short phase
        set_level(sound, self.level + rng.normal(0, 6))
        return sound

    def draw_phase(self, rng, is_inhale):
        """Draw a phase; return where it typically lies, and its timbre and shape.

        +1 is a typical inhale, -1 a typical exhale; timbre and shape vary separately.
        """
        typical = self.contrast * (1 if is_inhale else -1)
        return typical, *(typical + self.spread * rng.normal(size=2))

    def breath(self, rng, timbre, shape, n_phase, sample_rate):
        """Make noise of unit RMS with the spectrum and the envelope of a phase."""
        slope = self.slope - 2.2 * timbre
        corner = self.corner * 2 ** (0.15 * timbre)

        def gain(f):
            decibel = -slope * np.log2(np.maximum(f / corner, 1))
            for pitch, width, height in self.resonances:
                decibel += height * np.exp(-((np.log2(f / pitch) / width) ** 2) / 2)
            return decibel

        noise = band_noise(rng, n_phase, sample_rate, gain)
        place = (np.arange(n_phase) + 0.5) / n_phase
        shape = np.clip(shape, -3, 3)
        rise, fall = 0.6 * 1.35**shape, 1.1 * 1.2**-shape
        flow = place**rise * (1 - place) ** fall
        return unit_rms(noise * (flow / flow.max()) ** _FLOW_POWER)

    def heart(self, rng, time, sample_rate):
        """Make the first and second sound of each beat, with unit peak."""
        sound = np.zeros_like(time)
        first = -rng.uniform(0, self.heart_period)
        for beat in np.arange(first, time[-1] + self.heart_period, self.heart_period):
            for delay, pitch, height in ((0.0, 1.0, 1.0), (0.32, 1.4, 0.7)):
                near = _around(beat + delay, 0.1, sample_rate)
                since = time[near] - beat - delay
                tone = np.sin(2 * np.pi * pitch * self.heart_pitch * since)
                sound[near] += height * tone * np.exp(-((since / 0.025) ** 2))
        return sound

    @staticmethod
    def touch(rng, time, sample_rate):
        """Make a short low burst, as a finger or cloth on the stethoscope does."""
        noise = band_noise(
            rng, len(time), sample_rate, lambda f: -9 * np.log2(f / 60 + 1)
        )
        centre, width = rng.uniform(0, time[-1]), rng.uniform(0.01, 0.06)
        return (
            noise
            * np.exp(-(((time - centre) / width) ** 2))
            * gain_of(rng.uniform(-3, 9))
        )


def _around(centre, reach, sample_rate):
    """Return the slice of the samples within `reach` s of `centre`."""
    start, stop = (round((centre + d) * sample_rate) for d in (-reach, reach))
    return slice(max(0, start), max(0, stop))


def band_noise(rng, n, sample_rate, gain):
    """Make Gaussian noise of unit RMS with `gain` (Hz to dB) in the sensor's band."""
    n_fft = next_fast_len(n, real=True)
    frequency = np.arange(1, n_fft // 2 + 1) * (sample_rate / n_fft)
    low, high = _STETHOSCOPE_BAND
    frequency = frequency[frequency < 2 * high]  # the filter removes the rest
    band = 1 / np.sqrt((1 + (low / frequency) ** 4) * (1 + (frequency / high) ** 16))
    real, imaginary = rng.normal(size=(2, len(frequency)))
    spectrum = np.zeros(n_fft // 2 + 1, dtype=complex)
    spectrum[1 : len(frequency) + 1] = (
        band * gain_of(gain(frequency)) * (real + 1j * imaginary)
    )
    return unit_rms(irfft(spectrum, n_fft)[:n])


def sensor_slope(frequency):
    """Return the spectrum of the steady noise of a sensor, in dB."""
    return -3 * np.log2(frequency / 100 + 1)


def gain_of(decibel):
    """Convert dB to a factor of the amplitude."""
    return 10 ** (decibel / 20)


def rms_of(x):
    """Compute the root mean square."""
    return np.sqrt(np.mean(np.square(x)))


def unit_rms(x):
    """Scale a sound to a root mean square of 1."""
    return x / max(rms_of(x), 1e-12)


def set_level(sound, decibel):
    """Scale `sound` to an RMS in dB of full scale, in place and without clipping."""
    sound *= gain_of(decibel) / max(rms_of(sound), 1e-12)
    sound *= min(1.0, 0.95 / max(np.abs(sound).max(), 1e-12))
