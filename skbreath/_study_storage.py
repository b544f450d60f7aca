"""Where trials are kept: storages opened by path or URL, their hiccups waited out."""

import logging
import os
import time
from pathlib import Path

__all__ = ["StorageFailure", "check_storage", "open_storage", "retried"]

_LOGGER = logging.getLogger("skbreath")
# Seconds between attempts at a storage that answers with an error: a locked file or
# a database that restarts is back within them, a full disk is not.
DELAYS = (0.1, 0.5, 2, 4, 8)
# SQLite waits this long for a lock that another process holds.
LOCK_TIMEOUT = 60
RACE = ("already exists", "duplicate key", "UNIQUE constraint", "locked")
ELSEWHERE = "name a file in a folder that can be written."
JOURNAL_SUFFIXES = (".journal", ".log", ".jsonl")


class StorageFailure(OSError):
    """A storage that fails for longer than one waits for it."""


def open_storage(storage):
    """Open a storage for trials.

    What is opened here by path or URL waits out trouble by itself.

    Parameters
    ----------
    storage : str, Path, optuna storage or None
        None keeps trials in memory; a URL names a database; a path ending in
        ``.journal``, ``.log`` or ``.jsonl`` a journal file; any other path an SQLite
        file. An Optuna storage is used as it is.

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
        # No isolation level: transactions are begun by PatientDatabase.
        options = {"connect_args": {"timeout": LOCK_TIMEOUT, "isolation_level": None}}
    else:
        options = {"pool_pre_ping": True}  # connections die when a database restarts
    try:
        database = _open_database(url, options)
    except ArgumentError as error:
        raise ValueError(f"storage={name!r} is neither a path nor a URL.") from error
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        if "unable to open database file" in reason:
            reason += f"; {ELSEWHERE}"
        raise OSError(
            f"cannot open the storage {_without_password(url)}: {reason}"
        ) from error
    except RuntimeError as error:  # what Optuna raises for tables of another version
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
    """Check the folder of a storage in a file, before there is anything to store.

    Parameters
    ----------
    storage : str, Path, optuna storage or None
        As for :func:`open_storage`; of databases elsewhere nothing is checked.

    Raises
    ------
    OSError
        If the file or its folder cannot be written.
    ValueError
        If it is an empty text.

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
        problem = f"{folder} is no folder;"
    elif path.is_dir():
        problem = f"{path} is a folder;"
    elif not os.access(folder, os.W_OK):  # both kinds put files beside their own
        problem = f"the folder {folder} cannot be written;"
    elif path.exists() and not os.access(path, os.W_OK):
        problem = f"{path} cannot be written;"
    if problem:
        raise OSError(f"cannot open the storage {name}: {problem} {ELSEWHERE}")


def retried(call, *args, **kwargs):
    """Call something that uses a storage, again if the storage is in trouble.

    Parameters
    ----------
    call : callable
        Called with the other arguments.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    result : object
        What it returned.

    Raises
    ------
    StorageFailure
        If the storage still fails after some seconds. What it holds stays.

    Examples
    --------
    >>> retried(max, 1, 2)
    2
    """
    from optuna.exceptions import StorageInternalError

    for delay in (*DELAYS, None):
        try:
            return call(*args, **kwargs)
        except StorageFailure:
            raise  # tried often enough inside
        except (StorageInternalError, OSError) as error:
            cause = error.__cause__ or error
            reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
            if delay is None:
                raise StorageFailure(
                    f"the storage of the trials fails: {reason}. Finished trials are "
                    "kept there; fit again to go on."
                ) from error
            _LOGGER.warning("storage: %s; again in %g s", reason, delay)
            time.sleep(delay)


def _file_of(name):
    """The file that a storage is kept in, or None."""
    if "://" not in name:
        return Path(name)
    if not name.startswith("sqlite"):
        return None
    database = name.partition("://")[2].partition("?")[0].removeprefix("/")
    # In memory, or with a URL's own rules.
    if database in ("", ":memory:") or database.startswith("file:"):
        return None
    return Path(database)


def _open_database(url, options):
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    from ._patient_storage import PatientDatabase

    for delay in (*DELAYS, None):
        try:
            return PatientDatabase(url, engine_kwargs=options)
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            # Workers that start together make the tables together: one of them
            # finds that they exist, although they did not when it looked.
            if delay is None or not any(sign in str(error.orig) for sign in RACE):
                raise
            _LOGGER.warning("storage: %s; again in %g s", error.orig, delay)
            time.sleep(delay)


def _open_journal(path):
    from ._patient_storage import PatientJournal

    try:
        return PatientJournal(path)
    except OSError as error:
        raise OSError(
            f"cannot open the storage {path}: {error.strerror or error}; {ELSEWHERE}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(
            f"cannot open the storage {path}: it is damaged, or no journal file of "
            "Optuna's; name another file."
        ) from error


def _without_password(url):
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url
