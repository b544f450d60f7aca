"""The weights that the training of a network begins with."""

import numpy as np

__all__ = ["first_not_finite", "set_starting_weights", "starting_weights"]


def starting_weights(classifier, classes):
    """Get the weights that a fit starts from.

    Parameters
    ----------
    classifier : ResidualCNNClassifier
        With ``warm_start`` and fitted, it goes on from its own weights.
    classes : ndarray of shape (n_classes,)
        Of the labels now given.

    Returns
    -------
    weights : dict of str to ndarray, or None
        None means random ones.

    Raises
    ------
    ValueError
        If it was fitted on other classes.
    """
    if not _goes_on(classifier):
        return classifier.initial_weights
    if not np.array_equal(classes, classifier.classes_):
        raise ValueError(
            f"warm_start=True goes on with the classes {classifier.classes_.tolist()}, "
            f"but y has {classes.tolist()}."
        )
    return classifier.get_weights()


def _goes_on(classifier):
    return classifier.warm_start and hasattr(classifier, "net_")


def set_starting_weights(classifier, module, weights):
    """Put the weights that a fit starts from into its network.

    Parameters
    ----------
    classifier : ResidualCNNClassifier
        Whose :func:`starting_weights` they are.
    module : torch.nn.Module
        New, of the parameters that the classifier has now.
    weights : dict of str to ndarray

    Raises
    ------
    ValueError
        If they are those of another network, or not finite.
    """
    if _goes_on(classifier):
        source = "the weights of the last fit (warm_start=True)"
        advice = "set warm_start=False to begin anew"
    else:
        source = "initial_weights"
        advice = "take those of a network with the same parameters"
    if misfit := _first_misfit(weights, module.state_dict()):
        raise ValueError(f"{source} do not fit the network: {misfit}; {advice}.")
    classifier._set_weights(module, weights)
    if name := first_not_finite(module):
        raise ValueError(
            f"{source} cannot be used: {name!r} has NaN or infinite values; {advice}."
        )


def _first_misfit(weights, expected):
    """Say how weights differ from those of a network; None if they do not."""
    for name, tensor in expected.items():
        if name not in weights:
            return f"{name!r} is missing"
        shape, needed = np.shape(weights[name]), tuple(tensor.shape)
        if shape != needed:
            return f"{name!r} has the shape {shape}, where the network has {needed}"
    unknown = [name for name in weights if name not in expected]
    return f"it has no weight {unknown[0]!r}" if unknown else None


def first_not_finite(module):
    """Get the name of a weight with NaN or infinite values; None if all are finite.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    name : str or None
    """
    for name, weights in module.named_parameters():
        if not weights.isfinite().all():
            return name
    for name, buffer in module.named_buffers():
        if buffer.isnan().any():  # a mask may well be infinite
            return name
    return None
