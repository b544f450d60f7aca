"""Change a global setting of Python or of a library until a block ends."""

import gc
import sys
import warnings
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

__all__ = ["collector_paused", "one_thread", "quiet_optuna", "quiet_restarts"]


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


@contextmanager
def quiet_restarts():
    """Hide joblib's warning that it replaces a worker whose memory has grown.

    The memory grows with each network that is fitted, and no fit is lost.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        yield


@contextmanager
def one_thread(user_api="openmp"):
    """Run OpenMP code, such as boosted trees of scikit-learn, on one thread.

    By default it takes one thread per core. They wait for each other after each small
    step, which makes a fit ten times slower where another program uses a core. Results
    are the same. Workers of joblib use the other cores.
    """
    # In a fifth of the time of `limit` of threadpoolctl: a stream of sound does it
    # every 16 ms.
    pools = _thread_pools(len(sys.modules)).lib_controllers
    pools = [pool for pool in pools if user_api in (None, pool.user_api)]
    limits = [(pool, pool.get_num_threads()) for pool in pools]
    limits = [(pool, n) for pool, n in limits if n not in (None, 1)]
    try:
        for pool, _ in limits:
            pool.set_num_threads(1)
        yield
    finally:
        for pool, n in limits:
            pool.set_num_threads(n)


@lru_cache(maxsize=1)
def _thread_pools(n_modules):
    """Find the thread pools of the loaded libraries, in 6 ms; again after an import."""
    return ThreadpoolController()
