"""List the classes and functions that a model file may name."""

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
# always "skbreath", so that a class can move to another file. `save_model` accepts only
# the classes listed here.
_PUBLIC = {
    "AudioReader",
    "BreathFeatures",
    "ChannelScaler",
    "CircularShift",
    "CutMix",
    "FineTunedClassifier",
    "FrameNetwork",
    "LeaveRecording",
    "MaskChannels",
    "MaskFrames",
    "Mixup",
    "OptunaSearchCV",
    "PhaseSegmenter",
    "RecordingContext",
    "ResidualCNNClassifier",
    "SummaryPooling",
    "ThresholdClassifier",
    "WeightedVotingClassifier",
}
# Names in files whose classes are defined in another module: private ones, and those of
# scikit-learn that earlier versions lack.
_DEFINED_IN = {
    "skbreath.FoldAverage": "skbreath.ensemble.mixture",
    "skbreath.FrameModel": "skbreath.segmentation.frame_scores",
    "skbreath.GivenLogOdds": "skbreath.ensemble.mixture",
    "skbreath.GivenProbabilities": "skbreath.ensemble.mixture",
    "sklearn.calibration._CalibratedClassifier": "skbreath.utils.calibration_compat",
    "sklearn.calibration._TemperatureScaling": "skbreath.utils.calibration_compat",
}
# Modules whose classes have another module in files: compiled ones before scikit-learn
# 1.9, and our stand-ins for classes of scikit-learn.
_STORED_AS = {
    "_loss": "sklearn._loss._loss",
    "_sgd_fast": "sklearn.linear_model._sgd_fast",
    "skbreath.utils.calibration_compat": "sklearn.calibration",
}
# Values of `ResidualCNNClassifier(module=)`. They are called with sizes that were
# compared with those of the weights.
_NETWORKS = {"skbreath.ResidualCNN1d", "skbreath.ResidualCNN2d"}
_OURS = {f"skbreath.{name}" for name in _PUBLIC} | set(_DEFINED_IN)

# Parts of scikit-learn's estimators that are not estimators themselves. The indices in
# trees are checked afterwards, by `check_trees`.
_PARTS_OF_SKLEARN = {
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    # In scorers before scikit-learn 1.8.
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
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

_TYPES = {
    f"builtins.{kind.__name__}": kind
    for kind in (bool, dict, float, int, list, set, str, tuple)
}


def stored_module(module):
    """Get the name of a module in files: "skbreath" for all modules of this package."""
    module = _STORED_AS.get(module, module)
    return "skbreath" if module.startswith("skbreath.") else module


def find_class(name):
    """Get a class of this package, scikit-learn or Optuna from ``module.Class``.

    Raise ModelFileError unless it is an estimator, or a known part of one.
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
    raise _rejected(name)


def find_type(name):
    """Get a type that is stored as a value: of numbers, of keys, or of a network."""
    if name in _TYPES:
        return _TYPES[name]
    if name in _NETWORKS:
        return _look_up(name)
    return find_scalar(name)


def find_scalar(name):
    """Get a type of NumPy for numbers or text."""
    module, _, kind = name.rpartition(".")
    found = getattr(np, kind, None) if module == "numpy" else None
    if isinstance(found, type) and issubclass(found, np.generic):
        if not issubclass(found, np.object_ | np.void):
            return found
    raise _rejected(name)


def find_function(name):
    """Get a metric that a scorer of scikit-learn uses."""
    if _METRIC.fullmatch(name):
        from sklearn.metrics import get_scorer, get_scorer_names

        for scorer in get_scorer_names():
            metric = get_scorer(scorer)._score_func
            if name == f"{metric.__module__}.{metric.__name__}":
                return metric
    raise _rejected(name)


def find_loss(name):
    """Get a loss class of scikit-learn's compiled code."""
    if _LOSS.fullmatch(name):
        found = _look_up(name)
        if isinstance(found, type):
            return found
    raise _rejected(name)


def _look_up(name):
    """Import ``module.attribute``; None if that module does not define it."""
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(_DEFINED_IN.get(name, module)), attribute)
    except (AttributeError, ImportError) as error:
        raise ModelFileError(
            f"it has a {name}, which the installed packages lack."
        ) from error
    defined_in = stored_module(str(getattr(found, "__module__", None)))
    return found if defined_in == module else None


def _rejected(name):
    """Make the error for a type that is not on the list."""
    return ModelFileError(f"it has a {name}, which is not on the list of safe types.")
