"""Honest numbers: grouped cross-validation with intervals that respect groups."""

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, rankdata
from sklearn.utils import Bunch, check_random_state, column_or_1d, indexable
from sklearn.utils.validation import _num_samples

from ._metadata import asks_for_groups, metadata_context
from .crossfit import check_group_cv, out_of_fold

__all__ = ["evaluate", "score_predictions"]


def evaluate(
    model,
    X,
    y,
    groups=None,
    *,
    cv=5,
    pos_label="I",
    n_resamples=1000,
    confidence_level=0.95,
    n_jobs=None,
    random_state=0,
):
    """Cross-validate a model and give each score with a bootstrap interval.

    Every clip is predicted once, by a model that has seen neither it nor, with
    `groups`, any clip of its recording; the scores are those of the pooled
    predictions.

    Parameters
    ----------
    model : classifier
        Such as :func:`~skbreath.make_breath_classifier`. Cloned for each fold.
    X : sequence of length n_clips
        Whatever `model` takes: paths, waveforms, features.
    y : array-like of shape (n_clips,)
        Labels, two classes.
    groups : array-like of shape (n_clips,), default=None
        Recording, day or patient of each clip. Folds never share a group, the
        bootstrap draws whole groups, and a `model` that can use the groups in
        its own `fit` (early stopping, weights, threshold) receives them.
    cv : int, splitter or iterable, default=5
        An integer with `groups` means
        :class:`~sklearn.model_selection.StratifiedGroupKFold`.
    pos_label : label, default="I"
        Class whose F1 is reported and whose probability ranks for the AUC.
    n_resamples : int, default=1000
        Bootstrap resamples.
    confidence_level : float, default=0.95
        Of the intervals.
    n_jobs : int, default=None
        Folds fitted in parallel.
    random_state : int, RandomState instance or None, default=0
        Seed of the bootstrap.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        ``table`` : DataFrame, one row per metric (accuracy, f1, roc_auc) with
        ``value``, ``low`` and ``high``.

        ``predictions`` : DataFrame, one row per predicted clip, in the order of
        `X`, with ``row``, ``fold``, ``group``, ``y_true``, ``y_pred`` and
        ``y_score`` (the probability of `pos_label`).

    Raises
    ------
    ValueError
        If lengths differ, `y` has not two classes, `pos_label` is none of them,
        or the splits predict a row twice.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbreath import evaluate
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> result = evaluate(LogisticRegression(), X, y, pos_label=1)
    >>> result.table.round(2)
              value   low  high
    accuracy   0.93  0.89  0.96
    f1         0.93  0.90  0.97
    roc_auc    0.96  0.93  0.98
    """
    X, y, groups = indexable(X, y, groups)
    y = column_or_1d(y)
    groups = None if groups is None else column_or_1d(groups)
    _check_binary(y, pos_label)
    splitter = check_group_cv(cv, y, groups)
    splits = list(splitter.split(np.zeros(_num_samples(X)), y, groups))
    with metadata_context(groups=groups) as metadata:
        fit_params = metadata if asks_for_groups(model) else {}
        folds = out_of_fold(
            model,
            X,
            y,
            splits,
            methods=("predict", "predict_proba"),
            fit_params=fit_params,
            n_jobs=n_jobs,
        )
    column = int(np.flatnonzero(np.unique(y) == pos_label)[0])
    predictions = pd.concat(
        [
            pd.DataFrame(
                {
                    "row": test,
                    "fold": fold,
                    "group": test if groups is None else groups[test],
                    "y_true": y[test],
                    "y_pred": output["predict"],
                    "y_score": output["predict_proba"][:, column],
                }
            )
            for fold, (test, output) in enumerate(folds)
        ],
        ignore_index=True,
    )
    if predictions["row"].duplicated().any():
        raise ValueError(
            "The splits predict some rows more than once; use a cv whose test parts "
            "do not overlap."
        )
    predictions = predictions.sort_values("row", ignore_index=True)
    table = score_predictions(
        predictions["y_true"],
        predictions["y_pred"],
        predictions["y_score"],
        predictions["group"],
        pos_label=pos_label,
        n_resamples=n_resamples,
        confidence_level=confidence_level,
        random_state=random_state,
    )
    return Bunch(table=table, predictions=predictions)


