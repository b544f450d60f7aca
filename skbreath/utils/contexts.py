"""Change a global setting of Python or of Optuna until a block ends."""

import gc
from contextlib import contextmanager

__all__ = ["collector_paused", "quiet_optuna"]


@contextmanager
def collector_paused():
    """Pause garbage collection while many long-lived objects are created.

    Without it, two fifths of the time from a cold start to the first label are spent
    searching the objects of torch, in vain.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@contextmanager
def quiet_optuna():
    """Silence Optuna's log messages below warnings."""
    from optuna import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(max(verbosity, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
