"""Test loading of damaged, changed and malicious model files."""

import io
import json
import os
import pickle
import sys
import zipfile

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression

import skbreath
from skbreath import (
    ModelFileError,
    ResidualCNNClassifier,
    load_model,
    model_info,
    save_model,
)
from skbreath.model_files.container import ABOUT, DATA, SUMS, TENSORS, pack
from skbreath.model_files.known_types import find_class

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.where(X[:, 0] > 0, "I", "E")


def content_of(model, tmp_path):
    save_model(model.fit(X, Y), tmp_path / "good.skb")
    return (tmp_path / "good.skb").read_bytes()


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return content_of(LogisticRegression(), tmp_path_factory.mktemp("model"))


@pytest.fixture
def refused(tmp_path):
    """Check that both readers raise an error that matches."""

    def check(content, match, info_too=True):
        path = tmp_path / "stranger.skb"
        path.write_bytes(content)
        readers = (load_model, model_info) if info_too else (load_model,)
        for read in readers:
            with pytest.raises(ModelFileError, match=match) as caught:
                read(path)
            assert "stranger.skb" in str(caught.value)

    return check


def test_every_public_estimator_can_be_loaded():
    for name in skbreath.__all__:
        public = getattr(skbreath, name)
        if isinstance(public, type) and issubclass(public, BaseEstimator):
            assert find_class(f"skbreath.{name}") is public


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(members, packed=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def forged(content, change, arrays=None):
    """Make a model file with changed data and correct checksums."""
    members = members_of(content)
    inner = members_of(members[DATA])
    schema = json.loads(inner["schema.json"])
    changed = change(schema)
    inner["schema.json"] = json.dumps(schema if changed is None else changed)
    if arrays is not None:
        arrays(inner)
    data = archive_of(inner, zipfile.ZIP_STORED)
    return pack(json.loads(members[ABOUT]), data, members[TENSORS])


def test_other_versions_are_named_in_the_error_and_the_warning(good, refused, tmp_path):
    def other(content):
        members = members_of(content)
        about = json.loads(members[ABOUT])
        about["packages"]["scikit-learn"] = "1.50.0"
        return pack(about, members[DATA], members[TENSORS])

    (tmp_path / "model.skb").write_bytes(other(good))
    with pytest.warns(UserWarning, match="with scikit-learn 1.50.0 and is read"):
        assert load_model(tmp_path / "model.skb").predict(X).shape == Y.shape

    def rename(schema):
        schema["__class__"] = "NewRegression"

    lacks = "NewRegression, which .* lack. It was written with scikit-learn 1.50.0"
    refused(other(forged(good, rename)), lacks, info_too=False)


def json_node(value, number=10**6):
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
        "__id__": number,
    }


def attribute(schema, name):
    return schema["content"]["content"][name]


