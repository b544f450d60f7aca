"""Open audio files and check their headers; list all problems in one error."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shlex
import stat
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import soundfile

from ..utils.text import shorten
from .media import MediaFile, UnsupportedAudio, is_media

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..utils.typing import FilePath

# Sampling rates outside this range are broken headers: resampling from 1 Hz would
# turn a few bytes into gigabytes.
RATES = (100, 1_000_000)
# Suffixes of the formats that PyAV reads, with the extra "media".
_MEDIA_SUFFIXES = tuple(
    ".m4a .m4b .aac .mp4 .m4v .mov .qta .3gp .3gpp .3ga .3g2 .webm .weba .mkv .mka "
    ".wma .wmv .amr .awb".split()
)
# These, and those of the formats that libsndfile reads, but for those that other files
# than sounds have more often (.mat, .iff, .htk): these files have to be named.
_AUDIO_SUFFIXES = _MEDIA_SUFFIXES + tuple(
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp3 .mp2 .mp1 .mpga .aif .aiff "
    ".aifc .au .snd .caf .voc .sph .nist .sf .ircam .avr .paf .pvf .svx .8svx .sds "
    ".wve .xi".split()
)
# Files beside recordings that are not reported as left out: labels and tables.
_LABEL_SUFFIXES = (".txt", ".textgrid", ".csv", ".json")
# Sizes in the header of a sound that was written to a pipe: the largest that the
# program could write there, less that of the header.
_UNKNOWN_SIZE = 2**31 - 2**16
# First bytes of files that stand for audio, and what they are.
_NOT_AUDIO = {
    b"version https://git-lfs": "a Git LFS pointer, not audio (run `git lfs pull`)",
    b"/annex/objects/": "a git-annex pointer, not audio (run `git annex get`)",
    b"\0\5\x16\7": "a file of macOS with attributes of another, not audio (delete it)",
}
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


def is_hidden(name):
    """Return whether a name is of a hidden file or folder, or of one of macOS."""
    return name.startswith(".") or name == "__MACOSX"


def find_audio_files(paths: FilePath | Iterable[FilePath]) -> list[str]:
    """List audio files: those named, and those in folders named.

    Parameters
    ----------
    paths : path, or sequence of paths
        Files, which may have any suffix, and folders, of which all files with the
        suffix of an audio format are listed, also those in subfolders. Hidden files
        and folders are left out.

    Returns
    -------
    files : list of str
        In the order of `paths`, sorted by name within a folder.

    Raises
    ------
    ValueError
        If a folder has no audio files.
    OSError
        If a folder cannot be listed.

    Warns
    -----
    UserWarning
        If a folder holds files that are neither audio nor labels (text, CSV, JSON or
        TextGrid), with their number by suffix.

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
        every = sorted(_walk(os.fspath(path)))
        inside = [file for file in every if has_audio_suffix(file)]
        others = Counter(os.path.splitext(file)[1].lower() for file in every)
        for suffix in (*_AUDIO_SUFFIXES, *_LABEL_SUFFIXES):
            del others[suffix]
        kinds = shorten(f"{kind or 'no suffix'} ({n})" for kind, n in others.items())
        if not inside:
            raise ValueError(
                f"Expected audio files in the folder {path}, found {kinds or 'none'}; "
                "name another."
            )
        if others:
            warnings.warn(
                f"files of other kinds in the folder {path} are left out: {kinds}.",
                UserWarning,
                stacklevel=2,
            )
        files += inside
    return files


