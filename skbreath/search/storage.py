"""Open the storages of trials by path or URL."""

import logging
import os
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

from ..utils.optuna_compat import retry_callback, stale_trial_callback

__all__ = ["check_storage", "open_storage", "retry_trial", "storage_errors"]

_LOGGER = logging.getLogger("skbreath")
# Seconds between heartbeats of a running trial, and without one until it is repeated.
HEARTBEAT_INTERVAL = 20
GRACE_PERIOD = 60
# Seconds that SQLite waits for a lock held by another process.
LOCK_TIMEOUT = 60
# A trial that ends its process more often is given up.
MAX_RETRIES = 5
JOURNAL_SUFFIXES = (".journal", ".log", ".jsonl")
ADVICE = "name a file in a folder that can be written."
# Errors of workers that start together and create the same tables.
CREATION_RACE = ("already exists", "duplicate key", "UNIQUE constraint", "locked")


def open_storage(storage):
    """Open a storage for trials.

    Parameters
    ----------
    storage : str, Path, optuna storage or None
        None keeps trials in memory. A URL names a database, a path that ends in
        ``.journal``, ``.log`` or ``.jsonl`` a journal file, and any other path an
        SQLite file. An Optuna storage is used unchanged.

    Raises
    ------
    OSError
        If the database cannot be reached or written, or its tables are those of
        another version of Optuna.
    ImportError
        If the database needs a driver that is not installed.
    """
    from optuna.storages import InMemoryStorage

    if storage is None:
        return InMemoryStorage()
    if not isinstance(storage, str | Path):
        return storage
    check_storage(storage)
    name = os.fspath(storage)
    if "://" not in name and name.endswith(JOURNAL_SUFFIXES):
        return _open_journal(name)
    return _open_database(name if "://" in name else f"sqlite:///{name}")


def retry_trial(study, trial):
    """Enqueue a trial again whose process has ended, and log it."""
    _LOGGER.warning(
        "trial %d was interrupted or its process has ended; it is repeated",
        trial.number,
    )
    with warnings.catch_warnings():
        _ignore_experimental()
        retry = retry_callback(MAX_RETRIES)
    retry(study, trial)


@contextmanager
def storage_errors():
    """Raise errors of a storage in this block as OSError with advice."""
    from optuna.exceptions import StorageInternalError

    try:
        yield
    except Exception as error:
        # After an error of the storage Optuna may fail by another one.
        second = isinstance(error, AssertionError | UnboundLocalError)
        failure = error.__context__ if second else error
        if not isinstance(failure, StorageInternalError):
            raise
        cause = failure.__cause__ or failure
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
        raise OSError(
            f"the storage of the trials fails: {reason}. Finished trials are kept "
            "there; fit again to go on."
        ) from error


def _open_journal(path):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import (
        JournalFileBackend,
        JournalFileOpenLock,
        JournalFileSymlinkLock,
    )

    # Windows lets only administrators make symbolic links.
    lock = (JournalFileOpenLock if os.name == "nt" else JournalFileSymlinkLock)(path)
    try:
        backend = JournalFileBackend(path, lock_obj=lock)
        _cut_incomplete_line(path, lock)
        return JournalStorage(backend)
    except OSError as error:
        raise OSError(
            f"cannot open the storage {path}: {error.strerror or error}; {ADVICE}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(
            f"cannot open the storage {path}: it is damaged, or not a journal file of "
            "Optuna; name another file."
        ) from error


def _cut_incomplete_line(path, lock):
    """Remove the incomplete last line that a full disk leaves: it was never reported.

    The next line would be appended to it, and the journal could not be read.
    """
    text = Path(path).read_bytes()
    if not text or text.endswith(b"\n"):
        return
    lock.acquire()
    try:
        with open(path, "rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
    finally:
        lock.release()


def _open_database(url):
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        return _make_database(url)
    except ArgumentError as error:
        raise ValueError(
            f"Expected a path or a database URL as storage, got {url!r}."
        ) from error
    except (SQLAlchemyError, StorageInternalError) as error:
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
            "not installed; for PostgreSQL: pip install -c constraints.txt "
            '".[distributed]" and a URL that begins with postgresql+psycopg://'
        ) from error


def _make_database(url):
    from optuna.storages import RDBStorage
    from sqlalchemy import event
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    sqlite = url.startswith("sqlite")
    if sqlite:
        options = {"connect_args": {"timeout": LOCK_TIMEOUT, "isolation_level": None}}
    else:
        options = {"pool_pre_ping": True}  # connections die when a database restarts
    for delay in (0.1, 0.5, 2, None):
        try:
            with warnings.catch_warnings():
                _ignore_experimental()
                database = RDBStorage(
                    url,
                    options,
                    heartbeat_interval=HEARTBEAT_INTERVAL,
                    grace_period=GRACE_PERIOD,
                    **stale_trial_callback(retry_trial),
                )
            break
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            if delay is None or not any(sign in str(error) for sign in CREATION_RACE):
                raise
            time.sleep(delay)
    if sqlite:
        # Python's driver begins a transaction only when it writes: two workers could
        # read the same waiting trial, and both run it.
        @event.listens_for(database.engine, "begin")
        def begin(connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return database


def _ignore_experimental():
    from optuna.exceptions import ExperimentalWarning

    warnings.simplefilter("ignore", ExperimentalWarning)


def check_storage(storage):
    """Raise an OSError if the file of a storage cannot be written."""
    if not isinstance(storage, str | Path):
        return
    name = os.fspath(storage)
    if not name:
        raise ValueError(
            "storage is empty: name a file or a database URL, or use None."
        )
    path = _file_of(name)
    if path is None:
        return
    folder = path.parent
    problem = None
    if not folder.is_dir():
        problem = f"{folder} is not a folder: create it, or"
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


def _without_password(url):
    """Return a database URL with its password hidden."""
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)
