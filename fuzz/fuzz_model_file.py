"""A model file with changes: a model, or a ModelFileError; and nothing is executed.

Checksums would turn nearly all changed bytes away at the door, and parsers most of the
rest. So the input of the fuzzer is a list of changes to a good file: to its bytes, or,
with checksums made to fit, to those of its archive of data or its weights, or to any
place in the tree of JSON that says what the model is made of.
"""

import copy
import io
import json
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import atheris
import harness

with harness.instrumented():
    from skbreath.model_files import (
        container,
    )
    from skbreath.model_files import (
        save_load as model_file,
    )

_FILE = Path(tempfile.mkdtemp(prefix="skbreath-fuzz-"), "model.skb")
# What no model may do while it is loaded.
_FORBIDDEN = {
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen"),
    *("pickle.find_class", "socket.connect", "os.remove", "os.rename", "os.mkdir"),
}
_loading = False


def _watch(event, args):
    if _loading and (
        event in _FORBIDDEN or event == "open" and set(str(args[1])) & set("wax+")
    ):
        # Beyond any `except`: the fuzzer must see it.
        sys.stderr.write(f"a model file has caused {event} {args}\n")
        raise SystemExit(77)


sys.addaudithook(_watch)


def _template():
    """A small model of many kinds of parts, apart."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    from skbreath import ThresholdClassifier, WeightedVotingClassifier

    X = np.random.default_rng(0).normal(size=(60, 2))
    members = [
        ("linear", LogisticRegression()),
        ("trees", HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=3)),
    ]
    vote = WeightedVotingClassifier(members, cv=2)
    model = ThresholdClassifier(vote, pos_label="I", cv=2)
    model.fit(X, np.where(X[:, 0] > 0, "I", "E"))
    model_file.save_model(model, _FILE)
    content = _FILE.read_bytes()
    about, data, tensors = container.unpack(content)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return content, about, data, tensors, members


CONTENT, ABOUT, DATA, TENSORS, MEMBERS = _template()


SCHEMA = json.loads(MEMBERS["schema.json"])
VALUES = (None, True, 0, -1, 2**63, 1e308, "", "x", [], {}, [[]], "../../x.npy")


def _changed(changes, content):
    """`content` with some stretches of it replaced."""
    content = bytearray(content)
    for _ in range(changes.ConsumeIntInRange(1, 4)):
        place = changes.ConsumeIntInRange(0, len(content))
        length = changes.ConsumeIntInRange(0, 8)
        content[place : place + length] = changes.ConsumeBytes(length)
    return bytes(content)


def _places(tree):
    """(container, key) of everything in a tree of JSON."""
    keys = tree if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


def _changed_schema(changes):
    schema = copy.deepcopy(SCHEMA)
    for _ in range(changes.ConsumeIntInRange(1, 4)):
        places = list(_places(schema))
        tree, key = changes.PickValueInList(places)
        kind = changes.ConsumeIntInRange(0, 3)
        if kind == 0:
            del tree[key]
        elif kind == 1:  # what stands elsewhere
            other, place = changes.PickValueInList(places)
            if other is not tree:
                tree[key] = copy.deepcopy(other[place])
        elif kind == 2:
            tree[key] = changes.PickValueInList(list(VALUES))
        else:
            tree[key] = changes.ConsumeUnicodeNoSurrogates(40)
    return json.dumps(schema).encode()


def _file(data):
    changes = atheris.FuzzedDataProvider(data)
    depth = changes.ConsumeIntInRange(0, 5)
    if depth == 0:
        return _changed(changes, CONTENT)
    if depth == 1:
        return container.pack(ABOUT, _changed(changes, DATA), TENSORS)
    if depth == 2:
        return container.pack(ABOUT, DATA, _changed(changes, TENSORS))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in MEMBERS.items():
            if depth > 3 and name == "schema.json":
                member = _changed_schema(changes)
            elif depth == 3 and changes.ConsumeProbability() < 0.1:
                member = _changed(changes, member)
            archive.writestr(name, member)
    return container.pack(ABOUT, buffer.getvalue(), TENSORS)


def target(data):
    global _loading
    _FILE.write_bytes(_file(data))
    _loading = True
    try:
        model = model_file.load_model(_FILE)
    except model_file.ModelFileError as error:
        assert str(_FILE) in str(error)
    else:
        assert hasattr(model, "get_params")
    finally:
        _loading = False


def seeds():
    """Some lists of changes of each kind."""
    for number in range(64):
        yield bytes((number * 37 + i * i * 11) % 256 for i in range(8 + number))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    harness.run(target, seeds())
