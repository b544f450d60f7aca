"""Load the models that come with the package.

In: the name of a model. Out: the fitted model.

The code is under the BSD 3-clause licence; the weights in this folder are not: see
``LICENSE-WEIGHTS.txt`` beside this file.

May import: all packages but cli and reporting.
Tests: ``pytest tests/model_files/test_pretrained.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from ..segmentation.segmenter import PhaseSegmenter

__all__ = ["MICROPHONES", "PRETRAINED", "load_pretrained"]

_FOLDER = Path(__file__).parent
PRETRAINED = {
    name: _FOLDER / f"{name}.skb"
    for name in ("clips", "nose-clips", "nose", "nose-live", "chest")
}
"""The model files. ``model_info(file)`` has their licence, data and versions."""
MICROPHONES = _FOLDER / "microphones.skb"
"""A classifier of descriptions of sound into "nose" and "chest"."""


@overload
def load_pretrained(name: Literal["clips", "nose-clips"] = "clips") -> Pipeline: ...
@overload
def load_pretrained(name: Literal["nose", "nose-live", "chest"]) -> PhaseSegmenter: ...
def load_pretrained(name: str = "clips") -> Pipeline | PhaseSegmenter:
    """Load a model that comes with the package.

    ============== ======================================== =========================
    name           what it takes                            licence of the weights
    ============== ======================================== =========================
    "clips"        clips of one phase, of a stethoscope     CC BY-NC 4.0
    "nose-clips"   clips of one phase, of an air            Apache-2.0
                   microphone at nose or mouth
    "nose"         whole recordings of an air microphone    Apache-2.0
    "nose-live"    sound of an air microphone, as it is     Apache-2.0
                   recorded: less than 0.5 s late
    "chest"        whole recordings of a stethoscope        CC BY-NC 4.0
    ============== ======================================== =========================

    "clips" and "chest" are trained on clips of the database HF_Lung_V1, whose licence
    allows **non-commercial use only**. The others are trained on the recordings of 14
    people of [1]_. No model is a medical device, or for diagnosis.
    ``docs/model-card.md`` has results, intended use and known failures.

    Parameters
    ----------
    name : {"clips", "nose-clips", "nose", "nose-live", "chest"}, default="clips"
        The model.

    Returns
    -------
    model : :class:`~sklearn.pipeline.Pipeline` or :class:`~skbreath.PhaseSegmenter`
        A model of clips predicts ``"I"`` or ``"E"`` for files of any sampling rate, or
        waveforms at 16 kHz, of one phase of breath each, as
        :func:`~skbreath.make_breath_classifier` does. A model of recordings finds
        their phases. Both warn of audio unlike their training data.

    Raises
    ------
    ValueError
        If there is no model of this name.
    FileNotFoundError
        If the package was installed without the model.

    See Also
    --------
    fine_tune : Adapt a model of clips to your recordings.
    load_model : Load a model file of your own.

    References
    ----------
    .. [1] "Personalized breath based biometric authentication with wearable
       multimodality" (2021). arXiv 2110.15941.

    Examples
    --------
    >>> from skbreath import load_pretrained
    >>> load_pretrained().classes_
    array(['E', 'I'], dtype='<U1')
    >>> load_pretrained("nose").sample_rate
    16000
    """
    if name not in PRETRAINED:
        raise ValueError(f"name must be one of {sorted(PRETRAINED)}, got {name!r}.")
    return _load(PRETRAINED[name])


def _load(file):
    """Load a model file of the package."""
    from ..model_files.save_load import load_model

    if not file.is_file():
        raise FileNotFoundError(
            f"This installation of skbreath lacks its pretrained model, {file}; "
            "install the package again, or name a model of your own."
        )
    return load_model(file)
