"""Export a fitted model as an ONNX file, from waveform to probability."""

from __future__ import annotations

import json
import logging
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from ..audio.inputs import as_paths_or_waveforms
from ..audio.reader import AudioReader
from ..ensemble.inspection import unwrap
from ..model_files.save_load import merged_metadata
from ..utils.files import atomic_path, check_destination
from ..utils.sklearn_compat import HasMethods, validate_params

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..utils.typing import Clips, FilePath

__all__ = ["export_onnx"]

# Single precision makes differences of 1e-6; larger ones occur where a boosted tree
# takes another branch at a tie.
_TOLERANCE = 1e-3
# Name of the licence in the ONNX standard (docs/IR.md there).
_LICENCE = "model_license"


@validate_params(
    {
        "model": [HasMethods("predict_proba")],
        "path": [str, os.PathLike],
        "clips": "no_validation",
        "metadata": [dict, None],
    },
    prefer_skip_nested_validation=True,
)
def export_onnx(
    model: Any,
    path: FilePath,
    clips: Clips | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
) -> Bunch:
    """Write a fitted model as an ONNX file that needs no Python to run.

    The features are part of the graph. Reading the audio is not: the input is mono, at
    the sampling rate in the metadata, cut or padded at the end to `n_samples`, and in
    the scale -1 to 1.

    Parameters
    ----------
    model : classifier
        Fitted, such as a Pipeline made by :func:`~skbreath.make_breath_classifier`,
        a vote, or a pipeline from :class:`~skbreath.BreathFeatures` to
        :class:`~skbreath.ResidualCNNClassifier`.
    path : str or os.PathLike
        File to write.
    clips : sequence of paths, or array-like of shape (n_clips, n_samples), \
            default=None
        Clips, any number, on which file and model are compared; None takes eight
        synthetic breaths.
    metadata : dict, default=None
        Information for users of the file, of JSON types. It is written into the file,
        together with the metadata of the model, if that was loaded. The text of an
        entry ``licence`` or ``license`` is also written by its ONNX name.

    Returns
    -------
    about : Bunch
        ``inputs`` and ``outputs``, shapes by name; ``metadata``, as in the file;
        ``difference``, the largest between a probability of the file and one of the
        model; ``n_clips`` that were compared.

    Raises
    ------
    ValueError
        If a part of the model cannot be exported; it is named. If `metadata` is not a
        dict of JSON types. Or if file and model differ by more than 1e-3. The file is
        not written then.
    ImportError
        If onnx, onnxscript or onnxruntime is missing.

    See Also
    --------
    save_model : Save the model itself, for Python.

    Notes
    -----
    The graph takes ``waveform``, float32 of shape (n_clips, n_samples) with any
    number of clips, and gives ``probability``, float32 of shape (n_clips, n_classes)
    in the order of ``classes`` of the metadata, JSON texts: ``classes``,
    ``pos_label``, ``threshold``, ``sample_rate``, ``n_samples``, ``skbreath`` (the
    version) and, if there is any, ``metadata``; ``model_license`` is plain text. With
    a threshold, `pos_label` is predicted where its probability is at least that.
    Warnings of silence and of audio unlike the training audio are not part of the
    graph. Each clip is a recording of its own: a model that can use ``recordings``
    gives the file's probabilities when it is called without them.

    All of the default presets can be exported, boosted trees included. Opset 18 and
    no custom operators, so that onnxruntime runs it on phones and in browsers.

    Examples
    --------
    >>> from skbreath import export_onnx, make_breath_classifier, make_breath_sounds
    >>> sounds = make_breath_sounds(40, random_state=0)
    >>> model = make_breath_classifier(preset="fast", max_epochs=1, random_state=0)
    >>> model = model.fit(sounds.waveforms, sounds.target)
    >>> about = export_onnx(model, "model.onnx")  # doctest: +SKIP
    >>> about.metadata["classes"], about.difference < 1e-4  # doctest: +SKIP
    (['E', 'I'], True)
    """
    path = check_destination(path)
    metadata = merged_metadata(model, metadata)
    licence = _licence(metadata)
    _check_packages()
    check_is_fitted(model)
    model = unwrap(model)
    reader = model[0] if hasattr(model, "steps") else None
    if not isinstance(reader, AudioReader):
        reader = None
    n_samples = _n_samples(model, reader)
    about = _about(model, reader, n_samples)
    if metadata:
        about["metadata"] = metadata
    if licence is not None:
        about[_LICENCE] = licence
    content = _to_onnx(model, n_samples, about)
    waveforms = _clips_to_compare(clips, reader, n_samples)
    difference = _difference(content, model, waveforms)
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"Expected probabilities of graph and model to differ by {_TOLERANCE:g} at "
            f"most, got {difference:.2g}; the file was not written. If the model has a "
            "network of your own, look for operations that ONNX does not have."
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return Bunch(
        inputs={"waveform": ["n_clips", n_samples]},
        outputs={"probability": ["n_clips", len(about["classes"])]},
        metadata=about,
        difference=difference,
        n_clips=len(waveforms),
    )


