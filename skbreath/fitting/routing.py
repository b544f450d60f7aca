"""Hand metadata such as groups to nested estimators, routing enabled or not."""

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
    """Enable metadata routing where there is something to route.

    scikit-learn hands ``groups`` to nested consumers only with routing enabled, which
    users seldom do. Without metadata nothing is changed: some estimators work only
    with routing disabled.

    Parameters
    ----------
    **metadata : dict
        Arguments of ``fit``, such as ``groups``.

    Yields
    ------
    metadata : dict
        Those that are not None.

    Examples
    --------
    >>> with metadata_context(groups=[1, 2], sample_weight=None) as metadata:
    ...     metadata
    {'groups': [1, 2]}
    """
    metadata = {name: value for name, value in metadata.items() if value is not None}
    enabled = bool(metadata) or get_config()["enable_metadata_routing"]
    with config_context(enable_metadata_routing=enabled):
        yield metadata


def route_fit(owner, children):
    """Make a router for a meta-estimator that takes metadata itself.

    Parameters
    ----------
    owner : estimator
        Whose own requests count too.
    children : dict of str to estimator
        Fitted by the owner's ``fit``. Some estimators, such as
        :class:`~sklearn.ensemble.AdaBoostClassifier`, raise as soon as a router looks
        at them; they get no metadata, unless something inside asks for groups.

    Returns
    -------
    router : MetadataRouter
        To be added to.

    Raises
    ------
    NotImplementedError
        If a child cannot route and would keep groups from one of its own parts, whose
        early stopping would then leak in silence.
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
    """Tell whether ``fit`` of an estimator, or of a part of it, wants ``groups``.

    Parameters
    ----------
    part : object
        An estimator; anything else wants none.

    Returns
    -------
    wanted : bool
    """
    try:
        return bool(get_routing_for_object(part).consumes("fit", ["groups"]))
    except NotImplementedError:
        return False
