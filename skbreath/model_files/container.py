"""The outside of a model file: a zip archive of four members with checksums.

Nothing is ever unpacked to disk, and no more memory is taken than the bytes of the
file, times a constant, can fill.
"""

import hashlib
import io
import json
import zipfile
import zlib

__all__ = [
    "ABOUT",
    "DATA",
    "FORMAT",
    "FORMAT_VERSION",
    "TENSORS",
    "ModelFileError",
    "open_archive",
    "pack",
    "unpack",
]

FORMAT = "skbreath model"
FORMAT_VERSION = 1

ABOUT, DATA, TENSORS = "about.json", "model.skops", "weights.safetensors"
SUMS = "SHA256SUMS"
_MEMBERS = (ABOUT, DATA, TENSORS, SUMS)

# Text of many small trees is packed to a tenth; a bomb would claim a thousand.
MAX_RATIO = 100

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


def pack(about, data, tensors):
    """Make the bytes of a model file; the same arguments give the same bytes.

    Parameters
    ----------
    about : dict
        What is in the file; only JSON types.
    data : bytes
        The model without its weights.
    tensors : bytes
        The weights.

    Returns
    -------
    content : bytes

    Examples
    --------
    >>> content = pack({"format_version": 1}, b"data", b"weights")
    >>> about, data, tensors = unpack(content)
    >>> about["format"], data, tensors
    ('skbreath model', b'data', b'weights')
    """
    about = {"format": FORMAT, **about}
    members = {
        ABOUT: json.dumps(about, indent=1, ensure_ascii=False).encode(),
        DATA: data,
        TENSORS: tensors,
    }
    members[SUMS] = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in members.items()
    ).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            # Weights are noise to a compressor, and what is nothing but zeros must
            # not be taken for a bomb.
            small = len(zlib.compress(content))
            worth = name != TENSORS and len(content) < MAX_RATIO // 2 * small
            packed = zipfile.ZIP_DEFLATED if worth else zipfile.ZIP_STORED
            # A ZipInfo of its own has a fixed date: equal models, equal files.
            archive.writestr(zipfile.ZipInfo(name), content, packed)
    return buffer.getvalue()


def unpack(content):
    """Take a model file apart; nothing in it is interpreted but the format version.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    about : dict
    data : bytes
    tensors : bytes

    Raises
    ------
    ModelFileError
        If it is no model file, of a newer format, damaged or tampered with.
    """
    with open_archive(content, "the file", MAX_RATIO) as archive:
        # What begins or ends otherwise could be a file of another kind as well.
        if not content.startswith(b"PK\x03\x04") or content[-22:-18] != b"PK\x05\x06":
            raise ModelFileError("it has bytes before or after its archive.")
        names = archive.namelist()
        if ABOUT not in names:
            raise ModelFileError(f"it is a zip archive without {ABOUT}.")
        about = _read_about(_read(archive, ABOUT))
        if sorted(names) != sorted(_MEMBERS):
            raise ModelFileError(f"it holds {names}, not {list(_MEMBERS)}.")
        members = {name: _read(archive, name) for name in _MEMBERS}
    sums = members.pop(SUMS)
    expected = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in members.items()
    ).encode()
    if sums != expected:
        raise ModelFileError("its checksums do not fit: it is damaged or was changed.")
    return about, members[DATA], members[TENSORS]


def _read_about(text):
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its {ABOUT} is no JSON.") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ModelFileError(f"its {ABOUT} does not say that it is a {FORMAT}.")
    version = about.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ModelFileError(f"its format version is {version!r}, no number from 1.")
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"it has the format version {version} and this skbreath reads up to "
            f"{FORMAT_VERSION}: install a newer skbreath."
        )
    return about


def open_archive(content, what, max_ratio):
    """Open a zip archive in memory that cannot claim more than it holds.

    Parameters
    ----------
    content : bytes
        The archive.
    what : str
        Its name in errors.
    max_ratio : int
        How many times larger than packed a member may be; 1 allows no compression.

    Returns
    -------
    archive : zipfile.ZipFile

    Raises
    ------
    ModelFileError
        If it is no archive, a member claims too much, or members overlap, repeat
        or are encrypted.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _ZIP_ERRORS as error:
        raise ModelFileError(f"{what} is no zip archive or is cut off.") from error
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ModelFileError(f"{what} holds members of the same name.")
    if sum(member.compress_size for member in members) > len(content):
        raise ModelFileError(f"{what} holds members that overlap: a zip bomb.")
    for member in members:
        if member.file_size > max_ratio * member.compress_size:
            raise ModelFileError(
                f"{what} holds {member.filename!r}, which would unpack to "
                f"{member.file_size} bytes from {member.compress_size}: a zip bomb."
            )
        if member.flag_bits & 1:
            raise ModelFileError(f"{what} is encrypted.")
    return archive


def _read(archive, name):
    try:
        return archive.read(name)
    except _ZIP_ERRORS as error:
        raise ModelFileError(f"its {name} is damaged ({error}).") from error
