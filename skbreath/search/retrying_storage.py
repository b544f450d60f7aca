"""Optuna's storages with operations that are retried when they fail."""

import logging
import time

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["RetryingJournalStorage", "RetryingRDBStorage", "StorageFailure", "retried"]

_LOGGER = logging.getLogger("skbreath")
# Seconds between attempts. A locked file or a restarting database works again within
# them, a full disk does not.
DELAYS = (0.1, 0.5, 2, 4, 8)
# Errors of workers that start together and create the same tables.
CREATION_RACE = ("already exists", "duplicate key", "UNIQUE constraint", "locked")


class StorageFailure(OSError):
    """A storage still fails after all attempts."""


def retried(call, *args, **kwargs):
    """Call a function that uses a storage; retry for some seconds if the storage fails.

    Parameters
    ----------
    call : callable
        Called with the other arguments.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    result : object
        Return value of `call`.

    Raises
    ------
    StorageFailure
        If the last attempt fails too. The content of the storage is kept.

    Examples
    --------
    >>> retried(max, 1, 2)
    2
    """
    for delay in (*DELAYS, None):
        try:
            return call(*args, **kwargs)
        except StorageFailure:
            raise  # `call` has retried already
        except (StorageInternalError, OSError) as error:
            cause = error.__cause__ or error
            reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
            if delay is None:
                raise StorageFailure(
                    f"the storage of the trials fails: {reason}. Finished trials are "
                    "kept there; fit again to go on."
                ) from error
            _wait(delay, reason)


def _wait(delay, reason):
    _LOGGER.warning("storage: %s; retrying in %g s", reason, delay)
    time.sleep(delay)


class FileLock:
    """Lock of a journal file that the system releases when its process is killed.

    Optuna's own locks are files that stay behind; every other process then waits 30 s
    until it treats them as stale. A killed writer or a full disk can leave an
    incomplete last line. It is removed here, because the next line would be appended
    to it; its write was never reported as done.
    """

    def __init__(self, path):
        self.path = path
        self.handle = None

    def acquire(self):
        handle = open(f"{self.path}.flock", "ab")
        fcntl.flock(handle, fcntl.LOCK_EX)
        self.handle = handle
        _cut_incomplete_line(self.path)
        return True

    def release(self):
        handle, self.handle = self.handle, None
        handle.close()


def _cut_incomplete_line(path):
    with open(path, "rb+") as file:
        end = file.seek(0, 2)
        if not end:
            return
        file.seek(end - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


class RetryingRDBStorage(RDBStorage):
    """Database whose operations are retried when they fail.

    SQLite has no row locks, and Python's driver begins a transaction only when it
    writes: two workers could read the same waiting trial, and both take it. Here every
    transaction of SQLite holds the write lock from its beginning.
    """

    def __init__(self, *args, **kwargs):
        for delay in (*DELAYS, None):
            try:
                super().__init__(*args, **kwargs)
                break
            except (IntegrityError, OperationalError, ProgrammingError) as error:
                reason = str(error.orig)
                if delay is None or not any(sign in reason for sign in CREATION_RACE):
                    raise
                _wait(delay, reason)
        self._lock_early()

    def __setstate__(self, state):
        super().__setstate__(state)
        self._lock_early()

    def _lock_early(self):
        if self.engine.dialect.name == "sqlite":

            @event.listens_for(self.engine, "begin")
            def begin(connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")


class RetryingJournalStorage(JournalStorage):
    """Journal file whose operations are retried when they fail.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path):
        lock = JournalFileSymlinkLock(path) if fcntl is None else FileLock(path)
        super().__init__(JournalFileBackend(path, lock_obj=lock))


def _retry_method(storage, name):
    def method(self, *args, **kwargs):
        return retried(getattr(super(storage, self), name), *args, **kwargs)

    method.__name__ = name
    setattr(storage, name, method)


for _name in sorted(BaseStorage.__abstractmethods__):
    _retry_method(RetryingRDBStorage, _name)
    _retry_method(RetryingJournalStorage, _name)
# Optuna's cache in front of a database calls these instead.
for _name in ("_create_new_trial", "_get_trials"):
    _retry_method(RetryingRDBStorage, _name)
