"""Build a model from its data, out of known classes only.

The format is that of skops, and `skops.io.load` reads it too. This reader exists
because importing skops takes longer than loading a model and predicting, and because it
accepts fewer types: methods, partial functions, operators and bytes are errors.
"""

import io
import json
import math
import re
from collections import OrderedDict
from functools import lru_cache
from inspect import signature

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.tree import BaseDecisionTree
from sklearn.utils import Bunch

from ..features.feature_set import FeatureStack
from ..utils.sklearn_compat import (
    PREDICTOR_RECORD_DTYPE,
    BaseForest,
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    Tree,
    TreePredictor,
)
from .container import ModelFileError, damaged, open_archive
from .known_types import (
    find_class,
    find_function,
    find_loss,
    find_scalar,
    find_type,
    stored_module,
)

__all__ = ["SCHEMA", "check_trees", "load_data"]

SCHEMA = "schema.json"
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
# Ensembles that check the columns of X and pass it to their trees unchecked.
_ENSEMBLES = (
    BaseForest,
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    IsolationForest,
)


def load_data(data):
    """Build the model that `dump_data` turned into bytes.

    Raise ModelFileError if it has an unknown class or contradicts itself.
    """
    with open_archive(data, "its data", 1) as archive:
        names = archive.namelist()
        if SCHEMA not in names:
            raise ModelFileError(f"its data lacks {SCHEMA}.")
        try:
            schema = json.loads(archive.read(SCHEMA))
            protocol = schema.get("protocol")
            if protocol != 2:  # that of all released versions of skops so far
                raise ModelFileError(
                    f"expected data of the skops protocol 2, got protocol {protocol!r}."
                )
            arrays = {
                name: _array(name, archive.read(name))
                for name in names
                if name != SCHEMA
            }
            return _ObjectBuilder(arrays).make(schema)
        except ModelFileError:
            raise
        except (Exception, RecursionError) as error:
            # Contradictory data can raise any exception.
            text = str(error).partition("\n")[0] or type(error).__name__
            raise damaged(f"its data cannot be used: {text}") from error


def _array(name, content):
    """Read an array; one that declares a wrong size takes no memory."""
    if not _ARRAY_NAME.fullmatch(name):
        raise damaged(f"its data has an unexpected file {name!r}")
    # The length of the header follows 8 bytes of magic and version.
    start = 10 + int.from_bytes(content[8:10], "little")
    shape, by_columns, dtype = _header(content[:start])
    n_values = math.prod(shape)
    nothing = dtype.itemsize == 0 and n_values > 0
    wrong = n_values * dtype.itemsize != len(content) - start
    if dtype.hasobject or nothing or wrong:
        raise damaged(f"its array {name} declares a size that does not match its data")
    if n_values == 0:
        return np.empty(shape, dtype)
    values = np.frombuffer(content, dtype, offset=start).copy()
    if by_columns:
        return values.reshape(shape[::-1]).transpose()
    return values.reshape(shape)


@lru_cache(maxsize=1024)
def _header(text):
    """Parse the header of an array; trees have thousands of equal headers."""
    stream = io.BytesIO(text)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise damaged("its data has an array of an unknown format")
    return np.lib.format.read_array_header_1_0(stream)


class _ObjectBuilder:
    """Build the objects that JSON nodes describe, each once."""

    def __init__(self, arrays):
        self._arrays = arrays
        self._made = {}

    def make(self, node):
        """Build the object of a node, or return it if it was built before."""
        number = node["__id__"]
        if number not in self._made:
            kind = node["__loader__"]
            builder = _BUILDERS.get(kind)
            if builder is None:
                raise damaged(
                    f"expected a node of a known type for {_name(node)}, got {kind!r}"
                )
            self._made[number] = builder(self, node)
        return self._made[number]

    def _dict(self, node):
        made = _of(_DICTS, node)()
        types = self.make(node["key_types"])
        pairs = zip(types, node["content"].items(), strict=True)
        for kind, (key, value) in pairs:
            if kind is bool:  # bool("False") is True
                raise damaged("its data has a dict with the keys True or False")
            if not issubclass(kind, str | int | float | np.generic):
                raise damaged(
                    f"expected texts or numbers as keys of a dict, got {kind}"
                )
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
            raise damaged(
                f"expected a text or number in JSON, got a {type(value).__name__}"
            )
        return value

    def _slice(self, node):
        content = node["content"]
        return slice(content["start"], content["stop"], content["step"])

    def _ndarray(self, node):
        if node["type"] == "json":
            return _object_array(self._entries(node), self.make(node["shape"]))
        array = self._arrays.pop(node["file"])  # the writer refers to each file once
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
            raise damaged(f"expected a bit generator of NumPy, got {kind}")
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
            raise damaged(f"its {cls.__name__} has a cache, which `save_model` removes")
        if issubclass(cls, BaseEstimator):
            _set_defaults(cls, state)
        if hasattr(made, "__setstate__"):
            made.__setstate__(state)
        else:
            vars(made).update(state)
        return made

    def _loss(self, node):
        return self._reduced(find_loss(_name(node)), node)

    def _tree(self, node):
        return self._reduced(Tree, node)

    def _reduced(self, cls, node):
        made = cls(*self.make(node["__reduce__"]["args"]))
        state = self.make(node["content"])
        if state:
            made.__setstate__(state)
        return made


