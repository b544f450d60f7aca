"""Set the positive class of scorers by its name."""

from copy import copy
from inspect import signature

from sklearn.metrics import get_scorer

from ..utils.sklearn_compat import _MultimetricScorer

__all__ = ["name_positive_class", "name_positive_classes"]


def _takes_positive_class(scorer):
    """Return whether the metric of a scorer has a positive class."""
    score_func = getattr(scorer, "_score_func", None)
    # A plain function defines its own positive class.
    return score_func is not None and "pos_label" in signature(score_func).parameters


def _with_kwargs(scorer, **kwargs):
    """Copy a scorer with further arguments of its metric."""
    scorer = copy(scorer)
    scorer._kwargs = {**scorer._kwargs, **kwargs}
    return scorer


def name_positive_class(scoring, pos_label, classes):
    """Make a scorer of `scoring` that takes `pos_label` as the positive class.

    ``get_scorer("f1")`` assumes a class called 1 and raises for ``"I"`` and ``"E"``.
    None is enough for classes 0 and 1, -1 and 1 or False and True, for a scorer that
    names the class itself, and for metrics that treat both classes alike.

    Returns the scorer, and the positive class; None if the metric does not need one.
    """
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    classes = list(classes)
    named = getattr(scorer, "_kwargs", {}).get("pos_label")
    if pos_label is None:
        pos_label = named
    elif named is not None and named != pos_label:
        raise ValueError(
            f"pos_label={pos_label!r}, but the scorer has pos_label={named!r}; "
            "name one positive class."
        )
    _check_positive_class(pos_label, classes)
    if not _takes_positive_class(scorer):
        return scorer, pos_label
    if scorer._kwargs.get("average", "binary") != "binary":
        # Averaged over the classes, so that the positive class does not matter, but
        # without this the scorer looks for a class called 1.
        return _with_kwargs(scorer, pos_label=None), pos_label
    if len(classes) != 2:
        if scorer._kwargs.get("average") == "binary":
            raise ValueError(
                f"scoring={scoring!r} is for two classes, y has {len(classes)}: "
                f"{classes}; take an average over them, such as 'f1_macro'."
            )
        return scorer, pos_label
    if pos_label is None:
        if classes not in ([0, 1], [-1, 1]):  # False and True equal 0 and 1
            # The hint names the last, as 1 of 0 and 1: of I and E it is inhale.
            raise ValueError(
                f"scoring={scoring!r} needs a positive class and y has the classes "
                f"{classes}: name it with pos_label, such as pos_label={classes[1]!r}."
            )
        pos_label = classes[1]
    return _with_kwargs(scorer, pos_label=pos_label), pos_label


def _check_positive_class(pos_label, classes):
    """Raise an error for a positive class that is not in the data."""
    if pos_label is not None and pos_label not in classes:
        raise ValueError(
            f"pos_label={pos_label!r} is not a class of y: {classes}; pass the "
            f"positive one, such as make_breath_classifier(pos_label={classes[-1]!r}), "
            "or --pos-label of a command."
        )


def name_positive_classes(scorers, scoring, pos_label, classes):
    """Set the positive class of the scorer, or of each of the scorers, of a search.

    `scorers` was made by scikit-learn from `scoring`, which is as the user gave it;
    None is the estimator's own score.
    """
    _check_positive_class(pos_label, classes)
    if scoring is None:
        return scorers
    if not isinstance(scorers, _MultimetricScorer):
        return name_positive_class(scoring, pos_label, classes)[0]
    if not isinstance(scoring, dict):
        scoring = {name: name for name in scorers._scorers}
    named = {
        name: name_positive_class(metric, pos_label, classes)[0]
        for name, metric in scoring.items()
    }
    return _MultimetricScorer(scorers=named, raise_exc=scorers._raise_exc)
