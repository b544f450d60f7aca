"""List kinds of audio files and their expected outcome.

Each kind makes its file in a folder of its own. ``python tests/audio/audio_matrix.py``
reads all of them, under limits of memory and time, and writes ``docs/audio-files.md``.
"""

import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = REPOSITORY / "docs" / "audio-files.md"
RATE = 16000
# What reading a bad file may take; a good one of a second takes a thousandth of it.
MEMORY, SECONDS = 256 * 2**20, 10


@dataclass(frozen=True)
class Sound:
    """A file, and the sound that a right reading of it gives (None: any)."""

    path: str
    samples: np.ndarray | None = None
    rate: int = RATE
    tolerance: float = 1e-6
    padded: bool = False  # to whole blocks of a codec


KINDS = {}


def kind(group, description, outcome="reads"):
    """Register a way to make a file; `outcome` is "reads" or a part of the reason."""

    def register(make):
        assert description not in KINDS
        KINDS[description] = (group, outcome, make)
        return make

    return register


def tone(n_samples=4000):
    """Samples that 8 bits hold exactly, so that most formats do."""
    phase = np.arange(n_samples) * 0.05
    return np.round(np.sin(phase) * 100) / 128


def pcm16(samples):
    return np.round(np.asarray(samples) * 2**15).astype("<i2").tobytes()


def chunk(name, body, size=None):
    size = len(body) if size is None else size
    return name + struct.pack("<I", size) + body + b"\0" * (len(body) % 2)


