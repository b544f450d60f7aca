"""Convert a fitted model to torch modules for export, one for each estimator."""

import copy
from typing import ClassVar

import torch
from sklearn.base import is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ..audio.reader import AudioReader
from ..ensemble.mixture import FoldAverage
from ..ensemble.threshold import ThresholdClassifier
from ..ensemble.voting import WeightedVotingClassifier, member_names
from ..features.breath_features import BreathFeatures
from ..features.channel_scaler import ChannelScaler
from ..features.recording_context import RecordingContext
from ..features.summary_pooling import SummaryPooling
from ..networks.classifier import ResidualCNNClassifier
from ..networks.residual_cnn import class_probabilities
from ..utils.sklearn_compat import BaseSearchCV
from .estimator_graphs import (
    ContextGraph,
    FeatureGraph,
    LinearGraph,
    PoolingGraph,
    ScalingGraph,
    TreesGraph,
)

__all__ = ["ModelGraph"]


class ModelGraph(nn.Module):
    """Compute probabilities from waveforms of `n_samples` as a fitted model does.

    Features that several parts of the model use are computed once. Raise ValueError if
    a part of the model cannot be converted.
    """

    def __init__(self, model, n_samples):
        super().__init__()
        converter = _Converter(n_samples)
        self.classify = converter.convert(model, _name(model))
        self.extractors = nn.ModuleList(converter.extractors.values())

    def forward(self, waveform):
        """Compute probabilities of shape ``(n_clips, n_classes)``, float32."""
        # The waveform, then the output of each extractor.
        inputs = [waveform]
        for extract in self.extractors:
            inputs.append(extract(inputs))
        return self.classify(inputs).float()


def _name(estimator):
    return type(estimator).__name__


