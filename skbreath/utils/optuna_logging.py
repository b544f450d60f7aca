"""Optuna without its announcements."""

from contextlib import contextmanager

__all__ = ["quiet_optuna"]


@contextmanager
def quiet_optuna():
    """Keep Optuna from announcing a study; the user's verbosity comes back."""
    from optuna import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(max(verbosity, logging.WARNING))
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