def _set_defaults(cls, state):
    """Set parameters that the version that wrote a file lacks, or deprecates."""
    for name, parameter in signature(cls).parameters.items():
        value = state.get(name, "deprecated")
        if isinstance(value, str) and value == "deprecated":
            if parameter.default is not parameter.empty:
                state[name] = parameter.default


def _object_array(rows, shape):
    """Make an array of objects, which may be lists, from lists nested by `shape`."""
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
    """Get module and class of a node."""
    return f"{stored_module(node['__module__'])}.{node['__class__']}"


def _of(known, node):
    """Look a node's class up in a dict of known ones."""
    if _name(node) not in known:
        raise damaged(f"expected a class for {node['__loader__']}, got {_name(node)}")
    return known[_name(node)]


def check_trees(model):
    """Raise an error if an index in any decision tree of a model is out of bounds.

    scikit-learn follows these indices in C without checks: a wrong one would read
    foreign memory or never end.
    """
    seen = set()
    # Pairs of an object and the number of columns of X that its trees may read.
    todo = [(model, 0)]
    while todo:
        value, n_columns = todo.pop()
        if isinstance(value, Tree):
            _check_tree(value, n_columns)
        elif isinstance(value, TreePredictor):
            _check_predictor(value, n_columns)
        if isinstance(value, dict):
            inside = list(value.values())
        elif isinstance(value, list | tuple | set):
            inside = list(value)
        elif isinstance(value, np.ndarray) and value.dtype == object:
            inside = value.ravel().tolist()
        else:
            inside = list(getattr(value, "__dict__", {}).values())
        if isinstance(value, BaseEstimator):
            n_columns = _n_columns(value, n_columns)
        # An object of two owners is checked for each.
        if inside and (id(value), n_columns) not in seen:
            seen.add((id(value), n_columns))
            todo += [(part, n_columns) for part in inside]


def _n_columns(estimator, of_owner):
    """Get the number of columns of X that trees in an estimator may read."""
    n_columns = getattr(estimator, "n_features_in_", 0)
    if not isinstance(n_columns, int | np.integer):
        raise ModelFileError(
            f"its {type(estimator).__name__} has n_features_in_={n_columns!r}."
        )
    if isinstance(estimator, _ENSEMBLES):
        return n_columns
    if isinstance(estimator, BaseDecisionTree):
        # Within an ensemble, the ensemble checks X; otherwise the tree itself.
        return min(n_columns, of_owner) if of_owner else n_columns
    return 0


def _check_tree(tree, n_columns):
    """Check the indices of a tree of a forest or of gradient boosting."""
    n_nodes = tree.node_count
    left, right = tree.children_left, tree.children_right
    inner = left != -1  # as scikit-learn marks leaves
    here = np.arange(n_nodes)[inner]
    _check(
        n_nodes > 0
        and tree.n_features <= n_columns
        and _forward(here, left[inner], n_nodes)
        and _forward(here, right[inner], n_nodes)
        and _within(tree.feature[inner], tree.n_features)
    )


def _check_predictor(predictor, n_columns):
    """Check the indices of a tree of histogram gradient boosting."""
    nodes = getattr(predictor, "nodes", None)
    if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE:
        raise ModelFileError("it has boosted trees without nodes.")
    n_nodes = len(nodes)
    inner = nodes["is_leaf"] == 0
    here = np.arange(n_nodes)[inner]
    _check(
        n_nodes > 0
        and _forward(here, nodes["left"][inner], n_nodes)
        and _forward(here, nodes["right"][inner], n_nodes)
        and _within(nodes["feature_idx"][inner], n_columns)
    )
    if nodes["is_categorical"].any():
        raise ModelFileError(
            "it has boosted trees with categorical features, which cannot be checked."
        )


def _forward(parents, children, n_nodes):
    """Check that children come after their parents, so that every path ends."""
    return _within(children, n_nodes) and bool((children > parents).all())


def _within(indices, n):
    """Check that indices are from 0 to below n."""
    return bool(((indices >= 0) & (indices < n)).all())


def _check(good):
    """Raise an error unless a check passed."""
    if not good:
        raise ModelFileError("it has a decision tree whose indices are out of bounds.")