def fmt(tag=1, channels=1, rate=RATE, bits=16, align=None, byte_rate=None, more=b""):
    align = channels * -(-bits // 8) if align is None else align
    byte_rate = rate * align if byte_rate is None else byte_rate
    values = (tag, channels, rate, byte_rate % 2**32, align % 2**16, bits)
    return chunk(b"fmt ", struct.pack("<HHIIHH", *values) + more)


def wav(*chunks, size=None, form=b"RIFF", kind=b"WAVE"):
    body = kind + b"".join(chunks)
    return form + struct.pack("<I", len(body) if size is None else size) + body


def write(folder, content, name="clip.wav"):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(content)
    return path


def encode(folder, name, samples=None, rate=RATE, **options):
    path = os.path.join(folder, name)
    soundfile.write(path, tone() if samples is None else samples, rate, **options)
    return path


def content_kind(group, description, outcome, make_content, name="clip.wav", **sound):
    """A kind that is nothing but the bytes of a file."""

    @kind(group, description, outcome)
    def make(folder):
        path = write(folder, make_content(), name)
        if outcome == "reads":
            return Sound(path, **({"samples": tone()} | sound))
        return Sound(path)


GOOD = wav(fmt(), chunk(b"data", pcm16(tone())))

# --- what is no file --------------------------------------------------------------

GROUP = "Paths"


@kind(GROUP, "no such file", "no such file")
def _(folder):
    return Sound(os.path.join(folder, "gone.wav"))


@kind(GROUP, "link to a good file")
def _(folder):
    path = os.path.join(folder, "link.wav")
    os.symlink(write(folder, GOOD), path)
    return Sound(path, tone())


@kind(GROUP, "broken link", "no such file")
def _(folder):
    path = os.path.join(folder, "link.wav")
    os.symlink(os.path.join(folder, "gone.wav"), path)
    return Sound(path)


@kind(GROUP, "links in a circle", "cannot be opened")
def _(folder):
    path = os.path.join(folder, "link.wav")
    os.symlink(path, path)
    return Sound(path)


@kind(GROUP, "directory", "is a directory")
def _(folder):
    path = os.path.join(folder, "folder.wav")
    os.mkdir(path)
    return Sound(path)


@kind(GROUP, "FIFO without a writer", "not a regular file")
def _(folder):
    path = os.path.join(folder, "pipe.wav")
    os.mkfifo(path)
    return Sound(path)


@kind(GROUP, "socket", "not a regular file")
def _(folder):
    path = os.path.join(folder, "s.wav")
    here = os.getcwd()
    os.chdir(folder)  # the whole path may be too long for a socket
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s.wav")
    os.chdir(here)
    return Sound(path)


@kind(GROUP, "endless device (/dev/zero)", "not a regular file")
def _(folder):
    return Sound("/dev/zero")


@kind(GROUP, "no permission", "Permission denied")
def _(folder):
    path = write(folder, GOOD)
    os.chmod(folder, 0)  # rather than the file: that differs between systems
    return Sound(path)


@kind(GROUP, "name longer than names may be", "cannot be opened")
def _(folder):
    return Sound(os.path.join(folder, "x" * 5000 + ".wav"))


@kind(GROUP, "NUL in the name", "cannot be opened")
def _(folder):
    return Sound(os.path.join(folder, "a\0b.wav"))


for _description, _name in {
    "name in Unicode (Ätem 呼吸 🫁.wav)": "Ätem 呼吸 🫁.wav",
    "newline and quotes in the name": "a\nb'\"c.wav",
    "name that is not UTF-8": os.fsdecode(b"caf\xe9.wav"),
    "name of spaces and dashes": " -- .wav",
    "WAV named .mp3": "clip.mp3",
    "WAV named .raw": "clip.raw",
    "WAV without a suffix": "clip",
}.items():
    content_kind(GROUP, _description, "reads", lambda: GOOD, _name)

content_kind(
    GROUP, "newline in the name of a bad file", "not readable", lambda: b"x", "a\nb.wav"
)

# --- what is no audio -------------------------------------------------------------

GROUP = "Other content named .wav"
_BAD = "not readable as audio"
content_kind(GROUP, "zero bytes", "0 bytes", lambda: b"")
content_kind(GROUP, "one byte", _BAD, lambda: b"R")
content_kind(GROUP, "text", _BAD, lambda: b"inhale, exhale\n" * 100)
content_kind(
    GROUP,
    "PNG picture",
    _BAD,
    lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200),
)
content_kind(
    GROUP, "web page of an error", _BAD, lambda: b"<!DOCTYPE html><h1>404</h1>" * 9
)
content_kind(GROUP, "ZIP archive", _BAD, lambda: b"PK\x03\x04" + bytes(500))
content_kind(GROUP, "a megabyte of zeros", _BAD, lambda: bytes(2**20))
content_kind(GROUP, "random bytes", _BAD, lambda: np.random.default_rng(0).bytes(2**16))
content_kind(GROUP, "samples without a header", _BAD, lambda: pcm16(tone()))
content_kind(
    GROUP,
    "Git LFS pointer",
    "git lfs pull",
    lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
)
content_kind(
    GROUP,
    "git-annex pointer",
    "git annex get",
    lambda: b"/annex/objects/MD5E-s9--0.wav",
)
content_kind(
    GROUP,
    "attributes of a file, as macOS writes them (._clip.wav)",
    "macOS",
    lambda: b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(100),
    "._clip.wav",
)
content_kind(
    GROUP,
    "MPEG-4 (m4a), without the extra media",
    "ffmpeg -i 'voice memo.m4a' 'voice memo.wav'",
    lambda: b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom" + bytes(100),
    "voice memo.m4a",
)

# --- damaged headers --------------------------------------------------------------

GROUP = "WAV headers"
for _end, _field in {
    4: "RIFF mark",
    8: "RIFF size",
    12: "WAVE mark",
    16: "fmt mark",
    20: "fmt size",
    22: "format tag",
    24: "number of channels",
    28: "sampling rate",
    32: "byte rate",
    34: "block alignment",
    36: "sample width",
    40: "data mark",
}.items():
    content_kind(GROUP, f"cut after the {_field}", _BAD, lambda end=_end: GOOD[:end])
