"""Log finished fits, so that progress can be shown.

A record of the logger ``skbreath`` at level INFO has the attribute ``finished_fits``.
Only the outermost meta-estimator logs: fits within its fits may run in other processes,
whose log records would be lost.
"""

import logging
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["inside_fit", "is_inside_fit", "log_each_fit", "log_fits"]

_LOGGER = logging.getLogger("skbreath")
_INSIDE = ContextVar("inside_fit", default=False)


@contextmanager
def inside_fit():
    """Stop meta-estimators that are fitted in this block from logging."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


def is_inside_fit():
    """Return whether a meta-estimator is fitting here."""
    return _INSIDE.get()


def log_fits(number, message, *args):
    """Log that `number` more fits are finished, with a message and its arguments.

    Examples
    --------
    >>> with inside_fit():
    ...     log_fits(1, "not logged: part of a larger fit")
    """
    if not _INSIDE.get():
        _LOGGER.info(message, *args, extra={"finished_fits": number})


def log_each_fit(results, message):
    """Yield results as they come, logging a finished fit for each."""
    for result in results:
        log_fits(1, message)
        yield result
