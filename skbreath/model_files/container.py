"""Pack and unpack model files: zip archives of four members with checksums.

Nothing is unpacked to disk, and memory is limited to a multiple of the file size.
"""

import hashlib
import io
import json
import zipfile
import zlib

__all__ = [
    "ABOUT",
    "DATA",
    "FORMAT_VERSION",
    "TENSORS",
    "ModelFileError",
    "damaged",
    "open_archive",
    "pack",
    "unpack",
]

_FORMAT = "skbreath model"
FORMAT_VERSION = 1

ABOUT, DATA, TENSORS = "about.json", "model.skops", "weights.safetensors"
SUMS = "SHA256SUMS"
_MEMBERS = (ABOUT, DATA, TENSORS, SUMS)

# Text of many small trees is compressed to a tenth; zip bombs claim a thousandth.
_MAX_RATIO = 100

_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,  # encrypted
    ValueError,  # of struct and unicode too
)


class ModelFileError(ValueError):
    """A model file cannot be used, or a model cannot be put into one."""


def damaged(what):
    """Make an error for a file that is damaged, or that `save_model` did not write."""
    return ModelFileError(
        f"{what}. The file is damaged, or `save_model` did not write it: copy it "
        "again, or save the model again."
    )


def pack(about, data, tensors):
    """Make the bytes of a model file; the same arguments give the same bytes.

    `about` holds JSON types, `data` the model without weights, `tensors` the weights.
    """
    about = {"format": _FORMAT, **about}
    members = {
        ABOUT: json.dumps(about, indent=1, ensure_ascii=False).encode(),
        DATA: data,
        TENSORS: tensors,
    }
    members[SUMS] = _checksums(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            # Compressing weights gains nothing. Members that compress too well, such
            # as zeros, are stored as they are: the reader would see a zip bomb.
            small = len(zlib.compress(content))
            compress = name != TENSORS and len(content) < _MAX_RATIO // 2 * small
            packed = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
            # ZipInfo(name) has a fixed date, so that equal models give equal files.
            archive.writestr(zipfile.ZipInfo(name), content, packed)
    return buffer.getvalue()


def unpack(content):
    """Split the bytes of a model file into `about`, `data` and `tensors`.

    Only the format version and the checksums are interpreted.
    """
    with open_archive(content, "the file", _MAX_RATIO) as archive:
        # With other bytes around it, it could be a file of another type as well.
        if not content.startswith(b"PK\x03\x04") or content[-22:-18] != b"PK\x05\x06":
            raise damaged("it has bytes before or after its archive")
        names = archive.namelist()
        if ABOUT not in names:
            raise damaged(f"it is a zip archive without {ABOUT}")
        about = _read_about(_read(archive, ABOUT))
        if sorted(names) != sorted(_MEMBERS):
            raise damaged(f"expected the members {list(_MEMBERS)}, got {names}")
        members = {name: _read(archive, name) for name in _MEMBERS}
    sums = members.pop(SUMS)
    if sums != _checksums(members):
        raise damaged("its checksums do not match its content")
    return about, members[DATA], members[TENSORS]


def _checksums(members):
    """Make the text of SHA256SUMS, as bytes."""
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in members.items()
    )
    return "".join(lines).encode()


def _read_about(text):
    """Parse about.json and check the format version."""
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(f"its {ABOUT} is not JSON") from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise damaged(f"its {ABOUT} does not name the format {_FORMAT!r}")
    version = about.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise damaged(f"expected a format version of at least 1, got {version!r}")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"expected a format version up to {FORMAT_VERSION}, got {version}: install "
            "a newer skbreath."
        )
    return about


def open_archive(content, what, max_ratio):
    """Open a zip archive in memory, after a check for zip bombs.

    `what` names it in errors. Members may be `max_ratio` times larger than compressed.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _ZIP_ERRORS as error:
        raise damaged(f"{what} is not a zip archive, or is cut off") from error
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise damaged(f"{what} has members of the same name")
    if sum(member.compress_size for member in members) > len(content):
        raise damaged(f"{what} has members that overlap: a zip bomb")
    for member in members:
        if member.file_size > max_ratio * member.compress_size:
            raise damaged(
                f"{what} has a member {member.filename!r} that would grow from "
                f"{member.compress_size} to {member.file_size} bytes: a zip bomb"
            )
        if member.flag_bits & 1:
            raise damaged(f"{what} is encrypted")
    return archive


def _read(archive, name):
    """Read a member of an archive."""
    try:
        return archive.read(name)
    except _ZIP_ERRORS as error:
        raise damaged(f"its {name} cannot be read ({error})") from error