content_kind(GROUP, "cut after the data size", "truncated", lambda: GOOD[:44])
content_kind(GROUP, "cut in the samples", "truncated", lambda: GOOD[:5000])
content_kind(GROUP, "cut by one byte", "truncated", lambda: GOOD[:-1])
content_kind(
    GROUP,
    "header only, declaring zero samples",
    "holds no samples",
    lambda: wav(fmt(), chunk(b"data", b"")),
)
content_kind(
    GROUP,
    "RIFF size 0",
    "reads",
    lambda: wav(fmt(), chunk(b"data", pcm16(tone())), size=0),
)
content_kind(
    GROUP,
    "RIFF size too large, data size right",
    "reads",
    lambda: wav(fmt(), chunk(b"data", pcm16(tone())), size=2**31),
)
for _claim, _words in {
    2**31 - 2**12: "2 GB (as sox writes it to a pipe)",
    2**31: "2 GB",
    2**32 - 1: "4 GB (as ffmpeg writes it to a pipe)",
}.items():
    content_kind(
        GROUP,
        f"data size {_words}",
        "reads",
        lambda claim=_claim: wav(fmt(), chunk(b"data", pcm16(tone()), claim)),
    )
_START = {"samples": pcm16(tone()), "silent samples": bytes(8) + pcm16(tone())[8:]}
for _what, _samples in _START.items():
    for _size in (None, 0, 2**32 - 1):
        content_kind(
            GROUP,
            f"data size 0, RIFF size {'right' if _size is None else _size}, "
            f"{_what} follow (the recorder crashed)",
            "reads",
            lambda size=_size, samples=_samples: wav(
                fmt(), chunk(b"data", samples, 0), size=size
            ),
            samples=np.frombuffer(_samples, "<i2") / 2**15,
        )
content_kind(
    GROUP,
    "data size 0, texts follow",
    "holds no samples",
    lambda: wav(
        fmt(),
        chunk(b"data", b""),
        chunk(b"LIST", b"INFO" + chunk(b"ISFT", b"recorder")),
    ),
)
content_kind(
    GROUP,
    "RF64 without sizes (the recorder crashed)",
    "reads",
    lambda: wav(
        chunk(b"ds64", bytes(28)),
        fmt(),
        chunk(b"data", pcm16(tone()), 2**32 - 1),
        form=b"RF64",
        size=2**32 - 1,
    ),
)
content_kind(
    GROUP,
    "data size that is not a multiple of a sample",
    "reads",
    lambda: wav(fmt(), chunk(b"data", pcm16(tone()) + b"\1")),
)
for _rate in (0, 1, 10_000_000, 2**32 - 1):
    content_kind(
        GROUP,
        f"sampling rate {_rate} Hz",
        _BAD if _rate in (0, 2**32 - 1) else f"sampling rate of {_rate} Hz",
        lambda rate=_rate: wav(fmt(rate=rate), chunk(b"data", pcm16(tone()))),
    )
content_kind(
    GROUP,
    "sampling rate 100 Hz",
    "reads",
    lambda: wav(fmt(rate=100), chunk(b"data", pcm16(tone()))),
    rate=100,
)
for _channels in (0, 1025, 65535):
    content_kind(
        GROUP,
        f"{_channels} channels",
        _BAD,
        lambda channels=_channels: wav(
            fmt(channels=channels), chunk(b"data", pcm16(tone(70000)))
        ),
    )
content_kind(
    GROUP,
    "1000 channels",
    "reads",
    lambda: wav(fmt(channels=1000), chunk(b"data", pcm16(np.repeat(tone(), 1000)))),
)
content_kind(
    GROUP,
    "7 bits a sample, in 8",
    "reads",
    lambda: wav(
        fmt(bits=7), chunk(b"data", (tone() * 128 + 128).astype("u1").tobytes())
    ),
)
content_kind(
    GROUP,
    "12 bits a sample, in 16",
    "reads",
    lambda: wav(fmt(bits=12), chunk(b"data", pcm16(tone()))),
)
for _bits in (0, 33, 65535):
    content_kind(
        GROUP,
        f"{_bits} bits a sample",
        _BAD,
        lambda bits=_bits: wav(fmt(bits=bits), chunk(b"data", pcm16(tone()))),
    )
