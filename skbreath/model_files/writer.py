"""A fitted model as data: what skops writes, each object once.

skops turns an object into a zip archive of JSON and ``.npy`` files, running no code.
It writes an object as often as it is referred to, under names that are memory
addresses. Here each is written once, under its number: smaller, and the same bytes for
the same model.
"""

import io
import json
import zipfile

from .container import ModelFileError
from .known_types import stored_module
from .reader import SCHEMA

__all__ = ["dump_data"]

# Short, immutable, or read in another order than written: never left out.
_ALWAYS_WRITTEN = {"JsonNode", "TypeNode", "FunctionNode"}
_IMMUTABLE = {*_ALWAYS_WRITTEN, "TupleNode"}


def dump_data(model):
    """Turn a model into data.

    Parameters
    ----------
    model : object
        Networks in it leave their weights with the weight store in use.

    Returns
    -------
    data : bytes
        For :func:`~skbreath.model_files.reader.load_data`.

    Raises
    ------
    ModelFileError
        If it holds what cannot be data, such as functions or objects of foreign
        classes.
    """
    import skops.io

    try:
        written = skops.io.dumps(model)
    except Exception as error:  # whatever the parts of a foreign object raise
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
    """Number nodes and files in the order in which they are read."""

    def __init__(self, source):
        self.files = {}
        self._source = source
        self._last_number = 0
        self._numbers = {}
        self._numbers_of_equals = {}
        self._names = {}

    def node(self, node):
        node = node | {"__module__": stored_module(node["__module__"])}
        known = self._numbers.get(node["__id__"])
        if known is not None and node["__loader__"] not in _ALWAYS_WRITTEN:
            return _reference(node, known)
        if node["__loader__"] not in _IMMUTABLE:
            number = self._new_number(node)
            _drop_cache(node)
            return self._content(node) | {"__id__": number}
        # Whether equal texts are one object is chance, and not kept by a pickle.
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
