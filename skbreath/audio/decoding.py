"""Decode audio files to mono float32 waveforms; list all problems in one error."""

from __future__ import annotations

import os
import re
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import soxr
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from .files import MAX_AMPLITUDE, RATES, AudioError, open_audio, warn
from .media import UNKNOWN_FRAMES, MediaFile, UnsupportedAudio

if TYPE_CHECKING:
    from ..utils.typing import Clips, FilePath

# Samples (frames x channels) decoded at a time. Memory is allocated for samples that
# were decoded, never for the length in the header, which may be wrong.
_BLOCK_SAMPLES = 2**20
# A resampled sample depends on some hundred neighbours at the lower of the two rates
# (soxr "HQ"); that many further frames are read so that a cut clip equals the cut
# of the whole file resampled.
_RESAMPLING_MARGIN = 2048
# Files per task: one file takes about 0.1 ms, too little for a task of its own.
_CHUNK = 64
_CHUNKS_IN_FLIGHT = 8
# Share of the energy of unrelated channels below which their mean is a cancellation.
_CANCELLED = 0.05
# Log messages of libsndfile when a page of an Ogg file fails its checksum.
_PAGE_LOST = re.compile("Corrupted bitstream|reports a hole")


def iter_blocks(sound, n_frames=None):
    """Decode up to `n_frames` (None: all) of an open file, block by block.

    Yields mono float32 samples of shape (n,): finite, none beyond `MAX_AMPLITUDE`.
    """
    wanted = sound.frames if n_frames is None else min(n_frames, sound.frames)
    block = max(1, _BLOCK_SAMPLES // sound.channels)
    done, energy, energy_of_mean = 0, 0.0, 0.0
    is_open = sound.frames == UNKNOWN_FRAMES
    if is_open:
        # soundfile would seek to a position that libFLAC cannot find at the end.
        sound.seekable = lambda: False
    while done < wanted:
        part = sound.read(min(block, wanted - done), dtype="float32", always_2d=True)
        if len(part) == 0:
            if getattr(sound, "is_cut", False):
                warn(
                    f"{sound.path!r} is cut short, as by a crash or a broken copy: "
                    f"only its first {done / sound.samplerate:.1f} s are there."
                )
            if is_open or isinstance(sound, MediaFile):
                break
            raise UnsupportedAudio(
                f"is truncated: its header announces {sound.frames} frames, "
                f"{done} are there (copy or export it again)"
            )
        done += len(part)
        if sound.format == "OGG" and _PAGE_LOST.search(sound.extra_info):
            raise UnsupportedAudio("is damaged: a part of it is lost (copy it again)")
        mono = part[:, 0]
        if sound.channels > 1:
            mono = part.mean(axis=1)
            energy += np.vdot(part, part)
            energy_of_mean += np.vdot(mono, mono)
        # The extremes are NaN or infinite if any sample is.
        if not (mono.min() >= -MAX_AMPLITUDE and mono.max() <= MAX_AMPLITUDE):
            finite = np.isfinite(mono)
            what = f"{np.count_nonzero(~finite)} NaN or infinite samples"
            if finite.all():
                n_loud = np.count_nonzero(np.abs(mono) > MAX_AMPLITUDE)
                what = f"{n_loud} samples beyond {MAX_AMPLITUDE:g}"
            raise UnsupportedAudio(f"has {what} (export it again, or repair them)")
        yield np.ascontiguousarray(mono)
    if done == 0 and is_open:
        raise UnsupportedAudio("holds no samples (leave it out or record it again)")
    # Channels without relation have a mean of `energy` / channels**2.
    if energy_of_mean * sound.channels**2 < _CANCELLED * energy:
        warn(
            f"the channels of {sound.path!r} are opposite and nearly cancel each "
            "other: their mean is read; export one channel."
        )


def _read_frames(sound, n_frames):
    """Decode up to `n_frames` (None: all) of an open file to one array."""
    parts = list(iter_blocks(sound, n_frames))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_clip(path, sample_rate=None, n_samples=None):
    """Decode a file, average its channels, resample and cut it, without padding.

    Returns the waveform, of at most `n_samples`, and its rate in Hz. No more of the
    file is decoded than that needs.
    """
    with open_audio(path) as sound:
        source = sound.samplerate
        target = source if sample_rate is None else int(sample_rate)
        if n_samples is None or source == target:
            waveform = _read_frames(sound, n_samples)
        else:
            margin = -(-_RESAMPLING_MARGIN * source // min(source, target))
            waveform = _read_frames(sound, -(-n_samples * source // target) + margin)
    if source != target:
        waveform = soxr.resample(waveform, source, target)
        if len(waveform) == 0:
            raise AudioError([(path, f"is too short to resample to {target} Hz")])
    return waveform[:n_samples], target


def load_audio(
    path: FilePath, sample_rate: int | None = None
) -> tuple[np.ndarray, int]:
    """Read one audio file as a mono waveform.

    WAV, FLAC, OGG, MP3, AIFF and all other formats of libsndfile, of any sampling rate
    and sample width; and with the extra "media" (PyAV) the formats of phones, such as
    m4a, 3gp and webm, and the sound of videos. Channels are averaged. Integer samples
    are scaled to -1..1; float samples are taken as they are.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    sample_rate : int or None, default=None
        Rate of the result in Hz. If it differs from the file's, the waveform is
        resampled with soxr's ``"HQ"`` filter. None keeps the file's rate.

    Returns
    -------
    waveform : ndarray of shape (n_samples,), float32
        The samples.
    sample_rate : int
        Their rate in Hz.

    Raises
    ------
    AudioError
        If the file is missing, a directory, empty, truncated, not audio, without
        samples, or holds NaN or infinite samples.

    See Also
    --------
    AudioReader : Many files at once, in a pipeline.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, soundfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "breath.wav")
    >>> soundfile.write(path, np.zeros((44100, 2)), 44100)
    >>> waveform, sample_rate = load_audio(path, sample_rate=16000)
    >>> waveform.shape, waveform.dtype, sample_rate
    ((16000,), dtype('float32'), 16000)
    """
    if sample_rate is not None and not (
        isinstance(sample_rate, Integral) and RATES[0] <= sample_rate <= RATES[1]
    ):
        raise ValueError(
            f"sample_rate must be None or an integer from {RATES[0]} to {RATES[1]} "
            f"Hz, got {sample_rate!r}."
        )
    return read_clip(os.fspath(path), sample_rate)


def check_audio_files(
    paths: Clips, *, n_jobs: int | None = None, allow_empty: bool = False
) -> np.ndarray:
    """Check the headers of all files without decoding them.

    Takes about 30 microseconds a file. Damaged samples are found only when they are
    read, or by :func:`inspect_audio_files`.

    Parameters
    ----------
    paths : list, tuple, 1-D array, Series or one-column DataFrame of paths
        The files.
    n_jobs : int or None, default=None
        Threads, as in joblib.
    allow_empty : bool, default=False
        Whether a sound file may hold no samples.

    Returns
    -------
    durations : ndarray of shape (n_files,), float64
        Lengths in s, from the headers.

    Raises
    ------
    AudioError
        If any file is missing, a directory, empty, truncated, not audio or without
        samples: one error for all of them.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skbreath import check_audio_files
    >>> path = pathlib.Path(tempfile.mkdtemp(), "empty.wav")
    >>> path.touch()
    >>> check_audio_files([path])
    Traceback (most recent call last):
    ...
    skbreath.audio.files.AudioError: ...empty.wav... is empty, 0 bytes (copy...
    """
    durations, problems = inspect_audio_files(
        paths, n_samples=0, n_jobs=n_jobs, allow_empty=allow_empty
    )
    if problems:
        raise AudioError(problems)
    return durations


def inspect_audio_files(
    paths: Clips,
    *,
    sample_rate: int | None = None,
    n_samples: int | None = None,
    n_jobs: int | None = None,
    allow_empty: bool = False,
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Find all files that cannot be read.

    Float and compressed samples are decoded. Others, as in a WAV file of integers,
    are valid if the header is, and are not decoded.

    Parameters
    ----------
    paths : list, tuple, 1-D array, Series or one-column DataFrame of paths
        The files.
    sample_rate : int or None, default=None
        Rate in Hz that they will be resampled to; None for their own.
    n_samples : int or None, default=None
        Samples at that rate that will be read; None for all, 0 for only the header.
    n_jobs : int or None, default=None
        Threads, as in joblib.
    allow_empty : bool, default=False
        Whether a sound file may hold no samples, where only headers are read.

    Returns
    -------
    durations : ndarray of shape (n_files,), float64
        Lengths in s, from the headers; NaN for files that cannot be read.
    problems : list of (str, str)
        Paths of files that cannot be read, in order, and the reasons.

    Examples
    --------
    >>> inspect_audio_files(["gone.wav"])
    (array([nan]), [('gone.wav', 'no such file (check the folder and the spelling)')])
    """
    paths = [os.fspath(path) for path in np.ravel(np.asarray(paths, dtype=object))]
    chunks = map_chunks(
        _inspect,
        paths,
        n_jobs,
        sample_rate=sample_rate,
        n_samples=n_samples,
        allow_empty=allow_empty,
    )
    found = [one for _, chunk in chunks for one in chunk]
    durations = np.array([duration for duration, _ in found], dtype=np.float64)
    return durations, [problem for _, problems in found for problem in problems]


# Integer samples cannot be NaN, and the file has as many as its header says.
_VALID_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"}
_VALID_SUBTYPES = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32"}
# Fewer frames may become none when resampled.
_VALID_FRAMES = 20_000


def _inspect(path, sample_rate, n_samples, allow_empty):
    """Return the duration of a file, and the problems that reading it would raise."""
    try:
        with open_audio(path, allow_empty=allow_empty) as sound:
            frames = sound.frames
            is_valid = (
                sound.format in _VALID_FORMATS and sound.subtype in _VALID_SUBTYPES
            )
            if frames == UNKNOWN_FRAMES or (n_samples is None and not is_valid):
                # Not as one array: it may be hours long.
                frames = min(frames, sum(map(len, iter_blocks(sound))))
                is_valid = True
            duration = frames / sound.samplerate
            if sample_rate not in (None, sound.samplerate) and frames < _VALID_FRAMES:
                is_valid = False
        if n_samples != 0 and not is_valid:
            read_clip(path, sample_rate, n_samples)
    except AudioError as error:
        return np.nan, error.problems
    return duration, []


def _run_chunk(function, paths, options):
    """Apply `function` to paths; return the results, and the problems of the others."""
    results, problems = [], []
    for path in paths:
        try:
            results.append(function(path, **options))
        except AudioError as error:
            problems += error.problems
    return results, problems


def map_chunks(function, paths, n_jobs, **options):
    """Yield (start, results) for chunks of paths in order.

    All paths are tried before one AudioError lists those that failed; results
    yielded before it must not be used.
    """
    problems = []
    for start, (results, failed) in _outcomes(function, paths, n_jobs, options):
        problems += failed
        if not problems:
            yield start, results
    if problems:
        raise AudioError(problems)


def _outcomes(function, paths, n_jobs, options):
    """Yield (start, (results, problems)) of each chunk in order."""
    workers = effective_n_jobs(n_jobs)
    if workers == 1:
        # File by file, so that the memory of a clip, still in the CPU cache, is reused.
        for start, path in enumerate(paths):
            yield start, _run_chunk(function, [path], options)
        return
    size = max(1, min(_CHUNK, -(-len(paths) // workers)))
    starts = range(0, len(paths), size)
    round_length = _CHUNKS_IN_FLIGHT * workers
    # Threads, since decoding and resampling release the interpreter lock and the
    # waveforms need no copy from process to process. Rounds, since not every joblib
    # backend can hand back results one by one, and all at once would double memory.
    with Parallel(n_jobs=n_jobs, prefer="threads") as parallel:
        for first in range(0, len(starts), round_length):
            begun = starts[first : first + round_length]
            outcomes = parallel(
                delayed(_run_chunk)(function, paths[start : start + size], options)
                for start in begun
            )
            yield from zip(begun, outcomes, strict=True)