content_kind(
    GROUP,
    "byte rate and alignment wrong",
    "reads",
    lambda: wav(fmt(align=7, byte_rate=3), chunk(b"data", pcm16(tone()))),
)
content_kind(
    GROUP,
    "unknown format tag",
    _BAD,
    lambda: wav(fmt(tag=0x1234), chunk(b"data", pcm16(tone()))),
)
content_kind(GROUP, "no fmt chunk", _BAD, lambda: wav(chunk(b"data", pcm16(tone()))))
content_kind(
    GROUP, "no data chunk", _BAD, lambda: wav(fmt(), chunk(b"LIST", bytes(40)))
)
content_kind(
    GROUP,
    "data before fmt",
    _BAD,
    lambda: wav(chunk(b"data", pcm16(tone())), fmt()),
)
for _size in (0, 15, 2**31):
    content_kind(
        GROUP,
        f"fmt chunk that declares {_size} bytes",
        _BAD,
        lambda size=_size: wav(
            chunk(b"fmt ", fmt()[8:], size), chunk(b"data", pcm16(tone()))
        ),
    )
content_kind(
    GROUP,
    "unknown chunk that declares 2 GB",
    _BAD,
    lambda: wav(fmt(), chunk(b"note", b"?" * 10, 2**31), chunk(b"data", pcm16(tone()))),
)
content_kind(
    GROUP,
    "broadcast chunk that declares 2 GB",
    _BAD,
    lambda: wav(
        fmt(), chunk(b"bext", b"?" * 700, 2**31), chunk(b"data", pcm16(tone()))
    ),
)
content_kind(
    GROUP,
    "1,000 unknown chunks before the samples",
    "reads",
    lambda: wav(
        fmt(), *[chunk(b"note", bytes(7))] * 1000, chunk(b"data", pcm16(tone()))
    ),
)
content_kind(
    GROUP,
    "odd chunk before, list of texts after the samples",
    "reads",
    lambda: wav(
        fmt(),
        chunk(b"odd ", b"123"),
        chunk(b"data", pcm16(tone())),
        chunk(b"LIST", b"INFOISFT" + struct.pack("<I", 4) + b"Lavf"),
    ),
)
content_kind(
    GROUP,
    "junk after the end",
    "reads",
    lambda: GOOD + b"trailing junk " * 50,
)

# --- kinds of samples -------------------------------------------------------------

