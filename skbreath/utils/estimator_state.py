"""Add the package version to states, and keep weights of networks out of them.

The package version goes into every state, so that caches compute again after an
update. The weights of networks stay out of the state while a model file is written or
read: the file holds them as safetensors, a pickle holds them itself.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

from .. import __version__

__all__ = [
    "VersionedState",
    "WeightStore",
    "current_store",
    "keyed_by_content",
    "uncacheable_token",
]

_CURRENT_STORE = ContextVar("weight_store", default=None)
_KEYED_BY_CONTENT = ContextVar("keyed_by_content", default=False)


class VersionedState:
    """Mixin that puts the package version into the state of an estimator."""

    def __getstate__(self):
        return super().__getstate__() | {"_skbreath_version": __version__}

    def __setstate__(self, state):
        state = {k: v for k, v in state.items() if k != "_skbreath_version"}
        super().__setstate__(state)


def uncacheable_token():
    """Make a unique value, or the empty text within :func:`keyed_by_content`.

    In the state of an estimator that reads files it keeps caches from reusing results,
    since a hash of the estimator does not depend on the files.
    """
    return "" if _KEYED_BY_CONTENT.get() else uuid4().hex


@contextmanager
def keyed_by_content():
    """Make states cacheable in this block, for a cache that hashes the files itself."""
    with _set(_KEYED_BY_CONTENT, True):
        yield


@contextmanager
def _set(variable, value):
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


class WeightStore:
    """Keep the arrays of several networks in one dict, by ``"<key>/<name>"``.

    Examples
    --------
    >>> import numpy as np
    >>> store = WeightStore()
    >>> with store.in_use():
    ...     key = current_store().put("a network", {"bias": np.zeros(3)})
    >>> key, list(store.arrays), list(store.take(key))
    ('net0', ['net0/bias'], ['bias'])
    """

    def __init__(self, arrays=None):
        self.arrays = {} if arrays is None else arrays
        self._owners = {}

    @contextmanager
    def in_use(self):
        """Make this the store that classifiers use while the block runs."""
        with _set(_CURRENT_STORE, self):
            yield self

    def put(self, owner, weights):
        """Keep the weights of `owner` once, and return their key."""
        known = self._owners.get(id(owner))
        if known is not None:
            return known[1]
        key = f"net{len(self._owners)}"
        self._owners[id(owner)] = (owner, key)  # alive, so that ids stay unique
        for name, array in weights.items():
            self.arrays[f"{key}/{name}"] = array
        return key

    def take(self, key):
        """Get the weights stored under `key`."""
        start = f"{key}/"
        weights = {
            name.removeprefix(start): array
            for name, array in self.arrays.items()
            if name.startswith(start)
        }
        if not weights:
            raise ValueError(
                f"Expected weights named {start}..., found none; the model file is "
                "damaged: save the model again."
            )
        return weights


def current_store():
    """Get the store in use, or None while no model file is written or read."""
    return _CURRENT_STORE.get()
