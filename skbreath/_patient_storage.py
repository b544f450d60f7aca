"""Optuna's storages, made to wait out trouble and to survive killed writers."""

from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock, JournalFileSymlinkLock
from sqlalchemy import event

from ._study_storage import retried

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["PatientDatabase", "PatientJournal"]


class KernelLock(BaseJournalFileLock):
    """A lock that the system takes back from a killed process.

    Optuna's own locks are files that stay behind; every other process then waits 30 s
    until it takes them for stale. Whoever gets the lock removes what a killed writer
    or a full disk left of a line: nothing was told to have been written, and the next
    line would be glued to it.
    """

    def __init__(self, path):
        self.path = path
        self.handle = None

    def acquire(self):
        handle = open(f"{self.path}.flock", "ab")
        fcntl.flock(handle, fcntl.LOCK_EX)
        self.handle = handle
        _cut_torn_line(self.path)
        return True

    def release(self):
        handle, self.handle = self.handle, None
        handle.close()


def _cut_torn_line(path):
    with open(path, "rb+") as file:
        end = file.seek(0, 2)
        if not end:
            return
        file.seek(end - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


class PatientDatabase(RDBStorage):
    """A database whose operations are tried again when they fail.

    SQLite knows no row locks, and Python's driver begins a transaction only when it
    writes: two workers could look at a waiting trial, and both take it. Here every
    transaction of SQLite holds the write lock from its beginning.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._lock_early()

    def __setstate__(self, state):
        super().__setstate__(state)
        self._lock_early()

    def _lock_early(self):
        if self.engine.dialect.name == "sqlite":

            @event.listens_for(self.engine, "begin")
            def begin(connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")


class PatientJournal(JournalStorage):
    """A journal file whose operations are tried again when they fail.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path):
        lock = JournalFileSymlinkLock(path) if fcntl is None else KernelLock(path)
        super().__init__(JournalFileBackend(path, lock_obj=lock))


def _make_patient(storage, name):
    def method(self, *args, **kwargs):
        return retried(getattr(super(storage, self), name), *args, **kwargs)

    method.__name__ = name
    setattr(storage, name, method)


for _name in sorted(BaseStorage.__abstractmethods__):
    _make_patient(PatientDatabase, _name)
    _make_patient(PatientJournal, _name)
# What the cache that Optuna puts before a database calls instead.
for _name in ("_create_new_trial", "_get_trials"):
    _make_patient(PatientDatabase, _name)
