"""Open audio files and check their headers; list all problems in one error."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from typing import TYPE_CHECKING

import soundfile

from ..utils.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..utils.typing import FilePath

# Sampling rates outside this range are broken headers: resampling from 1 Hz would
# turn a few bytes into gigabytes.
RATES = (100, 1_000_000)
# Suffixes of the files that are picked up from a folder.
_AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".aif", ".aiff")
# Larger samples overflow the single precision power spectrum.
MAX_AMPLITUDE = 1e15

# Log messages of libsndfile about a file that ends too early.
_CUT_SHORT = re.compile(
    r"^ *(?:data|SSND|riff|Riff size|Data Size) *: (?P<claim>\d+) "
    r"\(should be (?P<real>\d+)\)|(?P<ogg>lacks an end-of-stream bit)",
    re.MULTILINE,
)
# Error texts of libsndfile that do not describe the actual problem.
_MEANINGLESS = ("Internal", "File does not exist")
# Opening a pipe without a writer must not block. Windows has no such pipes, but needs
# the flag for binary files.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def has_audio_suffix(path):
    """Return whether a file name ends like that of an audio file."""
    return os.path.splitext(path)[1].lower() in _AUDIO_SUFFIXES


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
    >>> from skbreath import find_audio_files
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
            raise ValueError(
                f"Expected audio files in the folder {path}, found none; name another."
            )
        files += inside
    return files


class AudioError(ValueError):
    """Error that lists all audio files that cannot be used.

    Parameters
    ----------
    problems : list of (str, str)
        Path, and what is wrong with the file and what to do.

    Attributes
    ----------
    problems : list of (str, str)
        All of them; the message shows the first ten and the number of the others.

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
        named = shorten([f"{path!r} {why}" for path, why in self.problems], "; ")
        return f"{count} {noun} cannot be used: {named}"


@contextlib.contextmanager
def open_audio(path, *, allow_empty=False):
    """Open a file with soundfile, after all checks that work without decoding.

    Raises AudioError, also for decoding errors inside the ``with`` block. Files without
    samples are such an error, unless `allow_empty`.
    """
    try:
        with _open_file(path) as file:
            with soundfile.SoundFile(file, closefd=False) as sound:
                _check_header(sound, allow_empty)
                yield sound
    except UnsupportedAudio as error:
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


class UnsupportedAudio(Exception):
    """Reason why a file cannot be used; converted to an AudioError with its path."""


@contextlib.contextmanager
def _open_file(path):
    """Open a regular file as a descriptor, and check at the end that it is unchanged.

    With a descriptor libsndfile reads the file that was checked here, and ignores the
    name, which may be in any encoding and have any suffix.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        raise UnsupportedAudio(
            "no such file (check the folder and the spelling)"
        ) from None
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise UnsupportedAudio(_NO_FILE) from None
        raise
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise UnsupportedAudio("is a directory (list the files inside it)")
        if not stat.S_ISREG(status.st_mode):
            raise UnsupportedAudio(_NO_FILE)
        if status.st_size == 0:
            raise UnsupportedAudio("is empty, 0 bytes (copy or record it again)")
        try:
            yield descriptor
        finally:
            # The samples read may then be a mix of old and new ones.
            now = os.fstat(descriptor)
            if (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                raise UnsupportedAudio("changed while it was read (try again)")
    finally:
        os.close(descriptor)


def _check_header(sound, allow_empty):
    """Raise an error for a damaged header, or one that announces missing data."""
    log = sound.extra_info
    cut = _CUT_SHORT.search(log) if "should be" in log or "end-of-" in log else None
    if "Junk after the last page" in log:
        # Whether libsndfile finds the end of such a stream varies from run to run.
        raise UnsupportedAudio(
            "is truncated or damaged at its last page (copy it again)"
        )
    if cut and cut["ogg"]:
        raise UnsupportedAudio("is truncated: its last page is missing (copy it again)")
    if cut and int(cut["claim"]) > int(cut["real"]):
        raise UnsupportedAudio(
            f"is truncated: its header announces {cut['claim']} bytes, "
            f"{cut['real']} are there (copy or export it again)"
        )
    if "does not match value from 'ds64' chunk" in log:
        raise UnsupportedAudio("is truncated: shorter than announced (copy it again)")
    if sound.frames == 0 and not allow_empty:
        raise UnsupportedAudio("holds no samples (leave it out or record it again)")
    low, high = RATES
    if not low <= sound.samplerate <= high:
        raise UnsupportedAudio(
            f"has a sampling rate of {sound.samplerate} Hz in its header, outside "
            f"{low} to {high} (export it again)"
        )
