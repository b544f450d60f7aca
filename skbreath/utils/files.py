"""Write files whole or not at all."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

__all__ = ["as_path", "atomic_path", "check_destination"]


def as_path(path):
    """Convert a file name to a Path.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    TypeError
        If it is anything else, such as a table where arguments are swapped.

    Examples
    --------
    >>> from skbreath.utils.files import as_path
    >>> as_path(None)
    Traceback (most recent call last):
    ...
    TypeError: path must be a file name, as text or os.PathLike; got NoneType.
    """
    try:
        return Path(path)
    except TypeError:
        raise TypeError(
            "path must be a file name, as text or os.PathLike; got "
            f"{type(path).__name__}."
        ) from None


def check_destination(path):
    """Check that a file can be written to a path, before any long work.

    Parameters
    ----------
    path : str or os.PathLike
        File to be written later.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    TypeError
        If `path` is not a file name.
    FileNotFoundError
        If the folder of `path` does not exist.
    IsADirectoryError
        If `path` is a folder.
    PermissionError
        If the folder cannot be written to.

    Examples
    --------
    >>> from skbreath.utils.files import check_destination
    >>> check_destination("labels.csv").name
    'labels.csv'
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
    """Give a temporary path beside `path` that replaces it once the block ends.

    A reader, or a crash at any moment, sees the old file or the new one, never a
    part of it. When the block raises, the temporary file is removed and `path`
    stays as it was.

    Parameters
    ----------
    path : str or os.PathLike
        File to be written; its folder must exist.

    Yields
    ------
    temporary : pathlib.Path
        Existing empty file in the same folder, with the same suffix.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        As :func:`check_destination`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbreath.utils.files import atomic_path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "labels.csv"
    ...     with atomic_path(target) as temporary:
    ...         _ = temporary.write_text("ID,Target")
    ...         target.exists()
    ...     target.read_text()
    False
    'ID,Target'
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
