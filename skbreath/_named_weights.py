"""Weights of an ensemble's members as parameters, one by one."""

from collections.abc import Mapping

__all__ = ["NamedWeightsMixin"]

PREFIX = "weights__"


class NamedWeightsMixin:
    """Adds ``weights__<name>`` to the parameters of an ensemble.

    A search can then tune the weight of one member by its name. For classes with the
    parameters `estimators` and `weights` (None, one per estimator, or by name).
    """

    def get_params(self, deep=True):
        """Get the parameters, with ``weights__<name>`` for given weights.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the members, their parameters and single weights.

        Returns
        -------
        params : dict
            Values by parameter name.
        """
        params = super().get_params(deep=deep)
        if deep:
            named = self._named_weights().items()
            params |= {PREFIX + name: weight for name, weight in named}
        return params

    def set_params(self, **params):
        """Set parameters of the ensemble and its members, or ``weights__<name>``.

        Parameters
        ----------
        **params : dict
            Values by parameter name. Whole `weights` are set before single ones; the
            members without a single weight keep theirs, or 1 if there were none.

        Returns
        -------
        self : object
            The ensemble.

        Raises
        ------
        ValueError
            If a name is unknown, or weights are learned and not given.
        """
        single = {
            key.removeprefix(PREFIX): params.pop(key)
            for key in list(params)
            if key.startswith(PREFIX)
        }
        super().set_params(**params)
        if single:
            named = self._named_weights()
            if unknown := sorted(set(single) - set(named)):
                raise ValueError(
                    f"cannot set the weights of {unknown}: single weights can be set "
                    f"for {sorted(named)}, and only if weights is None, an array or "
                    f"a dict of all names (got {self.weights!r})."
                )
            self.weights = {**named, **single}
        return self

    def _named_weights(self):
        """Get given weights by name; empty if they are not given, or malformed."""
        try:
            names = [name for name, _ in self.estimators]
            if self.weights is None:
                return dict.fromkeys(names, 1.0)
            if isinstance(self.weights, Mapping):
                return {name: self.weights[name] for name in names}
            if isinstance(self.weights, str):
                return {}
            return dict(zip(names, self.weights, strict=True))
        except (KeyError, TypeError, ValueError):  # fitting will say what is wrong
            return {}
