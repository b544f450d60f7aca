"""A batch of trials judged in parallel, also if a worker process dies over it."""

import logging
from concurrent.futures.process import BrokenProcessPool

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from ._fold_result import failed_fold
from ._trial_score import Judgement

__all__ = ["judge_batch"]

_LOGGER = logging.getLogger("skbreath")


def judge_batch(scorer, batch, *, n_jobs, first):
    """Fit and score the trials of a batch.

    Without pruning, a batch of one trial runs its folds in parallel. In any other a
    job is a whole trial: its folds wait for each other anyway, or there are enough
    trials to keep all processes busy.

    Parameters
    ----------
    scorer : FoldScorer
    batch : list of (trial, parameters)
    n_jobs : int or None
        As in joblib.
    first : int
        Position of the first trial in this search.

    Yields
    ------
    index : int
        Of a trial in the batch, in the order in which they get ready.
    judgement : Judgement

    Raises
    ------
    BrokenProcessPool
        With ``error_score="raise"``, if a process dies over the same trial again.
    """
    left = dict(enumerate(batch))
    try:
        for index, judgement in _judge(scorer, left, n_jobs, first):
            yield index, judgement
            del left[index]
        return
    except BrokenProcessPool as error:
        _LOGGER.warning(
            "a worker process died; %d trials start again, one by one: %s",
            len(left),
            " ".join(str(error).split()),
        )
    # One by one, in new processes, so that the trial that kills them is found out.
    for index, item in left.items():
        try:
            ((_, judgement),) = _judge(scorer, {index: item}, n_jobs, first, True)
        except BrokenProcessPool as error:
            if scorer.search.error_score == "raise":
                raise
            died = f"the worker process died: {error}"
            fold = failed_fold(died, died, scorer.search.error_score, np.nan)
            judgement = Judgement(folds=[fold])
        yield index, judgement


def _judge(scorer, batch, n_jobs, first, apart=False):
    n_splits = len(scorer.splits)
    alone = len(batch) == 1 and scorer.search.prune_on is None
    parts = [[fold] for fold in range(n_splits)] if alone else [range(n_splits)]
    waiting = {index: dict.fromkeys(range(len(parts))) for index in batch}
    jobs = [
        delayed(_tagged)(
            index, part, scorer.job(trial, parameters, folds, first + index)
        )
        for index, (trial, parameters) in batch.items()
        for part, folds in enumerate(parts)
    ]
    if len(jobs) == 1 and n_jobs is not None and not apart:
        n_jobs = 1  # other processes would only have to be started
    run = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    for index, part, judgement in run(jobs):
        waiting[index][part] = judgement
        if None in waiting[index].values():
            continue
        whole = list(waiting.pop(index).values())
        folds = [fold for judged in whole for fold in judged.folds]
        error = next((judged.error for judged in whole if judged.error), None)
        yield index, Judgement(folds, whole[0].pruned, whole[0].reports, error)


def _tagged(index, part, job):
    function, args, kwargs = job
    return index, part, function(*args, **kwargs)
