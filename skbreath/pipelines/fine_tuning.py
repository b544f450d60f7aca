"""Adapt a fitted model to another microphone with a few labelled clips."""

from __future__ import annotations

import re
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import check_is_fitted

from ..ensemble.inspection import (
    DelegatingMixin,
    child_models,
    find_parts,
    known_metadata,
    training_record,
    unwrap,
    unwrap_steps,
)
from ..ensemble.mixture import FoldAverage
from ..ensemble.rejection import check_recordings
from ..ensemble.threshold import ThresholdClassifier
from ..ensemble.voting import WeightedVotingClassifier
from ..fitting.cross_fitting import check_group_cv
from ..fitting.labels import check_fitted_classes, label_column
from ..fitting.routing import metadata_context, requested, route_methods
from ..networks.classifier import ResidualCNNClassifier
from ..utils.sklearn_compat import HasMethods, Interval, _fit_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from ..utils.typing import Clips, Column, Seed

__all__ = ["FineTunedClassifier", "fine_tune"]

# With fewer clips, out-of-fold predictions are too few: a calibration on 20 clips has
# reversed the order of the scores.
_FEWEST_TO_SPLIT = 50
# Entries of a model's metadata that also apply to models fine-tuned from it.
_LICENCE = re.compile("licen[cs]e", re.IGNORECASE)


def fine_tune(
    model: Any,
    X: Clips,
    y: Column,
    groups: Column | None = None,
    *,
    recordings: Column | None = None,
    **settings: Any,
) -> Any:
    """Adapt a fitted model to labelled clips of another microphone, room or person.

    Parameters
    ----------
    model : :class:`~sklearn.pipeline.Pipeline` or classifier
        Fitted, with at least one network in it, such as
        :func:`~skbreath.load_pretrained` gives. It is not changed.
    X : sequence of length n_clips
        Clips, as `model` takes them; a few are enough.
    y : array-like of shape (n_clips,)
        Labels, the same classes as those of `model`.
    groups : array-like of shape (n_clips,), default=None
        Recording of each clip, so that weights, calibration and threshold are learned
        from recordings that the networks were not fine-tuned on.
    recordings : array-like of shape (n_clips,), default=None
        Which clips were recorded together, for a model that uses it.
    **settings
        Parameters of :class:`FineTunedClassifier`.

    Returns
    -------
    model : estimator
        Fitted, of the same kind as `model` and with its parameters. Fitting it again
        trains it from scratch, as `model` was trained; it can be fine-tuned again.

    Raises
    ------
    ValueError
        If there is no network in `model`, or `y` has other classes.

    See Also
    --------
    FineTunedClassifier : Do the same as an estimator, for cross-validation.

    Examples
    --------
    >>> from skbreath import fine_tune, load_pretrained, make_breath_sounds
    >>> sounds = make_breath_sounds(8, n_subjects=4, random_state=0)
    >>> model = fine_tune(
    ...     load_pretrained(),
    ...     sounds.waveforms,
    ...     sounds.target,
    ...     sounds.subject,
    ...     n_updates=1,
    ... )
    >>> model.predict(sounds.waveforms).shape
    (8,)
    """
    params = {} if recordings is None else {"recordings": recordings}
    return FineTunedClassifier(model, **settings).fit(X, y, groups, **params).model_


