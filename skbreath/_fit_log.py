"""Tell the log of the package about finished fits, for whoever shows progress.

A record of the logger ``skbreath`` at level INFO has the attribute ``finished_fits``.
Only the outermost meta-estimator logs: the fits within its fits are its own affair,
and in other processes nobody would hear of them.
"""

import logging
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["inside_fit", "is_inside_fit", "log_each_fit", "log_fits"]

_LOGGER = logging.getLogger("skbreath")
_INSIDE = ContextVar("inside_fit", default=False)


@contextmanager
def inside_fit():
    """Keep meta-estimators silent that are fitted in this block."""
    token = _INSIDE.set(True)
    try:
        yield
    finally:
        _INSIDE.reset(token)


def is_inside_fit():
    """Tell whether a meta-estimator is fitting here."""
    return _INSIDE.get()


def log_fits(number, message, *args):
    """Log that `number` more fits are finished.

    Parameters
    ----------
    number : int
        Of fits.
    message, *args
        As in :meth:`logging.Logger.info`.

    Examples
    --------
    >>> with inside_fit():
    ...     log_fits(1, "not logged: part of a larger fit")
    """
    if not _INSIDE.get():
        _LOGGER.info(message, *args, extra={"finished_fits": number})


def log_each_fit(results, message):
    """Yield results as they come, logging a finished fit for each.

    Parameters
    ----------
    results : iterable
        Such as the generator of a parallel run.
    message : str
        What was fitted.

    Yields
    ------
    result : object
        As given.
    """
    for result in results:
        log_fits(1, message)
        yield result