class _Converter:
    """Convert estimators to modules; feature extractors are shared between them."""

    def __init__(self, n_samples):
        self.n_samples = n_samples
        self.extractors = {}

    def convert(self, estimator, place, first=True):
        """Convert a fitted estimator, named `place` in errors, to a module.

        With `first`, its input is the waveform, not the output of another step.
        """
        if isinstance(estimator, BaseSearchCV):
            return self._search(estimator, place, first)
        if method := self._METHODS.get(type(estimator)):
            return method(self, estimator, place, first)
        raise ValueError(
            f"{place} is a {_name(estimator)}, which cannot be exported to ONNX. These "
            "can: Pipeline, FeatureUnion, BreathFeatures, RecordingContext, "
            "ChannelScaler, SummaryPooling, StandardScaler, ResidualCNNClassifier, "
            "HistGradientBoostingClassifier, LogisticRegression, votes and thresholds "
            "of these."
        )

    def _shared(self, key, module):
        """Register an extractor, or reuse that of the same key; select its output."""
        self.extractors.setdefault(key, module)
        return _SelectInput(1 + list(self.extractors).index(key))

    def _leaf(self, module, first):
        """Give a module the waveform as its input if it is the first step."""
        return nn.Sequential(_SelectInput(0), module) if first else module

    def _features(self, features, place, first):
        if not first:
            raise ValueError(
                f"{place} computes features from the output of another step; expected "
                "it to be the first step after the audio."
            )
        if features.n_features_in_ != self.n_samples:
            raise ValueError(
                f"Expected {place} to be fitted on clips of {self.n_samples} samples, "
                f"as the model takes, got {features.n_features_in_}."
            )
        extract = FeatureGraph(features)
        return self._shared(features._stack, nn.Sequential(_SelectInput(0), extract))

    def _transformer(self, step, place, first):
        """Convert a step that is not the last, or a part of a union."""
        while isinstance(step, FrozenEstimator):
            step = step.estimator
        if isinstance(step, Pipeline):
            return self._pipeline(step, place, first, transforms=True)
        if isinstance(step, ResidualCNNClassifier):
            return self._leaf(_Embedding(step), first)
        if is_classifier(step):
            raise ValueError(
                f"{place} is a {_name(step)} used as a transformer, which cannot be "
                "exported to ONNX."
            )
        return self.convert(step, place, first)

    def _pipeline(self, pipeline, place, first, transforms=False):
        modules = []
        for name, step in pipeline.steps:
            if step is None or isinstance(step, str):  # "passthrough"
                continue
            if isinstance(step, AudioReader):
                if modules or not first:
                    raise ValueError(f"{place}.{name} reads audio but is not first.")
                continue  # the graph begins with waveforms
            last = step is pipeline[-1] and not transforms
            make = self.convert if last else self._transformer
            modules.append(make(step, f"{place}.{name}", first))
            first = False
            pooled = isinstance(step, SummaryPooling) and len(modules) == 2
            if pooled and isinstance(modules[0], _SelectInput):
                # Nothing is learned up to here, so that members can share it.
                key = (modules[0].number, repr(sorted(step.get_params().items())))
                modules = [self._shared(key, nn.Sequential(*modules))]
        return modules[0] if len(modules) == 1 else nn.Sequential(*modules)

    def _union(self, union, place, first):
        if union.transformer_weights is not None:
            raise ValueError(f"{place} has transformer_weights, which is not exported.")
        if any(
            isinstance(part, str) and part != "drop"
            for _, part in union.transformer_list
        ):
            raise ValueError(
                f"{place} has a 'passthrough' part, which cannot be exported."
            )
        parts = [
            self._transformer(part, f"{place}.{name}", first)
            for name, part in union.transformer_list
            if not isinstance(part, str)
        ]
        if all(isinstance(part, _SelectInput) for part in parts):
            key = tuple(part.number for part in parts)
            return self._shared(key, _ConcatOutputs(parts))
        return _ConcatOutputs(parts)

    def _scaler(self, scaler, place, first):
        dtype = torch.float32 if isinstance(scaler, ChannelScaler) else None
        return self._leaf(ScalingGraph(scaler.mean_, scaler.scale_, dtype), first)

    def _pooling(self, pooling, place, first):
        return self._leaf(PoolingGraph(pooling), first)

    def _context(self, context, place, first):
        return self._leaf(ContextGraph(context), first)

    def _network(self, classifier, place, first):
        return self._leaf(_Network(classifier), first)

    def _trees(self, classifier, place, first):
        if classifier.is_categorical_ is not None:
            raise ValueError(
                f"{place} has categorical columns, which cannot be exported."
            )
        return self._leaf(TreesGraph([classifier]), first)

    def _logistic(self, classifier, place, first):
        return self._leaf(LinearGraph(classifier), first)

    def _vote(self, vote, place, first):
        names, members, weights = member_names(vote), [], []
        for name, member, weight in zip(
            names, vote.estimators_, vote.weights_, strict=True
        ):
            if weight > 0:
                members.append(self.convert(member, f"{place}.{name}", first))
                weights.append(float(weight))
        mixed = _WeightedMean(members, weights)
        calibrator = getattr(vote, "calibrator_", None)
        if calibrator is None:
            return mixed
        return nn.Sequential(mixed, _Calibration(calibrator))

    def _folds(self, average, place, first):
        members = [self.convert(part, place, first) for part in average.estimators]
        trees = _trees_on_one_table(members)
        if trees is not None:
            return trees
        return _WeightedMean(members, [1 / len(members)] * len(members))

    def _threshold(self, threshold, place, first):
        if threshold._method() != "predict_proba":
            raise ValueError(
                f"{place} has a threshold on a decision function; only thresholds on "
                "probabilities can be exported."
            )
        return self.convert(threshold.estimator_, place, first)

    def _search(self, search, place, first):
        return self.convert(search.best_estimator_, f"{place}.best_estimator_", first)

    def _frozen(self, frozen, place, first):
        return self.convert(frozen.estimator, place, first)

    _METHODS: ClassVar = {
        Pipeline: _pipeline,
        FeatureUnion: _union,
        BreathFeatures: _features,
        ChannelScaler: _scaler,
        StandardScaler: _scaler,
        RecordingContext: _context,
        SummaryPooling: _pooling,
        ResidualCNNClassifier: _network,
        HistGradientBoostingClassifier: _trees,
        LogisticRegression: _logistic,
        WeightedVotingClassifier: _vote,
        FoldAverage: _folds,
        ThresholdClassifier: _threshold,
        FrozenEstimator: _frozen,
    }