def _walk(root):
    """Iterate over the files in a folder, also those in linked folders, each once."""
    real = os.path.realpath(root)
    seen = {real}

    def is_new(folder):
        target = os.path.realpath(folder)
        # A link to a folder around this one would lead anywhere.
        around = os.path.join(real, "").startswith(os.path.join(target, ""))
        new = not around and target not in seen
        seen.add(target)
        return new

    def fail(error):
        raise error

    for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
        shown = [name for name in folders if not is_hidden(name)]
        shown.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), name))
        folders[:] = [name for name in shown if is_new(os.path.join(folder, name))]
        yield from (os.path.join(folder, name) for name in names if not is_hidden(name))


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
    """Open a file with soundfile or PyAV, after all checks that work without decoding.

    Raises AudioError, also for decoding errors inside the ``with`` block. Files without
    samples are such an error, unless `allow_empty`.
    """
    try:
        with _open_file(path) as file:
            with _open_sound(file, os.fspath(path)) as sound:
                _check_header(sound, allow_empty)
                yield sound
    except UnsupportedAudio as error:
        raise AudioError([(path, str(error))]) from None
    except soundfile.LibsndfileError as error:
        why = error.error_string.strip(" .")
        if not why or why.startswith(_MEANINGLESS):
            why = "damaged header"
        reason = f"is not readable as audio: {why} ({_conversion(path)})"
        raise AudioError([(path, reason)]) from error
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, AudioError):
            raise
        why = getattr(error, "strerror", None) or str(error)
        raise AudioError([(path, f"cannot be opened: {why}")]) from error


_NO_FILE = "is not a regular file (copy the sound to a file)"


@contextlib.contextmanager
def _open_file(path):
    """Open a regular file as a descriptor, and check at the end that it is unchanged.

    With a descriptor libsndfile reads the file that was checked here, and ignores the
    name, which may be in any encoding and have any suffix.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        why = "no such file (check the folder and the spelling)"
        if os.path.islink(path):
            why = (
                "no such file: it is a link to a missing file (restore that; with "
                "git-annex run `git annex get`)"
            )
        raise UnsupportedAudio(why) from None
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


def _conversion(path):
    """Return the command that converts a sound to WAV, or to FLAC if it is a WAV."""
    name = os.path.basename(path)
    if not name.isprintable():
        name = "a.wav"
    stem, suffix = os.path.splitext(name)
    target = f"{stem}.flac" if suffix.lower() == ".wav" else f"{stem}.wav"
    command = f"ffmpeg -i {shlex.quote(name)} {shlex.quote(target)}"
    return f"convert it to WAV or FLAC: {command}"


def _open_sound(descriptor, path):
    """Open an open file with libsndfile, also an unclosed WAV file, or with PyAV."""
    try:
        sound = soundfile.SoundFile(descriptor, closefd=False)
    except soundfile.LibsndfileError:
        os.lseek(descriptor, 0, os.SEEK_SET)
        start = os.read(descriptor, 64)
        for mark, why in _NOT_AUDIO.items():
            if start.startswith(mark):
                raise UnsupportedAudio(f"is {why}") from None
        if is_media(start) or path.lower().endswith(_MEDIA_SUFFIXES):
            os.lseek(descriptor, 0, os.SEEK_SET)
            try:
                return MediaFile(descriptor, path)
            except ImportError:
                raise UnsupportedAudio(
                    "cannot be read without PyAV: run `pip install -c constraints.txt "
                    f'".[media]"`, or {_conversion(path)}'
                ) from None
        raise
    if sound.frames == 0 and sound.format in ("WAV", "WAVEX", "RF64"):
        log = sound.extra_info
        # The size of the samples is 0, but what follows are not chunks.
        if "Exiting parser" in log or "Have 0 marker" in log:
            sound.close()
            os.lseek(descriptor, 0, os.SEEK_SET)
            sound = soundfile.SoundFile(_Unclosed(descriptor, closefd=False))
            if sound.frames:
                _warn_of_length(path)
    sound.path = path
    return sound


class _Unclosed(io.FileIO):
    """WAV file with the size by which libsndfile knows one that was not closed."""

    def readinto(self, buffer):
        start = self.tell()
        count = super().readinto(buffer)
        mark = b"RIFF\x08\0\0\0"[start : start + count]
        buffer[: len(mark)] = mark
        return count


def warn(message):
    """Warn about a file that may be read wrongly."""
    # Not above: it would import all of scipy.
    from .clip_warnings import AudioWarning

    warnings.warn(message, AudioWarning, stacklevel=3)


def _warn_of_length(path):
    """Warn of a file whose header does not say how long it is."""
    warn(
        f"{path!r} does not say in its header how long it is, as after a crash or from "
        "a pipe; all samples to its end are read."
    )


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
    if cut and int(cut["claim"]) >= _UNKNOWN_SIZE:
        _warn_of_length(sound.path)
    elif cut and int(cut["claim"]) > int(cut["real"]):
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
