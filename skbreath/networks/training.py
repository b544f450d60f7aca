"""Train a network with torch and skorch, on soft targets with weights.

skorch collates sample by sample, which costs more than the small networks here
compute. A whole batch is therefore taken from the tensors by one indexing.
"""

from functools import partial

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import optim
from torch.nn import functional as F
from torch.utils.data import Dataset, Sampler

from .fit_inputs import check_device, first_not_finite, set_starting_weights

__all__ = ["NoOptimizer", "WeightedNet", "train"]


class ClipTensors(Dataset):
    """Hold features, targets and weights of clips; an index is a batch of rows."""

    def __init__(self, X, targets, weights):
        self.X = torch.as_tensor(X, dtype=torch.float32)
        self.targets = torch.as_tensor(targets, dtype=torch.float32)
        self.weights = torch.as_tensor(weights, dtype=torch.float32)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, rows):
        return self.X[rows], (self.targets[rows], self.weights[rows])


class Batches(Sampler):
    """Iterate over the row indices of each batch, shuffled or in order.

    A last batch of a single row joins the one before it: batch normalisation has
    no variance to divide by in one row of one frame.
    """

    def __init__(self, n_rows, batch_size, shuffle):
        self.n_rows = n_rows
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __len__(self):
        return sum(1 for _ in self._bounds())

    def _bounds(self):
        start = 0
        while start < self.n_rows:
            stop = min(start + self.batch_size, self.n_rows)
            if self.n_rows - stop == 1:
                stop = self.n_rows
            yield start, stop
            start = stop

    def __iter__(self):
        order = torch.randperm(self.n_rows) if self.shuffle else None
        for start, stop in self._bounds():
            yield torch.arange(start, stop) if order is None else order[start:stop]


