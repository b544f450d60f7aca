"""Python's garbage collector, out of the way while many objects come to stay."""

import gc
from contextlib import contextmanager

__all__ = ["collector_paused"]


@contextmanager
def collector_paused():
    """Put the cyclic garbage collector off until the block ends.

    Imports and unpacked models make objects by the thousands, and each few thousand
    make the collector go through everything that torch has loaded, in vain: two fifths
    of the time from a cold start to the first label.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
