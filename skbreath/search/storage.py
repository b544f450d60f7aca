"""Open the storages of trials by path or URL."""

import os
from pathlib import Path

__all__ = ["check_storage", "open_storage"]

# Seconds that SQLite waits for a lock held by another process.
LOCK_TIMEOUT = 60
JOURNAL_SUFFIXES = (".journal", ".log", ".jsonl")
ADVICE = "name a file in a folder that can be written."


def open_storage(storage):
    """Open a storage for trials.

    A storage opened by path or URL retries failed operations.

    Parameters
    ----------
    storage : str, Path, optuna storage or None
        None keeps trials in memory. A URL names a database, a path that ends in
        ``.journal``, ``.log`` or ``.jsonl`` a journal file, and any other path an
        SQLite file. An Optuna storage is used unchanged.

    Returns
    -------
    storage : optuna.storages.BaseStorage

    Raises
    ------
    OSError
        If the database cannot be reached or written, or its tables are those of
        another version of Optuna.
    ImportError
        If the database needs a driver that is not installed.

    Examples
    --------
    >>> type(open_storage(None)).__name__
    'InMemoryStorage'
    """
    import optuna
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    from .retrying_storage import RetryingRDBStorage

    if storage is None:
        return optuna.storages.InMemoryStorage()
    if not isinstance(storage, str | Path):
        return optuna.storages.get_storage(storage)
    check_storage(storage)
    name = os.fspath(storage)
    if "://" not in name and name.endswith(JOURNAL_SUFFIXES):
        return _open_journal(name)
    url = name if "://" in name else f"sqlite:///{name}"
    if url.startswith("sqlite"):
        # No isolation level: RetryingRDBStorage begins the transactions.
        options = {"connect_args": {"timeout": LOCK_TIMEOUT, "isolation_level": None}}
    else:
        options = {"pool_pre_ping": True}  # connections die when a database restarts
    try:
        database = RetryingRDBStorage(url, engine_kwargs=options)
    except ArgumentError as error:
        raise ValueError(
            f"Expected a path or a database URL as storage, got {name!r}."
        ) from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        if "unable to open database file" in reason:
            reason += f"; {ADVICE}"
        raise OSError(
            f"cannot open the storage {_without_password(url)}: {reason}"
        ) from error
    except RuntimeError as error:  # Optuna's error for tables of another version
        raise OSError(
            f"cannot open the storage {_without_password(url)}: {error}"
        ) from error
    except ImportError as error:
        raise ImportError(
            f"the storage {_without_password(url)} needs a database driver that is "
            "not installed; for PostgreSQL: pip install 'skbreath[distributed]' and a "
            "URL that begins with postgresql+psycopg://"
        ) from error
    return optuna.storages.get_storage(database)


def check_storage(storage):
    """Check that a storage in a file can be written.

    Parameters
    ----------
    storage : str, Path, optuna storage or None
        As for :func:`open_storage`; databases that are not files are not checked.

    Raises
    ------
    OSError
        If the file or its folder cannot be written.
    ValueError
        If `storage` is an empty string.

    Examples
    --------
    >>> check_storage("postgresql+psycopg://127.0.0.1/trials")
    """
    if not isinstance(storage, str | Path):
        return
    name = os.fspath(storage)
    if not name:
        raise ValueError("storage is empty; name a file or a database URL, or None.")
    path = _file_of(name)
    if path is None:
        return
    folder = path.parent
    problem = None
    if not folder.exists():
        problem = f"the folder {folder} does not exist: create it, or"
    elif not folder.is_dir():
        problem = f"{folder} is not a folder;"
    elif path.is_dir():
        problem = f"{path} is a folder;"
    elif not os.access(folder, os.W_OK):  # both kinds write further files there
        problem = f"the folder {folder} cannot be written;"
    elif path.exists() and not os.access(path, os.W_OK):
        problem = f"{path} cannot be written;"
    if problem:
        raise OSError(f"cannot open the storage {name}: {problem} {ADVICE}")


def _file_of(name):
    """Return the path of a storage's file, None for other databases."""
    if "://" not in name:
        return Path(name)
    if not name.startswith("sqlite"):
        return None
    database = name.partition("://")[2].partition("?")[0].removeprefix("/")
    # In memory, or a URI with options, which SQLite parses.
    if database in ("", ":memory:") or database.startswith("file:"):
        return None
    return Path(database)


def _open_journal(path):
    from .retrying_storage import RetryingJournalStorage

    try:
        return RetryingJournalStorage(path)
    except OSError as error:
        raise OSError(
            f"cannot open the storage {path}: {error.strerror or error}; {ADVICE}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(
            f"cannot open the storage {path}: it is damaged, or not a journal file of "
            "Optuna; name another file."
        ) from error


def _without_password(url):
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url