def _trees_on_one_table(members):
    """Join trees of all folds in one module, or None; the graph is far smaller."""
    parts = [list(m) if isinstance(m, nn.Sequential) else [m] for m in members]
    if not all(
        len(pair) == 2
        and isinstance(pair[0], _SelectInput)
        and isinstance(pair[1], TreesGraph)
        for pair in parts
    ):
        return None
    if len({table.number for table, _ in parts}) > 1:
        return None
    classifiers = [one for _, trees in parts for one in trees.classifiers]
    return nn.Sequential(parts[0][0], TreesGraph(classifiers))


class _SelectInput(nn.Module):
    """Select one of the inputs."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, inputs):
        return inputs[self.number]


class _ConcatOutputs(nn.Module):
    """Concatenate the outputs of several modules."""

    def __init__(self, parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, inputs):
        return torch.cat([part(inputs) for part in self.parts], dim=1)


class _Network(nn.Module):
    """Compute the probabilities of a network."""

    def __init__(self, classifier):
        super().__init__()
        self.module = copy.deepcopy(classifier._trained_module()).cpu().eval()

    def forward(self, features):
        return class_probabilities(self.module(_as_clips(features)).double())


class _Embedding(_Network):
    """Compute the embedding of a network that is used as a transformer."""

    def forward(self, features):
        return self.module.embed(_as_clips(features))


def _as_clips(features):
    """Add an axis of one frame to tables."""
    features = features.float()
    return features[..., None] if features.dim() == 2 else features


class _WeightedMean(nn.Module):
    """Compute the weighted mean of the probabilities of members."""

    def __init__(self, members, weights):
        super().__init__()
        self.members, self.weights = nn.ModuleList(members), weights

    def forward(self, inputs):
        total = 0.0
        for member, weight in zip(self.members, self.weights, strict=True):
            total = total + weight * member(inputs).double()
        return total


class _Calibration(nn.Module):
    """Calibrate the weighted mean as CalibratedClassifierCV does."""

    def __init__(self, calibrator):
        super().__init__()
        (fitted,) = calibrator.calibrated_classifiers_
        self.method = fitted.method
        self.of_odds = hasattr(fitted.estimator, "decision_function")
        self.calibrators = []
        if self.method == "temperature":
            self.inverse = float(fitted.calibrators[0].beta_)
        elif self.method == "sigmoid":
            self.calibrators = [_Sigmoid(one) for one in fitted.calibrators]
        else:
            self.calibrators = [_Isotonic(one) for one in fitted.calibrators]
        self.calibrators = nn.ModuleList(self.calibrators)

    def forward(self, proba):
        if self.method == "temperature":
            logits = torch.log(proba + 1e-12)  # as in scikit-learn
            return torch.softmax(self.inverse * logits, dim=1)
        if self.of_odds:  # as GivenLogOdds computes them
            least = 1e-12
            proba = proba.clamp(min=least).log() - (1 - proba).clamp(min=least).log()
        if proba.shape[1] == 2:
            positive = self.calibrators[0](proba[:, 1:])
            return torch.cat([1 - positive, positive], dim=1)
        columns = [
            calibrate(proba[:, number : number + 1])
            for number, calibrate in enumerate(self.calibrators)
        ]
        proba = torch.cat(columns, dim=1)
        total = proba.sum(dim=1, keepdim=True)
        return torch.where(total > 0, proba / total, 1 / proba.shape[1])


class _Sigmoid(nn.Module):
    """Calibrate by a sigmoid."""

    def __init__(self, fitted):
        super().__init__()
        self.slope, self.offset = float(fitted.a_), float(fitted.b_)

    def forward(self, values):
        return torch.sigmoid(-(self.slope * values + self.offset))


class _Isotonic(nn.Module):
    """Calibrate by linear interpolation between points, as a sum of ramps."""

    def __init__(self, fitted):
        super().__init__()
        x = torch.as_tensor(fitted.X_thresholds_, dtype=torch.float64)
        y = torch.as_tensor(fitted.y_thresholds_, dtype=torch.float64)
        self.register_buffer("starts", x[:-1])
        self.register_buffer("widths", x.diff())
        self.register_buffer("slopes", y.diff() / x.diff())
        self.lowest = float(y[0])

    def forward(self, values):
        ramps = torch.minimum((values - self.starts).clamp(min=0), self.widths)
        return self.lowest + (ramps * self.slopes).sum(dim=1, keepdim=True)
