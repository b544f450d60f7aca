"""The weights that the training of a network begins with."""

import numpy as np

__all__ = ["starting_weights"]


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
    if not (classifier.warm_start and hasattr(classifier, "net_")):
        return classifier.initial_weights
    if not np.array_equal(classes, classifier.classes_):
        raise ValueError(
            f"warm_start=True goes on with the classes {classifier.classes_.tolist()}, "
            f"but y has {classes.tolist()}."
        )
    return classifier.get_weights()
