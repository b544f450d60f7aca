"""The classes and functions that a model file may name."""

import re
from importlib import import_module

import numpy as np

from .container import ModelFileError

__all__ = [
    "find_class",
    "find_function",
    "find_loss",
    "find_scalar",
    "find_type",
    "stored_module",
]

# This package's classes, by the name under which a file stores them: the module is
# always "skbreath", so that moving a class to another file breaks no saved model. A
# new estimator is added here, or `save_model` refuses it.
_PUBLIC = {
    "AudioReader",
    "BreathFeatures",
    "ChannelScaler",
    "CircularShift",
    "CutMix",
    "FineTunedClassifier",
    "MaskChannels",
    "MaskFrames",
    "Mixup",
    "OptunaSearchCV",
    "PhaseSegmenter",
    "ResidualCNNClassifier",
    "SummaryPooling",
    "ThresholdClassifier",
    "WeightedVotingClassifier",
}
# Classes that users do not see, and where they are defined.
_PRIVATE = {
    "FoldAverage": "skbreath.ensemble.mixture",
    "FrameModel": "skbreath.segmentation.frame_scores",
    "GivenProbabilities": "skbreath.ensemble.mixture",
}
_NETWORKS = {"skbreath.ResidualCNN1d", "skbreath.ResidualCNN2d"}
_OURS = {f"skbreath.{name}" for name in {*_PUBLIC, *_PRIVATE}}

# What scikit-learn's estimators are made of beside estimators. Of trees the indices
# are checked afterwards, by `check_trees`.
_PARTS_OF_SKLEARN = {
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.ExponentialLoss",
    "sklearn._loss.loss.HalfSquaredError",
}

# Bounds and choices of a search.
_DISTRIBUTIONS = {
    f"optuna.distributions.{name}Distribution"
    for name in ("Categorical", "Float", "Int")
}

_SPLITTER = re.compile(r"sklearn\.model_selection\._split\.[A-Z]\w+")
_ESTIMATOR = re.compile(r"sklearn(\.(?!conftest|experimental|externals|tests)\w+)+")
_LOSS = re.compile(r"sklearn\.(_loss\._loss\.Cy|linear_model\._sgd_fast\.)[A-Z]\w+")
_METRIC = re.compile(r"sklearn\.metrics(\.\w+)+")

# Values of `ResidualCNNClassifier(module=)`; called with sizes that are compared with
# those of the weights first.
_TYPES = {
    f"builtins.{kind.__name__}": kind
    for kind in (bool, dict, float, int, list, set, str, tuple)
}


def stored_module(module):
    """Get the module under which a file names what is defined in `module`.

    It is "skbreath" for all modules of this package, also for those that files written
    before version 0.1.0 name.

    Examples
    --------
    >>> stored_module("skbreath.threshold")
    'skbreath'
    >>> stored_module("sklearn.svm._classes")
    'sklearn.svm._classes'
    """
    return "skbreath" if module.startswith("skbreath.") else module


def find_class(name):
    """Get a class of which an object may be made, without calling it.

    Parameters
    ----------
    name : str
        Module and class.

    Returns
    -------
    cls : type
        One of this package's estimators, any of scikit-learn's, or a part of them.

    Raises
    ------
    ModelFileError
        If it is another one.

    Examples
    --------
    >>> find_class("sklearn.pipeline.Pipeline").__name__
    'Pipeline'
    >>> find_class("os.system")
    Traceback (most recent call last):
    ...
    skbreath.model_files.container.ModelFileError: it holds a os.system, which is not
    known to be harmless.
    """
    if name in _OURS | _PARTS_OF_SKLEARN | _DISTRIBUTIONS:
        return _look_up(name)
    if _SPLITTER.fullmatch(name):
        found = _look_up(name)
        if isinstance(found, type) and callable(getattr(found, "split", None)):
            return found
    elif _ESTIMATOR.fullmatch(name):
        from sklearn.base import BaseEstimator

        found = _look_up(name)
        if isinstance(found, type) and issubclass(found, BaseEstimator):
            return found
    raise _refused(name)


def find_type(name):
    """Get a type that is a value itself: of numbers, of keys, or of a network."""
    if name in _TYPES:
        return _TYPES[name]
    if name in _NETWORKS:
        return _look_up(name)
    return find_scalar(name)


def find_scalar(name):
    """Get one of NumPy's types of numbers and text."""
    module, _, kind = name.rpartition(".")
    found = getattr(np, kind, None) if module == "numpy" else None
    if isinstance(found, type) and issubclass(found, np.generic):
        if not issubclass(found, np.object_ | np.void):
            return found
    raise _refused(name)


def find_function(name):
    """Get a metric of scikit-learn, as a scorer holds it."""
    if _METRIC.fullmatch(name):
        from sklearn.metrics import get_scorer, get_scorer_names

        for scorer in get_scorer_names():
            metric = get_scorer(scorer)._score_func
            if name == f"{metric.__module__}.{metric.__name__}":
                return metric
    raise _refused(name)


def find_loss(name):
    """Get a loss of scikit-learn's compiled code, which is made from numbers."""
    if _LOSS.fullmatch(name):
        found = _look_up(name)
        if isinstance(found, type):
            return found
    raise _refused(name)


def _look_up(name):
    module, _, attribute = name.rpartition(".")
    if module == "skbreath":
        return getattr(import_module(_PRIVATE.get(attribute, module)), attribute)
    try:
        found = getattr(import_module(module), attribute)
    except (AttributeError, ImportError) as error:
        raise ModelFileError(
            f"it holds a {name}, which the installed packages do not have."
        ) from error
    # What that module only imports is not a member of it.
    return found if getattr(found, "__module__", None) == module else None


def _refused(name):
    return ModelFileError(f"it holds a {name}, which is not known to be harmless.")
