"""A scikit-learn search driven by Optuna, and its best trials as an ensemble."""

from __future__ import annotations

from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import _fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metadata_routing import MethodMapping, process_routing

from ._best_trial import choose_best, refit_best
from ._metadata import metadata_context, route_fit
from ._saved_weights import current_store
from ._search_run import draw_folds, join_study, run_trials
from ._search_settings import check_settings, scorers_for
from ._training_record import recording
from ._trial_results import finished_trials, report_failures, tabulate
from ._trial_score import FoldScorer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self

    from sklearn.utils.metadata_routing import MetadataRouter

    from ._typing import Column, Folds, Scoring, Seed

__all__ = ["OptunaSearchCV"]


class OptunaSearchCV(BaseSearchCV):
    """Search parameters by cross-validation, each trial proposed by Optuna.

    Like :class:`~sklearn.model_selection.RandomizedSearchCV`, but the next trial is
    asked from an Optuna sampler that knows the scores of the trials before; trials
    can be stopped early, survive a crash, and be shared by several processes or
    machines. The folds are drawn once: all trials are judged on the same ones.

    A trial whose fits fail is recorded as failed and the search goes on, except with
    ``error_score="raise"``. Only complete trials can be the best; if there is none,
    ``fit`` raises.

    Parameters
    ----------
    estimator : estimator
        What is tuned; never changed itself.
    param_distributions : dict or callable
        Optuna distributions by parameter name, such as
        ``{"svc__C": FloatDistribution(1e-2, 1e2, log=True)}``; or a function that
        takes the Optuna trial and returns the parameters, for conditional spaces.
    n_trials : int or None, default=10
        Number of trials, of all workers and earlier fits together where the study
        is shared. Complete, pruned and failed trials count; lost ones do not. None
        goes on until `timeout`, or until one of `callbacks` stops the study.
    timeout : float, default=None
        Seconds after which no further batch is started.
    batch_size : int, default=1
        Trials asked at once, before any of them is judged. With more than one they
        run in parallel processes, each with its folds in series. Larger batches know
        less: the sampler learns only from the batches before.
    sampler : optuna.samplers.BaseSampler, default=None
        None means :class:`optuna.samplers.TPESampler`, seeded by `random_state`. A
        sampler given is copied and has its own seed.
    pruner : optuna.pruners.BasePruner, default=None
        What stops trials early, with `prune_on`. None means
        :class:`optuna.pruners.MedianPruner`, which compares with the complete trials.
    prune_on : {"fold"}, default=None
        When a trial may be stopped. "fold": after each fold, by the mean score of its
        folds so far (:class:`optuna.pruners.WilcoxonPruner`, which compares fold with
        fold, gets the score of the fold). None: never.
    study : optuna.study.Study, default=None
        A template: its sampler and pruner are copied. It gets no trials and its
        trials are not used, so that none travel from one fit, or one outer fold, to
        the next.
    storage : str, Path or optuna storage, default=None
        Where the trials are kept and shared: a path such as ``"trials.db"`` is an
        SQLite file, one that ends in ``.journal``, ``.log`` or ``.jsonl`` a journal
        file, and a URL such as ``"postgresql+psycopg://..."`` a database. None is
        memory. Fitting again with the same storage goes on where the trials end.
    study_name : str, default=None
        Name of the study in `storage`. A study of other data, folds, parameters,
        space or metrics is refused. None names it after all of these, the sampler
        and the seed: then every outer fold of a nested cross-validation has a study
        of its own, and finds it again.
    enqueue : list of dict, default=None
        Parameters to try first, such as known good ones; what a dict leaves open is
        sampled. They count as trials: more of them than `n_trials` are refused, unless
        the study was there before.
    callbacks : list of callable, default=None
        Called with the study and the finished trial, as Optuna's own; they may call
        ``study.stop()``.
    scoring : str, callable, list, tuple or dict, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`. With several metrics,
        `refit` names the one to maximise. If `refit` is a function or False, all of
        them are maximised: the sampler looks for the best compromises.
    pos_label : label, default=None
        The class that metrics such as "f1" and "precision" take as the positive one.
        None is enough for classes 0 and 1, -1 and 1 or False and True, for a scorer
        that names the class itself, and for metrics that treat all classes alike.
    cv : int, splitter or iterable, default=None
        Folds; None means 5. An integer together with ``groups`` means
        :class:`~sklearn.model_selection.StratifiedGroupKFold` for a classifier and
        :class:`~sklearn.model_selection.GroupKFold` otherwise.
    n_jobs : int, default=None
        Processes, as in joblib: for the trials of a batch, or for the folds of a
        trial with ``batch_size=1`` and without `prune_on`.
    refit : bool, str or callable, default=True
        Whether to fit the best parameters on all rows; the metric's name if there are
        several; or a function from ``cv_results_`` to the best index.
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
        With all trials, for Optuna's plots and reports.
    cv_results_ : dict of ndarray
        As in :class:`~sklearn.model_selection.GridSearchCV`, one row per trial that
        counts, whichever process has run it, with ``trial_number`` and
        ``trial_state`` (``"COMPLETE"``, ``"PRUNED"`` or ``"FAIL"``). Scores and times
        of folds that did not run are NaN.
    best_index_ : int
        Row of the best complete trial in `cv_results_`; the first if several are.
    best_params_ : dict
        Its parameters.
    best_score_ : float
        Its mean score. Not with a callable `refit`.
    best_estimator_ : estimator
        Fitted on all rows with them. Only with `refit`.
    refit_time_ : float
        Seconds of that fit. Only with `refit`.
    scorer_ : callable or dict
        The scorer or scorers.
    multimetric_ : bool
        Whether there are several.
    n_splits_ : int
        Number of folds.
    classes_ : ndarray
        Of `best_estimator_`.
    n_features_in_ : int
        If `best_estimator_` has it.
    feature_names_in_ : ndarray of str
        If `best_estimator_` has it.
    training_record_ : dict
        Digests of what was given to ``fit``, see :func:`~skbreath.check_leakage`. Not
        if another estimator's ``fit`` called this one, nor without `y`.

    See Also
    --------
    top_estimators : The best trials as members of a vote.

    Notes
    -----
    ``fit`` takes ``groups``, uses them for its folds and hands them to the estimator
    if it asks for them, whether metadata routing is enabled or not. Other metadata
    go to the estimator (``set_fit_request``) and the scorer (``set_score_request``).

    The same seed and `batch_size` give the same trials, whatever `n_jobs`: a batch is
    told when all of it is judged, and pruners that look at complete trials only, as
    the default one does, know the same ones whoever is faster. That does not hold
    where `timeout` ends the search, for pruners that look at running trials
    (successive halving, Hyperband) with ``batch_size > 1``, for several workers on
    one study, and for a search that goes on after a crash: who joins a study draws
    afresh, so that the first trials are not repeated.

    A killed search loses the trials that were running; fitting again marks them as
    failed (they do not count) and tries their parameters again. Workers leave a sign
    of life in the study, by which the others know whose trials to take over;
    ``docs/tuning.md`` tells when. A storage that answers with errors is tried again
    for some seconds; what was finished stays there in any case.

    A worker process of `n_jobs` that dies is replaced and its batch run again, one
    trial at a time; the trial that kills its process is marked as failed.

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
        "batch_size": [Interval(Integral, 1, None, closed="left")],
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
        batch_size: int = 1,
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
        # The base class would add `pre_dispatch`; the jobs of a batch are few.
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_trials = n_trials
        self.timeout = timeout
        self.batch_size = batch_size
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

    # The stock `fit` with a `_run_search` of ours would raise as soon as all folds of
    # one trial fail, and would not keep that trial.
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
            Whatever the estimator takes.
        y : array-like of shape (n_samples,), default=None
            Target.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, for the folds and for an estimator that asks for them.
        **params : dict
            Metadata for the estimator, the scorer and the splitter, where requested.

        Returns
        -------
        self : OptunaSearchCV

        Raises
        ------
        ValueError
            If the data, the space, the study or the settings are wrong (before any
            trial), or if no trial is complete in the end.
        OSError
            If the storage cannot be opened, or fails for longer than some seconds.
        """
        objectives, enqueue = check_settings(self)
        scorers = scorers_for(self, X, y, groups)
        X, y, groups = indexable(X, y, groups)
        with (
            recording(self, X, y, groups),
            metadata_context(groups=groups, **params) as metadata,
        ):
            routed = process_routing(self, "fit", **metadata)
            splits = draw_folds(self, X, y, groups, routed["splitter"]["split"])
            data = {"X": X, "y": y, "groups": groups, **params}
            self.study_, joined = join_study(self, data, splits, objectives)
            root = self._init_callback_context(max_subtasks=1 + bool(self.refit))
            root.call_on_fit_task_begin(estimator=self, X=X, y=y)
            context = root.subcontext(
                "search", max_subtasks=None, sequential_subtasks=False
            ).call_on_fit_task_begin(estimator=self)
            scorer = FoldScorer(
                self, X, y, splits, scorers, routed, objectives, context
            )
            loop = run_trials(self, scorer, objectives, enqueue, joined)
            context.call_on_fit_task_end(estimator=self)
            trials = finished_trials(
                self.study_, self.param_distributions, loop.parameters
            )
            report_failures(trials, loop.error)
            self.cv_results_, self.multimetric_ = tabulate(trials, self)
            if self.refit or not self.multimetric_:
                choose_best(self)
            if self.refit:
                refit_best(self, X, y, routed["estimator"]["fit"], root)
            root.call_on_fit_task_end(estimator=self, X=X, y=y)
        # As in stock searches: a plain dict of the metrics, not their wrapper.
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        return self

    def __getstate__(self):
        state = super().__getstate__()
        if current_store() is None:
            return state
        # A model file holds data: what was found, not the means to search on.
        state = {key: value for key, value in state.items() if key != "study_"}
        means = ("study", "storage", "sampler", "pruner", "callbacks")
        return state | dict.fromkeys(means)

    def __setstate__(self, state):
        super().__setstate__({"pos_label": None} | state)  # earlier ones had none

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing: the search takes ``groups`` itself.

        Returns
        -------
        routing : MetadataRouter
        """
        splitting = MethodMapping().add(caller="fit", callee="split")
        scoring = MethodMapping().add(caller="fit", callee="score")
        scoring.add(caller="score", callee="score")
        router = route_fit(self, {"estimator": self.estimator})
        router.add(scorer=self._get_scorers()[0], method_mapping=scoring)
        return router.add(splitter=self.cv, method_mapping=splitting)
