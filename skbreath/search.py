"""A scikit-learn search driven by Optuna, and its best trials as an ensemble."""

import time
from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import MethodMapping, process_routing
from sklearn.utils.parallel import Parallel

from ._fit_log import inside_fit
from ._metadata import metadata_context, route_fit
from ._search_space import check_space, open_study
from ._top_trials import top_estimators
from ._trial_loop import report_failures, run_trials
from ._trial_score import check_metric, score_folds, trial_results, trial_value
from .crossfit import check_group_cv

__all__ = ["OptunaSearchCV", "top_estimators"]


class OptunaSearchCV(BaseSearchCV):
    """Search parameters by cross-validation, each trial proposed by Optuna.

    Like :class:`~sklearn.model_selection.RandomizedSearchCV`, but the next trial is
    asked from an Optuna sampler that knows the scores of the trials before. Trials
    run one after the other, the folds of a trial in parallel, so the same seed gives
    the same trials whatever `n_jobs` (unless `timeout` ends the search). The folds
    are drawn once: all trials are judged on the same ones.

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
        Number of trials. None goes on until `timeout`.
    timeout : float, default=None
        Seconds after which no further trial is started.
    sampler : optuna.samplers.BaseSampler, default=None
        None means :class:`optuna.samplers.TPESampler`, seeded by `random_state`. A
        sampler given is copied and has its own seed.
    study : optuna.study.Study, default=None
        A template: its sampler and pruner are copied. It gets no trials and its
        trials are not used, so that none travel from one fit, or one outer fold, to
        the next.
    storage : str or optuna storage, default=None
        Where the trials are kept, such as ``"sqlite:///trials.db"``; None is memory.
        Every fit opens a new study there.
    study_name : str, default=None
        Name of the new study; None makes one up. A name that is taken is an error.
    enqueue : list of dict, default=None
        Parameters to try first, such as known good ones; what a dict leaves open is
        sampled. They count as trials.
    scoring : str, callable, list, tuple or dict, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`. With several metrics,
        `refit` must name the one to maximise.
    cv : int, splitter or iterable, default=None
        Folds; None means 5. An integer together with ``groups`` means
        :class:`~sklearn.model_selection.StratifiedGroupKFold` for a classifier and
        :class:`~sklearn.model_selection.GroupKFold` otherwise.
    n_jobs : int, default=None
        Folds of a trial in parallel, as in joblib.
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
        As in :class:`~sklearn.model_selection.GridSearchCV`, one row per trial, with
        ``trial_number`` and ``trial_state`` (``"COMPLETE"`` or ``"FAIL"``).
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

    See Also
    --------
    top_estimators : The best trials as members of a vote.

    Notes
    -----
    ``fit`` takes ``groups``, uses them for its folds and hands them to the estimator
    if it asks for them, whether metadata routing is enabled or not. Other metadata
    go to the estimator (``set_fit_request``) and the scorer (``set_score_request``).

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
        "storage": [str, HasMethods(["create_new_study"]), None],
        "study_name": [str, None],
        "enqueue": [list, tuple, None],
        "random_state": ["random_state"],
        "progress_bar": ["boolean"],
    }
    _parameter_constraints.pop("pre_dispatch")

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_trials=10,
        timeout=None,
        sampler=None,
        study=None,
        storage=None,
        study_name=None,
        enqueue=None,
        scoring=None,
        cv=None,
        n_jobs=None,
        refit=True,
        error_score=np.nan,
        return_train_score=False,
        random_state=None,
        progress_bar=False,
        verbose=0,
    ):
        # The base class would add `pre_dispatch`; the folds of one trial are few.
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_trials = n_trials
        self.timeout = timeout
        self.sampler = sampler
        self.study = study
        self.storage = storage
        self.study_name = study_name
        self.enqueue = enqueue
        self.scoring = scoring
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
    def fit(self, X, y=None, groups=None, **params):
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
            If the space, the study or the settings are wrong (before any trial), or
            if every trial fails.
        """
        scorers = self._check_settings()
        X, y, groups = indexable(X, y, groups)
        with metadata_context(groups=groups, **params) as metadata:
            routed = process_routing(self, "fit", **metadata)
            fit_params = routed["estimator"]["fit"]
            splits = self._splits(X, y, groups, routed["splitter"]["split"])
            root = self._init_callback_context(max_subtasks=1 + bool(self.refit))
            root.call_on_fit_task_begin(estimator=self, X=X, y=y)
            context = root.subcontext(
                "search", max_subtasks=None, sequential_subtasks=False
            ).call_on_fit_task_begin(estimator=self)
            evaluation = {
                "scorer": scorers,
                "fit_params": fit_params,
                "score_params": routed["scorer"]["score"],
                "return_train_score": self.return_train_score,
                "error_score": self.error_score,
                "verbose": self.verbose,
            }
            trials = self._run_trials(X, y, splits, evaluation, context)
            context.call_on_fit_task_end(estimator=self)
            report_failures(trials)
            self.cv_results_, self.multimetric_ = trial_results(trials, self)
            self._choose_best()
            if self.refit:
                self._refit(X, y, fit_params, root)
            root.call_on_fit_task_end(estimator=self, X=X, y=y)
        # As in stock searches: a plain dict of the metrics, not their wrapper.
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        return self

    def _check_settings(self):
        names = set(self.estimator.get_params(deep=True))
        check_space(self.param_distributions, names, self.enqueue)
        if self.n_trials is None and self.timeout is None:
            raise ValueError("n_trials=None needs a timeout, or it never ends.")
        if isinstance(self.scoring, list | tuple | dict):
            check_metric(self.refit, self.scoring)
        return self._get_scorers()[0]

    def _splits(self, X, y, groups, split_params):
        cv = check_group_cv(
            self.cv, y, groups, classifier=is_classifier(self.estimator)
        )
        if groups is not None:
            split_params = {**split_params, "groups": groups}
        splits = list(cv.split(X, y, **split_params))
        self.n_splits_ = len(splits)
        return splits

    def _run_trials(self, X, y, splits, evaluation, context):
        """Run all trials, the folds of each in parallel; set `study_`."""
        self.study_ = open_study(
            self.study, self.storage, self.study_name, self.sampler, self.random_state
        )
        for parameters in self.enqueue or ():
            self.study_.enqueue_trial(parameters)

        def judge(position, parameters):
            folds = score_folds(
                parallel, self, parameters, X, y, splits, evaluation, position, context
            )
            return folds, trial_value(folds, self)

        with Parallel(n_jobs=self.n_jobs) as parallel:
            return run_trials(
                self.study_,
                self.param_distributions,
                judge,
                n_trials=self.n_trials,
                timeout=self.timeout,
                progress_bar=self.progress_bar,
            )

    def _choose_best(self):
        """Set `best_index_` and what follows from it; failed trials cannot win."""
        results = self.cv_results_
        metric = self.refit if self.multimetric_ else "score"
        if callable(self.refit):
            self.best_index_ = self._select_best_index(self.refit, metric, results)
        else:
            complete = results["trial_state"] == "COMPLETE"
            scores = np.where(complete, results[f"mean_test_{metric}"], -np.inf)
            self.best_index_ = int(scores.argmax())
            self.best_score_ = float(scores[self.best_index_])
        self.best_params_ = results["params"][self.best_index_]

    def _refit(self, X, y, fit_params, root):
        # The parameters are cloned too: they may be estimators.
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        context = root.subcontext("refit-with-best-params")
        with context.propagate_callback_context(self.best_estimator_):
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            started = time.perf_counter()
            target = () if y is None else (y,)
            with inside_fit():
                self.best_estimator_.fit(X, *target, **fit_params)
            self.refit_time_ = time.perf_counter() - started
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def get_metadata_routing(self):
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
