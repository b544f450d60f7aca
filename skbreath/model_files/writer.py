"""Convert a fitted model to data with skops, each object once.

skops writes a zip archive of JSON and ``.npy`` files. It names objects by their memory
addresses, and writes them as often as they are referred to. Here each is written once,
under a number: the data is smaller, and the same for the same model.
"""

import io
import json
import zipfile

from .container import ModelFileError
from .known_types import stored_module
from .reader import SCHEMA

__all__ = ["dump_data"]

# Nodes that are always written in full: they are short, or not read in written order.
_ALWAYS_WRITTEN = {"JsonNode", "TypeNode", "FunctionNode"}
_IMMUTABLE = {*_ALWAYS_WRITTEN, "TupleNode"}


def dump_data(model):
    """Convert a model to bytes for `load_data`; weights go to the store in use.

    Raise ModelFileError if a part cannot be data, such as a function.
    """
    import skops.io

    try:
        written = skops.io.dumps(model)
    except Exception as error:  # parts of foreign classes can raise any exception
        raise ModelFileError(f"{error or type(error).__name__}") from error
    with zipfile.ZipFile(io.BytesIO(written)) as source:
        schema = json.loads(source.read(SCHEMA))
        encoder = _StateEncoder(source)
        schema = encoder.node(schema)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as target:
            text = json.dumps(schema, separators=(",", ":"))
            target.writestr(zipfile.ZipInfo(SCHEMA), text)
            for name, content in encoder.files.items():
                target.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


class _StateEncoder:
    """Number nodes and files of skops in reading order, and drop repeated nodes."""

    def __init__(self, source):
        self.files = {}
        self._source = source
        self._last_number = 0
        self._numbers = {}
        self._numbers_of_equals = {}
        self._names = {}

    def node(self, node):
        """Encode a node, or refer to the equal one that was written before."""
        node = node | {"__module__": stored_module(node["__module__"])}
        known = self._numbers.get(node["__id__"])
        if known is not None and node["__loader__"] not in _ALWAYS_WRITTEN:
            return _reference(node, known)
        if node["__loader__"] not in _IMMUTABLE:
            number = self._new_number(node)
            _drop_cache(node)
            return self._content(node) | {"__id__": number}
        # Equal immutable values get one number, whether they are one object or not.
        content = self._content(node)
        key = json.dumps(content)
        if key in self._numbers_of_equals:
            number = self._numbers_of_equals[key]
            self._numbers[node["__id__"]] = number
            if node["__loader__"] not in _ALWAYS_WRITTEN:
                return _reference(node, number)
        else:
            number = self._numbers_of_equals[key] = self._new_number(node)
        return content | {"__id__": number}

    def _new_number(self, node):
        self._last_number += 1
        self._numbers[node["__id__"]] = self._last_number
        return self._last_number

    def _content(self, node):
        encoded = {}
        for key in _in_reading_order(node):
            value = node[key]
            if key == "file":
                value = self._file(value)
            elif not key.startswith("__") or key == "__reduce__":
                value = self._value(value)
            encoded[key] = value
        return encoded

    def _value(self, value):
        if isinstance(value, list):
            return [self._value(entry) for entry in value]
        if isinstance(value, dict):
            if "__loader__" in value:
                return self.node(value)
            return {key: self._value(entry) for key, entry in value.items()}
        return value

    def _file(self, name):
        if name not in self._names:
            suffix = name.rpartition(".")[2]
            self._names[name] = f"{len(self._names)}.{suffix}"
            self.files[self._names[name]] = self._source.read(name)
        return self._names[name]


def _in_reading_order(node):
    """Order the keys of a node: key types first, and a state before arguments."""
    first = [key for key in ("key_types", "content") if key in node]
    return [*first, *(key for key in node if key not in (*first, "__id__"))]


def _reference(node, number):
    """Make a node that refers to one written before."""
    kept = ("__class__", "__module__", "__loader__")
    return {**{key: node[key] for key in kept}, "__id__": number}


def _drop_cache(node):
    """Remove a cache folder: on another machine it does not exist or is not trusted."""
    if node["__loader__"] == "ObjectNode" and isinstance(node.get("content"), dict):
        attributes = node["content"].get("content")
        if isinstance(attributes, dict) and "memory" in attributes:
            attributes["memory"] = {
                "__class__": "str",
                "__module__": "builtins",
                "__loader__": "JsonNode",
                "content": "null",
                "is_json": True,
                "__id__": ("no cache", attributes["memory"]["__id__"]),
            }
