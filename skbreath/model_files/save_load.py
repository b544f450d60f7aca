"""Save fitted models to files that cannot run code, and load them."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import warnings
from numbers import Number
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from ..ensemble.inspection import known_metadata, training_record
from ..utils.contexts import collector_paused
from ..utils.estimator_state import WeightStore
from ..utils.files import as_path, atomic_path, check_destination
from .container import FORMAT_VERSION, ModelFileError, pack, unpack
from .known_types import stored_module
from .reader import check_trees, load_data
from .writer import dump_data

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..utils.typing import FilePath

__all__ = ["ModelFileError", "load_model", "model_info", "save_model"]

SUFFIX = ".skb"
_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "skorch",
    "skops",
    "safetensors",
)
# Each reads the files of the others, and predicts the same.
_COMPATIBLE = ("1.6.", "1.7.", "1.8.", "1.9.")


def save_model(
    model: Any,
    path: FilePath,
    *,
    metadata: Mapping[str, Any] | None = None,
    half_size: bool = False,
) -> None:
    """Write a fitted model to a file that cannot run code.

    The file has data and names of known classes: weights of networks as safetensors,
    everything else as JSON and arrays in the format of skops. It is written completely
    or not at all.

    Parameters
    ----------
    model : estimator
        Fitted, made of this package's and scikit-learn's estimators, such as
        :func:`~skbreath.make_breath_classifier` makes. A cache (``memory=``) is left
        out, and from an :class:`~skbreath.OptunaSearchCV` the study, the sampler, the
        pruner, the storage and the callbacks.
    path : str or os.PathLike
        File to write, by convention ``.skb``.
    metadata : dict, default=None
        Information for users of the file, such as the licence and the source of the
        training data, of JSON types; :func:`model_info` returns it. A model that was
        loaded, or fine-tuned from one, keeps the entries that are not given.
    half_size : bool, default=False
        Write the kernels and matrices of networks as float16, half the bytes. The
        probabilities of the model that is read back differ by about 1e-3.

    Raises
    ------
    ModelFileError
        If the model has parts that are not of known classes: networks, functions or
        estimators of your own, skorch callbacks. :func:`joblib.dump` writes those.
    NotFittedError
        If the model is not fitted.
    ValueError
        If `metadata` is not a dict of JSON types.
    OSError
        If the file cannot be written.

    See Also
    --------
    load_model : Read the file.
    model_info : Describe it without loading the model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import load_model, save_model
    >>> model = LogisticRegression().fit([[0.0], [1.0]], ["E", "I"])
    >>> path = Path(tempfile.mkdtemp(), "model.skb")
    >>> save_model(model, path)
    >>> load_model(path).predict([[2.0]])
    array(['I'], dtype='<U1')
    """
    path = check_destination(path)
    check_is_fitted(model)
    metadata = merged_metadata(model, metadata) or None
    try:
        content = _to_bytes(model, metadata, half_size)
        # Raises an error if the file could not be loaded.
        _from_bytes(content)
    except ModelFileError as error:
        raise ModelFileError(
            f"{path} cannot hold this {type(model).__name__}: {error} Use "
            "`joblib.dump`, which takes any model; its files run code when loaded."
        ) from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def load_model(path: FilePath) -> Any:
    """Load a model that :func:`save_model` wrote, without running code from the file.

    Parameters
    ----------
    path : str or os.PathLike
        The file. It may be of unknown origin: only classes on a list are used, those of
        this package and of scikit-learn, and declared sizes are checked first.

    Returns
    -------
    model : estimator
        With the same packages, its predictions are the same to the bit, unless it was
        written with ``half_size=True``. A network is put on the CPU if the device that
        it was trained on is missing.

    Raises
    ------
    ModelFileError
        If it is not a model file, damaged, changed since it was written, of a newer
        format, or has parts that are not on the list.
    OSError
        If the file does not exist or cannot be read.

    Warns
    -----
    UserWarning
        If a version of scikit-learn wrote it, or reads it, that was not tested with
        the other: before 1.6, or after 1.9.

    See Also
    --------
    save_model : Write a model; with an example.
    """
    return _explained(path, _from_bytes)


def model_info(path: FilePath) -> dict[str, Any]:
    """Describe a model file without loading the model.

    Parameters
    ----------
    path : str or os.PathLike
        Written by :func:`save_model`.

    Returns
    -------
    info : dict
        ``format_version``; ``packages`` (versions by name); ``estimator`` (its
        class); ``labels``; ``threshold`` (``pos_label`` and ``value``, or None);
        ``features`` (parameters of each reader and feature extraction, by its place
        in the model); ``training_data`` (``n_clips``, ``classes``, ``n_groups`` and
        ``digest``, or None if the last step is not of this package); ``metadata`` (as
        given to :func:`save_model`, or None).

    Raises
    ------
    ModelFileError, OSError
        As :func:`load_model`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import model_info, save_model
    >>> path = Path(tempfile.mkdtemp(), "model.skb")
    >>> save_model(LogisticRegression().fit([[0.0], [1.0]], ["E", "I"]), path)
    >>> model_info(path)["labels"]
    ['E', 'I']
    """
    return _explained(path, lambda content: {"metadata": None} | unpack(content)[0])


def _explained(path, read):
    """Read a file; name it in the error, and explain where it is a pickle."""
    path = as_path(path)
    if path.exists() and not path.is_file():
        raise IsADirectoryError(f"{path} is not a file; pass the path of a model file.")
    content = path.read_bytes()
    try:
        return read(content)
    except ModelFileError as error:
        hint = ""
        if content[:1] in (b"\x80", b"x", b"\x1f"):  # pickle, zlib, gzip
            hint = " It looks like a pickle; `joblib.load` reads it and runs its code."
        raise ModelFileError(f"{path} cannot be used: {error}{hint}") from error


def merged_metadata(model: Any, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Add metadata to that of a loaded model; check that it has JSON types only."""
    if metadata is None:
        metadata = {}
    try:
        plain = json.loads(json.dumps(metadata, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"metadata must be of JSON types: {error}.") from error
    if not isinstance(metadata, dict) or plain != metadata:
        raise ValueError(
            f"metadata must be a dict of JSON types, its keys text, got {metadata!r}."
        )
    return known_metadata(model) | plain


def _to_bytes(model, metadata, half_size):
    """Convert a model to the bytes of a model file."""
    from safetensors.numpy import save

    with WeightStore().in_use() as store:
        data = dump_data(model)
    arrays = {
        name: np.asarray(_halved(a) if half_size else a, order="C")
        for name, a in store.arrays.items()
    }
    about = _about(model) | ({} if metadata is None else {"metadata": metadata})
    return pack(about, data, save(arrays))


def _halved(array):
    """Convert weights to float16, unless they are few or out of its range."""
    if array.ndim < 2 or array.dtype != np.float32:
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.isfinite(half).all() else array


def _from_bytes(content):
    """Load the model in the bytes of a model file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    about, data, tensors = unpack(content)
    packages = about.get("packages")
    written = packages.get("scikit-learn") if isinstance(packages, dict) else None
    installed = importlib.metadata.version("scikit-learn")
    try:
        arrays = load(tensors)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelFileError(f"its weights are damaged ({error}).") from error
    with (
        warnings.catch_warnings(),
        WeightStore(arrays).in_use(),
        collector_paused(),
    ):
        # One warning, below, instead of one for each part.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        try:
            model = load_data(data)
        except ModelFileError as error:
            if written == installed:
                raise
            raise ModelFileError(
                f"{error} It was written with scikit-learn {written}, and {installed} "
                "is installed: try the version that wrote it."
            ) from error
    check_trees(model)
    record, metadata = training_record(model), about.get("metadata")
    if record is not None and isinstance(metadata, dict):
        # Keep the licence with the weights when the model is saved again.
        record["metadata"] = metadata
    compatible = all(str(v).startswith(_COMPATIBLE) for v in (written, installed))
    if written != installed and not compatible:
        warnings.warn(
            f"The model was written with scikit-learn {written} and is read with "
            f"{installed}: its predictions may differ.",
            UserWarning,
            stacklevel=4,
        )
    return model


def _about(model):
    """Describe a model, for `model_info`."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    record = training_record(model)
    if record is not None:
        left_out = ("clips", "metadata")
        record = {key: value for key, value in record.items() if key not in left_out}
    kind = type(model)
    return {
        "format_version": FORMAT_VERSION,
        "packages": {
            "python": platform.python_version(),
            "skbreath": __version__,
            **packages,
        },
        "estimator": f"{stored_module(kind.__module__)}.{kind.__qualname__}",
        "labels": _plain(getattr(model, "classes_", None)),
        "threshold": _threshold(model),
        "features": _features(model),
        "training_data": record,
    }


def _threshold(model):
    """Get the decision threshold of a model; None if it has none."""
    last = model[-1] if hasattr(model, "steps") else model
    if not hasattr(last, "best_threshold_"):
        return None
    pos_label = getattr(last, "pos_label_", None)
    return {"pos_label": _plain(pos_label), "value": float(last.best_threshold_)}


def _features(model):
    """Get the parameters of readers and feature extractors, by their place."""
    from ..audio.reader import AudioReader
    from ..features.breath_features import BreathFeatures
    from ..features.summary_pooling import SummaryPooling

    parts = {"": model, **model.get_params(deep=True)}
    return {
        name: {"class": type(part).__name__, **_plain(part.get_params())}
        for name, part in parts.items()
        if isinstance(part, AudioReader | BreathFeatures | SummaryPooling)
    }


def _plain(value):
    """Convert a value to JSON types, other types to text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return float(value) if isinstance(value, Number) else str(value)
