"""Read sound while it is made, from a microphone or a pipe, in blocks.

A thread takes the sound as it comes. Nothing is dropped: a pipe waits where the reader
is slow, and of a microphone that must drop sound (an overrun) that is reported.
"""

import atexit
import queue
import struct
import sys
import threading
import time

import numpy as np

from ..audio.files import RATES

__all__ = ["Microphone", "Pipe", "find_microphone", "list_microphones"]

_BLOCK_S, _QUEUE_S = 0.025, 60.0
# A microphone that sends nothing for this long is gone.
_GONE_S = 3.0
# Bytes read at a time, and sizes in WAV headers that mean "unknown".
_READ_BYTES, _UNKNOWN_SIZE = 2**16, 0x7FFF0000
# Sample types by format tag and bits of a WAV file.
_SAMPLES = {
    (1, 8): "u1", (1, 16): "<i2", (1, 24): "i3", (1, 32): "<i4",
    (3, 32): "<f4", (3, 64): "<f8",
}  # fmt: skip
_EXTENSIBLE = 0xFFFE


class _Source:
    """Hand over blocks from a thread; `rate` is in Hz, `warnings` are to be printed."""

    def __init__(self, name, n_blocks):
        self.name, self.warnings = name, []
        self._queue, self._is_closed = queue.Queue(n_blocks), False

    def blocks(self):
        """Iterate over blocks of int16 or float32 samples; None while there is none."""
        while True:
            try:
                item = self._queue.get(timeout=0.1)
            except queue.Empty:
                self._check()
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    @property
    def backlog_s(self):
        """Length of the sound that waits in s, roughly."""
        return self._queue.qsize() * _BLOCK_S

    def close(self):
        """Stop taking sound."""
        self._is_closed = True

    def _check(self):
        """Raise an error if there will be no more sound."""

    def _put(self, item):
        while not self._is_closed:
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                pass


