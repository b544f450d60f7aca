"""Set the decision threshold where a metric is best on out-of-fold scores."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import (
    GroupShuffleSplit,
    StratifiedShuffleSplit,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..fitting.cross_fitting import check_group_cv, check_splits, out_of_fold
from ..fitting.labels import (
    check_at_most_two_classes,
    check_fitted_classes,
    check_lengths,
    check_present,
    check_two_classes,
)
from ..fitting.routing import (
    ignore_weights,
    metadata_context,
    route_methods,
    weights_requested,
)
from ..fitting.scorers import name_positive_class
from ..fitting.training_record import recording
from ..utils.contexts import one_thread
from ..utils.sklearn_compat import (
    Interval,
    StrOptions,
    _check_method_params,
    _check_response_method,
    _estimator_has,
    _safe_indexing,
)
from .inspection import out_of_fold_proba
from .threshold_curve import best_threshold, candidate_thresholds, scores_at_thresholds
from .voting import WeightedVotingClassifier

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike
    from sklearn.utils.metadata_routing import MetadataRouter

    from ..utils.typing import Column, Folds, Scoring, Seed

__all__ = ["ThresholdClassifier"]


class ThresholdClassifier(TunedThresholdClassifierCV):
    """Predict the positive class where its score reaches a tuned threshold.

    A :class:`~sklearn.model_selection.TunedThresholdClassifierCV` that differs in
    this: the metric is computed once on the pooled out-of-fold scores (stock averages
    interpolated curves of the folds); string labels work, `pos_label` naming the
    positive class; ``groups`` are respected; and an estimator that cross-fits itself,
    leaving ``oof_proba_``, is not fitted again: over a
    :class:`WeightedVotingClassifier` with learned weights a threshold costs k + 1
    fits of each member, not (k + 1) squared. The vote may be the last step of a
    :class:`~sklearn.pipeline.Pipeline` if the other steps learn nothing (their tag
    ``requires_fit`` is False, or they are frozen); steps that learn would have seen
    the rows they are evaluated on, so the whole pipeline is cross-fitted.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba`` or ``decision_function``; two classes.
    pos_label : label, default=None
        The positive class. None is enough for classes 0 and 1, -1 and 1 or False and
        True, and for metrics that treat both classes alike: the threshold is then on
        the score of the second class, and either choice gives the same labels.
    scoring : str or callable, default="f1"
        What is maximised: a scorer's name, or ``scorer(estimator, X, y)`` that
        evaluates ``estimator.predict(X)``.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        Where the scores come from; ``"auto"`` takes the first that there is.
    thresholds : "all", int or array-like, default="all"
        ``"all"`` tries every distinct decision, with the threshold in the middle
        between neighbouring scores; metrics other than F-beta, precision, recall,
        Jaccard, accuracy and balanced accuracy are computed at 1,000 of these at
        most. An integer is an even grid over the range of the scores, an array the
        grid itself, such as ``np.arange(0.30, 0.705, 0.01)``.
    cv : int, float, splitter, iterable or "prefit", default=None
        Folds; None means 5. An integer together with ``groups`` means
        :class:`~sklearn.model_selection.StratifiedGroupKFold`. A float is the share
        of rows, or of groups, in one random hold-out. ``"prefit"`` takes the fitted
        `estimator` as it is and all rows given to ``fit`` as hold-out. Not used
        if the estimator brings its ``oof_proba_`` and `refit` is True.
    refit : bool, default=True
        Whether to fit on all rows. False is for a single split, whose estimator is
        kept, and needed for ``cv="prefit"``.
    n_jobs : int, default=None
        Folds in parallel, as in joblib.
    random_state : int, RandomState or None, default=None
        Of the random hold-out.

    Attributes
    ----------
    estimator_ : classifier
        The fitted estimator.
    pos_label_ : label
        The class that `best_threshold_` is about.
    best_threshold_ : float
        `pos_label_` is predicted where its score is at least this. Where several
        thresholds are equally good: the middle of the widest run of them, the lowest
        run if several are equally wide.
    best_score_ : float
        The metric there, on the scores that the threshold was chosen on:
        optimistically biased.
    threshold_curve_ : Bunch
        ``thresholds`` (ascending) and ``scores``, both of shape (n_thresholds,), and
        ``base_rate``, the share of `pos_label_` in the rows they were computed on.
    classes_ : ndarray of shape (2,)
        The sorted labels.
    n_features_in_ : int
        If the estimator has it.
    feature_names_in_ : ndarray of str
        If the estimator has it.
    training_record_ : dict
        Digests of what was given to ``fit``, see :func:`~skbreath.check_leakage`. Not
        if another estimator's ``fit`` called this one.

    See Also
    --------
    WeightedVotingClassifier : Brings its out-of-fold probabilities.

    Notes
    -----
    ``fit`` takes ``groups``, uses them for its folds and hands them to the estimator
    if it requests them, whether metadata routing is enabled or not. So do ``fit`` and
    the methods that predict with ``recordings``. Other metadata
    go to the estimator (``set_fit_request``) and the scorer (``set_score_request``).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = make_classification(500, weights=[0.8], flip_y=0.1, random_state=0)
    >>> y = np.where(y == 1, "I", "E")
    >>> model = ThresholdClassifier(LogisticRegression(), pos_label="I").fit(X, y)
    >>> round(model.best_threshold_, 2), round(model.best_score_, 2)
    (0.38, 0.66)
    >>> len(model.threshold_curve_.thresholds)
    501
    """

    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        **TunedThresholdClassifierCV._parameter_constraints,
        "pos_label": [Real, str, "boolean", None],
        "scoring": [StrOptions(set(get_scorer_names())), callable],
        "thresholds": [
            StrOptions({"all"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
        ],
    }
    _parameter_constraints.pop("store_cv_results")

    def __init__(
        self,
        estimator: Any,
        *,
        pos_label: Any = None,
        scoring: Scoring = "f1",
        response_method: Literal["auto", "predict_proba", "decision_function"] = "auto",
        thresholds: Literal["all"] | int | ArrayLike = "all",
        cv: Folds | float | Literal["prefit"] | None = None,
        refit: bool = True,
        n_jobs: int | None = None,
        random_state: Seed = None,
    ) -> None:
        super(TunedThresholdClassifierCV, self).__init__(
            estimator=estimator, response_method=response_method
        )
        self.pos_label = pos_label
        self.scoring = scoring
        self.thresholds = thresholds
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self, X: Any, y: Column, groups: Column | None = None, **params: Any
    ) -> Self:
        """Fit the estimator and set the threshold.

        Parameters
        ----------
        X : sequence of length n_samples
            Whatever the estimator takes.
        y : array-like of shape (n_samples,)
            Labels of two classes.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, for the folds and for an estimator that requests them.
        **params : dict
            ``sample_weight``, or ``step__sample_weight`` for a step of a pipeline;
            ``recordings``, if the estimator has a :class:`RecordingContext`; with
            metadata routing enabled, metadata for the estimator and the scorer, where
            requested.

        Returns
        -------
        self : ThresholdClassifier

        Raises
        ------
        ValueError
            If `y` has missing labels or not two classes, the metric needs a `pos_label`
            and has none, the metric is not one of labels, or all scores are equal.
        """
        check_present(y, "y")
        check_at_most_two_classes(y)
        check_lengths(X, y=y, groups=groups, recordings=params.get("recordings"))
        with (
            recording(self, X, y, groups),
            weights_requested(self, params, y) as params,
            one_thread(),
            metadata_context(groups=groups, **params) as metadata,
        ):
            return super().fit(X, y, **metadata)

    def _fit(self, X, y, **metadata):
        groups = metadata.get("groups")
        y = column_or_1d(y, warn=True)
        classes = np.unique(y)
        check_two_classes(classes)
        scorer, pos_label = name_positive_class(
            self.scoring, self.pos_label, classes.tolist()
        )
        if getattr(scorer, "_response_method", "predict") != "predict":
            raise ValueError(
                "scoring must be a metric of labels, such as 'f1' or 'accuracy', got "
                f"{self.scoring!r}, a metric of scores, which a threshold does not "
                "change."
            )
        self.pos_label_ = classes.tolist()[1] if pos_label is None else pos_label
        routed = process_routing(self, "fit", **metadata)
        fit_params, score_params = routed["estimator"]["fit"], routed["scorer"]["score"]
        rows, response = self._held_out_scores(X, y, groups, classes, fit_params)
        score_params = _check_method_params(X, score_params, indices=rows)
        self._set_threshold(scorer, response, y[rows], classes, score_params)
        return self

    def _held_out_scores(self, X, y, groups, classes, fit_params):
        """Fit `estimator_`; get rows and their scores by models not fitted on them."""
        if isinstance(self.cv, str):  # "prefit"
            if self.refit:
                raise ValueError(
                    "cv='prefit' does not fit the estimator; set refit=False."
                )
            check_is_fitted(self.estimator, "classes_")
            self._keep(self.estimator, classes)
            return np.arange(len(y)), self._response(X)
        if not self.refit:
            splits = self._splits(X, y, groups)
            if len(splits) != 1:
                raise ValueError(
                    "refit=False keeps the estimator of a single split and needs a cv "
                    f"of one, got {len(splits)} splits."
                )
            train, test = splits[0]
            fitted = clone(self.estimator).fit(
                _safe_indexing(X, train),
                y[train],
                **_check_method_params(X, fit_params, indices=train),
            )
            self._keep(fitted, classes)
            return test, self._response(_safe_indexing(X, test))

        estimator = clone(self.estimator)
        # A clone that has them before its fit is frozen: they are of other rows.
        frozen = out_of_fold_proba(estimator) is not None
        last = estimator
        while isinstance(last, Pipeline):
            last = last[-1]
        splits = None
        if not isinstance(last, WeightedVotingClassifier):
            splits = self._splits(X, y, groups)
            check_splits(splits, y, classes)
        # A vote may make the folds unnecessary.
        self._keep(estimator.fit(X, y, **fit_params), classes)
        proba = None if frozen else out_of_fold_proba(estimator)
        method = self._method()
        if proba is not None and method == "predict_proba":
            rows = np.flatnonzero(~np.isnan(proba).any(axis=1))
            return rows, self._of_positive_class(proba[rows])
        parts = out_of_fold(
            self.estimator,
            X,
            y,
            self._splits(X, y, groups) if splits is None else splits,
            methods=(method,),
            fit_params=fit_params,
            n_jobs=self.n_jobs,
        )
        rows = np.concatenate([test for test, _ in parts])
        outputs = np.concatenate([output[method] for _, output in parts])
        return rows, self._of_positive_class(outputs)

    def _splits(self, X, y, groups):
        """List the train and test rows of `cv`."""
        if isinstance(self.cv, Real) and not isinstance(self.cv, Integral):
            holdout = StratifiedShuffleSplit if groups is None else GroupShuffleSplit
            cv = holdout(n_splits=1, test_size=self.cv, random_state=self.random_state)
        else:
            cv = check_group_cv(self.cv, y, groups)
        return list(cv.split(X, y, groups))

    def _set_threshold(self, scorer, response, y, classes, score_params):
        """Choose the threshold on held-out scores, and keep the curve."""
        if (y == y[0]).all():
            raise ValueError(
                "the rows held out must have both classes, got only "
                f"{y[:1].tolist()}; hold out more rows or groups."
            )
        name = type(self.estimator).__name__
        if not np.isfinite(response).all():
            raise ValueError(
                f"the scores of {name} must be finite, got NaN or infinity; check its "
                "training and X."
            )
        if response.min() == response.max():
            raise ValueError(
                f"{name} gives every row the same score, {response[0]:.4g}, so a "
                "threshold cannot separate the classes; train it on more or other rows."
            )
        candidates, lower, upper = candidate_thresholds(response, self.thresholds)
        scores = scores_at_thresholds(
            scorer, response, y, classes, self.pos_label_, candidates, score_params
        )
        best = best_threshold(candidates, lower, upper, scores)
        self.best_threshold_ = float(candidates[best])
        self.best_score_ = float(scores[best])
        known = ~np.isnan(scores)
        self.threshold_curve_ = Bunch(
            thresholds=candidates[known],
            scores=scores[known],
            base_rate=float(np.mean(y == self.pos_label_)),
        )

    def _keep(self, estimator, classes):
        """Set `estimator_`, after a check of its classes."""
        check_fitted_classes(estimator.classes_, classes, type(estimator).__name__)
        self.estimator_ = estimator

    def _method(self):
        """Get the name of the method that the scores come from."""
        methods = self._get_response_method()
        return _check_response_method(self.estimator_, methods).__name__

    def _response(self, X, **params):
        """Compute the scores of `pos_label_`."""
        return self._of_positive_class(self._output(self._method(), X, **params))

    def _output(self, method, X, **params):
        """Call a method of the fitted estimator, with the metadata it requests."""
        with one_thread(), metadata_context(**params) as metadata:
            routed = process_routing(self, method, **metadata)["estimator"][method]
            return getattr(self.estimator_, method)(X, **routed)

    def _of_positive_class(self, output):
        """Turn either method's output into scores of `pos_label_`, (n_samples,)."""
        output = np.asarray(output, dtype=float)
        classes = self.classes_.tolist()
        if output.ndim == 2:
            return output[:, classes.index(self.pos_label_)]
        return output if classes[1] == self.pos_label_ else -output

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Predict probabilities with the fitted estimator.

        Parameters
        ----------
        X : sequence of length n_samples
            Whatever the estimator takes.
        **params : dict
            ``recordings`` of the rows, for an estimator that requests them.

        Returns
        -------
        proba : ndarray of shape (n_samples, 2)
            Columns follow `classes_`.
        """
        if not params:
            return super().predict_proba(X)
        check_is_fitted(self, "best_threshold_")
        return self._output("predict_proba", X, **params)

    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Predict labels with the tuned threshold.

        Parameters
        ----------
        X : sequence of length n_samples
            Whatever the estimator takes.
        **params : dict
            As for :meth:`predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Out of `classes_`.
        """
        check_is_fitted(self, "best_threshold_")
        return self.apply_threshold(self._output(self._method(), X, **params))

    def decides_on_probabilities(self) -> bool:
        """Check whether the threshold is on ``predict_proba``.

        Returns
        -------
        on_probabilities : bool
        """
        check_is_fitted(self, "best_threshold_")
        return self._method() == "predict_proba"

    def apply_threshold(self, output: ArrayLike) -> np.ndarray:
        """Turn given scores into labels.

        Parameters
        ----------
        output : ndarray of shape (n_samples, 2) or (n_samples,)
            Output of ``predict_proba`` or ``decision_function``, whichever the
            threshold was tuned on.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            As `predict` gives them.
        """
        positive = self._of_positive_class(output) >= self.best_threshold_
        index = self.classes_.tolist().index(self.pos_label_)
        return self.classes_[np.where(positive, index, 1 - index)]

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing: the classifier takes ``groups`` itself.

        Returns
        -------
        routing : MetadataRouter
        """
        scoring = MethodMapping().add(caller="fit", callee="score")
        calls = {method: [method] for method in ("predict_proba", "decision_function")}
        calls["predict"] = ["predict_proba", "decision_function"]
        router = route_methods(self, {"estimator": self.estimator}, **calls)
        scorer = get_scorer(self.scoring)
        if isinstance(self.scoring, str):
            ignore_weights(scorer)
        return router.add(scorer=scorer, method_mapping=scoring)
