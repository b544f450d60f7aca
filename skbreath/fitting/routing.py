"""Pass metadata such as groups to nested estimators, routing enabled or not."""

from contextlib import contextmanager

import numpy as np
from sklearn import config_context, get_config
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
)
from sklearn.utils.validation import check_consistent_length, has_fit_parameter

__all__ = [
    "ignore_weights",
    "metadata_context",
    "requested",
    "requests_groups",
    "route_methods",
    "weights_requested",
]


@contextmanager
def metadata_context(**metadata):
    """Enable metadata routing while the block runs, if any metadata are not None.

    Yields those that are not None. scikit-learn passes ``groups`` to nested consumers
    only with routing enabled, which users seldom do. Without metadata nothing is
    changed: some estimators work only with routing disabled.
    """
    metadata = {name: value for name, value in metadata.items() if value is not None}
    enabled = bool(metadata) or get_config()["enable_metadata_routing"]
    with config_context(enable_metadata_routing=enabled):
        yield metadata


def route_methods(owner, children, takes_recordings=(), **calls):
    """Make a router for the fit of a meta-estimator that takes metadata itself.

    `children` are the estimators that it fits, by name; `takes_recordings` are methods
    of the owner that use ``recordings`` themselves; `calls` are the methods of a
    child that further methods of the owner call. Some children, such as
    :class:`~sklearn.ensemble.AdaBoostClassifier`, raise NotImplementedError as soon as
    a router looks at them; they get no metadata. That is an error only if one of their
    parts needs groups, since its early stopping would then leak.
    """
    request = owner._get_metadata_request()
    for method in takes_recordings:
        getattr(request, method).add_request(param="recordings", alias=True)
    router = MetadataRouter(owner=owner).add_self_request(request)
    mapping = MethodMapping().add(caller="fit", callee="fit")
    for caller, callees in calls.items():
        for callee in callees:
            mapping.add(caller=caller, callee=callee)
    for name, child in children.items():
        try:
            get_routing_for_object(child)
        except NotImplementedError:
            if any(map(requests_groups, child.get_params(deep=True).values())):
                raise
            child = None
        router.add(**{name: child}, method_mapping=mapping)
    return router


@contextmanager
def weights_requested(owner, params, y):
    """Request ``sample_weight`` for the parts of an estimator while the block runs.

    The parts are the classifiers and regressors inside `owner`. Nothing is changed if
    the user has enabled routing.

    Parameters
    ----------
    owner : estimator
        With the parameter `estimator`, or `estimators`.
    params : dict
        Arguments of fit: ``sample_weight``, or ``step__sample_weight`` for one step.
    y : array-like of shape (n_samples,)

    Yields
    ------
    params : dict
        With the weights as ``sample_weight``.

    Raises
    ------
    ValueError
        If there are weights for several steps, a member does not take weights, or only
        one class has positive weights.
    """
    names = [name for name in params if name.rpartition("__")[2] == "sample_weight"]
    if not names or get_config()["enable_metadata_routing"]:
        yield params
        return
    if len(names) > 1:
        raise ValueError(
            f"Expected weights for one step, got {sorted(names)}: enable metadata "
            "routing to give several steps weights."
        )
    params = dict(params)
    params["sample_weight"] = weights = params.pop(names[0])
    if weights is not None and is_classifier(owner):
        check_consistent_length(y, weights)
        left = np.unique(np.asarray(y)[np.asarray(weights) > 0])
        if len(left) < 2:
            raise ValueError(
                "Expected at least two classes among the rows of positive "
                f"sample_weight, got {left.tolist()}; give such rows of other classes."
            )
    prefix = names[0].removesuffix("sample_weight")
    attribute = "estimators" if hasattr(owner, "estimators") else "estimator"
    original = getattr(owner, attribute)
    if attribute == "estimator":
        changed = _request_weights(original, prefix)
    else:
        changed = [(name, _request_weights(part, prefix)) for name, part in original]
    setattr(owner, attribute, changed)
    try:
        yield params
    finally:
        setattr(owner, attribute, original)


def _request_weights(estimator, prefix):
    """Clone an estimator, and request weights for its learners under `prefix`."""
    if estimator == "drop" or isinstance(estimator, FrozenEstimator):
        return estimator
    weighted, found = clone(estimator), False
    with config_context(enable_metadata_routing=True):
        for name, part in [("", weighted), *weighted.get_params(deep=True).items()]:
            if hasattr(part, "fit") and has_fit_parameter(part, "sample_weight"):
                requests = getattr(get_routing_for_object(part), "fit", None)
                takes = getattr(requests, "requests", {}).get("sample_weight")
                if takes is None:  # the user has not set it
                    learns = is_classifier(part) or is_regressor(part)
                    takes = learns and f"__{prefix}" in f"__{name}__"
                    part.set_fit_request(sample_weight=takes)
                    if hasattr(part, "set_score_request"):
                        part.set_score_request(sample_weight=False)
                    found |= takes
                else:
                    found = True
    if not found:
        raise ValueError(
            f"{prefix}sample_weight was given, but that part of "
            f"{type(estimator).__name__} does not take weights; fit without them, or "
            "use another estimator."
        )
    return weighted


def ignore_weights(scorer):
    """Let a scorer, or several, ignore weights, so that they are for fits only."""
    with config_context(enable_metadata_routing=True):
        for part in getattr(scorer, "_scorers", {"": scorer}).values():
            if hasattr(part, "set_score_request"):
                part.set_score_request(sample_weight=False)


def requests_groups(part):
    """Return whether ``fit`` of an estimator, or of a part of it, requests groups."""
    return bool(requested(part, "fit", {"groups": None}))


def requested(part, method, metadata):
    """Get the metadata that a method of an estimator, or of a part of it, requests."""
    try:
        names = get_routing_for_object(part).consumes(method, list(metadata))
    except NotImplementedError:
        names = ()
    return {name: metadata[name] for name in names}
