"""Load the model that comes with the package.

The code is under the BSD 3-clause licence; the weights in this folder are not: see
``LICENSE-WEIGHTS.txt`` beside this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["PRETRAINED", "load_pretrained"]

PRETRAINED = Path(__file__).with_name("chest.skb")
"""The model file. ``model_info(PRETRAINED)`` has its licence, data and versions."""


def load_pretrained() -> Pipeline:
    """Load the classifier of chest sounds that comes with the package.

    Trained on 2,952 clips of a stethoscope, taken from the database HF_Lung_V1. The
    weights are licensed CC BY-NC 4.0, as their data: **for non-commercial use**. Not a
    medical device, and not for diagnosis. ``docs/model-card.md`` has results, intended
    use and known failures.

    Returns
    -------
    model : :class:`~sklearn.pipeline.Pipeline`
        Fitted, as :func:`~skbreath.make_breath_classifier` makes it. It predicts
        ``"I"`` or ``"E"`` for files of any sampling rate, or waveforms at 16 kHz, of
        one phase of breath each. It warns of audio unlike its training data; for
        another microphone, see :func:`~skbreath.fine_tune`.

    Raises
    ------
    FileNotFoundError
        If the package was installed without its model.

    See Also
    --------
    fine_tune : Adapt it to your recordings.
    load_model : Load a model file of your own.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import load_pretrained
    >>> model = load_pretrained()
    >>> model.classes_
    array(['E', 'I'], dtype='<U1')
    """
    from ..model_files.save_load import load_model

    if not PRETRAINED.is_file():
        raise FileNotFoundError(
            f"This installation of skbreath lacks its pretrained model, {PRETRAINED}; "
            "install the package again, or name a model of your own."
        )
    return load_model(PRETRAINED)
