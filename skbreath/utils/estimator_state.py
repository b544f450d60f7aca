"""Store the weights of networks apart from the rest of a model file.

A pickle of :class:`~skbreath.ResidualCNNClassifier` holds its weights. A model file
holds them as safetensors: while one is written or read, the classifier puts them into a
store and takes them from there.
"""

from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["WeightStore", "current_store"]

_CURRENT = ContextVar("weight_store", default=None)


class WeightStore:
    """Keep the arrays of several networks in one flat dict.

    Parameters
    ----------
    arrays : dict of str to ndarray, default=None
        By ``"<key>/<name of the tensor>"``; None starts an empty store.

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
        token = _CURRENT.set(self)
        try:
            yield self
        finally:
            _CURRENT.reset(token)

    def put(self, owner, weights):
        """Keep the weights of `owner`, once however often it is put; get their key."""
        known = self._owners.get(id(owner))
        if known is not None:
            return known[1]
        key = f"net{len(self._owners)}"
        self._owners[id(owner)] = (owner, key)  # alive, so that no id comes twice
        for name, array in weights.items():
            self.arrays[f"{key}/{name}"] = array
        return key

    def take(self, key):
        """Get the weights by their key; ValueError if there are none."""
        start = f"{key}/"
        weights = {
            name.removeprefix(start): array
            for name, array in self.arrays.items()
            if name.startswith(start)
        }
        if not weights:
            raise ValueError(f"there are no weights {key!r}.")
        return weights


def current_store():
    """Get the store in use, or None while no model file is made or read."""
    return _CURRENT.get()
