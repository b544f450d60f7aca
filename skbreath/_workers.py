"""Who works on a study, and what becomes of the trials of those that died.

Neither journal files nor databases as Optuna opens them by default notice that a
process is gone: its trials stay "running" for ever. So every process that works on a
study leaves a record there (machine, process, sign of life), every trial names its
worker, and whoever comes next or has to wait recovers the trials of the dead:

- On the same machine a worker is dead if its process is (checked by process id *and*
  start time; a machine is told by host name, boot and process namespace).
- On another machine, or without ``/proc``, it is dead if its sign of life, renewed
  every `BEAT` seconds, is older than `SILENCE` seconds. The clocks of the machines
  must agree better than that.
- A running trial without a worker's name belongs to a process that died in the moment
  of starting it: at once if no other worker is alive, else after `UNNAMED` seconds.

A trial of a dead worker that has all its folds is told as what it is. Any other is
marked failed and *lost*, does not count, and its parameters are enqueued again.
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

__all__ = ["LOST", "WORKER", "lose", "other_workers", "recover", "working"]

_LOGGER = logging.getLogger("skbreath")
BEAT = 20
SILENCE = 300
UNNAMED = 10
PREFIX = "skbreath:worker:"
WORKER = "skbreath:worker"
LOST = "skbreath:lost"


@contextmanager
def working(study):
    """Keep a record of this process in the study while the block runs.

    Parameters
    ----------
    study : optuna.study.Study

    Yields
    ------
    worker : str
        Its name, new every time.
    """
    from optuna.storages import InMemoryStorage

    worker = uuid.uuid4().hex[:12]
    record = {"machine": _machine(), "pid": os.getpid(), "started": _start(os.getpid())}

    def write(**more):
        study.set_user_attr(
            PREFIX + worker, {**record, "alive": time.time(), "ended": False, **more}
        )

    write()
    ended = threading.Event()

    def beat():
        while not ended.wait(BEAT):
            try:
                write()
            except Exception as error:  # the loop itself meets it and reports it
                _LOGGER.warning("storage: no sign of life written: %s", error)

    thread = threading.Thread(target=beat, daemon=True, name="skbreath-beat")
    if not isinstance(study._storage, InMemoryStorage):  # which nobody else can read
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
        The own name.

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


def recover(study, worker, finish):
    """Recover the trials of dead workers; call it with no trial of one's own running.

    Parameters
    ----------
    study : optuna.study.Study
    worker : str
        The own name.
    finish : callable
        ``finish(frozen_trial)`` tells a trial whose folds are all there and gives
        True, or gives False.

    Returns
    -------
    running : int
        How many trials of others are still running.
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
            lose(study, trial, f"worker {owner or 'unknown'} is gone", again=True)
    return left


def lose(study, trial, reason, *, again):
    """Mark a running trial as failed and lost.

    Parameters
    ----------
    study : optuna.study.Study
    trial : FrozenTrial or Trial
    reason : str
        Kept with it.
    again : bool
        Whether its parameters are to be tried again.
    """
    from optuna.trial import TrialState

    try:
        trial = study._storage.get_trial(trial._trial_id)
        study._storage.set_trial_user_attr(trial._trial_id, LOST, reason)
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, RuntimeError):
        return  # somebody else has told it
    _LOGGER.warning("trial %d is lost: %s", trial.number, reason)
    parameters = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if again and parameters:
        study.enqueue_trial(
            parameters,
            user_attrs={"skbreath:again": trial.number},
        )


def _is_alive(record):
    if record["ended"]:
        return False
    if record["machine"] is not None and record["machine"] == _machine():
        return _start(record["pid"]) == record["started"]
    return time.time() - record["alive"] < SILENCE


def _is_new(trial):
    return (datetime.now() - trial.datetime_start).total_seconds() < UNNAMED


def _machine():
    """Name what process ids are unique on; None where /proc does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _start(pid):
    """Start of a process in clock ticks since the boot; None if it is gone."""
    try:
        # The name, in parentheses, may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
