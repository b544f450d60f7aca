"""Audio files in, mono float32 waveforms out, or one error that says why not."""

import contextlib
import errno
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
# What it logs, and then passes over, when a page of an Ogg file fails its checksum.
_PAGE_LOST = re.compile("Corrupted bitstream|reports a hole")
# Its words where it stumbles over something that it did not expect in a file.
_MEANINGLESS = ("Internal", "File does not exist")
# A pipe that nobody writes to must not block. (Windows has neither flag nor pipe; it
# needs to be told that bytes are bytes.)
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


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
        with _open_file(path) as file:
            with soundfile.SoundFile(file, closefd=False) as sound:
                _check_header(sound)
                yield sound
    except _Unusable as error:
        raise AudioError([(path, str(error))]) from None
    except soundfile.LibsndfileError as error:
        why = error.error_string.strip(" .")
        if not why or why.startswith(_MEANINGLESS):
            why = "damaged header"
        reason = f"is not readable as audio: {why} (convert it to WAV or FLAC)"
        raise AudioError([(path, reason)]) from error
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, AudioError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise AudioError([(path, f"cannot be opened: {why}")]) from error


_NO_FILE = "is not a regular file (copy the sound to a file)"


class _Unusable(Exception):
    """The reason, on its way to an AudioError."""


@contextlib.contextmanager
def _open_file(path):
    """File descriptor of a regular file that is the same at the end as at the start.

    By descriptor and not by name: libsndfile then looks at what was checked here, and
    at the content alone, where names may be in any encoding and have any suffix.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        raise _Unusable("no such file (check the folder and the spelling)") from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise _Unusable(_NO_FILE) from None
        raise
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise _Unusable("is a directory (list the files inside it)")
        if not stat.S_ISREG(status.st_mode):
            raise _Unusable(_NO_FILE)
        if status.st_size == 0:
            raise _Unusable("is empty, 0 bytes (copy or record it again)")
        try:
            yield descriptor
        finally:
            # Whatever was found, it was found in a file half old, half new.
            now = os.fstat(descriptor)
            if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                raise _Unusable("changed while it was read (try again)")
    finally:
        os.close(descriptor)


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


def _read_frames(sound, n_frames):
    """Decode up to `n_frames` (None: all) as mono float32, block by block."""
    wanted = sound.frames if n_frames is None else min(n_frames, sound.frames)
    block = max(1, _BLOCK_SAMPLES // sound.channels)
    parts, done = [], 0
    while done < wanted:
        part = sound.read(min(block, wanted - done), dtype="float32", always_2d=True)
        if len(part) == 0:
            raise _Unusable(
                f"is truncated: its header announces {sound.frames} frames, "
                f"{done} are there (copy or export it again)"
            )
        done += len(part)
        if sound.format == "OGG" and _PAGE_LOST.search(sound.extra_info):
            raise _Unusable("is damaged: a part of it is lost (copy it again)")
        parts.append(part[:, 0] if sound.channels == 1 else part.mean(axis=1))
    waveform = parts[0] if len(parts) == 1 else np.concatenate(parts)
    finite = np.isfinite(waveform)
    if not finite.all():
        raise _Unusable(
            f"has {np.count_nonzero(~finite)} NaN or infinite samples "
            "(export it again, or repair them)"
        )
    return np.ascontiguousarray(waveform)


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

    About 30 microseconds a file: nothing is decoded. Damage inside the samples shows
    only when they are read, or by :func:`inspect_audio_files`.

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
    durations, problems = inspect_audio_files(paths, n_samples=0, n_jobs=n_jobs)
    if problems:
        raise AudioError(problems)
    return durations


def inspect_audio_files(paths, *, sample_rate=None, n_samples=None, n_jobs=None):
    """Find all files that cannot be read, without keeping what is read.

    Where a header vouches for the samples, as that of a complete WAV file of integers
    does, nothing is decoded; floats and compressed samples are.

    Parameters
    ----------
    paths : list, tuple, 1-D array, Series or one-column DataFrame of paths
        The files.
    sample_rate : int or None, default=None
        Rate in Hz that they will be brought to; None for their own.
    n_samples : int or None, default=None
        Samples at that rate that will be read; None for all, 0 for only the header.
    n_jobs : int or None, default=None
        Threads, as in joblib.

    Returns
    -------
    durations : ndarray of shape (n_files,), float64
        Announced lengths in s; NaN of files that cannot be read.
    problems : list of (str, str)
        Paths of those, in order, and the reasons.

    Examples
    --------
    >>> inspect_audio_files(["gone.wav"])
    (array([nan]), [('gone.wav', 'no such file (check the folder and the spelling)')])
    """
    paths = [os.fspath(path) for path in np.ravel(np.asarray(paths, dtype=object))]
    chunks = map_chunks(
        _inspect, paths, n_jobs, sample_rate=sample_rate, n_samples=n_samples
    )
    found = [one for _, chunk in chunks for one in chunk]
    durations = np.array([duration for duration, _ in found], dtype=np.float64)
    return durations, [problem for _, problems in found for problem in problems]


# Integers cannot be NaN, and the checks of the header have found all of them there.
_VOUCHED_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"}
_VOUCHED_SUBTYPES = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32"}
# Fewer may give no sample at all when resampled.
_VOUCHED_FRAMES = 20_000


def _inspect(path, sample_rate, n_samples):
    try:
        with open_audio(path) as sound:
            duration = sound.frames / sound.samplerate
            vouched = (
                sound.format in _VOUCHED_FORMATS and sound.subtype in _VOUCHED_SUBTYPES
            )
            resampled = sample_rate not in (None, sound.samplerate)
            if resampled and sound.frames < _VOUCHED_FRAMES:
                vouched = False
        if n_samples != 0 and not vouched:
            read_clip(path, sample_rate, n_samples)
    except AudioError as error:
        return np.nan, error.problems
    return duration, []


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