def score_predictions(
    y_true,
    y_pred,
    y_score,
    groups=None,
    *,
    pos_label="I",
    n_resamples=1000,
    confidence_level=0.95,
    random_state=0,
):
    """Accuracy, F1 and AUC of given predictions, with bootstrap intervals.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_clips,)
        True and predicted labels.
    y_score : array-like of shape (n_clips,)
        Probability, or any score, of `pos_label`.
    groups : array-like of shape (n_clips,), default=None
        The bootstrap draws whole groups; None draws clips.
    pos_label, n_resamples, confidence_level, random_state
        As in :func:`evaluate`.

    Returns
    -------
    table : DataFrame
        One row per metric, columns ``value``, ``low``, ``high``. A percentile
        bootstrap (Efron and Tibshirani 1993, chapter 13).

    Raises
    ------
    ValueError
        If `y_true` has not two classes or `pos_label` is none of them.

    References
    ----------
    Efron B., Tibshirani R. J. (1993). An introduction to the bootstrap.
    Chapman & Hall.

    Examples
    --------
    >>> from skbreath.evaluation import score_predictions
    >>> y = ["I", "E"] * 50
    >>> score_predictions(y, y, [0.9, 0.1] * 50).loc["accuracy"].tolist()
    [1.0, 1.0, 1.0]
    """
    y_true = np.asarray(y_true)
    y_pred = np.asarray(y_pred)
    y_score = np.asarray(y_score)
    _check_binary(y_true, pos_label)
    positive = y_true == pos_label
    predicted = y_pred == pos_label

    def scores(rows):
        return _binary_scores(positive[rows], predicted[rows], y_score[rows])

    value = scores(np.arange(len(y_true)))
    codes = np.arange(len(y_true)) if groups is None else pd.factorize(groups)[0]
    members = [np.asarray(rows) for rows in _rows_of(codes)]
    if len(members) < 2:
        raise ValueError("An interval needs clips of at least two groups, got one.")

    def resampled(drawn, axis=None):
        return scores(np.concatenate([members[group] for group in drawn]))

    draws = bootstrap(
        (np.arange(len(members)),),
        resampled,
        n_resamples=n_resamples,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(check_random_state(random_state).randint(2**31)),
    ).bootstrap_distribution
    tail = (1 - confidence_level) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail], axis=-1)
    return pd.DataFrame(
        {"value": value, "low": low, "high": high},
        index=["accuracy", "f1", "roc_auc"],
    )


def _binary_scores(truth, predicted, score):
    """Accuracy, F1 and AUC; scikit-learn's checks cost ten times the arithmetic."""
    n_positive, n_negative = truth.sum(), (~truth).sum()
    hits = (truth & predicted).sum()
    positives = n_positive + predicted.sum()
    f1 = 2 * hits / positives if positives else 0.0
    if n_positive == 0 or n_negative == 0:
        # A resample may, rarely, hold one class only, where no AUC is defined.
        return np.array([(truth == predicted).mean(), f1, np.nan])
    rank_sum = rankdata(score)[truth].sum()  # Mann and Whitney's U is the area
    auc = (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
    return np.array([(truth == predicted).mean(), f1, auc])


def _rows_of(codes):
    """Rows of each group."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _check_binary(y, pos_label):
    classes = np.unique(y)
    if len(classes) != 2:
        raise ValueError(f"y must have two classes, got {classes.tolist()}.")
    if pos_label not in classes.tolist():
        raise ValueError(
            f"pos_label={pos_label!r} is not one of the labels {classes.tolist()}; "
            "name the positive class by pos_label."
        )