class Bomb:
    """Make a folder when unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize("write", ["pickle", "joblib", "compressed"])
def test_renamed_pickle_bomb_does_not_go_off(write, refused, tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "bomb"
    if write == "pickle":
        path.write_bytes(pickle.dumps(Bomb(trace)))
    else:
        joblib.dump(Bomb(trace), path, compress=3 if write == "compressed" else 0)
    refused(path.read_bytes(), "not a zip archive.*looks like a pickle")
    assert not trace.exists()
    joblib.load(path)  # the bomb works
    assert trace.exists()


@pytest.mark.parametrize("member", [ABOUT, DATA, TENSORS, SUMS])
def test_pickle_bomb_as_a_member_does_not_go_off(member, good, refused, tmp_path):
    trace = tmp_path / "trace"
    members = members_of(good) | {member: pickle.dumps(Bomb(trace))}
    refused(archive_of(members), "stranger")
    members.pop(SUMS)
    if member in (DATA, TENSORS):
        about = json.loads(members[ABOUT])
        refused(pack(about, members[DATA], members[TENSORS]), "stranger", False)
    assert not trace.exists()


def test_pickled_array_does_not_go_off(good, refused, tmp_path):
    trace, stream = tmp_path / "trace", io.BytesIO()
    array = np.empty(1, object)
    array[0] = Bomb(trace)
    np.save(stream, array, allow_pickle=True)

    def replace(inner):
        inner["0.npy"] = stream.getvalue()

    refused(forged(good, lambda schema: None, replace), "0.npy declares a size", False)
    assert not trace.exists()


HARMFUL = {
    "function": ("FunctionNode", "os", "system", {}),
    "builtin": ("TypeNode", "builtins", "eval", {}),
    "class": ("ObjectNode", "subprocess", "Popen", {}),
    "stranger's class": ("ObjectNode", "colorlog.formatter", "ColoredFormatter", {}),
    "class behind a module": ("ObjectNode", "sklearn.base", "warnings", {}),
    "test module": ("ObjectNode", "sklearn.tests.test_base", "MyEstimator", {}),
    "list that calls": ("ListNode", "os", "listdir", {"content": []}),
    "dict that calls": ("DictNode", "os", "getcwd", {"content": {}, "key_types": {}}),
    "tuple that calls": ("TupleNode", "os", "listdir", {"content": []}),
    "method": ("MethodNode", "os", "x", {"content": {"func": "x", "obj": {}}}),
    "partial": ("PartialNode", "functools", "partial", {"content": {}}),
    "operator": ("OperatorFuncNode", "operator", "methodcaller", {"attrs": {}}),
    "constructor": ("ConstructorFromReduceNode", "os", "x", {"content": {}}),
    "bytes": ("BytesNode", "builtins", "bytes", {"file": "0.npy"}),
    "loss": ("LossNode", "os", "system", {"content": {}, "__reduce__": {}}),
    "scalar": ("NdArrayNode", "os", "system", {"type": "numpy", "file": "0.npy"}),
    "network": ("ObjectNode", "skbreath.network", "ResidualCNN1d", {}),
    "unknown": ("ShellNode", "os", "system", {}),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_nodes_that_could_run_code_are_refused(name, good, refused):
    kind, module, cls, rest = HARMFUL[name]
    node = {"__loader__": kind, "__module__": module, "__class__": cls, **rest}

    def change(schema):
        schema["content"]["content"]["C"] = {**node, "__id__": 10**6}

    refused(forged(good, change), "stranger.skb cannot be used: ", False)


def test_cache_folder_is_refused(good, refused):
    def change(schema):
        schema["content"]["content"]["memory"] = json_node("/tmp/with-pickles")
        types = schema["content"]["key_types"]["content"]
        types.append(types[0])

    refused(forged(good, change), "has a cache", False)


@pytest.mark.parametrize("name", ["../evil.npy", "/etc/passwd", "a/../../b", "x.txt"])
def test_paths_out_of_the_archive_are_refused(name, good, refused, tmp_path):
    refused(archive_of({**members_of(good), name: b"x"}), "expected the members")

    def add(inner):
        inner[name] = b"x"

    refused(forged(good, lambda schema: None, add), "an unexpected file", False)
    assert sorted(os.listdir(tmp_path)) == ["stranger.skb"]


def test_zip_bombs_are_refused_unopened(good, refused):
    members = members_of(good)
    refused(archive_of({**members, DATA: bytes(10**8)}), "a zip bomb")
    # A wrong size in the directory of the archive.
    content = bytearray(archive_of(members))
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = (2**32 - 2).to_bytes(4, "little")
    refused(bytes(content), "a zip bomb")
    # In the data nothing is compressed.
    inner = archive_of(members_of(members[DATA]) | {"9.npy": bytes(10**6)})
    refused(pack(json.loads(members[ABOUT]), inner, b""), "stranger", False)


def test_members_that_overlap_are_refused(good, refused):
    content = bytearray(good)
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 4)
    for offset, n_bytes in ((20, 4), (24, 4)):  # sizes, packed and not
        place = second + offset
        content[place : place + n_bytes] = len(good).to_bytes(n_bytes, "little")
    refused(bytes(content), "overlap|damaged")


def test_array_that_claims_terabytes_takes_no_memory(good, refused):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)}
    )

    def replace(inner):
        inner["0.npy"] = header.getvalue()

    refused(forged(good, lambda schema: None, replace), "declares a size", False)


def test_weights_that_claim_terabytes_take_no_memory(tmp_path, refused):
    net = ResidualCNNClassifier(hidden_channels=4, max_epochs=1, early_stopping=False)
    content = content_of(net, tmp_path)

    def widen(schema):
        schema["content"]["content"]["hidden_channels"] = json_node(10**6)

    refused(
        forged(content, widen), "weights of a network do not fit its parameters", False
    )
    members = members_of(content)
    about, header = json.loads(members[ABOUT]), b'{"a":{"dtype":"F32","shape":[1000'
    header += b'000000000],"data_offsets":[0,4000000000000]}}'
    tensors = len(header).to_bytes(8, "little") + header
    refused(pack(about, members[DATA], tensors), "weights are damaged", False)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(2, random_state=0),
        HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, random_state=0),
    ],
    ids=["forest", "boosting"],
)
@pytest.mark.parametrize(
    "field, value",
    [("left", 10**6), ("left", 0), ("right", 10**6), ("feature", 99), ("feature", 2)],
)
def test_trees_that_lead_out_of_bounds_are_refused(
    model, field, value, tmp_path, refused
):
    names = {"left": ("left_child", "left"), "right": ("right_child", "right")}
    fields = names.get(field, ("feature", "feature_idx"))

    def break_first_tree(inner):
        for name in sorted(inner):
            if not name.endswith(".npy"):
                continue
            array = np.load(io.BytesIO(inner[name]))
            known = [f for f in fields if f in (array.dtype.names or ())]
            if known and len(array) > 1:
                array[known[0]][0] = value
                stream = io.BytesIO()
                np.save(stream, array)
                inner[name] = stream.getvalue()
                return
        raise AssertionError("no tree")

    def fewer_columns(schema):
        if (field, value) == ("feature", 2):  # within the tree, not within X
            schema["content"]["content"]["n_features_in_"] = json_node(2)

    content = content_of(model, tmp_path)
    broken = forged(content, fewer_columns, break_first_tree)
    refused(broken, "indices are out of bounds", False)


def test_boosted_trees_without_nodes_are_refused(tmp_path, refused):
    def strip(node):
        if isinstance(node, dict):
            if node.get("__class__") == "TreePredictor":
                del node["content"]
            strip(list(node.values()))
        elif isinstance(node, list):
            for part in node:
                strip(part)

    content = content_of(HistGradientBoostingClassifier(max_iter=1), tmp_path)
    refused(forged(content, strip), "trees without nodes", False)


@pytest.mark.parametrize(
    "version, match", [(2, "newer skbreath"), (0, "0"), ("1", "1")]
)
def test_error_names_unsupported_version(version, match, good, refused):
    members = members_of(good)
    about = json.loads(members[ABOUT]) | {"format_version": version}
    refused(pack(about, members[DATA], members[TENSORS]), match)


def test_older_skops_protocol_is_refused(good, refused):
    def downgrade(schema):
        schema["protocol"] = 0

    refused(forged(good, downgrade), "protocol 0", False)


def test_other_archives_are_refused(refused):
    refused(archive_of({"a.txt": b"hello"}), f"without {ABOUT}")
    refused(archive_of({ABOUT: b"[]"}), "does not name")
    refused(archive_of({ABOUT: b"{" * 500}), "JSON")
    refused(b"", "not a zip archive")


def test_endless_nesting_is_refused(good, refused):
    def nest(schema):
        node = json_node(1.0)
        for number in range(5000):
            node = {
                "__class__": "list",
                "__module__": "builtins",
                "__loader__": "ListNode",
                "content": [node],
                "__id__": 10**6 + number + 1,
            }
        schema["content"]["content"]["C"] = node

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # only to write it
    try:
        content = forged(good, nest)
    finally:
        sys.setrecursionlimit(limit)
    refused(content, "cannot be used", False)


def test_every_truncation_is_refused(good, refused):
    for length in range(0, len(good), 97):
        refused(good[:length], "stranger")


@settings(
    deadline=None,
    max_examples=150,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_without_effect(good, tmp_path, data):
    """Some bytes of an archive are not read, such as dates."""
    place = data.draw(st.integers(0, len(good) - 1))
    content = bytearray(good)
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "changed.skb"
    path.write_bytes(content)
    try:
        loaded = load_model(path)
    except ModelFileError:
        return
    model = LogisticRegression().fit(X, Y)
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


def test_bytes_around_the_archive_are_refused(tmp_path):
    save_model(LogisticRegression().fit([[0], [1]], [0, 1]), tmp_path / "m.skb")
    content = (tmp_path / "m.skb").read_bytes()
    for other in (b"junk" + content, content + b"junk"):
        (tmp_path / "n.skb").write_bytes(other)
        with pytest.raises(ModelFileError, match="before or after|not a zip archive"):
            load_model(tmp_path / "n.skb")
