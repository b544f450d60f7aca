"""The run of a search: its folds, its study and its trials."""

from numbers import Integral

from sklearn.base import is_classifier

from ._fingerprint import check_fingerprint, digest, fingerprint
from ._search_space import open_study
from ._study_storage import open_storage
from ._trial_batch import judge_batch
from ._trial_loop import TrialLoop
from ._workers import other_workers, working
from .crossfit import check_group_cv

__all__ = ["draw_folds", "join_study", "run_trials"]

ENQUEUED = "skbreath:enqueued"


def draw_folds(search, X, y, groups, split_params):
    """Draw the folds that all trials are judged on.

    Parameters
    ----------
    search : OptunaSearchCV
        Gets `n_splits_`.
    X, y, groups : sequences of length n_samples
    split_params : dict
        Metadata of the splitter.

    Returns
    -------
    splits : list of (train, test)
    """
    cv = check_group_cv(
        search.cv, y, groups, classifier=is_classifier(search.estimator)
    )
    if groups is not None:
        split_params = {**split_params, "groups": groups}
    splits = list(cv.split(X, y, **split_params))
    search.n_splits_ = len(splits)
    return splits


def join_study(search, data, splits, objectives):
    """Open the study of a search, and make sure that it is of this search.

    Parameters
    ----------
    search : OptunaSearchCV
    data : dict of str to array-like
        Arguments of ``fit``.
    splits : list of (train, test)
    objectives : list

    Returns
    -------
    study : optuna.study.Study
    joined : bool
        Whether it was there before.

    Raises
    ------
    ValueError
        If it is of another search, or more trials are enqueued in a new one than run.
    OSError
        If the storage cannot be opened.
    """
    storage, name, parts = open_storage(search.storage), search.study_name, None
    if search.storage is not None:
        scoring = [search.scoring, objectives]
        if search.pos_label is not None:
            scoring.append(search.pos_label)
        parts = fingerprint(
            search.estimator, search.param_distributions, scoring, data, splits
        )
        if name is None:
            seed = search.random_state
            seed = int(seed) if isinstance(seed, Integral) else None
            sampler = type(search.sampler).__name__
            name = f"skbreath-{digest(parts, seed, sampler, search.prune_on)}"
    _check_room(search, storage, name)
    study, joined = open_study(search, storage, name, len(objectives))
    if parts is not None:
        check_fingerprint(study, parts)
    return study, joined


def _check_room(search, storage, name):
    """Refuse parameters to try first that would wait for ever in a new study."""
    from optuna.study import get_all_study_names

    asked, n_trials = len(search.enqueue or ()), search.n_trials
    if n_trials is None or asked <= n_trials:
        return
    if search.storage is not None and name in get_all_study_names(storage):
        return  # whoever made it has enqueued them
    raise ValueError(
        f"enqueue has {asked} entries, but n_trials={n_trials}: as they count as "
        f"trials, n_trials must be at least {asked}."
    )


def run_trials(search, scorer, objectives, enqueue, joined):
    """Run the trials that the study lacks.

    Parameters
    ----------
    search : OptunaSearchCV
        With `study_`.
    scorer : FoldScorer
    objectives : list
    enqueue : list of dict
        Parameters to try first.
    joined : bool
        Whether the study was there before.

    Returns
    -------
    loop : TrialLoop
        Knows those that were run here.
    """
    study = search.study_

    def judge(batch, first):
        return judge_batch(scorer, batch, n_jobs=search.n_jobs, first=first)

    with working(study) as worker:
        # Once for all workers: by who made the study, or else by who finds that
        # its maker has died before.
        alone = not joined or not other_workers(study, worker)
        if alone and not study.user_attrs.get(ENQUEUED):
            for parameters in enqueue:
                study.enqueue_trial(parameters, skip_if_exists=joined)
            study.set_user_attr(ENQUEUED, True)
        loop = TrialLoop(study, worker, search, objectives)
        loop.run(judge)
    return loop
