"""The parts of a composed model: its networks, and the parameters of each part."""

from sklearn.pipeline import Pipeline

from ._fold_average import FoldAverage
from .classifier import ResidualCNNClassifier
from .threshold import ThresholdClassifier
from .voting import WeightedVotingClassifier

__all__ = ["has_network", "networks_of", "part_names", "restore_parameters"]


def networks_of(part):
    """Find all network classifiers in a model, fitted or not.

    Parameters
    ----------
    part : estimator

    Yields
    ------
    network : ResidualCNNClassifier
    """
    if isinstance(part, ResidualCNNClassifier):
        yield part
        return
    children = []
    if isinstance(part, Pipeline):
        children += [step for _, step in part.steps]
    if isinstance(part, FoldAverage):
        children += part.estimators
    if isinstance(part, WeightedVotingClassifier):
        children += [member for _, member in part.estimators]
        children += getattr(part, "estimators_", [])
    if isinstance(part, ThresholdClassifier):
        children += [part.estimator]
        children += [part.estimator_] if hasattr(part, "estimator_") else []
    for child in children:
        yield from networks_of(child)


def part_names(network):
    """Names of the parts of a fitted network; none of one that is not fitted."""
    if not hasattr(network, "classes_"):
        return set()
    return {name for name, _ in network.net_.module_.named_modules() if name}


def has_network(part):
    return any(True for _ in networks_of(part))


def restore_parameters(part, given):
    """Give the parts of a fine-tuned model the parameters of the one it came from.

    What they were set to for the fine-tuning is of no use for another fit: steps of
    the learning rate, rows of a fold, weights to start from.

    Parameters
    ----------
    part : estimator
        Fine-tuned, or a part of it, or what such a part was cloned from.
    given : estimator
        The fitted one that it was made of. An average of folds became a vote of
        networks, or one model if it had none.
    """
    if isinstance(given, FoldAverage) and not isinstance(
        part, WeightedVotingClassifier
    ):
        given = given.estimators[0]
    if isinstance(part, Pipeline):
        for step, source in zip(part, given, strict=True):
            restore_parameters(step, source)
    elif isinstance(part, ThresholdClassifier):
        _copy_parameters(part, given, "estimator")
        restore_parameters(part.estimator, given.estimator_)
        restore_parameters(part.estimator_, given.estimator_)
        if isinstance(part.cv, str):  # "prefit": another fit tunes the threshold alone
            part.estimator = part.estimator_
    elif isinstance(part, WeightedVotingClassifier):
        if isinstance(given, FoldAverage):
            sources = given.estimators
        else:
            _copy_parameters(part, given, "estimators")
            sources = given.estimators_
        fitted = getattr(part, "estimators_", ())
        for members in ([member for _, member in part.estimators], fitted):
            for member, source in zip(members, sources, strict=bool(members)):
                restore_parameters(member, source)
    elif isinstance(part, ResidualCNNClassifier):
        _copy_parameters(part, given)


def _copy_parameters(part, given, *but):
    params = given.get_params(deep=False)
    part.set_params(
        **{name: value for name, value in params.items() if name not in but}
    )
