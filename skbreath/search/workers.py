"""Register the workers of a study, and recover the trials of those that died.

A worker is a process that runs trials of a study. Neither journal files nor databases,
as Optuna opens them by default, notice when a process has died: its trials stay
"running" for ever. So every worker writes a record to the study (machine, process,
time of its last heartbeat), and its name to each of its trials. A worker that starts or
waits recovers the trials of dead ones:

- On the same machine a worker is dead if its process is gone. A process is identified
  by its id *and* start time, a machine by host name, boot and process namespace.
- On another machine, or without ``/proc``, it is dead if its last heartbeat, written
  every `HEARTBEAT_INTERVAL` seconds, is older than `STALE_AFTER` seconds. The clocks of
  the machines must agree better than that.
- A running trial without a worker's name belongs to a process that died while starting
  it. It is recovered at once if no other worker is alive, else after
  `UNREGISTERED_GRACE` seconds.

A trial of a dead worker that has all its folds is finished with their scores. Any other
is marked as failed and *lost*, does not count, and its parameters are enqueued again.
"""

import logging
import os
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

__all__ = [
    "LOST",
    "WORKER",
    "mark_lost",
    "other_workers",
    "read_trial",
    "recover_trials",
    "registered_worker",
]

_LOGGER = logging.getLogger("skbreath")
# Seconds.
HEARTBEAT_INTERVAL = 20
STALE_AFTER = 300
UNREGISTERED_GRACE = 10
PREFIX = "skbreath:worker:"
WORKER = "skbreath:worker"
LOST = "skbreath:lost"


@contextmanager
def registered_worker(study, shared):
    """Register this process as a worker of the study while the block runs.

    Parameters
    ----------
    study : optuna.study.Study
    shared : bool
        Whether other processes can read the study, so that heartbeats are written.

    Yields
    ------
    worker : str
        Its name, new every time.
    """
    worker = uuid.uuid4().hex[:12]
    record = {"machine": _machine(), "pid": os.getpid(), "started": _start(os.getpid())}

    def write(**more):
        study.set_user_attr(
            PREFIX + worker, {**record, "alive": time.time(), "ended": False, **more}
        )

    write()
    ended = threading.Event()

    def write_heartbeats():
        while not ended.wait(HEARTBEAT_INTERVAL):
            try:
                write()
            except Exception as error:  # the loop of trials will raise it
                _LOGGER.warning("storage: a heartbeat was not written: %s", error)

    thread = threading.Thread(
        target=write_heartbeats, daemon=True, name="skbreath-heartbeat"
    )
    if shared:
        thread.start()
    try:
        yield worker
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
        try:
            write(ended=True)
        except Exception as error:
            _LOGGER.warning("storage: the end of a worker was not written: %s", error)


def other_workers(study, worker):
    """Get the names of the other workers that are alive.

    Parameters
    ----------
    study : optuna.study.Study
    worker : str
        Name of this worker.

    Returns
    -------
    names : set of str
    """
    records = {
        name.removeprefix(PREFIX): record
        for name, record in study.user_attrs.items()
        if name.startswith(PREFIX)
    }
    return {
        name for name, record in records.items() if name != worker and _is_alive(record)
    }


def recover_trials(study, worker, finish):
    """Recover the trials of dead workers, while this worker runs none.

    Parameters
    ----------
    study : optuna.study.Study
    worker : str
        Name of this worker.
    finish : callable
        ``finish(frozen_trial)`` finishes a trial whose folds are all saved and returns
        True, or returns False.

    Returns
    -------
    running : int
        Number of trials of other workers that are still running.
    """
    from optuna.trial import TrialState

    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if not running:
        return 0
    others, left = other_workers(study, worker), 0
    for trial in running:
        owner = trial.user_attrs.get(WORKER)
        if owner in others or (owner is None and others and _is_new(trial)):
            left += 1
        elif not finish(trial):
            mark_lost(study, trial, f"worker {owner or 'unknown'} is gone", retry=True)
    return left


def mark_lost(study, trial, reason, *, retry):
    """Mark a running trial as failed and lost.

    Parameters
    ----------
    study : optuna.study.Study
    trial : FrozenTrial or Trial
    reason : str
        Written to the trial.
    retry : bool
        Whether its parameters are enqueued again.
    """
    from optuna.trial import TrialState

    try:
        trial = read_trial(study, trial)
        study._storage.set_trial_user_attr(trial._trial_id, LOST, reason)
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, RuntimeError):
        return  # another worker has finished it
    _LOGGER.warning("trial %d is lost: %s", trial.number, reason)
    parameters = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if retry and parameters:
        study.enqueue_trial(parameters, user_attrs={"skbreath:again": trial.number})


def read_trial(study, trial):
    """Read the current state of a trial from the study."""
    return study.get_trials(deepcopy=False)[trial.number]


def _is_alive(record):
    if record["ended"]:
        return False
    if record["machine"] is not None and record["machine"] == _machine():
        return _start(record["pid"]) == record["started"]
    return time.time() - record["alive"] < STALE_AFTER


def _is_new(trial):
    return (datetime.now() - trial.datetime_start).total_seconds() < UNREGISTERED_GRACE


def _machine():
    """Return a name of the machine and process namespace; None without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _start(pid):
    """Return the start of a process in clock ticks since boot; None if it is gone."""
    try:
        # The name, in parentheses, may contain spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
