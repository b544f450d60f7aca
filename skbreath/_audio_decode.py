"""Audio files in, mono float32 waveforms out, or one error that says why not."""

import contextlib
import os
import re
import stat
from numbers import Integral

import numpy as np
import soundfile
import soxr
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

# Samples (frames x channels) decoded at a time. A header may announce any length,
# so memory follows what has been decoded, never what was announced.
_BLOCK_SAMPLES = 2**20
# Sampling rates outside are broken headers: resampling from 1 Hz would turn a few
# bytes into gigabytes.
_RATES = (100, 1_000_000)
# A resampled sample depends on some hundred neighbours at the lower of the two rates
# (soxr "HQ"); that many further frames are read so that a cut clip equals the cut
# of the whole file resampled.
_RESAMPLING_MARGIN = 2048
# Files to a task: one takes about 0.1 ms, too little for a task of its own.
_CHUNK = 64
_CHUNKS_IN_FLIGHT = 8
# Offenders named in an error; the rest are counted.
SHOWN = 10

# What libsndfile writes in its log about a file that ends too early.
_CUT_SHORT = re.compile(
    r"^ *(?:data|SSND|riff|Riff size|Data Size) *: (?P<claim>\d+) "
    r"\(should be (?P<real>\d+)\)|(?P<ogg>lacks an end-of-stream bit)",
    re.MULTILINE,
)


def first_of(items, separator=", "):
    """Text of the first ten items, and how many more there are."""
    items = list(items)
    shown = separator.join(map(str, items[:SHOWN]))
    more = len(items) - SHOWN
    return f"{shown}{separator}and {more} more" if more > 0 else shown


class AudioError(ValueError):
    """Audio files that cannot be used, all of them in one error.

    Parameters
    ----------
    problems : list of (str, str)
        Path, and what is wrong with it and what to do.

    Attributes
    ----------
    problems : list of (str, str)
        As given, complete; the message shows the first ten and the count.

    Examples
    --------
    >>> print(AudioError([("a.wav", "no such file"), ("b.wav", "is a directory")]))
    2 audio files cannot be used: 'a.wav' no such file; 'b.wav' is a directory
    """

    def __init__(self, problems):
        super().__init__(problems)
        self.problems = problems

    def __str__(self):
        count = len(self.problems)
        noun = "audio file" if count == 1 else "audio files"
        named = first_of([f"{path!r} {why}" for path, why in self.problems], "; ")
        return f"{count} {noun} cannot be used: {named}"


@contextlib.contextmanager
def open_audio(path):
    """Open a file with soundfile after the checks that need no decoding.

    Parameters
    ----------
    path : str
        File in any format that libsndfile reads.

    Yields
    ------
    sound : soundfile.SoundFile
        Open for reading, at least one frame announced.

    Raises
    ------
    AudioError
        With this path and the reason. Errors of decoding inside the ``with`` block
        are turned into it too.
    """
    try:
        _check_is_file(path)
        with soundfile.SoundFile(path) as sound:
            _check_header(sound)
            yield sound
    except _Unusable as error:
        raise AudioError([(path, str(error))]) from None
    except soundfile.LibsndfileError as error:
        # Formats are told by content; only for raw samples by the file's name.
        why = error.error_string.strip(" .") or "damaged data"
        reason = f"is not readable as audio: {why} (convert it to WAV or FLAC)"
        raise AudioError([(path, reason)]) from error
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, AudioError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise AudioError([(path, f"cannot be opened: {why}")]) from error


class _Unusable(Exception):
    """The reason, on its way to an AudioError."""


def _check_is_file(path):
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise _Unusable("no such file (check the folder and the spelling)") from None
    if stat.S_ISDIR(status.st_mode):
        raise _Unusable("is a directory (list the files inside it)")
    if not stat.S_ISREG(status.st_mode):  # a pipe would block for ever
        raise _Unusable("is not a regular file (copy the sound to a file)")
    if status.st_size == 0:
        raise _Unusable("is empty, 0 bytes (copy or record it again)")


