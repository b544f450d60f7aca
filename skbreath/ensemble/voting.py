"""Combine classifiers by a soft vote with given, tuned or learned weights."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import get_scorer_names
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Bunch, indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..fitting.cross_fitting import check_group_cv, out_of_fold_each, run_fits
from ..fitting.labels import (
    check_fitted_classes,
    check_lengths,
    check_present,
    check_two_classes,
)
from ..fitting.routing import metadata_context, route_methods, weights_requested
from ..fitting.scorers import name_positive_class
from ..fitting.training_record import inside_fit, recording
from ..utils.contexts import one_thread
from ..utils.sklearn_compat import StrOptions, _fit_context, _print_elapsed_time
from .mixture import (
    FoldAverage,
    Mixture,
    MixtureLearner,
    check_weights,
    cross_fit_mixture,
    without_recordings,
)

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from sklearn.utils.metadata_routing import MetadataRouter

    from ..utils.typing import Column, Folds, Members, Scoring

__all__ = ["WeightedVotingClassifier"]

_PREFIX = "weights__"
_LEARNED = ("oof_proba_", "oof_proba_alone_", "oof_member_proba_", "fold_weights_")
_LEARNED += ("recording_shares_", "calibrator_")


class WeightedVotingClassifier(VotingClassifier):
    """Average the members' probabilities, with weights given, tuned or learned.

    A :class:`~sklearn.ensemble.VotingClassifier` with soft voting that differs in
    this: members see the user's own labels, not integers, so that a member may have
    a ``pos_label="I"``; members may be whole pipelines that take the same ``X`` and
    turn it into different shapes; weights have names and can be tuned one by one
    as ``weights__<name>``; weights can be learned, and the vote be calibrated.

    ``weights="learned"`` cross-fits every member once: k fits for k folds, and one on
    all rows unless ``refit=False`` lets the models of the folds vote together. The
    weights are those with which the out-of-fold probabilities predict `y` best. The
    members' probabilities for a fold come from fits that have not seen it, and the
    weights that mix them into `oof_proba_` are learned on the other folds' rows. The
    models behind those other rows have seen the fold's labels, as in any stacking
    with one level of folds. Evaluate the vote on an outer test fold, which nothing
    fitted here has seen.

    Parameters
    ----------
    estimators : list of (str, classifier)
        The members by name; ``"drop"`` in place of a classifier leaves it out.
    weights : None, array-like, dict or "learned", default=None
        None weighs all members alike. An array has one weight per estimator, a dict
        one per name. Weights are scaled to sum 1. ``set_params(weights__svc=2)``
        changes the weight of one member; the others keep theirs, or 1.
    weight_metric : str or callable, default="neg_log_loss"
        What learned weights maximise: a scorer's name or ``scorer(estimator, X, y)``,
        which is called with probabilities as ``X``. The log loss, convex in the
        weights, is solved exactly. For any other metric Optuna tries about 100
        weights, the first of them equal weights and single members.
    calibration : {"sigmoid", "isotonic", "temperature"}, default=None
        How the weighted mean is calibrated, as in
        :class:`~sklearn.calibration.CalibratedClassifierCV`: learned from the
        out-of-fold scores, without further fits of the members. The members are
        cross-fitted for it also if their weights are given. The sigmoid is one of the
        log-odds, with a factor and a shift; the temperature is a factor alone, learned
        with smoothed targets, as the sigmoid is: few rows without an error would make
        every probability 0 or 1. Where few rows would make the sigmoid reverse the
        order of the scores, a temperature takes its place.
    refit : bool, default=True
        Whether each member is fitted on all rows for predictions. False keeps its
        models of the folds instead and averages them: no further fit, and an average
        of k models that saw a part of the rows each is often better than one that saw
        all. Needs learned weights or a calibration.
    pos_label : label, default=None
        The positive class of `weight_metric`; only metrics such as ``"f1"`` need it.
    cv : int, splitter or iterable, default=None
        Folds for learned weights and the calibration; None means 5. An integer
        together with ``groups`` means
        :class:`~sklearn.model_selection.StratifiedGroupKFold`.
    n_jobs : int, default=None
        Fits in parallel, as in joblib.
    flatten_transform : bool, default=True
        Whether ``transform`` gives ``(n_samples, n_members * n_classes)`` rather than
        ``(n_members, n_samples, n_classes)``.
    verbose : bool, default=False
        Whether to print the time of every fit on all rows.

    Attributes
    ----------
    estimators_ : list of classifier
        The fitted members that are not dropped; without `refit` each has the fitted
        models of the folds as `estimators`.
    named_estimators_ : Bunch
        The same by name.
    weights_ : ndarray of shape (n_members,)
        Of `estimators_`, in that order; sum 1.
    classes_ : ndarray of shape (n_classes,)
        The sorted labels.
    le_ : LabelEncoder
        Of `classes_`.
    oof_proba_ : ndarray of shape (n_samples, n_classes)
        The cross-fitted vote's probability of every training row, NaN for rows in no
        test part. With learned weights or a calibration only.
    oof_proba_alone_ : ndarray of shape (n_samples, n_classes)
        The same for each row as a recording of its own; equal without ``recordings``.
    oof_member_proba_ : ndarray of shape (n_members, n_samples, n_classes)
        The members' out-of-fold probabilities, before they are compared with their
        recordings by `recording_shares_`. As `oof_proba_`.
    fold_weights_ : ndarray of shape (n_splits, n_members)
        The weights behind `oof_proba_`: if they vary a lot between folds,
        `weights_` are uncertain. As `oof_proba_`.
    recording_shares_ : ndarray of shape (n_members,)
        Share of the mean log-odds of the other clips of a recording that is subtracted
        from those of each clip, see Notes; 0 for members that request ``recordings``,
        and if ``fit`` had none. As `oof_proba_`.
    calibrator_ : CalibratedClassifierCV
        From the weighted mean to probabilities. With `calibration` only.
    n_features_in_ : int
        If the first member has it.
    feature_names_in_ : ndarray of str
        If a member has it.
    training_record_ : dict
        Digests of what was given to ``fit``, see :func:`~skbreath.check_leakage`. Not
        if another estimator's ``fit`` called this one.

    See Also
    --------
    ThresholdClassifier : Sets the vote's threshold without fitting it again.
    top_estimators : The best trials of a search, as members.

    Notes
    -----
    ``fit`` takes ``groups``, uses them for its folds and hands them to every member
    that requests them, whether metadata routing is enabled or not. So do ``fit``,
    ``predict`` and ``predict_proba`` with ``recordings``, which tell which rows were
    recorded together, for members with a :class:`RecordingContext`. Other metadata,
    such as ``sample_weight``, go to members with ``set_fit_request``; the weights are
    learned from unweighted rows.

    A recording holds clips of all classes. Where most of its clips seem to be of one,
    its microphone or person makes them look so. Members with a
    :class:`RecordingContext` see this in their features. For the others the vote
    compares the clips, if weights or a calibration are learned: a share of the mean
    log-odds of the other clips is subtracted from those of each clip
    (`recording_shares_`). All is learned from predictions with and without recordings,
    since a model is used in both ways.

    References
    ----------
    L. Breiman, "Stacked regressions", Machine Learning 24, 1996.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> members = [
    ...     ("linear", make_pipeline(StandardScaler(), LogisticRegression())),
    ...     ("bayes", GaussianNB()),
    ... ]
    >>> vote = WeightedVotingClassifier(members, weights="learned").fit(X, y)
    >>> vote.weights_.round(2)
    array([0.95, 0.05])
    >>> vote.oof_proba_.shape
    (569, 2)
    >>> vote.set_params(weights={"linear": 2, "bayes": 1}, weights__bayes=2).fit(X, y)
    WeightedVotingClassifier(...)
    >>> vote.weights_
    array([0.5, 0.5])
    """

    # Read by the methods of VotingClassifier; not a parameter here.
    voting = "soft"

    __metadata_request__fit = {"groups": True}

    _parameter_constraints: dict = {
        **VotingClassifier._parameter_constraints,
        "weights": [StrOptions({"learned"}), "array-like", dict, None],
        "weight_metric": [StrOptions(set(get_scorer_names())), callable],
        "calibration": [StrOptions({"sigmoid", "isotonic", "temperature"}), None],
        "refit": ["boolean"],
        "pos_label": [Real, str, "boolean", None],
        "cv": ["cv_object"],
    }
    _parameter_constraints.pop("voting")

    def __init__(
        self,
        estimators: Members,
        *,
        weights: Any = None,
        weight_metric: Scoring = "neg_log_loss",
        calibration: Literal["sigmoid", "isotonic", "temperature"] | None = None,
        refit: Any = True,
        pos_label: Any = None,
        cv: Folds | None = None,
        n_jobs: int | None = None,
        flatten_transform: bool = True,
        verbose: bool = False,
    ) -> None:
        super(VotingClassifier, self).__init__(estimators=estimators)
        self.weights = weights
        self.weight_metric = weight_metric
        self.calibration = calibration
        self.refit = refit
        self.pos_label = pos_label
        self.cv = cv
        self.n_jobs = n_jobs
        self.flatten_transform = flatten_transform
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
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
            params |= {_PREFIX + name: weight for name, weight in named}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the vote and its members, or ``weights__<name>``.

        Parameters
        ----------
        **params : dict
            Values by parameter name. Whole `weights` are set before single ones; the
            members without a single weight keep theirs, or 1 if there were none.

        Returns
        -------
        self : WeightedVotingClassifier

        Raises
        ------
        ValueError
            If a name is unknown, or the weights are learned.
        """
        single = {
            key.removeprefix(_PREFIX): params.pop(key)
            for key in list(params)
            if key.startswith(_PREFIX)
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

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Column, groups: Column | None = None, **params: Any
    ) -> Self:
        """Fit the members, and learn their weights if ``weights="learned"``.

        Parameters
        ----------
        X : sequence of length n_samples
            Whatever the members take.
        y : array-like of shape (n_samples,)
            Class labels.
        groups : array-like of shape (n_samples,), default=None
            Group of each row, for the folds and for members that request them.
        **params : dict
            ``sample_weight`` for all members, ``recordings`` for the vote and for
            members with a :class:`RecordingContext`; with metadata routing enabled,
            metadata for members that request them.

        Returns
        -------
        self : WeightedVotingClassifier

        Raises
        ------
        ValueError
            If weights, names, labels or groups are malformed, if a member lacks
            ``predict_proba``, if a frozen member's weight is to be learned, or if a
            frozen member has other classes.
        """
        self._validate_estimators()
        for name, member in self.estimators:
            if member != "drop" and not hasattr(member, "predict_proba"):
                raise ValueError(
                    f"Expected members with predict_proba, but {name!r} "
                    f"({type(member).__name__}) has none: calibrate it, as with "
                    "CalibratedClassifierCV, or use another classifier."
                )
        weights = None
        if not isinstance(self.weights, str):
            weights = self.weights_ = check_weights(self.weights, self.estimators)
        check_lengths(X, y=y, groups=groups, recordings=params.get("recordings"))
        X, y, groups = indexable(X, y, groups)
        y = self._check_labels(y)
        for name in _LEARNED:
            self.__dict__.pop(name, None)  # of an earlier fit

        with (
            recording(self, X, y, groups),
            weights_requested(self, params, y) as params,
            metadata_context(groups=groups, **params) as metadata,
        ):
            members = {name: est for name, est in self.estimators if est != "drop"}
            routed = process_routing(self, "fit", **metadata)
            fit_params = [routed[name]["fit"] for name in members]
            on_all_rows = self._fits_on_all_rows(members, X, y, fit_params)
            if weights is None or self.calibration is not None:
                self.estimators_ = self._learn_mixture(
                    members,
                    X,
                    y,
                    groups,
                    metadata.get("recordings"),
                    weights=weights,
                    fit_params=fit_params,
                    first=on_all_rows,
                )
            elif self.refit:
                self.estimators_ = run_fits(
                    on_all_rows, self.n_jobs, "fitted one member"
                )
            else:
                raise ValueError(
                    "refit=False keeps the models of the cross-fit, which is made "
                    "only for learned weights or a calibration; set "
                    'weights="learned", a calibration, or refit=True.'
                )
        fitted_members = dict(zip(members, self.estimators_, strict=True))
        for name, member in fitted_members.items():
            check_fitted_classes(member.classes_, self.classes_, f"member {name!r}")
            if hasattr(member, "feature_names_in_"):
                self.feature_names_in_ = member.feature_names_in_
        self.named_estimators_ = Bunch(
            **{name: fitted_members.get(name, "drop") for name, _ in self.estimators}
        )
        return self

    def _named_weights(self):
        """Get given weights by name; empty if they are learned or malformed."""
        try:
            names = [name for name, _ in self.estimators]
            if self.weights is None:
                return dict.fromkeys(names, 1.0)
            if isinstance(self.weights, Mapping):
                return {name: self.weights[name] for name in names}
            if isinstance(self.weights, str):
                return {}
            return dict(zip(names, self.weights, strict=True))
        except (KeyError, TypeError, ValueError):  # malformed: fit raises the error
            return {}

    def _fits_on_all_rows(self, members, X, y, fit_params):
        """List the fits of the members on all rows, delayed; none without `refit`."""
        if not self.refit:
            return []
        return [
            delayed(_fit_member)(
                clone(member),
                X,
                y,
                member_params,
                self._log_message(name, number, len(members)),
            )
            for number, ((name, member), member_params) in enumerate(
                zip(members.items(), fit_params, strict=True), start=1
            )
        ]

    def _check_labels(self, y):
        """Get labels as a 1-D array, and set `classes_` and `le_`."""
        check_present(y, "y")
        check_classification_targets(y)
        if type_of_target(y) not in ("binary", "multiclass"):
            raise NotImplementedError(
                f"{type(self).__name__} takes one label per row; multilabel and "
                "multi-output classification are not supported."
            )
        y = column_or_1d(y, warn=True)
        self.le_ = LabelEncoder().fit(y)
        self.classes_ = self.le_.classes_
        check_two_classes(self.classes_)
        return y

    def _learn_mixture(
        self, members, X, y, groups, recordings, *, weights, fit_params, first
    ):
        """Cross-fit every member once, and learn the mixtures of folds and all rows.

        Returns the members of the vote: those on all rows, of the fits `first`, or the
        averages of those of the folds.
        """
        frozen = [name for name, member in members.items() if _is_frozen(member)]
        if frozen:
            raise ValueError(
                "learned weights and a calibration need members that can be fitted on "
                f"parts of the rows, got the frozen members {frozen}; pass weights and "
                "calibration=None, or members that are not frozen."
            )
        scorer = None
        if self.weight_metric != "neg_log_loss":
            scorer, _ = name_positive_class(
                self.weight_metric, self.pos_label, self.classes_.tolist()
            )
        splits = list(check_group_cv(self.cv, y, groups).split(X, y, groups))
        if len(splits) < 2:
            raise ValueError(
                "Expected a cv of at least two splits for learned weights or a "
                f"calibration, got {len(splits)}; give a cv with more splits."
            )
        comparing = ["recordings" in params for params in fit_params]
        learner = MixtureLearner(
            self.classes_, weights, scorer, self.calibration, comparing
        )
        folds, fitted = out_of_fold_each(
            list(members.values()),
            X,
            y,
            splits,
            methods=["predict_proba"] + [without_recordings] * (recordings is not None),
            fit_params=fit_params,
            keep_estimators=not self.refit,
            first=first,
            n_jobs=self.n_jobs,
        )
        learned = cross_fit_mixture(learner, folds, y, recordings)
        self.weights_ = learned.mixture.weights
        self.recording_shares_ = learned.mixture.recording_shares
        if self.calibration is not None:
            self.calibrator_ = learned.mixture.calibrator
        self.fold_weights_ = learned.fold_weights
        self.oof_proba_ = learned.proba
        self.oof_proba_alone_ = learned.proba_alone
        self.oof_member_proba_ = learned.member_proba
        if self.refit:
            return fitted
        return [
            FoldAverage([output["estimator"] for _, output in member])
            for member in folds
        ]

    @property
    def _weights_not_none(self):
        return self.weights_

    def predict_proba(self, X: Any, **params: Any) -> np.ndarray:
        """Average the members' probabilities, then calibrate the mean if configured.

        Parameters
        ----------
        X : sequence of length n_samples
            Whatever the members take.
        **params : dict
            ``recordings`` of the rows, if they were used in ``fit``.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns follow `classes_`. Members of weight zero are skipped.
        """
        check_is_fitted(self)
        with one_thread(), metadata_context(**params) as metadata:
            routed = process_routing(self, "predict_proba", **metadata)
            names, used = member_names(self), np.flatnonzero(self.weights_ > 0)
            proba = [
                self.estimators_[number].predict_proba(
                    X, **routed[names[number]]["predict_proba"]
                )
                for number in used
            ]
        shares = getattr(self, "recording_shares_", np.zeros(len(names)))
        mixture = Mixture(
            self.weights_[used], shares[used], getattr(self, "calibrator_", None)
        )
        return mixture.calibrated(mixture.mean(proba, params.get("recordings")))

    def predict(self, X: Any, **params: Any) -> np.ndarray:
        """Predict the most probable label of each row.

        Parameters
        ----------
        X : sequence of length n_samples
            Whatever the members take.
        **params : dict
            As for :meth:`predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Out of `classes_`.
        """
        proba = self.predict_proba(X, **params)
        return self.classes_[proba.argmax(axis=1)]

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing: the vote takes ``groups`` and recordings itself.

        Returns
        -------
        routing : MetadataRouter
        """
        learns = isinstance(self.weights, str) or self.calibration is not None
        methods = ["fit"] if learns else []
        if np.any(getattr(self, "recording_shares_", learns)):
            methods += ["predict_proba"]
        calls = {"predict": ["predict_proba"], "predict_proba": ["predict_proba"]}
        return route_methods(self, dict(self.estimators), methods, **calls)


def _fit_member(member, X, y, fit_params, message):
    """Fit one member, and print the time it took if there is a message."""
    with inside_fit(), _print_elapsed_time("Voting", message):
        return member.fit(X, y, **fit_params)


def _is_frozen(member):
    """Check whether a frozen classifier makes the member's probabilities."""
    parts = [member, *member.get_params(deep=True).values()]
    return any(isinstance(p, FrozenEstimator) and is_classifier(p) for p in parts)


def member_names(vote: WeightedVotingClassifier) -> list[str]:
    """List the names of the members of a vote that are not dropped, in order."""
    return [name for name, member in vote.estimators if member != "drop"]