class Pipe(_Source):
    """Read WAV, recognised by its header, or raw 16-bit mono PCM at `rate`."""

    def __init__(self, file, rate=None, name="standard input"):
        super().__init__(name, 64)
        # Without the lock of a buffered file, which a thread would hold at the end.
        self._file = getattr(file, "raw", file)
        self._start = self._take(4)
        if not self._start:
            raise ValueError(f"{name} has no sound: the program before it sent none.")
        self._n_left = None
        if self._start in (b"RIFF", b"RF64"):
            self.rate, self._channels, self._type, self._n_left = self._read_header()
            if rate not in (None, self.rate):
                raise ValueError(
                    f"{name} is WAV of {self.rate} Hz, got --rate {rate}; leave it out."
                )
            self._start = b""
        elif rate is None:
            raise ValueError(
                f"{name} is not WAV: raw sound, 16-bit little-endian mono, needs its "
                "rate, such as --rate 16000."
            )
        else:
            self.rate, self._channels, self._type = rate, 1, "<i2"
        threading.Thread(target=self._run, daemon=True).start()

    def _take(self, n):
        """Read `n` bytes, fewer at the end."""
        data = b""
        while len(data) < n and (part := self._file.read(n - len(data))):
            data += part
        return data

    def _read_header(self):
        """Read a WAV header: rate, channels, type of samples, bytes of sound."""
        wrong = f"{self.name} has a wrong WAV header: "
        form, layout = self._take(8)[4:], None
        if form != b"WAVE":
            raise ValueError(
                f"{wrong}expected WAVE, got {form!r}; send WAV or raw PCM."
            )
        while True:
            head = self._take(8)
            size = int.from_bytes(head[4:], "little")
            if len(head) < 8 or (head[:4] != b"data" and size > 2**24):
                raise ValueError(f"{wrong}it ends without samples; send it again.")
            if head[:4] == b"data":
                break
            chunk = self._take(size + size % 2)
            layout = chunk if head[:4] == b"fmt " else layout
        if layout is None or len(layout) < 16:
            raise ValueError(f"{wrong}it does not say the format; send it again.")
        tag, channels, rate, _, width, bits = struct.unpack("<HHIIHH", layout[:16])
        if tag == _EXTENSIBLE and len(layout) >= 26:
            (tag,) = struct.unpack("<H", layout[24:26])
        if (tag, bits) not in _SAMPLES:
            raise ValueError(
                f"{self.name} is WAV of format {tag} with {bits} bits; expected PCM of "
                "8 to 32 bits or floating-point numbers, such as of `ffmpeg -i FILE "
                "-f wav -`."
            )
        if not channels or width * 8 != channels * bits:
            raise ValueError(
                f"{wrong}{channels} channels of {bits} bits in {width} bytes."
            )
        if not RATES[0] <= rate <= RATES[1]:
            raise ValueError(f"{wrong}a rate of {rate} Hz.")
        n_bytes = size if 0 < size < _UNKNOWN_SIZE else None
        return rate, channels, _SAMPLES[tag, bits], n_bytes

    def _run(self):
        """Read until the end, and hand over blocks of whole frames."""
        width = self._channels * int(self._type[-1])
        data = self._start
        try:
            while not self._is_closed:
                part = self._file.read(_READ_BYTES)
                if self._n_left is not None:
                    part = part[: self._n_left]
                    self._n_left -= len(part)
                data += part
                whole = len(data) - len(data) % width
                if whole:
                    self._put(self._decode(data[:whole]))
                data = data[whole:]
                if not part:
                    break
            if data:
                self.warnings.append(
                    f"{self.name} ends in the middle of a sample ({len(data)} of "
                    f"{width} bytes): was it cut, or is it not of this format?"
                )
            if self._n_left:
                self.warnings.append(
                    f"{self.name} is cut short: {self._n_left / width / self.rate:.1f} "
                    "s of the length in its WAV header are missing."
                )
            self._put(None)
        except (OSError, ValueError) as error:
            self._put(OSError(f"{self.name} cannot be read any more: {error}."))

    def _decode(self, data):
        """Turn bytes into mono samples, with the values that a file would have."""
        if self._type == "i3":
            wide = np.zeros((len(data) // 3, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples = wide.view("<i4")[:, 0]
        else:
            samples = np.frombuffer(data, self._type)
        if self._type == "<i2" and self._channels == 1:
            return samples.astype(np.int16, copy=False)
        if self._type == "u1":
            samples = (samples.astype(np.float32) - 128) / 128
        elif samples.dtype.kind == "i":
            samples = samples / np.float64(2.0 ** (8 * samples.dtype.itemsize - 1))
        samples = samples.astype(np.float32).reshape(-1, self._channels)
        return samples[:, 0] if self._channels == 1 else samples.mean(axis=1)


class Microphone(_Source):
    """Take sound from a device of the system, of one channel where that is possible.

    `device` is a number or a part of a name of `list_microphones`, None the default.
    """

    def __init__(self, device=None, rate=None):
        sound, found = find_microphone(device)
        super().__init__(f"microphone {found['name']!r}", int(_QUEUE_S / _BLOCK_S))
        self.rate = int(found["default_samplerate"]) if rate is None else rate
        self._channels, self._last = 1, time.monotonic()
        self._n_lost = 0
        try:
            self._stream = self._open(sound, found)
        except sound.PortAudioError as error:
            raise OSError(self._reason(error, found)) from None

    def _open(self, sound, found):
        """Open the device with one channel, else with all."""
        options = {"device": found["index"], "samplerate": self.rate, "dtype": "int16"}
        try:
            sound.check_input_settings(channels=1, **options)
        except sound.PortAudioError:
            self._channels = found["max_input_channels"]
        stream = sound.RawInputStream(
            channels=self._channels,
            blocksize=round(_BLOCK_S * self.rate),
            callback=self._take,
            finished_callback=lambda: self._put(None),
            **options,
        )
        stream.start()
        return stream

    def _take(self, data, _n_frames, _time, status):
        """Take a block; called by the thread of PortAudio."""
        self._n_lost += bool(status.input_overflow)
        self._last = time.monotonic()
        samples = np.frombuffer(bytes(data), np.int16)
        if self._channels > 1:
            samples = samples.reshape(-1, self._channels) * np.float32(2.0**-15)
            samples = samples.mean(axis=1)
        self._put(samples)
        self._last = time.monotonic()

    def blocks(self):
        """Iterate over blocks, as of a pipe; an end is an error."""
        n_lost = 0
        for block in super().blocks():
            if self._n_lost > n_lost:
                n_lost = self._n_lost
                self.warnings.append(
                    f"{self.name} lost sound here (an overrun): this machine is too "
                    "busy; times after it are those of the sound that came."
                )
            yield block
        if not self._is_closed:
            raise self._gone()

    def close(self):
        super().close()
        # The driver of a device that is gone may wait for it.
        end = threading.Thread(target=self._stream.close, daemon=True)
        end.start()
        end.join(1.0)
        if end.is_alive():
            # PortAudio would wait at the end of the program, too.
            atexit.unregister(getattr(_sounddevice(), "_exit_handler", None))

    def _check(self):
        if time.monotonic() - self._last > _GONE_S:
            raise self._gone()

    def _gone(self):
        return OSError(
            f"{self.name} sends no more sound: was it unplugged? Connect it, and start "
            "again."
        )

    def _reason(self, error, found):
        """Say why a device cannot be opened, and what to do."""
        what = _first_line(error)
        advice = "is it in use by another program, or not allowed for this one?"
        if "rate" in what.lower():
            own = int(found["default_samplerate"])
            advice = f"it does not record at {self.rate} Hz; its own rate is {own} Hz."
        elif "channels" in what.lower():
            advice = f"it does not record {self._channels} channels; choose another."
        return f"{self.name} cannot be opened ({what}): {advice}"


def list_microphones():
    """List the devices that record: dicts of number, name, channels, rate, default."""
    sound = _sounddevice()
    try:
        default = sound.query_devices(kind="input")["index"]
    except (ValueError, sound.PortAudioError):
        default = None
    return [
        {
            "number": one["index"],
            "name": one["name"],
            "channels": one["max_input_channels"],
            "rate": int(one["default_samplerate"]),
            "default": one["index"] == default,
        }
        for one in sound.query_devices()
        if one["max_input_channels"] > 0
    ]


def find_microphone(device=None):
    """Return the module sounddevice, and what it says of a microphone."""
    sound = _sounddevice()
    try:
        return sound, sound.query_devices(device, "input")
    except (ValueError, sound.PortAudioError) as error:
        wanted = "" if device is None else f" {device!r}"
        raise OSError(
            f"no microphone{wanted} was found ({_first_line(error)}): connect one, "
            "allow this program to use it, or choose one of `skbreath listen "
            "--list-devices` by --device."
        ) from None


def _sounddevice():
    """Import sounddevice, and say what to install where that fails."""
    try:
        import sounddevice
    except ImportError:
        raise ImportError(
            'a microphone needs the extra "live": pip install -c constraints.txt '
            '".[live]".'
        ) from None
    except OSError:  # on Linux PortAudio is not in the wheel
        system = "apt install libportaudio2" if sys.platform == "linux" else "PortAudio"
        raise OSError(
            f"a microphone needs the library PortAudio, which is missing: {system}."
        ) from None
    return sounddevice


def _first_line(error):
    return str(error).split("\n")[0].split("[")[0].strip()
