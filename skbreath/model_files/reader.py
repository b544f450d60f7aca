"""The reader of a model's data, which makes known objects only.

The format is that of skops, and `skops.io.load` reads it too. It is read here because
importing skops imports all of scikit-learn and more, for longer than a model takes to
load and to predict, and because less needs to be made here: no methods, no partial
functions, no operators, no bytes.
"""

import io
import json
import math
import re
from collections import OrderedDict
from functools import lru_cache

import numpy as np
from sklearn.utils import Bunch

from ..features.feature_set import FeatureStack
from .container import ModelFileError, open_archive
from .known_types import (
    find_class,
    find_function,
    find_loss,
    find_scalar,
    find_type,
    stored_module,
)

__all__ = ["SCHEMA", "load_data"]

SCHEMA = "schema.json"
# What skops called its format when the first model file was written, and since.
_PROTOCOLS = (2,)
_ARRAY_NAME = re.compile(r"[0-9]+\.npy")
_DICTS = {
    "builtins.dict": dict,
    "collections.OrderedDict": OrderedDict,
    "sklearn.utils._bunch.Bunch": Bunch,
}
_LISTS = {"builtins.list": list, "builtins.set": set}
_TUPLES = {
    "builtins.tuple": tuple,
    "skbreath.FeatureStack": lambda values: FeatureStack(*values),
}


def load_data(data):
    """Turn data into a model again, if all of it is of known classes.

    Parameters
    ----------
    data : bytes
        From :func:`~skbreath.model_files.writer.dump_data`, or from anybody.

    Returns
    -------
    model : object

    Raises
    ------
    ModelFileError
        If there is anything in it that is not known to be harmless, or that
        contradicts itself.
    """
    with open_archive(data, "its data", 1) as archive:
        names = archive.namelist()
        if SCHEMA not in names:
            raise ModelFileError(f"its data lacks {SCHEMA}.")
        try:
            schema = json.loads(archive.read(SCHEMA))
            protocol = schema.get("protocol")
            if protocol not in _PROTOCOLS:
                raise ModelFileError(f"its data is of the skops protocol {protocol!r}.")
            arrays = {
                name: _array(name, archive.read(name))
                for name in names
                if name != SCHEMA
            }
            return _ObjectBuilder(arrays).make(schema)
        except ModelFileError:
            raise
        except (Exception, RecursionError) as error:
            # Contradictory data may raise anything, anywhere.
            text = str(error).partition("\n")[0] or type(error).__name__
            raise ModelFileError(f"its data cannot be used: {text}") from error


def _array(name, content):
    """Read an array; one that declares a wrong size takes no memory."""
    if not _ARRAY_NAME.fullmatch(name):
        raise ModelFileError(f"its data holds a file {name!r}.")
    # The length of a header stands behind 8 bytes of magic and version.
    start = 10 + int.from_bytes(content[8:10], "little")
    shape, by_columns, dtype = _header(content[:start])
    n_values = math.prod(shape)
    nothing = dtype.itemsize == 0 and n_values > 0
    wrong = n_values * dtype.itemsize != len(content) - start
    if dtype.hasobject or nothing or wrong:
        raise ModelFileError(
            f"its array {name} declares a size that does not match its data."
        )
    if n_values == 0:
        return np.empty(shape, dtype)
    values = np.frombuffer(content, dtype, offset=start).copy()
    if by_columns:
        return values.reshape(shape[::-1]).transpose()
    return values.reshape(shape)


@lru_cache(maxsize=1024)
def _header(text):
    """Parse a header: a model of trees has thousands of arrays with the same few."""
    stream = io.BytesIO(text)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ModelFileError("its data holds an array of an unknown format.")
    return np.lib.format.read_array_header_1_0(stream)


