"""Check the settings of pruning."""

__all__ = ["check_pruning"]


def check_pruning(prune_on, pruner, n_objectives):
    """Check the settings of early stopping.

    Parameters
    ----------
    prune_on : {"fold"} or None
    pruner : optuna.pruners.BasePruner or None
    n_objectives : int
        Metrics that are maximised.

    Raises
    ------
    ValueError
        If they contradict each other.
    """
    if prune_on is None and pruner is not None:
        raise ValueError("Expected prune_on='fold' with a pruner, got prune_on=None.")
    if prune_on is not None and n_objectives > 1:
        raise ValueError(
            "prune_on needs a single metric to maximise: name it by refit, as trials "
            "that differ in several metrics cannot be ranked halfway."
        )
