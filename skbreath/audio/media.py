"""Read the sound of phone formats and videos with PyAV, as soundfile reads others."""

from __future__ import annotations

import io

import numpy as np

# The length of a file that is only known once it is decoded; libsndfile's own number
# for a FLAC file that was written to a pipe.
UNKNOWN_FRAMES = 2**63 - 1
# First bytes of the formats, and where they are in a file.
_MARKS = (
    (4, b"ftyp"),  # MPEG-4 and 3GPP
    (4, b"moov"),  # QuickTime
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1a\x45\xdf\xa3"),  # WebM and Matroska
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # WMA
    (0, b"#!AMR"),
    (0, b"\xff\xf1"),  # AAC without a container
    (0, b"\xff\xf9"),
)
# FFmpeg also reads playlists, which name other files and addresses: not among these.
_FORMATS = "mov,matroska,asf,amr,aac"
# They have no length in their header; FFmpeg estimates one that can be far off.
_WITHOUT_LENGTH = ("aac", "amr")
# Marks of encrypted sound: of Apple, and of all others.
_ENCRYPTED = ("drms", "enca")
# Seconds by which a sound may be shorter than its header says: a few blocks.
_SPARE_S = 0.5


class UnsupportedAudio(Exception):
    """Reason why a file cannot be used; converted to an AudioError with its path."""


def is_media(start):
    """Return whether the first bytes of a file are those of a format for PyAV."""
    return any(start.startswith(mark, at) for at, mark in _MARKS)


class _File(io.FileIO):
    """Open file whose impossible seeks are errors of FFmpeg, as PyAV prints others."""

    def seek(self, *where):
        try:
            return super().seek(*where)
        except OSError:
            return -1


class MediaFile:
    """Read the sound of an open file, through the part of SoundFile that is used.

    `frames` is the length in the header, or `UNKNOWN_FRAMES`. The sound may end before
    that; if so, `is_cut` is True once its end is read.
    """

    extra_info = ""

    def __init__(self, descriptor, path):
        import av

        self.path, self.is_cut = path, False
        self._error, self._fifo, self._n_read = av.error.FFmpegError, av.AudioFifo(), 0
        file = _File(descriptor, closefd=False)
        start = file.read(64)
        file.seek(0)
        try:
            self._container = av.open(
                file,
                options={"format_whitelist": _FORMATS},
                metadata_errors="replace",  # titles and names are in any encoding
            )
        except self._error:
            if start.startswith(b"ftyp", 4):
                why = (
                    "is truncated or damaged: its index is not readable, as when a "
                    "recorder did not finish the file (copy or export it again)"
                )
            else:
                why = (
                    "is not readable as audio: its content is in no known format, or "
                    "damaged (copy or export it again)"
                )
            raise UnsupportedAudio(why) from None
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self):
        """Find the sound track, and decode its beginning."""
        tracks = self._container.streams
        if not tracks.audio:
            what = "is a video without sound" if tracks.video else "has no audio track"
            raise UnsupportedAudio(f"{what} (leave it out, or name another file)")
        usable = [tracks.best("audio"), *tracks.audio]
        usable = [track for track in usable if track and track.codec_context]
        if not usable:
            raise UnsupportedAudio(
                "has sound of a kind that PyAV cannot decode (export it as WAV)"
            )
        track = usable[0]
        codec = track.codec_context
        if codec.codec_tag in _ENCRYPTED:
            raise UnsupportedAudio(
                "is protected against copies (DRM), so its sound cannot be decoded "
                "(use a recording of your own, or export it without protection)"
            )
        for other in tracks:  # pictures are not even read from the disk
            if other is not track:
                other.discard = type(other.discard).all
        self._decoded = self._decode(track)
        first = next(self._decoded, None)
        if first is None:
            raise UnsupportedAudio(
                "holds no sound that can be decoded; it may be damaged or protected "
                "(copy or export it again)"
            )
        self._write(first)
        # As decoded: the header of some AAC files has half the rate.
        self.samplerate, self.channels = first.sample_rate, first.layout.nb_channels
        names = self._container.format.name.split(",")
        self.format, self.subtype = names[:2][-1].upper(), codec.name.upper()
        self.frames = UNKNOWN_FRAMES
        seconds = track.duration and float(track.duration * track.time_base)
        if seconds is None and len(tracks) == 1:
            seconds = (self._container.duration or 0) / 1e6
        last = track.index_entries[-1] if len(track.index_entries) else None
        if last is not None and last.pos + last.size > self._container.size:
            self.is_cut = True
        elif seconds and names[0] not in _WITHOUT_LENGTH:
            self.frames = round(seconds * self.samplerate)

    def _decode(self, track):
        """Yield the decoded blocks; only the last may be damaged, by a cut."""
        is_damaged = False
        try:
            for packet in self._container.demux(track):
                if is_damaged and packet.size:
                    raise UnsupportedAudio(
                        "is damaged: a part of it is lost (copy or export it again)"
                    )
                try:
                    blocks = packet.decode()
                except self._error:
                    self.is_cut = is_damaged = True
                    continue
                yield from blocks
        except self._error:  # the file ends within what encloses the sound
            self.is_cut = True

    def _write(self, block):
        """Append a block to the queue of decoded samples."""
        block.pts = None  # a gap in the times must not stop the reading
        try:
            self._fifo.write(block)
        except ValueError:
            raise UnsupportedAudio(
                "changes its sampling rate or channels on the way (export it as WAV)"
            ) from None

    def read(self, frames, **_):
        """Decode the next samples, as soundfile does: (n_samples, n_channels)."""
        while self._fifo.samples < frames and (block := next(self._decoded, None)):
            self._write(block)
        block = self._fifo.read(frames, partial=True)
        if block is None:
            missing = self.frames - self._n_read
            if self.frames < UNKNOWN_FRAMES and missing > _SPARE_S * self.samplerate:
                self.is_cut = True
            return np.zeros((0, self.channels), dtype=np.float32)
        self._n_read += block.samples
        samples = block.to_ndarray()
        if not block.format.is_planar:
            samples = samples.reshape(-1, self.channels).T
        if samples.dtype.kind in "iu":
            full = 2.0 ** (8 * samples.dtype.itemsize - 1)
            zero = full if samples.dtype.kind == "u" else 0
            samples = (samples.astype(np.float32) - np.float32(zero)) / np.float32(full)
        return samples.T.astype(np.float32, copy=False)

    def seekable(self):
        return False

    def close(self):
        self._container.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