GROUP = "Formats"
_EXTENSIBLE = struct.pack("<HHI", 22, 16, 4) + (
    b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
)
content_kind(
    GROUP,
    "WAVE_FORMAT_EXTENSIBLE",
    "reads",
    lambda: wav(fmt(tag=0xFFFE, more=_EXTENSIBLE), chunk(b"data", pcm16(tone()))),
)
for _description, (_name, _options, _tolerance) in {
    "WAV, 8 bit": ("a.wav", {"subtype": "PCM_U8"}, 1e-6),
    "WAV, 24 bit": ("a.wav", {"subtype": "PCM_24"}, 1e-6),
    "WAV, 32 bit": ("a.wav", {"subtype": "PCM_32"}, 1e-6),
    "WAV, float32": ("a.wav", {"subtype": "FLOAT"}, 1e-6),
    "WAV, float64": ("a.wav", {"subtype": "DOUBLE"}, 1e-6),
    "WAV, A-law": ("a.wav", {"subtype": "ALAW"}, 0.03),
    "WAV, mu-law": ("a.wav", {"subtype": "ULAW"}, 0.03),
    "WAV, IMA ADPCM": ("a.wav", {"subtype": "IMA_ADPCM"}, 0.25),
    "WAV, Microsoft ADPCM": ("a.wav", {"subtype": "MS_ADPCM"}, 0.1),
    "WAV, GSM 6.10": ("a.wav", {"subtype": "GSM610"}, 0.5),
    "WAV, big-endian (RIFX)": ("a.wav", {"endian": "BIG"}, 1e-6),
    "RF64": ("a.wav", {"format": "RF64"}, 1e-6),
    "Wave64": ("a.w64", {}, 1e-6),
    "AIFF": ("a.aiff", {}, 1e-6),
    "AU": ("a.au", {}, 1e-6),
    "CAF": ("a.caf", {}, 1e-6),
    "CAF, Apple lossless": ("a.caf", {"subtype": "ALAC_16"}, 1e-6),
    "FLAC": ("a.flac", {}, 1e-6),
    "FLAC, 24 bit": ("a.flac", {"subtype": "PCM_24"}, 1e-6),
    "Ogg Vorbis": ("a.ogg", {}, 0.1),
    "Ogg Opus": ("a.ogg", {"subtype": "OPUS"}, 0.1),
    "MP3": ("a.mp3", {}, 0.1),
}.items():

    @kind(GROUP, _description)
    def _(folder, name=_name, options=_options, tolerance=_tolerance):
        path = encode(folder, name, **options)
        return Sound(path, tone(), tolerance=tolerance, padded=tolerance > 1e-3)


@kind(GROUP, "stereo, 44.1 kHz")
def _(folder):
    left, right = tone(), np.zeros(4000)
    path = encode(folder, "a.wav", np.column_stack([left, right]), 44100)
    return Sound(path, left / 2, rate=44100)


@kind(GROUP, "stereo with opposite channels")
def _(folder):
    path = encode(folder, "a.wav", np.column_stack([tone(), -tone()]))
    return Sound(path, np.zeros(4000))


