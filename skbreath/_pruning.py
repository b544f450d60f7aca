"""Trials stopped early: after a fold, or after an epoch of a network."""

from sklearn.base import clone

__all__ = ["StopTrial", "TrialReporter", "check_pruning", "with_epoch_pruning"]


class StopTrial(BaseException):
    """Leave the fit of a trial that is pruned.

    Not an Exception, as Optuna's own is: every ``except Exception`` on the way, such
    as scikit-learn's around each fit, would take it for a fit that failed.
    """


class TrialReporter:
    """Hand intermediate values to the pruner, wherever the trial runs.

    In another process the trial is a copy. One that is in memory has its own copy of
    the study then; `values` bring its reports home.

    Parameters
    ----------
    trial : optuna.trial.Trial

    Attributes
    ----------
    values : dict of int to float
        What was reported, by step.
    """

    def __init__(self, trial):
        self.trial = trial
        self.values = {}

    def wants_to_stop(self, value, step):
        """Report a value and ask the pruner.

        Parameters
        ----------
        value : float
            To be maximised.
        step : int
            Fold or epoch; each is reported once.

        Returns
        -------
        stop : bool
        """
        from optuna.exceptions import UpdateFinishedTrialError

        if step in self.values:
            return False
        self.values[step] = float(value)
        try:
            self.trial.report(float(value), step)
        except UpdateFinishedTrialError:
            return True  # another worker took this one for dead: no use in going on
        return bool(self.trial.should_prune())


def check_pruning(prune_on, pruner, n_objectives):
    """Check the settings of early stopping.

    Parameters
    ----------
    prune_on : {"fold", "epoch"} or None
    pruner : optuna.pruners.BasePruner or None
    n_objectives : int
        Metrics that are maximised.

    Raises
    ------
    ValueError
        If they contradict each other.
    """
    if prune_on is None and pruner is not None:
        raise ValueError(
            "a pruner needs prune_on='fold' or prune_on='epoch' to know when to act."
        )
    if prune_on is not None and n_objectives > 1:
        raise ValueError(
            "prune_on needs a single metric to maximise: name it by refit, as trials "
            "that differ in several metrics cannot be ranked halfway."
        )


def with_epoch_pruning(estimator, parameters, reporter):
    """Make the estimator of a trial whose network reports its epochs.

    Parameters
    ----------
    estimator : estimator
        Cloned.
    parameters : dict
        Of the trial.
    reporter : TrialReporter
        Gets the values.

    Returns
    -------
    estimator : estimator

    Raises
    ------
    ValueError
        If there is not exactly one :class:`ResidualCNNClassifier` in it, or its
        early stopping is off.
    """
    from ._epoch_pruning import EpochPruning
    from .classifier import ResidualCNNClassifier

    estimator = clone(estimator).set_params(**clone(parameters, safe=False))
    parts = {"the estimator": estimator, **estimator.get_params(deep=True)}
    nets = {
        name: part
        for name, part in parts.items()
        if isinstance(part, ResidualCNNClassifier)
    }
    if len(nets) != 1:
        raise ValueError(
            "prune_on='epoch' needs exactly one ResidualCNNClassifier inside the "
            f"estimator, whose epochs are the steps; found {sorted(nets) or 'none'}."
        )
    ((name, net),) = nets.items()
    if not net.early_stopping:
        raise ValueError(
            "prune_on='epoch' follows the loss of the rows held back for early "
            f"stopping, but {name} has early_stopping=False."
        )
    net.set_params(callbacks=[*(net.callbacks or []), EpochPruning(reporter)])
    return estimator