class FineTunedClassifier(
    DelegatingMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Continue the training of a fitted model's networks on new clips.

    The parts of a :func:`~skbreath.make_breath_classifier` are treated as follows:

    - *networks* start from their weights, at a lower learning rate; each network of an
      average over folds is trained on its own;
    - the *scaler* of their channels is fitted again: it removes the level and the
      frequency response of the new microphone;
    - *boosted trees* and other members without a warm start are fitted to the new
      clips alone;
    - *weights* of the members and the *calibration* are learned again from out-of-fold
      predictions of the new clips, and the decision *threshold* is tuned on them. With
      fewer than 50 clips, or where recordings cannot be split into folds, members
      without a warm start get weight 0, the others keep their weights, there is no
      calibration, and the threshold is 0.5;
    - the reference for unusual audio (``drift``) is learned from the new clips.

    Parameters
    ----------
    model : estimator
        Fitted; of a search or another FineTunedClassifier, the model in it is taken.
        ``clone`` keeps it as it is.
    lr : float, default=1e-3
        Learning rate at the start, lowered to zero over the updates.
    n_updates : int, default=100
        Updates of the weights of each network, at least; whole epochs.
    batch_size : int, default=16
        Clips in a batch.
    frozen : list of str, default=None
        Parts of the networks that are not trained, such as ``["stem", "blocks"]`` to
        train nothing but the head; a network that has no such part is trained whole.
    cv : int, default=3
        Folds for weights, calibration and threshold; fewer where groups are few.
    n_jobs : int, default=None
        Fits in parallel, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Seed of every part.

    Attributes
    ----------
    model_ : estimator
        The fine-tuned model.
    classes_ : ndarray of shape (2,)
        Labels, sorted.

    See Also
    --------
    fine_tune : Return `model_` directly.

    Notes
    -----
    Scores on the clips that were used for fine-tuning are not a test: cross-validate
    this estimator, grouped by recording, like any other.

    References
    ----------
    J. Yosinski et al., "How transferable are features in deep neural networks?",
    NeurIPS 2014.

    Examples
    --------
    >>> from skbreath import FineTunedClassifier, evaluate, load_pretrained
    >>> from skbreath import make_breath_sounds
    >>> sounds = make_breath_sounds(12, n_subjects=4, random_state=0)
    >>> tuner = FineTunedClassifier(load_pretrained(), n_updates=1, random_state=0)
    >>> result = evaluate(
    ...     tuner, sounds.waveforms, sounds.target, sounds.subject, cv=2, n_resamples=9
    ... )
    >>> len(result.predictions)
    12
    """

    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        "model": [HasMethods(["fit", "predict_proba"])],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "n_updates": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "frozen": [list, tuple, None],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model: Any,
        *,
        lr: float = 1e-3,
        n_updates: int = 100,
        batch_size: int = 16,
        frozen: Sequence[str] | None = None,
        cv: int = 3,
        n_jobs: int | None = None,
        random_state: Seed = None,
    ) -> None:
        self.model = model
        self.lr = lr
        self.n_updates = n_updates
        self.batch_size = batch_size
        self.frozen = frozen
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Clips, y: Column, groups: Column | None = None, **params: Any
    ) -> Self:
        """Fine-tune a copy of the model.

        Parameters
        ----------
        X : sequence of length n_clips
            Clips, as `model` takes them.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            Recording of each clip.
        **params : dict
            ``recordings``, which clips were recorded together, for a model that uses
            it.

        Returns
        -------
        self : FineTunedClassifier

        Raises
        ------
        ValueError
            If there is no network in `model`, or `y` has other classes.
        NotFittedError
            If `model` is not fitted.
        """
        check_is_fitted(self.model)
        given = unwrap(self.model)
        X, y, groups, recordings = indexable(X, y, groups, params.get("recordings"))
        check_recordings(unwrap_steps(given), X, recordings)
        y = label_column(y, "y")
        classes = np.unique(y)
        check_fitted_classes(given.classes_, classes, "the model")
        if not has_network(given):
            raise ValueError(
                f"The {type(given).__name__} has no network to fine-tune. Train a "
                "model on the new clips instead."
            )
        known = set().union(*map(part_names, find_parts(given, ResidualCNNClassifier)))
        for name in self.frozen or ():
            if name not in known:
                raise ValueError(
                    f"frozen names {name!r}, which is not a part of the model's "
                    f"networks; their parts are {sorted(known)}."
                )
        tuned = self._continued(given, _FineTuningData(self, y, groups))
        with metadata_context(groups=groups, **params) as metadata:
            self.model_ = tuned.fit(X, y, **requested(tuned, "fit", metadata))
        _restore_parameters(self.model_, given)
        self.classes_ = classes
        self._remember_earlier_training(given)
        return self

    def _continued(self, part, task):
        """Make an unfitted copy of `part` whose networks start from its weights."""
        if isinstance(part, ResidualCNNClassifier):
            return clone(part).set_params(
                initial_weights=part.get_weights(),
                warm_start=False,
                frozen=[name for name in self.frozen or () if name in part_names(part)],
                lr=self.lr,
                scheduler="cosine",
                max_epochs=task.n_epochs,
                batch_size=self.batch_size,
                early_stopping=False,
                random_state=task.seed(),
            )
        if isinstance(part, Pipeline):
            steps = [(name, self._continued(step, task)) for name, step in part.steps]
            return Pipeline(steps)
        if isinstance(part, FoldAverage):
            if not has_network(part):
                return clone(part.estimators[0])
            models = [self._continued(model, task) for model in part.estimators]
            return WeightedVotingClassifier(
                [(f"fold_{number}", model) for number, model in enumerate(models)]
            )
        if isinstance(part, WeightedVotingClassifier):
            return self._continued_vote(part, task)
        if isinstance(part, ThresholdClassifier):
            tuned = clone(part).set_params(
                estimator=self._continued(part.estimator_, task), n_jobs=self.n_jobs
            )
            if task.n_folds is None:
                # One fit on all rows; the threshold does not depend on their scores.
                rows = np.arange(task.n_rows)
                return tuned.set_params(
                    thresholds=[0.5], cv=[(rows, rows)], refit=False
                )
            return tuned.set_params(cv=task.n_folds, refit=True)
        return part if isinstance(part, str) else clone(part)

    def _continued_vote(self, vote, task):
        """Make an unfitted copy of a vote, with weights that suit the data."""
        names = [name for name, member in vote.estimators if member != "drop"]
        members = dict(zip(names, vote.estimators_, strict=True))
        weights = dict(zip(names, vote.weights_, strict=True))
        params = {"refit": True, "n_jobs": self.n_jobs}
        if task.n_folds is None:
            # Without folds, weights of members from scratch cannot be learned.
            kept = {n: weights[n] if has_network(m) else 0 for n, m in members.items()}
            if not sum(kept.values()):
                kept = {name: int(has_network(m)) for name, m in members.items()}
            params |= {"weights": kept, "calibration": None}
        else:
            params |= {"weights": "learned", "cv": task.n_folds}
        estimators = [(name, self._continued(m, task)) for name, m in members.items()]
        return clone(vote).set_params(estimators=estimators, **params)

    def _remember_earlier_training(self, given):
        """Add the clips and the licence of the earlier training to the record."""
        record, earlier = training_record(self.model_), training_record(given)
        if record is None or earlier is None:
            return
        clips = [part["clips"] for part in (record, earlier)]
        if all(part is not None for part in clips):
            record["clips"] = np.unique(np.concatenate(clips))
        known = known_metadata(given)
        if known:
            licence = {key: known[key] for key in known if _LICENCE.match(key)}
            origin = {"fine_tuned_from": known.get("fine_tuned_from", known)}
            record["metadata"] = licence | origin

    def predict_proba(self, X: Clips, **params: Any) -> np.ndarray:
        """Get probabilities from the fine-tuned model.

        Parameters
        ----------
        X : sequence of length n_clips
            Whatever `model` takes: paths or waveforms.
        **params : dict
            ``recordings`` of the clips, for a model that uses them.

        Returns
        -------
        proba : ndarray of shape (n_clips, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return self.model_.predict_proba(X, **params)

    def predict(self, X: Clips, **params: Any) -> np.ndarray:
        """Get labels from the fine-tuned model.

        Parameters
        ----------
        X : sequence of length n_clips
            Whatever `model` takes: paths or waveforms.
        **params : dict
            As for :meth:`predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_clips,)
            Labels as given to ``fit``.
        """
        check_is_fitted(self)
        return self.model_.predict(X, **params)

    def __sklearn_clone__(self):
        # Keep the model, as its clone would not be fitted.
        params = self.get_params(deep=False)
        copies = {n: clone(v, safe=False) for n, v in params.items() if n != "model"}
        return type(self)(self.model, **copies)

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing: ``fit`` takes ``groups``.

        Returns
        -------
        routing : MetadataRouter
        """
        calls = {method: [method] for method in ("predict", "predict_proba")}
        return route_methods(self, {"model": self.model}, **calls)


class _FineTuningData:
    """Compute epochs, folds and seeds for the clips of one fit."""

    def __init__(self, tuner, y, groups):
        self.n_rows = len(y)
        # As in `Batches`, a single row at the end is added to the batch before it.
        n_batches = max(1, -(-(self.n_rows - 1) // tuner.batch_size))
        self.n_epochs = -(-tuner.n_updates // n_batches)
        self.n_folds = _possible_folds(tuner.cv, y, groups)
        self._seeded = tuner.random_state is not None
        self._random_state = check_random_state(tuner.random_state)

    def seed(self):
        if not self._seeded:
            return None
        return int(self._random_state.randint(2**31 - 1))


def has_network(model):
    """Check whether a fitted model contains a network."""
    return any(True for _ in find_parts(model, ResidualCNNClassifier))


def part_names(network):
    """List the parts of a fitted network, as `frozen` names them."""
    return {name for name, _ in network.net_.module_.named_modules() if name}


def _restore_parameters(part, given):
    """Restore the parameters that fine-tuning overrode, so that a refit starts clean.

    `part` was made from the fitted model `given`. An average over folds has become a
    vote of its networks, or a single model if it has no networks.
    """
    if isinstance(given, FoldAverage) and not isinstance(
        part, WeightedVotingClassifier
    ):
        given = given.estimators[0]
    if isinstance(part, ResidualCNNClassifier):
        part.set_params(**given.get_params(deep=False))
        return
    if not isinstance(part, Pipeline | ThresholdClassifier | WeightedVotingClassifier):
        return
    for child, source in zip(child_models(part), child_models(given), strict=True):
        _restore_parameters(child, source)
    if isinstance(part, Pipeline):
        return
    own = given.get_params(deep=False) if isinstance(given, type(part)) else {}
    if isinstance(part, ThresholdClassifier):
        # With cv="prefit", a refit changes only the threshold.
        prefit = isinstance(given.cv, str)
        own["estimator"] = part.estimator_ if prefit else clone(part.estimator_)
    else:
        names = [name for name, _ in part.estimators]
        members = map(clone, part.estimators_)
        own["estimators"] = list(zip(names, members, strict=True))
    part.set_params(**own)


def _possible_folds(most, y, groups):
    """Get the largest number of folds that all train on every class, or None."""
    if len(y) < _FEWEST_TO_SPLIT:
        return None
    n_classes = len(np.unique(y))
    for n_folds in range(most, 1, -1):
        counts = np.unique(y, return_counts=True)[1]
        n_parts = len(np.unique(groups)) if groups is not None else counts.min()
        if n_parts < n_folds:
            continue
        splits = check_group_cv(n_folds, y, groups).split(np.zeros(len(y)), y, groups)
        parts = [y[part] for split in splits for part in split]
        if all(len(part) for part in parts) and all(
            len(np.unique(train)) == n_classes for train in parts[::2]
        ):
            return n_folds
    return None