@kind(GROUP, "FLAC without its length (as flac writes it to a pipe)")
def _(folder):
    path = encode(folder, "a.flac")
    content = bytearray(Path(path).read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    return Sound(write(folder, content, "b.flac"), tone())


# --- values -----------------------------------------------------------------------

GROUP = "Samples"
for _description, _value, _subtype, _outcome in [
    ("NaN among float samples", np.nan, "FLOAT", "2 NaN or infinite"),
    ("infinity among float samples", np.inf, "FLOAT", "2 NaN or infinite"),
    ("1e300, beyond float32", 1e300, "DOUBLE", "2 NaN or infinite"),
    ("1e20, beyond what features can hold", 1e20, "FLOAT", "2 samples beyond 1e+15"),
    ("denormal floats", 1e-42, "FLOAT", "reads"),
    ("floats beyond full scale", 20.0, "FLOAT", "reads"),
    ("negative zero", -0.0, "FLOAT", "reads"),
]:

    @kind(GROUP, _description, _outcome)
    def _(folder, value=_value, subtype=_subtype):
        samples = tone()
        samples[[10, 3999]] = value
        path = encode(folder, "a.wav", samples, subtype=subtype)
        return Sound(path, samples)


@kind(GROUP, "a single sample")
def _(folder):
    return Sound(encode(folder, "a.wav", [0.5]), np.array([0.5]))


@kind(GROUP, "digital silence (read with a warning in a pipeline)")
def _(folder):
    return Sound(encode(folder, "a.wav", np.zeros(4000)), np.zeros(4000))


# --- damaged compression ----------------------------------------------------------

GROUP = "Other formats, damaged"


def damaged(description, name, change, outcome="", n_samples=3 * RATE, **options):
    @kind(GROUP, description, outcome)
    def make(folder):
        rng = np.random.default_rng(0)
        path = encode(folder, name, rng.uniform(-0.5, 0.5, n_samples), **options)
        content = change(bytearray(Path(path).read_bytes()))
        return Sound(write(folder, content, f"damaged.{name}"))


def cut(share):
    return lambda content: content[: int(len(content) * share)]


def flip(content):
    content[len(content) // 2] ^= 0xFF
    return content


def put(place, value):
    def change(content):
        content[place : place + len(value)] = value
        return content

    return change


def empty_flac(content):
    """Only the header, with a count of no samples."""
    content[21] &= 0xF0
    return put(22, bytes(4))(content[:86])


def endless_flac(content):
    content[21] |= 0x0F  # the 36 bits in STREAMINFO that count samples
    return put(22, b"\xff" * 4)(content)


damaged("FLAC without samples", "a.flac", empty_flac, "no samples")
damaged("FLAC cut in half", "a.flac", cut(0.5), _BAD)
damaged("FLAC, header only", "a.flac", lambda c: c[:86], _BAD)
damaged("FLAC with a wrong byte", "a.flac", flip, _BAD)
damaged("FLAC that declares 2**36 samples", "a.flac", endless_flac, _BAD)
damaged(
    "FLAC that declares a picture of 16 MB",
    "a.flac",
    put(42, b"\x06\xff\xff\xff"),
    _BAD,
)
damaged("Ogg Vorbis cut in half", "a.ogg", cut(0.5), "truncated")
damaged("Ogg Vorbis with a wrong byte", "a.ogg", flip, "is damaged")
damaged("Ogg Opus cut in half", "a.ogg", cut(0.5), "truncated", subtype="OPUS")
damaged("Ogg Opus with a wrong byte", "a.ogg", flip, "is damaged", subtype="OPUS")
damaged(
    "Ogg Opus with more after its last page",
    "a.ogg",
    lambda c: c + c[-300:],
    "truncated or damaged",
    subtype="OPUS",
)
damaged("MP3 cut in half", "a.mp3", cut(0.5), "truncated")
damaged("MP3 cut to ten bytes", "a.mp3", lambda c: c[:10], _BAD)
damaged(
    "MP3 that declares a tag of 256 MB",
    "a.mp3",
    lambda c: b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + c,
    _BAD,
)
damaged("RF64 cut in half", "a.wav", cut(0.5), "truncated", format="RF64")
damaged("Wave64 cut in half", "a.w64", cut(0.5), "truncated")
damaged("AIFF cut in half", "a.aiff", cut(0.5), "truncated")
damaged("AU cut in half", "a.au", cut(0.5), "truncated")
damaged("CAF cut in half", "a.caf", cut(0.5), _BAD)
damaged("CAF, Apple lossless, cut in half", "a.caf", cut(0.5), _BAD, subtype="ALAC_16")
damaged("ADPCM cut in half", "a.wav", cut(0.5), "truncated", subtype="IMA_ADPCM")

# --- changes while reading --------------------------------------------------------

GROUP = "Files that change while they are read"


def changing(description, change, outcome="reads"):
    """`change` happens after the first block of samples has been decoded."""

    @kind(GROUP, description, outcome)
    def make(folder):
        path = encode(folder, "a.wav", tone(3 * 2**20), subtype="PCM_16")
        read = soundfile.SoundFile.read

        def read_then_change(sound, *args, **kwargs):
            soundfile.SoundFile.read = read
            samples = sound.read(*args, **kwargs)
            change(path)
            return samples

        soundfile.SoundFile.read = read_then_change
        return Sound(path, tone(3 * 2**20))


def overwrite(path):
    with open(path, "r+b") as file:
        file.seek(3 * 2**20)
        file.write(bytes(2**21))


def replace(path):
    other = f"{path}.new"
    Path(other).write_bytes(GOOD)
    os.replace(other, path)


changing("cut short", lambda path: os.truncate(path, 2**20), "changed while")
changing("grows", lambda path: open(path, "ab").write(bytes(10)), "changed while")
changing("overwritten in place", overwrite, "changed while")
changing("replaced by another (the old one is read)", replace)
changing("deleted (it is read to its end)", os.unlink)


# --- reading them -----------------------------------------------------------------


def read_all(folder):
    """Read each kind in this process, under limits; print a line of JSON for each."""
    from skbreath import AudioError, AudioReader, load_audio

    sys.modules["av"] = None  # as without the extra "media"; see test_media.py
    AudioReader().fit_transform([encode(folder, "warm.wav")])  # load everything
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmSize:"):
            limit = int(line.split()[1]) * 1024 + MEMORY
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if os.geteuid() == 0:  # root may read anything
        os.chmod(folder, 0o777)
        os.seteuid(65534)
    for number, (description, (_, outcome, make)) in enumerate(KINDS.items()):
        own = os.path.join(folder, str(number))
        os.mkdir(own)
        sound = make(own)
        signal.alarm(SECONDS)  # kills this process: a hang in C takes no exception
        found = {"kind": description}
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                samples, rate = load_audio(sound.path)
            found["outcome"] = "reads"
            found["warns"] = any(repr(sound.path) in str(one.message) for one in caught)
            found["right"] = _is_right(sound, samples, rate)
        except AudioError as error:
            ((path, reason),) = error.problems
            found["outcome"] = reason
            found["right"] = (
                path == sound.path and repr(path) in str(error) and outcome in reason
            )
            found["lines"] = len(str(error).splitlines())
        signal.alarm(0)
        print(json.dumps(found), flush=True)


def _is_right(sound, samples, rate):
    if sound.samples is None:
        return bool(np.isfinite(samples).all() and len(samples))
    if sound.padded:
        samples = samples[: len(sound.samples)]
    return (
        rate == sound.rate
        and samples.shape == sound.samples.shape
        and bool(np.allclose(samples, sound.samples, rtol=1e-6, atol=sound.tolerance))
    )


def run():
    """Outcomes of all kinds, read in a process of its own.

    Returns
    -------
    outcomes : dict of str to dict
        ``outcome`` and ``right`` by description; a kind that killed the process, and
        those after it, are missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        inside = os.path.join(folder, "files")
        os.mkdir(inside)
        done = subprocess.run(
            [sys.executable, __file__, inside],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=300,
            encoding="utf-8",
        )
        subprocess.run(["chmod", "-R", "u+rwx", inside], check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    outcomes = {line.pop("kind"): line for line in lines}
    missing = [name for name in KINDS if name not in outcomes]
    if missing:
        raise RuntimeError(f"died at {missing[0]!r}: {done.stderr[-2000:]}")
    return outcomes


def document(outcomes):
    """Text of the table."""
    lines = [
        "# Supported and rejected audio files",
        "",
        f"The outcome of {len(KINDS)} kinds of files in `AudioReader`, `load_audio` "
        "and the commands. A file",
        "is read correctly, or named in an `AudioError` with the reason. Samples are "
        "never replaced by",
        f"zeros. No file takes more than {SECONDS} seconds or {MEMORY // 2**20} MB: "
        "memory depends on the content of",
        "a file, not on the sizes declared in its header.",
        "",
        "`python tests/audio/audio_matrix.py` writes this page, here with libsndfile "
        f"{soundfile.__libsndfile_version__}. A test",
        "checks that it is up to date.",
    ]
    group = None
    for description, (of_group, _, _) in KINDS.items():
        if of_group != group:
            group = of_group
            lines += ["", f"## {group}", "", "| file | outcome |", "|---|---|"]
        outcome = outcomes[description]["outcome"].replace("|", "\\|")
        outcome += ", with a warning" if outcomes[description].get("warns") else ""
        lines.append(f"| {description} | {outcome} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        read_all(sys.argv[1])
    else:
        DOCUMENT.write_text(document(run()), encoding="utf-8")
        print(f"wrote {DOCUMENT}")