def _check_packages():
    """Raise an error if a package for the export is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'export needs {error.name}: pip install -c constraints.txt ".[onnx]".'
        ) from error


def _n_samples(model, reader):
    """Get the number of samples of a clip that a model takes."""
    if reader is not None:
        known = getattr(reader, "n_samples_", None)
        if known is None and reader.duration is not None:
            known = round(reader.duration * reader.sample_rate)
    else:
        known = getattr(model, "n_features_in_", None)
    if known is None:
        raise ValueError(
            f"The number of samples of a clip is unknown for a {type(model).__name__}; "
            "export a Pipeline that begins with AudioReader or BreathFeatures."
        )
    return int(known)


def _licence(metadata):
    """Get the licence that metadata name; None if it is missing or not a text."""
    named = [metadata.get(name) for name in ("license", "licence")]
    return next((licence for licence in named if isinstance(licence, str)), None)


def _to_onnx(model, n_samples, about):
    """Convert a model to the bytes of an ONNX file."""
    import onnx
    import torch

    from .model_graph import ModelGraph

    graph = ModelGraph(model, n_samples).eval()
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                graph,
                (torch.zeros(2, n_samples),),
                dynamo=True,
                dynamic_shapes={"waveform": {0: torch.export.Dim("n_clips", min=1)}},
                input_names=["waveform"],
                output_names=["probability"],
                opset_version=18,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ValueError(
                "PyTorch cannot export this model; if it has a network of your own, "
                f"look for operations that ONNX does not have ({_cause(error)})."
            ) from error
        proto = program.model_proto
    proto.producer_name, proto.producer_version = "skbreath", __version__
    proto.doc_string = "Inhale or exhale: waveform in, probability out."
    onnx.helper.set_model_props(
        proto,
        {k: v if k == _LICENCE else json.dumps(v) for k, v in about.items()},
    )
    return proto.SerializeToString()


def _cause(error):
    """Get the first line of the error that caused the others."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _about(model, reader, n_samples):
    """Collect the metadata for users of the ONNX file."""
    last = model[-1] if hasattr(model, "steps") else model
    features = next(
        (
            part
            for part in [model, *model.get_params(deep=True).values()]
            if hasattr(part, "sample_rate")
        ),
        None,
    )
    rate = getattr(reader or features, "sample_rate", None)
    threshold = getattr(last, "best_threshold_", None)
    return {
        "classes": np.asarray(model.classes_).tolist(),
        "pos_label": np.asarray(getattr(last, "pos_label_", None)).tolist(),
        "threshold": None if threshold is None else float(threshold),
        "sample_rate": np.asarray(rate).tolist(),
        "n_samples": n_samples,
        "skbreath": __version__,
    }


@contextmanager
def _quiet():
    """Silence warnings and log messages of torch's exporter."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _clips_to_compare(clips, reader, n_samples):
    """Read the clips for the comparison, or make synthetic ones."""
    if clips is None:
        return _synthetic(n_samples)
    clips = as_paths_or_waveforms(clips)
    if reader is not None:
        return reader.transform(clips)
    if isinstance(clips, list):
        raise ValueError(
            "Expected waveforms, as the model takes, got paths; read them first, with "
            "AudioReader().fit_transform(paths)."
        )
    if clips.shape[1] != n_samples:
        raise ValueError(
            f"Expected clips of {n_samples} samples, as the model takes, got "
            f"{clips.shape[1]}."
        )
    return clips


def _synthetic(n_samples):
    """Make clips of noise that swells; every other is a loop, the last is silence."""
    random = np.random.default_rng(0)
    clips = np.cumsum(random.normal(size=(8, n_samples)), axis=1)
    clips -= np.linspace(clips[:, 0], clips[:, -1], n_samples, axis=1)
    clips = clips * np.hanning(n_samples) + random.normal(size=clips.shape)
    clips *= 0.1 / np.abs(clips).max(axis=1, keepdims=True)
    for row in range(1, 8, 2):
        clips[row] = np.resize(clips[row, : n_samples * (9 - row) // 9], n_samples)
    clips[-1] = 0
    return clips.astype(np.float32)


def _difference(content, model, waveforms):
    """Get the largest difference between probabilities of a file and of the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # synthetic clips are unusual audio
        expected = model.predict_proba(waveforms)
    found = [
        session.run(None, {"waveform": waveforms[start : start + 64]})[0]
        for start in range(0, len(waveforms), 64)
    ]
    return float(np.abs(np.concatenate(found) - expected).max())
