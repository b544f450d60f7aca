"""Stop the training of a network whose trial is not worth going on."""

from skorch.callbacks import Callback

from ._pruning import StopTrial

__all__ = ["EpochPruning"]


class EpochPruning(Callback):
    """Report the validation loss of every epoch, and stop where the pruner says so.

    Only the first training counts: an estimator that fits its network several times,
    for a vote or a threshold, would else report the same epoch twice.

    Parameters
    ----------
    reporter : TrialReporter
        Of the trial.
    """

    def __init__(self, reporter):
        self.reporter = reporter
        self.n_trainings = 0

    def __sklearn_clone__(self):
        # Clones of the network share the count.
        return self

    def on_train_begin(self, net, **kwargs):
        self.n_trainings += 1

    def on_epoch_end(self, net, **kwargs):
        epoch = net.history[-1]
        if self.n_trainings > 1 or "valid_loss" not in epoch:
            return
        # Studies maximise; the loss falls.
        if self.reporter.wants_to_stop(-epoch["valid_loss"], epoch["epoch"]):
            raise StopTrial