class _ObjectBuilder:
    """Build the objects that nodes describe, each once."""

    def __init__(self, arrays):
        self._arrays = arrays
        self._made = {}

    def make(self, node):
        number = node["__id__"]
        if number not in self._made:
            kind = node["__loader__"]
            builder = _BUILDERS.get(kind)
            if builder is None:
                raise ModelFileError(f"it holds a {_name(node)}, as a {kind}.")
            self._made[number] = builder(self, node)
        return self._made[number]

    def _dict(self, node):
        made = _of(_DICTS, node)()
        types = self.make(node["key_types"])
        pairs = zip(types, node["content"].items(), strict=True)
        for kind, (key, value) in pairs:
            if kind is bool:  # any text is true
                raise ModelFileError("it holds a dict with keys True and False.")
            if not issubclass(kind, str | int | float | np.generic):
                raise ModelFileError(f"it holds a dict with keys that are {kind}.")
            made[kind(key)] = self.make(value)
        return made

    def _list(self, node):
        return _of(_LISTS, node)(self._entries(node))

    def _tuple(self, node):
        return _of(_TUPLES, node)(self._entries(node))

    def _entries(self, node):
        return [self.make(entry) for entry in node["content"]]

    def _json(self, node):
        value = json.loads(node["content"])
        if value is not None and not isinstance(value, str | int | float):
            raise ModelFileError(f"it holds {type(value).__name__} as text.")
        return value

    def _slice(self, node):
        content = node["content"]
        return slice(content["start"], content["stop"], content["step"])

    def _ndarray(self, node):
        if node["type"] == "json":
            return _object_array(self._entries(node), self.make(node["shape"]))
        array = self._arrays.pop(node["file"])  # once, as it was written
        if _name(node) == "numpy.ndarray":
            return array
        return find_scalar(_name(node))(array[()])

    def _masked_array(self, node):
        data, mask = (self.make(node["content"][key]) for key in ("data", "mask"))
        return np.ma.MaskedArray(data, mask)

    def _dtype(self, node):
        return self.make(node["content"]).dtype

    def _random_state(self, node):
        random_state = np.random.RandomState()
        random_state.set_state(self.make(node["content"]))
        return random_state

    def _generator(self, node):
        state = self.make(node["content"]["bit_generator"])
        seeds = self.make(node["content"]["seed_seq"])
        kind = getattr(np.random, state["bit_generator"])
        if not issubclass(kind, np.random.BitGenerator):
            raise ModelFileError(f"it holds a {kind} for random numbers.")
        bits = kind(np.random.SeedSequence(**seeds))
        bits.state = state
        return np.random.Generator(bits)

    def _type(self, node):
        return find_type(_name(node))

    def _function(self, node):
        return find_function(_name(node))

    def _object(self, node):
        cls = find_class(_name(node))
        made = cls.__new__(cls)
        state = self.make(node["content"]) if "content" in node else None
        if state is None:
            return made
        if state.get("memory") is not None:
            raise ModelFileError(f"it holds a {cls.__name__} with a cache.")
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            vars(made).update(state)
        return made

    def _loss(self, node):
        return self._reduced(find_loss(_name(node)), node)

    def _tree(self, node):
        from ..utils.sklearn_compat import Tree

        return self._reduced(Tree, node)

    def _reduced(self, cls, node):
        made = cls(*self.make(node["__reduce__"]["args"]))
        state = self.make(node["content"])
        if state:
            made.__setstate__(state)
        return made


def _object_array(rows, shape):
    """An array of what is in nested lists, though it may be lists itself."""
    for _ in shape[1:]:
        rows = [value for row in rows for value in row]
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array.reshape(shape)


_BUILDERS = {
    "DictNode": _ObjectBuilder._dict,
    "DTypeNode": _ObjectBuilder._dtype,
    "FunctionNode": _ObjectBuilder._function,
    "JsonNode": _ObjectBuilder._json,
    "ListNode": _ObjectBuilder._list,
    "LossNode": _ObjectBuilder._loss,
    "MaskedArrayNode": _ObjectBuilder._masked_array,
    "NdArrayNode": _ObjectBuilder._ndarray,
    "ObjectNode": _ObjectBuilder._object,
    "RandomGeneratorNode": _ObjectBuilder._generator,
    "RandomStateNode": _ObjectBuilder._random_state,
    "SetNode": _ObjectBuilder._list,
    "SliceNode": _ObjectBuilder._slice,
    "TreeNode": _ObjectBuilder._tree,
    "TupleNode": _ObjectBuilder._tuple,
    "TypeNode": _ObjectBuilder._type,
}


def _name(node):
    return f"{stored_module(node['__module__'])}.{node['__class__']}"


def _of(known, node):
    if _name(node) not in known:
        raise ModelFileError(f"it holds a {_name(node)} as a {node['__loader__']}.")
    return known[_name(node)]
