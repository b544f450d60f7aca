"""One fold of a trial fitted and scored; if that fails, the reason is kept."""

import pickle
import time
import traceback

from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._validation import _fit_and_score

__all__ = ["evaluate_fold", "failed_fold", "reason_of"]


def evaluate_fold(estimator, X, y, *, scorer, error_score, **settings):
    """Fit and score one fold.

    Parameters
    ----------
    estimator : estimator
        Changed.
    X, y : sequences of length n_samples
    scorer : callable
        One metric or several.
    error_score : "raise" or float
        Score of what fails.
    **settings : dict
        Further arguments of scikit-learn's evaluation of a fold.

    Returns
    -------
    fold : dict
        Scores, times, ``fit_error`` (traceback or None) and ``reason`` (type and
        message of the error, or None), also of a single metric that failed.
    error : Exception or None
        What made the fold fail, if another process can get it.
    """
    settings |= {"scorer": scorer, "error_score": "raise"}
    if error_score == "raise":
        return _fit_and_score(estimator, X, y, **settings) | {"reason": None}, None
    reasons = [None]
    if isinstance(scorer, _MultimetricScorer):
        settings["scorer"] = _forgiving(scorer, error_score, reasons)
    started = time.time()
    try:
        fold = _fit_and_score(estimator, X, y, **settings)
    except Exception as error:
        seconds = time.time() - started
        reason = f"{type(error).__name__}: {_one_line(error)}"
        fold = failed_fold(traceback.format_exc(), reason, error_score, seconds)
        return fold, _portable(error)
    return fold | {"reason": reasons[-1]}, None


def failed_fold(error, reason, error_score, seconds):
    """Make the result of a fold that failed.

    Parameters
    ----------
    error, reason : str
        At length, and in a line.
    error_score : float
        Its score.
    seconds : float
        How long it took.

    Returns
    -------
    fold : dict
    """
    return {
        "test_scores": error_score,
        "train_scores": error_score,
        "fit_time": seconds,
        "score_time": 0.0,
        "fit_error": error,
        "reason": reason,
    }


def reason_of(trial):
    """Tell in a line why a trial failed, in whole or in part.

    Parameters
    ----------
    trial : FinishedTrial

    Returns
    -------
    reason : str or None
        None if nothing failed.
    """
    reason = next((fold["reason"] for fold in trial.folds if fold.get("reason")), None)
    if reason is None and trial.state == "FAIL":
        return "a score that is not finite"
    return reason


def _forgiving(scorer, error_score, reasons):
    """Let some of several metrics fail, as scikit-learn does, and note why."""

    def score(*args, **kwargs):
        scores = scorer(*args, **kwargs)
        for name, value in scores.items():
            if isinstance(value, str):  # the traceback
                lines = value.splitlines()
                while any(line.startswith("  ") for line in lines):
                    del lines[0]
                reasons.append(_one_line(" ".join(lines)))
                scores[name] = error_score
        return scores

    return score


def _one_line(error):
    return " ".join(str(error).split())


def _portable(error):
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an exception of somebody else's makes of pickling
        return None
    # Its traceback would keep the rows of the fold in memory.
    traceback.clear_frames(error.__traceback__)
    return error
