"""Pass metadata such as groups to nested estimators, routing enabled or not."""

from contextlib import contextmanager

from sklearn import config_context, get_config
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
)

__all__ = ["asks_for_groups", "metadata_context", "route_fit"]


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


def route_fit(owner, children):
    """Make a router for the fit of a meta-estimator that takes metadata itself.

    `children` are the estimators that it fits, by name. Some, such as
    :class:`~sklearn.ensemble.AdaBoostClassifier`, raise NotImplementedError as soon as
    a router looks at them; they get no metadata. That is an error only if one of their
    parts needs groups, since its early stopping would then leak.
    """
    router = MetadataRouter(owner=owner).add_self_request(owner)
    fitting = MethodMapping().add(caller="fit", callee="fit")
    for name, child in children.items():
        try:
            get_routing_for_object(child)
        except NotImplementedError:
            if any(map(asks_for_groups, child.get_params(deep=True).values())):
                raise
            child = None
        router.add(**{name: child}, method_mapping=fitting)
    return router


def asks_for_groups(part):
    """Return whether ``fit`` of an estimator, or of a part of it, requests groups."""
    try:
        return bool(get_routing_for_object(part).consumes("fit", ["groups"]))
    except NotImplementedError:
        return False
