"""Build, store and pickle the network of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..utils.estimator_state import current_store
from .fit_inputs import check_device

if TYPE_CHECKING:
    from skorch import NeuralNetClassifier

__all__ = ["HeldNetwork"]


class HeldNetwork:
    """Build, store and pickle the network of :class:`~skbreath.ResidualCNNClassifier`.

    A pickle holds the weights as NumPy arrays, under ``_weights`` or in the store of a
    model file. Loading makes a torch module, ``_loaded_module``; training, or the first
    use of ``net_`` after loading, makes the skorch net, ``_net``.
    """

    def get_weights(self) -> dict[str, np.ndarray]:
        """Get the weights of the trained network.

        Returns
        -------
        weights : dict of str to ndarray
            Copies, by their names in the network; for `initial_weights`.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        """
        check_is_fitted(self)
        return {
            name: tensor.detach().cpu().numpy().copy()
            for name, tensor in self._trained_module().state_dict().items()
        }

    def __sklearn_is_fitted__(self):
        # A fit that failed has set `classes_`, but not the network.
        return "_net" in vars(self) or "_loaded_module" in vars(self)

    def _keep_net(self, net):
        vars(self).pop("_loaded_module", None)
        self._net = net

    @property
    def net_(self) -> NeuralNetClassifier:
        if "_net" in vars(self):
            return self._net
        module = vars(self).get("_loaded_module")
        if module is None:
            raise AttributeError(
                f"{type(self).__name__} is not fitted: it has no net_."
            )
        import torch

        from .training import NoOptimizer

        # Built on first use: predictions do not need skorch, whose import takes longer
        # than they do.
        device = str(next(module.parameters()).device)
        with torch.random.fork_rng():
            net = self._make_net(device, optimizer=NoOptimizer, verbose=0)
        net.module_.load_state_dict(module.state_dict())
        net.module_.eval()
        self._net = net
        del self._loaded_module
        return net

    def _trained_module(self):
        net = vars(self).get("_net")
        return self._loaded_module if net is None else net.module_

    def _module_params(self):
        """Get the arguments that the network is built with."""
        n_classes = len(self.classes_)
        return {
            "n_channels": self.n_features_in_,
            "n_outputs": 1 if n_classes == 2 else n_classes,
            "hidden_channels": self.hidden_channels,
            "kernel_size": self.kernel_size,
            "dropout": self.dropout,
        } | {
            # Given in net_params, these change the network too.
            name.removeprefix("module__"): value
            for name, value in (self.net_params or {}).items()
            if name.startswith("module__")
        }

    def _module_class(self):
        if self.module is not None:
            return self.module
        from .residual_cnn import ResidualCNN1d

        return ResidualCNN1d

    def _make_net(self, device, **params):
        """Build the skorch net around a network of random weights."""
        from .training import WeightedNet

        for name, value in self._module_params().items():
            params[f"module__{name}"] = value
        net = WeightedNet(module=self._module_class(), device=device, **params)
        return net.initialize()

    def __getstate__(self):
        # Arrays rather than torch objects, which may be bound to a device that the
        # loading machine lacks.
        state = super().__getstate__().copy()
        state["device"] = str(self.device)
        trained = [state.pop(name, None) for name in ("_net", "_loaded_module")]
        if any(part is not None for part in trained):
            weights = self.get_weights()
            store = current_store()
            state["_weights"] = weights if store is None else store.put(self, weights)
        return state

    def __setstate__(self, state):
        # A model of an earlier version lacks the parameters that were added later.
        defaults = type(self)().get_params(deep=False)
        state = state | {name: defaults[name] for name in defaults if name not in state}
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is None:
            return
        import torch

        store = current_store()
        if store is not None:
            weights = store.take(weights)
            self._check_sizes(weights)  # before a network takes any memory
        device = self.device
        try:
            check_device(device)
        except ValueError:
            device = "cpu"
        with torch.random.fork_rng():
            module = self._module_class()(**self._module_params())
        self._set_weights(module, weights)
        self._loaded_module = module.to(device).eval()

    def _set_weights(self, module, weights):
        import torch

        self._check_sizes(weights)
        module.load_state_dict(
            {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        )

    def _check_sizes(self, weights):
        """Check that weights have the names and shapes that the parameters imply."""
        import torch

        with torch.device("meta"):  # takes no memory
            module = self._module_class()(**self._module_params())
        claimed = {name: tuple(t.shape) for name, t in module.state_dict().items()}
        if claimed != {name: np.shape(array) for name, array in weights.items()}:
            raise ValueError(
                "the weights of a network do not fit its parameters, which imply other "
                "names or shapes; set the parameters it was trained with."
            )
