"""Write files whole or not at all."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

__all__ = ["as_path", "atomic_path", "check_destination"]


def as_path(path):
    """Convert a file name to a Path; a TypeError names a value that is not one."""
    try:
        return Path(path)
    except TypeError:
        raise TypeError(
            "path must be a file name, as text or os.PathLike; got "
            f"{type(path).__name__}."
        ) from None


def check_destination(path):
    """Return `path` as a Path, after a check that a file can be written there.

    To be called before any long work. TypeError if it is not a file name, else the
    OSError that writing would raise.
    """
    path = as_path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file to write to.")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"Cannot write {path}: the folder {path.parent} does not exist."
        )
    try:
        # Permissions are not enough: the disk may be full or read-only.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise type(error)(f"Cannot write {path}: {reason} in its folder.") from error
    return path


@contextmanager
def atomic_path(path):
    """Write a file whole or not at all, by way of a temporary file beside it.

    Yields the path of that file, which exists, is empty and has the same suffix. It
    replaces `path` when the block ends without an error: a reader, or a crash at any
    moment, never sees a part of it.
    """
    # Through a link, to the file it stands for: the link itself stays.
    path = check_destination(os.path.realpath(path))
    descriptor, name = tempfile.mkstemp(
        prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
    )
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; a result gets the permissions of any other.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
