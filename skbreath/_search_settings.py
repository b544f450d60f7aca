"""What a search is told, checked before its first trial."""

from ._enqueue import check_enqueue
from ._positive_class import name_positive_classes
from ._pruning import check_pruning
from ._search_space import check_space
from ._search_target import check_target
from ._trial_score import find_objectives

__all__ = ["check_settings", "scorers_for"]


def check_settings(search):
    """Check the settings of a search before its first trial.

    Parameters
    ----------
    search : OptunaSearchCV

    Returns
    -------
    objectives : list
        From :func:`find_objectives`.
    enqueue : list of dict
        From :func:`check_enqueue`.

    Raises
    ------
    ValueError
        If the space, the parameters to try first or the settings are wrong.
    """
    names = set(search.estimator.get_params(deep=True))
    stored = search.storage is not None
    check_space(search.param_distributions, names, stored)
    enqueue = check_enqueue(search.enqueue, search.param_distributions)
    if search.n_trials is None and search.timeout is None and not search.callbacks:
        raise ValueError(
            "n_trials=None needs a timeout, or callbacks of which one stops the study, "
            "or it never ends."
        )
    if search.study_name is not None and not stored:
        raise ValueError("study_name needs a storage in which to find the study.")
    objectives = find_objectives(search.scoring, search.refit)
    check_pruning(search.prune_on, search.pruner, len(objectives))
    return objectives, enqueue


def scorers_for(search, X, y, groups):
    """Check the data of a search, and make its scorers with the positive class named.

    Parameters
    ----------
    search : OptunaSearchCV
    X, y, groups : sequences of length n_samples
        As given to ``fit``.

    Returns
    -------
    scorers : callable
        One scorer or several.

    Raises
    ------
    ValueError
        If no trial could be fitted or scored on these data.
    """
    scorers = search._get_scorers()[0]
    classes = check_target(search.estimator, X, y, groups)
    if classes is None:
        return scorers
    return name_positive_classes(scorers, search.scoring, search.pos_label, classes)
