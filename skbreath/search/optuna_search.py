"""Search parameters with Optuna, with the interface of scikit-learn."""

from __future__ import annotations

from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MethodMapping

from ..fitting.routing import (
    ignore_weights,
    metadata_context,
    requests_groups,
    route_methods,
    weights_requested,
)
from ..fitting.training_record import recording
from ..utils.estimator_state import current_store
from ..utils.sklearn_compat import (
    BaseSearchCV,
    HasMethods,
    Interval,
    StrOptions,
    _check_method_params,
    _fit_context,
    callback_context,
)
from .checks import check_settings, scorers_for
from .folds import draw_folds
from .results import choose_best, finished_trials, refit_best, report_failures, tabulate
from .storage import storage_errors
from .study import join_study
from .trials import TrialRunner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self

    from sklearn.utils.metadata_routing import MetadataRouter

    from ..utils.typing import Column, Folds, Scoring, Seed

__all__ = ["OptunaSearchCV"]


class OptunaSearchCV(BaseSearchCV):
    """Search parameters by cross-validation, each trial proposed by Optuna.

    Like :class:`~sklearn.model_selection.RandomizedSearchCV`, but an Optuna sampler
    proposes the next trial from the scores of the trials before; trials can be stopped
    early, survive a crash, and be shared by several processes or machines. The folds
    are drawn once: all trials use the same ones.

    A trial whose fits fail is recorded as failed and the search goes on, except with
    ``error_score="raise"``. Only complete trials can be the best; if there is none,
    ``fit`` raises.

    Start with these five parameters: `estimator`, `param_distributions`, `n_trials`,
    `scoring` and `cv`. The others are for pruning, storage and parallel runs.

    Parameters
    ----------
    estimator : estimator
        Estimator to tune; it is cloned.
    param_distributions : dict or callable
        Optuna distributions by parameter name, such as
        ``{"svc__C": FloatDistribution(1e-2, 1e2, log=True)}``; or a function that
        takes the Optuna trial and returns the parameters, for conditional spaces.
    n_trials : int or None, default=10
        Number of trials, including those of other workers and earlier fits if the
        study is shared. Complete, pruned and failed trials count; lost ones do not.
        None goes on until `timeout`, or until one of `callbacks` stops the study.
    timeout : float, default=None
        Seconds after which no further trial is started.
    sampler : optuna.samplers.BaseSampler, default=None
        None means :class:`optuna.samplers.TPESampler`, seeded by `random_state`. Any
        other sampler is copied and keeps its own seed.
    pruner : optuna.pruners.BasePruner, default=None
        Stops trials early, with `prune_on`. None means
        :class:`optuna.pruners.MedianPruner`, which compares with the complete trials.
    prune_on : {"fold"}, default=None
        When a trial may be stopped. "fold": after each fold, by the mean score of its
        folds so far (:class:`optuna.pruners.WilcoxonPruner`, which compares fold with
        fold, gets the score of the fold). None: never.
    study : optuna.study.Study, default=None
        Template whose sampler and pruner are copied. Its trials are not used, and no
        trials are added to it, so that fits and outer folds stay independent.
    storage : str, Path or optuna storage, default=None
        Where the trials are kept and shared: a path such as ``"trials.db"`` is an
        SQLite file, one that ends in ``.journal``, ``.log`` or ``.jsonl`` a journal
        file, and a URL such as ``"postgresql+psycopg://..."`` a database. None means
        memory. Fitting again with the same storage continues after its last trial.
    study_name : str, default=None
        Name of the study in `storage`. A study of other data, folds, parameters,
        space or metrics is an error. If None, the name is a digest of all of these, the
        sampler and the seed: then every outer fold of a nested cross-validation has
        its own study, and finds it when it is fitted again.
    enqueue : list of dict, default=None
        Parameters to try first, such as known good ones; parameters missing in a dict
        are sampled. They count as trials: more of them than `n_trials` are an error,
        unless the study existed before.
    callbacks : list of callable, default=None
        Called with the study and the finished trial, as in Optuna; they may call
        ``study.stop()``.
    scoring : str, callable, list, tuple or dict, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`. With several metrics,
        `refit` names the one to maximise. If `refit` is a function or False, all of
        them are maximised, with several best compromises.
    pos_label : label, default=None
        The positive class of metrics such as "f1" and "precision". It may be None for
        classes 0 and 1, -1 and 1 or False and True, for a scorer that has its own
        positive class, and for metrics that treat all classes alike.
    cv : int, splitter or iterable, default=None
        Folds; None means 5. An integer together with ``groups`` means
        :class:`~sklearn.model_selection.StratifiedGroupKFold` for a classifier and
        :class:`~sklearn.model_selection.GroupKFold` otherwise.
    n_jobs : int, default=None
        Processes for the folds of a trial, as in joblib. With `prune_on` the folds
        run in series.
    refit : bool, str or callable, default=True
        Whether to fit the best parameters on all rows; the name of a metric if there
        are several; or a function that returns the best index for ``cv_results_``.
    error_score : "raise" or float, default=nan
        Score of a fold whose fit fails.
    return_train_score : bool, default=False
        Whether to score the training parts too.
    random_state : int, RandomState or None, default=None
        Seed of the default sampler.
    progress_bar : bool, default=False
        Whether to show trials, time and the best score on standard error.
    verbose : int, default=0
        As in :class:`~sklearn.model_selection.GridSearchCV`.

    Attributes
    ----------
    study_ : optuna.study.Study
        Study with all trials, for Optuna's plots and reports.
    cv_results_ : dict of ndarray
        As in :class:`~sklearn.model_selection.GridSearchCV`, one row per trial that
        counts, of all processes, with ``trial_number`` and
        ``trial_state`` (``"COMPLETE"``, ``"PRUNED"`` or ``"FAIL"``). Scores and times
        of folds that did not run are NaN.
    best_index_ : int
        Row of the best complete trial in `cv_results_`; the first if several are.
    best_params_ : dict
        Parameters of the best trial.
    best_score_ : float
        Mean score of the best trial. Not with a callable `refit`.
    best_estimator_ : estimator
        Estimator with the best parameters, fitted on all rows. Only with `refit`.
    refit_time_ : float
        Seconds of that fit. Only with `refit`.
    scorer_ : callable or dict
        The scorer or scorers.
    multimetric_ : bool
        Whether there are several metrics.
    n_splits_ : int
        Number of folds.
    classes_ : ndarray
        Classes of `best_estimator_`.
    n_features_in_ : int
        If `best_estimator_` has it.
    feature_names_in_ : ndarray of str
        If `best_estimator_` has it.
    training_record_ : dict
        Digests of the arguments of ``fit``, see :func:`~skbreath.check_leakage`. Not
        if another estimator's ``fit`` called this one, nor without `y`.

    See Also
    --------
    top_estimators : Get the best trials as members of a vote.

    Notes
    -----
    ``fit`` uses ``groups`` for its folds and passes them to the estimator if it
    requests them, whether metadata routing is enabled or not. Other metadata are
    passed as in :class:`~sklearn.model_selection.GridSearchCV`: to the estimator's
    ``fit``, such as ``step__sample_weight=w``, or with routing enabled wherever they
    are requested (``set_fit_request``, ``set_score_request``).

    The same seed gives the same trials, whatever `n_jobs`, except if `timeout` ends the
    search, with several workers on one study, and in a search that is continued after
    a crash: the sampler gets a new seed then, so that the first trials are not
    repeated.

    Several trials run at once if several processes or machines fit the same search
    with the same `storage`. Each waits until the study has `n_trials`. In a database
    the running trials of a killed process are detected by Optuna's heartbeats, and
    repeated after a minute; they do not count, and neither do those that a killed
    process leaves in a journal file, see ``docs/tuning.md``. After an error of the
    storage, fit again to go on after its finished trials.

    If a process of `n_jobs` dies, its trial is marked as failed.

    References
    ----------
    T. Akiba et al., "Optuna: A next-generation hyperparameter optimization
    framework", KDD 2019.

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"C": FloatDistribution(1e-3, 1e3, log=True)}
    >>> search = OptunaSearchCV(SVC(), space, n_trials=8, random_state=0).fit(X, y)
    >>> round(search.best_score_, 2)
    0.98
    >>> len(search.study_.trials)
    8
    """

    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        **BaseSearchCV._parameter_constraints,
        "param_distributions": [dict, callable],
        "n_trials": [Interval(Integral, 1, None, closed="left"), None],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "sampler": [HasMethods(["sample_relative", "sample_independent"]), None],
        "study": [HasMethods(["ask", "tell"]), None],
        "pruner": [HasMethods(["prune"]), None],
        "prune_on": [StrOptions({"fold"}), None],
        "storage": [str, Path, HasMethods(["create_new_study"]), None],
        "study_name": [str, None],
        "enqueue": [list, tuple, None],
        "callbacks": [list, tuple, None],
        "pos_label": [Real, str, "boolean", None],
        "random_state": ["random_state"],
        "progress_bar": ["boolean"],
    }
    _parameter_constraints.pop("pre_dispatch")

    def __init__(
        self,
        estimator: Any,
        param_distributions: dict[str, Any] | Callable[..., dict[str, Any]],
        *,
        n_trials: int | None = 10,
        timeout: float | None = None,
        sampler: Any = None,
        pruner: Any = None,
        prune_on: Literal["fold"] | None = None,
        study: Any = None,
        storage: Any = None,
        study_name: str | None = None,
        enqueue: list[dict[str, Any]] | None = None,
        callbacks: Sequence[Callable[..., None]] | None = None,
        scoring: Scoring | Sequence[str] | dict[str, Scoring] | None = None,
        pos_label: Any = None,
        cv: Folds | None = None,
        n_jobs: int | None = None,
        refit: Any = True,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = False,
        random_state: Seed | None = None,
        progress_bar: bool = False,
        verbose: int = 0,
    ) -> None:
        # Without `pre_dispatch` of the base class: a trial has few jobs.
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_trials = n_trials
        self.timeout = timeout
        self.sampler = sampler
        self.pruner = pruner
        self.prune_on = prune_on
        self.study = study
        self.storage = storage
        self.study_name = study_name
        self.enqueue = enqueue
        self.callbacks = callbacks
        self.scoring = scoring
        self.pos_label = pos_label
        self.cv = cv
        self.n_jobs = n_jobs
        self.refit = refit
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.random_state = random_state
        self.progress_bar = progress_bar
        self.verbose = verbose

    # The base class's `fit` would raise as soon as all folds of one trial fail, and
    # would not keep that trial.
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Column | None = None,
        groups: Column | None = None,
        **params: Any,
    ) -> Self:
        """Run the trials and fit the best parameters on all rows.

        Parameters
        ----------
        X : sequence of length n_samples
            Data, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            Target.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, for the folds and an estimator that requests them.
        **params : dict
            Arguments of the estimator's ``fit``, such as ``sample_weight``; with
            metadata routing enabled they go to the estimator, the scorer and the
            splitter, where requested.

        Returns
        -------
        self : OptunaSearchCV

        Raises
        ------
        ValueError
            If the data, the space, the study or the settings are wrong (before any
            trial), or if no trial is complete.
        OSError
            If the storage cannot be opened or fails later.
        """
        objectives, enqueue = check_settings(self)
        scorers, classes = scorers_for(self, X, y, groups)
        X, y, groups = indexable(X, y, groups)
        params = _check_method_params(X, params=params)
        with (
            recording(self, X, y, groups),
            _routing_context(self, y, groups, params) as metadata,
            storage_errors(),
        ):
            routed = self._get_routed_params_for_fit(metadata)
            split_params = routed["splitter"]["split"]
            splits = draw_folds(self, X, y, groups, split_params, classes)
            data = {"X": X, "y": y, "groups": groups, **params}
            self.study_, storage, joined = join_study(self, data, splits, objectives)
            root = callback_context(self, max_subtasks=1 + bool(self.refit))
            root.call_on_fit_task_begin(estimator=self, X=X, y=y)
            context = root.subcontext(
                "search", max_subtasks=None, sequential_subtasks=False
            ).call_on_fit_task_begin(estimator=self)
            runner = TrialRunner(
                self, storage, X, y, splits, scorers, routed, objectives, context
            )
            runner.run(enqueue, joined)
            context.call_on_fit_task_end(estimator=self)
            space = self.param_distributions
            trials = finished_trials(self.study_, space, runner.parameters)
            report_failures(trials)
            self.cv_results_, self.multimetric_ = tabulate(trials, self)
            if self.refit or not self.multimetric_:
                choose_best(self)
            if self.refit:
                refit_best(self, X, y, routed["estimator"]["fit"], root)
            root.call_on_fit_task_end(estimator=self, X=X, y=y)
        # As in scikit-learn's searches: a plain dict of the metrics, not their wrapper.
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        return self

    def __getstate__(self):
        state = super().__getstate__()
        if current_store() is None:
            return state
        # A model file holds the results, but not the objects to continue a search.
        state = {key: value for key, value in state.items() if key != "study_"}
        return state | dict.fromkeys(
            ("study", "storage", "sampler", "pruner", "callbacks")
        )

    def __setstate__(self, state):
        # Searches of earlier versions do not have `pos_label`.
        super().__setstate__({"pos_label": None} | state)

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing: the search takes ``groups`` itself.

        Returns
        -------
        routing : MetadataRouter
        """
        splitting = MethodMapping().add(caller="fit", callee="split")
        scoring = MethodMapping().add(caller="fit", callee="score")
        scoring.add(caller="score", callee="score")
        router = route_methods(self, {"estimator": self.estimator})
        scorers = self._get_scorers()[0]
        if not callable(self.scoring):
            ignore_weights(scorers)
        router.add(scorer=scorers, method_mapping=scoring)
        return router.add(splitter=self.cv, method_mapping=splitting)


@contextmanager
def _routing_context(search, y, groups, params):
    """Enable routing where groups need it; otherwise pass metadata as the user does."""
    parts = [search.estimator, *search.estimator.get_params(deep=True).values()]
    if params and (groups is None or not any(map(requests_groups, parts))):
        yield params if groups is None else {**params, "groups": groups}
        return
    with (
        weights_requested(search, params, y) as params,
        metadata_context(groups=groups, **params) as metadata,
    ):
        yield metadata
