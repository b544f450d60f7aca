"""Wrap the residual CNN as a scikit-learn classifier."""

from __future__ import annotations

from contextlib import contextmanager
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from ..fitting.training_record import recording
from ..utils.sklearn_compat import Interval, Options, StrOptions, _fit_context
from .fit_inputs import as_clips, early_stopping_split, starting_weights, training_rows
from .persistence import HeldNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self

    import torch
    from numpy.typing import ArrayLike
    from torch import nn

    from ..utils.typing import Column, Seed

__all__ = ["ResidualCNNClassifier"]


def _embeds(classifier):
    """Check whether the network can compute pooled features."""
    return classifier.module is None or hasattr(classifier.module, "embed")


@contextmanager
def _torch_threads(n_threads):
    """Set the number of CPU threads of torch within a block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class ResidualCNNClassifier(  # type: ignore[call-arg]
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClassifierMixin,
    HeldNetwork,
    BaseEstimator,
    auto_wrap_output_keys=None,  # it would hide that a network cannot `transform`
):
    """Residual CNN trained with AdamW, early stopping and a learning rate schedule.

    `fit` builds a :class:`skorch.NeuralNetClassifier`, whose features can be used
    through `callbacks` and `net_params`. The estimator itself follows scikit-learn's
    rules: any labels, `clone`, `sample_weight`, `groups`, bit-identical repeats.

    Start with these five parameters: `module` and `hidden_channels` (kind and size of
    the network), `lr`, `max_epochs`, and `augmentations`. The others have defaults that
    rarely need to change.

    Parameters
    ----------
    module : type, default=None
        Class of a :class:`torch.nn.Module`, called as ``module(n_channels,
        n_outputs, hidden_channels=, kernel_size=, dropout=)``. None means
        :class:`~skbreath.ResidualCNN1d`.
    hidden_channels : int, default=64
        Width of the network.
    kernel_size : int, default=3
        Size of its convolutions, odd.
    dropout : float, default=0.5
        Dropout probability, in [0, 1).
    lr : float, default=1e-3
        Learning rate at the start.
    weight_decay : float, default=1e-4
        Decoupled weight decay of AdamW.
    scheduler : {"step", "cosine", "one_cycle"} or None, default="step"
        "step" multiplies the learning rate by `gamma` every `step_size` epochs,
        "cosine" lowers it to zero over `max_epochs`, "one_cycle" raises it to `lr`
        over the first tenth of them and lowers it to zero batch by batch, None keeps
        it.
    gamma : float, default=0.5
        Factor of the "step" schedule.
    step_size : int, default=5
        Epochs between two steps.
    batch_size : int, default=64
        Clips in a batch.
    max_epochs : int, default=25
        Epochs at most.
    early_stopping : bool, default=True
        Hold back a part of the training rows, stop once its loss has not improved
        for `patience` epochs, and keep the weights of the best epoch.
    patience : int, default=10
        Epochs without improvement before training stops.
    validation_fraction : float, default=0.2
        Part of the rows held back for early stopping, stratified; with `groups`
        given to `fit`, whole groups are held back.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, keyed by label.
    augmentations : list of callables, default=None
        Applied in order to each training batch, such as :class:`~skbreath.Mixup`.
    callbacks : list of skorch callbacks, default=None
        Added to those that early stopping and the schedule need.
    net_params : dict, default=None
        More parameters of the skorch net, for example
        ``{"iterator_train__num_workers": 1}``.
    warm_start : bool, default=False
        Whether another ``fit`` starts from the weights of the last one, rather than
        from random ones. Parameters such as `lr` or `frozen` may be changed in between.
    initial_weights : dict of str to ndarray, default=None
        Weights that the first ``fit`` starts from, by their names in the network, as
        :meth:`get_weights` of another classifier gives them. Unlike the weights of
        `warm_start`, they survive ``clone``, and so cross-validation and search.
    frozen : list of str, default=None
        Parts of the network that keep their weights and statistics, such as
        ``["stem", "blocks.0"]``.
    device : str or torch.device, default="cpu"
        Where torch computes, such as "cpu" or "cuda".
    n_threads : int, default=1
        CPU threads of torch while this classifier trains and predicts. One is no
        slower where folds or members run in parallel already (`n_jobs`), and the
        bits of a result depend on it.
    precision : {"bf16", "auto"} or None, default=None
        "bf16" trains in mixed precision: convolutions and matrix products in
        bfloat16, weights, loss and predictions in float32. On CPUs with AVX512-BF16
        or AMX :class:`~skbreath.ResidualCNN2d` trains twice as fast and
        :class:`~skbreath.ResidualCNN1d` a third faster; expect no gain on others.
        "auto" takes it on the CPUs that gain; the bits of a result depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the order of the batches, dropout, and the
        rows held back. The same integer gives the same bits on one machine.
    verbose : int, default=0
        1 prints a line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    net_ : skorch.NeuralNetClassifier
        The trained net; the torch module is ``net_.module_``.
    history_ : list of dict
        Per epoch: ``epoch``, ``train_loss``, ``dur`` (s) and, with early
        stopping, ``valid_loss``.
    n_features_in_ : int
        Number of feature channels.
    training_record_ : dict
        Digests of what was given to ``fit``, see :func:`~skbreath.check_leakage`. Not
        if another estimator's ``fit`` called this one.

    See Also
    --------
    ResidualCNN1d : The default network.

    Notes
    -----
    `X` has shape ``(n_clips, n_channels, n_frames)``. A 2-D `X` is taken as clips
    of a single frame. Clips at prediction may have another number of frames than
    in training.

    A pickled classifier keeps its weights as NumPy arrays and builds its net again
    when loaded, on the CPU where `device` is not available. The state of the
    optimizer and of callbacks is not kept.

    It is a transformer too: `transform` gives the pooled features of a clip, which
    other models may learn from, as a step of a :class:`~sklearn.pipeline.Pipeline`.
    On the clips it was trained on, these features are optimistically biased.

    Examples
    --------
    >>> import numpy as np
    >>> from skbreath import ResidualCNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["E", "I"], 20)
    >>> X = rng.normal(size=(40, 8, 16)) + (y == "I")[:, None, None]
    >>> net = ResidualCNNClassifier(hidden_channels=8, batch_size=8, random_state=0)
    >>> net.fit(X, y).predict(X[[0, -1]])
    array(['E', 'I'], dtype='<U1')
    """

    # Groups are requested by default, so that no level of a pipeline needs a
    # set_fit_request.
    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        "module": [type, None],
        "hidden_channels": [Interval(Integral, 1, None, closed="left")],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "scheduler": [StrOptions({"step", "cosine", "one_cycle"}), None],
        "gamma": [Interval(Real, 0, 1, closed="right")],
        "step_size": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
        "class_weight": [dict, Options(str, {"balanced"}), None],
        "augmentations": [list, tuple, None],
        "callbacks": [list, None],
        "net_params": [dict, None],
        "warm_start": ["boolean"],
        "initial_weights": [dict, None],
        "frozen": [list, tuple, None],
        "device": "no_validation",  # torch.device too; checked by torch
        "n_threads": [Interval(Integral, 1, None, closed="left")],
        "precision": [StrOptions({"bf16", "auto"}), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        module: type[nn.Module] | None = None,
        hidden_channels: int = 64,
        kernel_size: int = 3,
        dropout: float = 0.5,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        scheduler: Literal["step", "cosine", "one_cycle"] | None = "step",
        gamma: float = 0.5,
        step_size: int = 5,
        batch_size: int = 64,
        max_epochs: int = 25,
        early_stopping: bool = True,
        patience: int = 10,
        validation_fraction: float = 0.2,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        augmentations: Sequence[Callable[..., Any]] | None = None,
        callbacks: list[Any] | None = None,
        net_params: dict[str, Any] | None = None,
        warm_start: bool = False,
        initial_weights: dict[str, np.ndarray] | None = None,
        frozen: Sequence[str] | None = None,
        device: str | torch.device = "cpu",
        n_threads: int = 1,
        precision: Literal["bf16", "auto"] | None = None,
        random_state: Seed = None,
        verbose: int = 0,
    ) -> None:
        self.module = module
        self.hidden_channels = hidden_channels
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.lr = lr
        self.weight_decay = weight_decay
        self.scheduler = scheduler
        self.gamma = gamma
        self.step_size = step_size
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.augmentations = augmentations
        self.callbacks = callbacks
        self.net_params = net_params
        self.warm_start = warm_start
        self.initial_weights = initial_weights
        self.frozen = frozen
        self.device = device
        self.n_threads = n_threads
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: Column,
        groups: Column | None = None,
        sample_weight: Column | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
                (n_clips, n_channels)
            Features, finite.
        y : array-like of shape (n_clips,)
            Labels of any type, at least two classes.
        groups : array-like of shape (n_clips,), default=None
            Recording or patient of each clip. The rows held back for early
            stopping then share no group with those trained on.
        sample_weight : array-like of shape (n_clips,), default=None
            Weight of each clip in the loss.

        Returns
        -------
        self : ResidualCNNClassifier

        Raises
        ------
        ValueError
            If X is not finite or not of such a shape, lengths differ, y has fewer
            than two classes, or other ones than before with `warm_start`, the weights
            to start from do not fit the network or are not finite, or the training
            diverged.
        """
        import torch

        from .training import train

        rows = training_rows(self, X, y, groups, sample_weight)
        start = starting_weights(self, rows.classes)
        self.classes_ = rows.classes
        weights = rows.loss_weights(self.class_weight)
        random_state = check_random_state(self.random_state)
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        split = early_stopping_split(self, rows.codes, rows.groups, random_state)
        # fork_rng: the caller's random numbers must not depend on the training.
        with (
            recording(self, rows.X, rows.y, rows.groups),
            torch.random.fork_rng(),
            _torch_threads(self.n_threads),
        ):
            torch.manual_seed(seed)
            net = train(self, rows.X, rows.targets(), weights, split, start)
            self._keep_net(net)
        self.history_ = [
            {key: value for key, value in epoch.items() if key != "batches"}
            for epoch in self.net_.history
        ]
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
                (n_clips, n_channels)

        Returns
        -------
        proba : ndarray of shape (n_clips, n_classes)
            Columns in the order of `classes_`.
        """
        from .residual_cnn import class_probabilities

        check_is_fitted(self)
        return self._in_batches(
            lambda module, clips: class_probabilities(module(clips).double()), X
        )

    def _in_batches(self, compute, X):
        """Concatenate the results of ``compute(module, clips)`` for batches of `X`."""
        import torch

        module = self._trained_module().eval()
        X = validate_data(
            self, X, allow_nd=True, dtype=np.float32, order="C", reset=False
        )
        X = as_clips(X)
        device = next(module.parameters()).device
        with torch.inference_mode(), _torch_threads(self.n_threads):
            parts = [
                compute(module, torch.from_numpy(X[batch]).to(device)).cpu().numpy()
                for batch in gen_batches(len(X), 4 * self.batch_size)
            ]
        return np.concatenate(parts)

    @available_if(_embeds)
    def transform(self, X: ArrayLike) -> np.ndarray:
        """Compute the pooled features of each clip, for other models.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
                (n_clips, n_channels)

        Returns
        -------
        embedding : ndarray of shape (n_clips, n_embedding), float32
            Input of the head of the network: mean and maximum of its last layer, 256
            numbers for the defaults. Networks of your own need a method ``embed``.
        """
        check_is_fitted(self)
        return self._in_batches(lambda module, clips: module.embed(clips), X)

    @property
    def _n_features_out(self):
        return self.transform(np.zeros((1, self.n_features_in_, 1))).shape[1]

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable label of each clip.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_channels, n_frames) or \
                (n_clips, n_channels)

        Returns
        -------
        labels : ndarray of shape (n_clips,)
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.non_deterministic = self.random_state is None
        return tags
