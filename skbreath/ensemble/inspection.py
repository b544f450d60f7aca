"""Walk through composed models: pipelines, votes, thresholds, searches, wrappers."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from ..fitting.routing import requested
from .mixture import FoldAverage

__all__ = [
    "DelegatingMixin",
    "UnwrappedModel",
    "child_models",
    "find_part",
    "find_parts",
    "known_metadata",
    "out_of_fold_proba",
    "training_record",
    "unwrap",
    "unwrap_steps",
]

# Attributes in which meta-estimators keep what they have fitted.
_FITTED = ("estimators_", "estimator_", "best_estimator_")


class DelegatingMixin:
    """Mark an estimator whose fitted attribute `model_` makes its predictions."""


class UnwrappedModel(NamedTuple):
    """Hold a fitted model without the wrappers around it and around its last step."""

    pipelines: tuple
    """Pipelines that transform `X`, the outermost first."""

    classifier: Any
    """The last step, which predicts."""

    def prepare(self, X, **metadata):
        """Transform `X` by all steps before the classifier."""
        for pipeline in self.pipelines:
            if len(pipeline.steps) > 1:
                steps = pipeline[:-1]
                params = requested(steps, "transform", metadata) if metadata else {}
                X = steps.transform(X, **params)
        return X

    def uses_recordings(self):
        """Return whether a prediction can use the recordings of the clips."""
        return any(
            requested(part, "predict_proba", {"recordings": None})
            for part in (*self.pipelines[:1], self.classifier)
        )

    def first_step(self):
        """Get the step that `X` is passed to first."""
        return self.pipelines[0][0] if self.pipelines else self.classifier


def unwrap(model):
    """Unwrap searches, fine-tuned and frozen estimators.

    The result is the fitted model that takes the same `X` and makes the predictions;
    `model` itself if it is not a wrapper, or not fitted.

    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.naive_bayes import GaussianNB
    >>> search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2)
    >>> unwrap(search.fit([[0.0], [1.0], [2.0], [3.0]], list("EIEI")))
    GaussianNB()
    """
    while (inner := _delegate(model)) is not None:
        model = inner
    return model


def unwrap_steps(model):
    """Unwrap a model and split it into pipelines and the classifier at their end.

    An UnwrappedModel is returned as it is.
    """
    if isinstance(model, UnwrappedModel):
        return model
    *before, classifier = _path_to_classifier(model)
    pipelines = tuple(part for part in before if isinstance(part, Pipeline))
    return UnwrappedModel(pipelines, classifier)


def child_models(model):
    """List the fitted models directly inside a model; empty if there are none."""
    if isinstance(model, Pipeline):
        return [step for _, step in model.steps]
    if isinstance(model, FoldAverage):
        return model.estimators
    if isinstance(model, DelegatingMixin | FrozenEstimator):
        inner = _delegate(model)
        return [] if inner is None else [inner]
    for name in _FITTED:
        inside = getattr(model, name, None)
        if isinstance(inside, np.ndarray):  # of gradient boosting
            return inside.ravel().tolist()
        if inside is not None:
            return inside if isinstance(inside, list) else [inside]
    return []


def find_parts(model, kind):
    """Yield the fitted parts of a model, at any depth, that are of the type `kind`.

    Parts of that type are not searched for further parts inside them.

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> model = make_pipeline(LogisticRegression())
    >>> [*find_parts(model, LogisticRegression)], [*find_parts(model, GaussianNB)]
    ([LogisticRegression()], [])
    """
    if isinstance(model, kind):
        yield model
        return
    for child in child_models(model):
        yield from find_parts(child, kind)


def find_part(model, kind):
    """Get the only fitted part of a type; raise an error if there is not just one."""
    parts = list(find_parts(model, kind))
    if len(parts) != 1:
        raise ValueError(
            f"Expected one fitted {kind.__name__} in the {type(model).__name__}, got "
            f"{len(parts)}. Pass a fitted model with one, or that part itself."
        )
    return parts[0]


def training_record(model):
    """Get the record of what a model was fitted on, or None if it has none."""
    for part in _path_to_classifier(model):
        record = getattr(part, "training_record_", None)
        if record is not None:
            return record
    return None


def known_metadata(model):
    """Get the metadata of the file that a model was loaded or fine-tuned from.

    The dict is empty if there are none. Fitting the model again removes them.
    """
    return (training_record(model) or {}).get("metadata", {})


def out_of_fold_proba(estimator):
    """Get the ``oof_proba_`` of a cross-fitted estimator, or None.

    Those of the last step of a Pipeline count only if the other steps do not learn
    (their tag ``requires_fit`` is False, or they are frozen): steps that learn were
    fitted on the rows that the last step holds out.
    """
    while isinstance(estimator, Pipeline):
        *before, (_, last) = estimator.steps
        if any(_learns(step) for _, step in before):
            return None
        estimator = last
    return getattr(estimator, "oof_proba_", None)


def _delegate(model):
    """Get the fitted model that a wrapper hands `X` to, or None."""
    if isinstance(model, FrozenEstimator):  # first: it has the attributes of the inner
        return model.estimator
    if isinstance(model, DelegatingMixin):
        return getattr(model, "model_", None)
    return getattr(model, "best_estimator_", None)


def _path_to_classifier(model):
    """List `model`, then each wrapper or pipeline inside, then the classifier."""
    path = []
    while model is not None:
        path.append(model)
        inner = _delegate(model)
        if inner is None and isinstance(model, Pipeline):
            inner = model.steps[-1][1]
        model = inner
    return path


def _learns(step):
    """Check whether fitting a step of a Pipeline depends on the rows."""
    if step is None or isinstance(step, str | FrozenEstimator):
        return False
    return get_tags(step).requires_fit