class WeightedNet(NeuralNetClassifier):
    """Extend skorch's classifier by soft targets, weights of rows and augmentations.

    The parameters are those of :class:`~skbreath.ResidualCNNClassifier`. The logits are
    float32 with any `precision`.
    """

    def __init__(self, *args, augmentations=(), precision=None, frozen=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.augmentations = augmentations
        self.precision = precision
        self.frozen = frozen

    def initialize_module(self):
        super().initialize_module()
        for part in self._frozen_parts():
            part.requires_grad_(False).eval()
        if not any(weights.requires_grad for weights in self.module_.parameters()):
            raise ValueError(
                f"frozen={self.frozen} leaves nothing to train; list fewer parts."
            )
        return self

    def _frozen_parts(self):
        for name in self.frozen:
            try:
                yield self.module_.get_submodule(name)
            except AttributeError as error:
                known = [known for known, _ in self.module_.named_modules() if known]
                raise ValueError(
                    f"frozen must list parts of the network, got {name!r}; its parts "
                    f"are {known}."
                ) from error

    def infer(self, x, **fit_params):
        mixed = self.precision == "bf16"
        device = torch.device(self.device).type
        with torch.autocast(device, torch.bfloat16, enabled=mixed):
            return super().infer(x, **fit_params).float()

    def _set_training(self, training=True):
        # skorch calls this for every batch; to visit all layers costs 4 % of the time.
        if self.module_.training != training:
            super()._set_training(training)
            for part in self._frozen_parts():
                part.eval()  # its batch normalisation keeps its statistics

    def train_step_single(self, batch, **fit_params):
        X, (targets, weights) = batch
        for augment in self.augmentations:
            X, targets = augment(X, targets)
        return super().train_step_single((X, (targets, weights)), **fit_params)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        targets, weights = (part.to(y_pred.device) for part in y_true)
        if y_pred.shape[1] == 1:
            loss = F.binary_cross_entropy_with_logits(
                y_pred, targets, reduction="none"
            ).squeeze(1)
        else:
            loss = F.cross_entropy(y_pred, targets, reduction="none")
        return (loss * weights).sum() / weights.sum()

    def run_single_epoch(self, *args, **kwargs):
        # skorch catches KeyboardInterrupt, since its callbacks raise it to stop early.
        # One from within an epoch is the user's Ctrl-C: `train` raises it again.
        try:
            return super().run_single_epoch(*args, **kwargs)
        except KeyboardInterrupt:
            self.interrupted_ = True
            raise


def _chosen_precision(precision, device):
    """Resolve "auto": "bf16" where the processor computes in it, else None."""
    if precision != "auto":
        return precision
    if torch.device(device).type != "cpu":
        return None
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else None


class NoOptimizer:
    """Placeholder optimizer for loaded networks.

    Making any optimizer of torch loads torch's compiler, which takes a second.
    """

    def __init__(self, *args, **kwargs):
        pass


def _training_params(estimator, n_train, held_back):
    """Translate hyper-parameters of a classifier into those of a `WeightedNet`.

    Without rows `held_back` for early stopping, training runs for all epochs.
    """
    callbacks = list(estimator.callbacks or [])
    params = {
        # Fused: one kernel for all weights rather than nine for each of them.
        "optimizer": partial(
            optim.AdamW, fused=torch.device(estimator.device).type in ("cpu", "cuda")
        ),
        "optimizer__weight_decay": estimator.weight_decay,
        "lr": estimator.lr,
        "max_epochs": estimator.max_epochs,
        "batch_size": None,  # the samplers give whole batches
        "iterator_train__sampler": Batches(n_train, estimator.batch_size, True),
        "train_split": None,
        "callbacks": callbacks,
        "callbacks__valid_acc": None,
        "augmentations": _callables(estimator.augmentations),
        "precision": _chosen_precision(estimator.precision, estimator.device),
        "frozen": tuple(estimator.frozen or ()),
        "verbose": estimator.verbose,
    }
    schedules = optim.lr_scheduler
    if estimator.scheduler == "step":
        step = {"step_size": estimator.step_size, "gamma": estimator.gamma}
        callbacks.append(LRScheduler(schedules.StepLR, **step))
    elif estimator.scheduler == "cosine":
        cosine = {"T_max": estimator.max_epochs}
        callbacks.append(LRScheduler(schedules.CosineAnnealingLR, **cosine))
    elif estimator.scheduler == "one_cycle":
        # The schedule divides by the lengths of its rise and fall: two batches and one.
        n_steps = max(3, estimator.max_epochs * len(params["iterator_train__sampler"]))
        rise = max(0.1, 2 / n_steps)
        cycle = {"max_lr": estimator.lr, "total_steps": n_steps, "pct_start": rise}
        callbacks.append(LRScheduler(schedules.OneCycleLR, step_every="batch", **cycle))
    if len(held_back):
        in_order = Batches(len(held_back), 4 * estimator.batch_size, False)
        params["train_split"] = predefined_split(held_back)
        params["iterator_valid__sampler"] = in_order
        callbacks.append(EarlyStopping(patience=estimator.patience, load_best=True))
    if not estimator.verbose:
        params["callbacks__print_log"] = None
    return params | (estimator.net_params or {})


def _callables(augmentations):
    """Check before training that augmentations can be called on a batch."""
    augmentations = tuple(augmentations or ())
    for number, augment in enumerate(augmentations):
        if callable(augment) and not isinstance(augment, type):
            continue
        what = f"the class {augment.__name__}" if callable(augment) else repr(augment)
        raise TypeError(
            f"augmentations[{number}] must be callable on a batch: an instance, such "
            f"as Mixup(), or a function (X, targets) -> (X, targets), got {what}."
        )
    return augmentations


def train(estimator, X, targets, weights, split, start):
    """Build the skorch net of a classifier and train it.

    `targets` (n_clips, n_outputs) and `weights` (n_clips,) are those of the loss,
    `split` holds the indices of training and validation rows, and `start` the initial
    weights of the network; None means random ones.
    """

    def tensors(rows):
        # All rows need no copy, since they are only read. torch warns of read-only
        # memory.
        whole = len(rows) == len(X) and X.flags.writeable
        return ClipTensors(X if whole else X[rows], targets[rows], weights[rows])

    rows, valid = split
    held_back = tensors(valid)
    check_device(estimator.device)
    net = estimator._make_net(
        estimator.device, **_training_params(estimator, len(rows), held_back)
    )
    if start is not None:
        set_starting_weights(estimator, net.module_, start)
    net.partial_fit(tensors(rows), y=None)
    if getattr(net, "interrupted_", False):
        raise KeyboardInterrupt
    _check_converged(net.module_, X[:1], estimator.lr)
    net.train_split = None  # otherwise the model would hold the data
    return net


def _check_converged(module, clip, lr):
    """Raise an error if the network predicts NaN, which would become a label.

    Weights that are too large may still be finite, so one clip is predicted as well.
    """
    wrong = first_not_finite(module)
    if wrong is None:
        clip = torch.tensor(clip, device=next(module.parameters()).device)
        with torch.inference_mode():
            if module.eval()(clip).isfinite().all():
                return
        what = "the network gives values that are not finite"
    else:
        what = f"the weight {wrong!r} of the network is not finite"
    raise ValueError(
        f"training diverged: {what}; lower lr (now {lr:g}), or check whether one "
        "of the augmentations gives NaN."
    )
