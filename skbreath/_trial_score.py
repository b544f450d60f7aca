"""What a trial is worth: its folds fitted and scored, and the mean to maximise."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._validation import _fit_and_score, _insert_error_scores
from sklearn.utils.parallel import delayed

__all__ = ["check_metric", "score_folds", "trial_results", "trial_value"]


def check_metric(refit, metrics):
    """Check that one of several metrics is named as the one to maximise.

    Parameters
    ----------
    refit : object
        The search's parameter.
    metrics : list or dict
        Names.

    Raises
    ------
    ValueError
        If `refit` is none of them.
    """
    if not isinstance(refit, str) or refit not in metrics:
        raise ValueError(
            "with several metrics, refit must name the one to maximise, of "
            f"{sorted(metrics)}; got refit={refit!r}."
        )


def score_folds(
    parallel, search, parameters, X, y, splits, evaluation, position, context
):
    """Fit and score one trial on every fold.

    Parameters
    ----------
    parallel : callable
        Runs the delayed folds.
    search : OptunaSearchCV
        Gives the estimator and what is reported.
    parameters : dict
        Of the trial.
    X, y : sequences of length n_samples
        Data and target.
    splits : list of (train, test)
        Index arrays.
    evaluation : dict
        Arguments of scikit-learn's evaluation of a fold, the same for all.
    position : int
        Of the trial in this search.
    context : CallbackContext
        Of the search.

    Returns
    -------
    folds : list of dict
        Scores, times and ``fit_error`` (traceback or None) of each fold.
    """
    # Made ahead of the parallel loop, as they hang on one tree.
    contexts = [
        context.subcontext(
            "candidate-split-evaluation", task_id=position * len(splits) + fold
        )
        for fold in range(len(splits))
    ]
    return parallel(
        delayed(_fit_and_score)(
            clone(search.estimator),
            X,
            y,
            train=train,
            test=test,
            parameters=parameters,
            **evaluation,
            return_times=True,
            split_progress=(fold, len(splits)),
            candidate_progress=(position, search.n_trials or 0),
            caller=search,
            callback_ctx=contexts[fold],
        )
        for fold, (train, test) in enumerate(splits)
    )


def trial_value(folds, search):
    """Get the mean score of a trial that the search maximises.

    Parameters
    ----------
    folds : list of dict
        From :func:`score_folds`; missing scores are filled in.
    search : OptunaSearchCV
        Says which metric counts.

    Returns
    -------
    value : float
        NaN if no fold could be fitted.

    Raises
    ------
    ValueError
        If a function scores several metrics and none is named.
    """
    if all(fold["fit_error"] for fold in folds):
        return np.nan
    if callable(search.scoring):  # shows only now how many metrics it has
        _insert_error_scores(folds, search.error_score)
    scores = [fold["test_scores"] for fold in folds]
    if isinstance(scores[0], dict):
        check_metric(search.refit, scores[0])
        scores = [score[search.refit] for score in scores]
    return float(np.mean(scores))


def trial_results(trials, search):
    """Format all trials as scikit-learn does.

    Parameters
    ----------
    trials : list of FinishedTrial
        At least one of them complete.
    search : OptunaSearchCV
        Says what is reported.

    Returns
    -------
    results : dict of ndarray
        One row per trial, with ``trial_number`` and ``trial_state``.
    multimetric : bool
        Whether there are several metrics.
    """
    folds = [fold for trial in trials for fold in trial.folds]
    if callable(search.scoring):
        _insert_error_scores(folds, search.error_score)
    with warnings.catch_warnings():
        # Failed trials have been reported.
        warnings.filterwarnings("ignore", "One or more of the .* non-finite")
        results = search._format_results(
            [trial.parameters for trial in trials],
            search.n_splits_,
            folds,
            {
                "trial_number": [trial.number for trial in trials],
                "trial_state": [trial.state for trial in trials],
            },
        )
    return results, isinstance(folds[0]["test_scores"], dict)
