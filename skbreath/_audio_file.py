"""Audio files opened and looked at, or one error that says why not."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from typing import TYPE_CHECKING

import soundfile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._typing import FilePath

# Sampling rates outside are broken headers: resampling from 1 Hz would turn a few
# bytes into gigabytes.
RATES = (100, 1_000_000)
# Suffixes of the files that are picked up from a folder.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".aif", ".aiff")
# Samples beyond overflow the single precision power spectrum.
LOUDEST = 1e15
# Offenders named in an error; the rest are counted.
SHOWN = 10
# Where rows are named: a step of a pipeline sees no more than what it was given.
COUNTED = "of those given to this step (in cross-validation the rows of a fold)"

# What libsndfile writes in its log about a file that ends too early.
_CUT_SHORT = re.compile(
    r"^ *(?:data|SSND|riff|Riff size|Data Size) *: (?P<claim>\d+) "
    r"\(should be (?P<real>\d+)\)|(?P<ogg>lacks an end-of-stream bit)",
    re.MULTILINE,
)
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


def has_audio_suffix(path):
    """Return whether a file name ends like that of an audio file."""
    return os.path.splitext(path)[1].lower() in AUDIO_SUFFIXES


def find_audio_files(paths: FilePath | Iterable[FilePath]) -> list[str]:
    """List audio files: those named, and those in folders named.

    Parameters
    ----------
    paths : path, or sequence of paths
        Files, which may have any suffix, and folders, of which all files with the
        suffix of an audio format are listed, also those in subfolders.

    Returns
    -------
    files : list of str
        In the order of `paths`, sorted by name within a folder.

    Raises
    ------
    ValueError
        If a folder has no audio files.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skbreath.audio import find_audio_files
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("b.wav", "a.flac", "notes.txt"):
    ...     (folder / name).touch()
    >>> [pathlib.Path(file).name for file in find_audio_files(folder)]
    ['a.flac', 'b.wav']
    """
    files = []
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        if not os.path.isdir(path):
            files.append(os.fspath(path))
            continue
        # Text, not Path objects: a folder may hold a million files.
        inside = sorted(
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if has_audio_suffix(name)
        )
        if not inside:
            raise ValueError(f"No audio file in the folder {path}.")
        files += inside
    return files


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

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self):
        count = len(self.problems)
        noun = "audio file" if count == 1 else "audio files"
        named = first_of([f"{path!r} {why}" for path, why in self.problems], "; ")
        return f"{count} {noun} cannot be used: {named}"


@contextlib.contextmanager
def open_audio(path, *, allow_empty=False):
    """Open a file with soundfile after the checks that need no decoding.

    Parameters
    ----------
    path : str
        File in any format that libsndfile reads.
    allow_empty : bool, default=False
        Whether a sound file may hold no samples.

    Yields
    ------
    sound : soundfile.SoundFile
        Open for reading; at least one frame is announced, unless `allow_empty`.

    Raises
    ------
    AudioError
        With this path and the reason. Errors of decoding inside the ``with`` block
        are turned into it too.
    """
    try:
        with _open_file(path) as file:
            with soundfile.SoundFile(file, closefd=False) as sound:
                _check_header(sound, allow_empty)
                yield sound
    except Unusable as error:
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


class Unusable(Exception):
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
        raise Unusable("no such file (check the folder and the spelling)") from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise Unusable(_NO_FILE) from None
        raise
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise Unusable("is a directory (list the files inside it)")
        if not stat.S_ISREG(status.st_mode):
            raise Unusable(_NO_FILE)
        if status.st_size == 0:
            raise Unusable("is empty, 0 bytes (copy or record it again)")
        try:
            yield descriptor
        finally:
            # Whatever was found, it was found in a file half old, half new.
            now = os.fstat(descriptor)
            if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                raise Unusable("changed while it was read (try again)")
    finally:
        os.close(descriptor)


def _check_header(sound, allow_empty):
    log = sound.extra_info
    cut = _CUT_SHORT.search(log) if "should be" in log or "end-of-" in log else None
    if "Junk after the last page" in log:
        # Of the same file libsndfile then finds the end of the stream at one reading,
        # and misses it at the next.
        raise Unusable("is truncated or damaged at its last page (copy it again)")
    if cut and cut["ogg"]:
        raise Unusable("is truncated: its last page is missing (copy it again)")
    if cut and int(cut["claim"]) > int(cut["real"]):
        raise Unusable(
            f"is truncated: its header announces {cut['claim']} bytes, "
            f"{cut['real']} are there (copy or export it again)"
        )
    if "does not match value from 'ds64' chunk" in log:
        raise Unusable("is truncated: shorter than announced (copy it again)")
    if sound.frames == 0 and not allow_empty:
        raise Unusable("holds no samples (leave it out or record it again)")
    low, high = RATES
    if not low <= sound.samplerate <= high:
        raise Unusable(
            f"has a sampling rate of {sound.samplerate} Hz in its header, outside "
            f"{low} to {high} (export it again)"
        )