def _check_header(sound):
    log = sound.extra_info
    cut = _CUT_SHORT.search(log) if "should be" in log or "end-of-" in log else None
    if cut and cut["ogg"]:
        raise _Unusable("is truncated: its last page is missing (copy it again)")
    if cut and int(cut["claim"]) > int(cut["real"]):
        raise _Unusable(
            f"is truncated: its header announces {cut['claim']} bytes, "
            f"{cut['real']} are there (copy or export it again)"
        )
    if "does not match value from 'ds64' chunk" in log:
        raise _Unusable("is truncated: shorter than announced (copy it again)")
    if sound.frames == 0:
        raise _Unusable("holds no samples (leave it out or record it again)")
    low, high = _RATES
    if not low <= sound.samplerate <= high:
        raise _Unusable(
            f"has a sampling rate of {sound.samplerate} Hz in its header, outside "
            f"{low} to {high} (export it again)"
        )


def iter_blocks(sound, n_frames=None):
    """Decode up to `n_frames` (None: all) as mono float32, block by block.

    Parameters
    ----------
    sound : soundfile.SoundFile
        From :func:`open_audio`, whose block this must run in.
    n_frames : int or None, default=None
        At most.

    Yields
    ------
    block : ndarray of shape (n,), float32
        Finite samples.
    """
    wanted = sound.frames if n_frames is None else min(n_frames, sound.frames)
    block = max(1, _BLOCK_SAMPLES // sound.channels)
    done = 0
    while done < wanted:
        part = sound.read(min(block, wanted - done), dtype="float32", always_2d=True)
        if len(part) == 0:
            raise _Unusable(
                f"is truncated: its header announces {sound.frames} frames, "
                f"{done} are there (copy or export it again)"
            )
        done += len(part)
        mono = part[:, 0] if sound.channels == 1 else part.mean(axis=1)
        finite = np.isfinite(mono)
        if not finite.all():
            raise _Unusable(
                f"has {np.count_nonzero(~finite)} NaN or infinite samples "
                "(export it again, or repair them)"
            )
        yield np.ascontiguousarray(mono)


def _read_frames(sound, n_frames):
    parts = list(iter_blocks(sound, n_frames))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def read_clip(path, sample_rate=None, n_samples=None):
    """Decode, average channels, resample, cut. No padding.

    Parameters
    ----------
    path : str
        Audio file.
    sample_rate : int or None, default=None
        Rate of the result in Hz; None keeps the file's.
    n_samples : int or None, default=None
        Samples of the result at most; no more of the file is decoded than they
        need. None for all.

    Returns
    -------
    waveform : ndarray of shape (n,), float32
        With ``n <= n_samples``.
    sample_rate : int
        In Hz.

    Raises
    ------
    AudioError
        See :func:`load_audio`.
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


def load_audio(path, sample_rate=None):
    """Read one audio file as a mono waveform.

    WAV, FLAC, OGG, AIFF and whatever else libsndfile decodes, of any sampling rate
    and sample width. Channels are averaged. Integer samples are scaled to -1..1;
    float samples are taken as they are.

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
        isinstance(sample_rate, Integral) and _RATES[0] <= sample_rate <= _RATES[1]
    ):
        raise ValueError(
            f"sample_rate must be None or an integer from {_RATES[0]} to {_RATES[1]} "
            f"Hz, got {sample_rate!r}."
        )
    return read_clip(os.fspath(path), sample_rate)


def check_audio_files(paths, *, n_jobs=None):
    """Look at the headers of all files before any work starts.

    About 50 microseconds a file: nothing is decoded. Damage inside the samples shows
    only when they are read.

    Parameters
    ----------
    paths : list, tuple, 1-D array, Series or one-column DataFrame of paths
        The files.
    n_jobs : int or None, default=None
        Threads, as in joblib.

    Returns
    -------
    durations : ndarray of shape (n_files,), float64
        Announced lengths in s.

    Raises
    ------
    AudioError
        If any file is missing, a directory, empty, truncated, not audio or without
        samples: one error for all of them.
    """
    paths = [os.fspath(path) for path in np.ravel(np.asarray(paths, dtype=object))]
    chunks = map_chunks(_read_header, paths, n_jobs)
    return np.array([duration for _, chunk in chunks for duration in chunk])


def _read_header(path):
    with open_audio(path) as sound:
        return sound.frames / sound.samplerate


def _run_chunk(function, paths, options):
    results, problems = [], []
    for path in paths:
        try:
            results.append(function(path, **options))
        except AudioError as error:
            problems += error.problems
    return results, problems


def map_chunks(function, paths, n_jobs, **options):
    """Yield (start, results) for chunks of paths in order.

    All paths are tried before one AudioError names those that failed; what was
    yielded until then is worthless.
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
        # The memory of a clip is used again, still in the cache, for the next one.
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
