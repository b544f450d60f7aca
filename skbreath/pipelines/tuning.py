"""Tune a member of a preset, and let the best trials vote with the preset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, check_random_state

from ..audio.reader import AudioReader
from ..fitting.labels import check_at_most_two_classes, check_present
from ..search.optuna_search import OptunaSearchCV
from ..search.top_trials import top_estimators
from .breath_classifier import make_breath_classifier
from .presets import make_net_member
from .search_spaces import member_space, network_space

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    import torch

    from ..utils.typing import Clips, Column, Folds, Scoring, Seed

__all__ = ["network_space", "tune_breath_classifier"]


def tune_breath_classifier(
    X: Clips,
    y: Column,
    groups: Column | None = None,
    *,
    preset: Literal["default", "fast", "accurate", "reference"] = "default",
    part: str = "frames",
    n_trials: int = 60,
    n_members: int = 3,
    param_distributions: dict[str, Any] | Callable[..., dict[str, Any]] | None = None,
    scoring: Scoring = "roc_auc",
    threshold_scoring: Scoring | None = None,
    cv: Folds = 3,
    trial_epochs: int = 15,
    max_epochs: int | None = None,
    sample_rate: int = 16000,
    duration: float = 1.0,
    log_scale: bool = True,
    vote_cv: Folds | None = None,
    prune_on: Literal["fold"] | None = "fold",
    timeout: float | None = None,
    enqueue: list[dict[str, Any]] | None = None,
    storage: Any = None,
    study_name: str | None = None,
    pos_label: Any = "I",
    n_jobs: int | None = None,
    device: str | torch.device = "cpu",
    random_state: Seed | None = None,
) -> Bunch:
    """Search the parameters of a preset's member, and add the best trials to its vote.

    The first trial has the parameters of the member as it is. Trials are compared
    after a short training; the best ones are trained in full when the returned model
    is fitted, together with all members of the preset. The model therefore contains
    the one that :func:`make_breath_classifier` returns without tuning.

    Start with these five parameters: `groups`, `n_trials`, `n_members`, `part` and
    `trial_epochs`. The others adapt the data, the search and where it runs.

    Parameters
    ----------
    X : paths or waveforms
        As :class:`~skbreath.AudioReader` takes them, read once.
    y : array-like of shape (n_clips,)
        Labels.
    groups : array-like of shape (n_clips,), default=None
        Recording or patient of each clip.
    preset : {"default", "fast", "accurate", "reference"}, default="default"
        The model to start from, see :func:`make_breath_classifier`. With "reference",
        the search of the original entry, the space is :func:`network_space`, and only
        the best trials vote.
    part : str, default="frames"
        Member of the preset whose parameters are searched: "frames", "spectrogram" or
        "boosting". Not used with the preset "reference".
    n_trials : int, default=60
        Trials of the search.
    n_members : int, default=3
        Best distinct trials that vote; fewer if `timeout` ends the search before.
    param_distributions : dict or callable, default=None
        Space of the searched member, as for :class:`~skbreath.OptunaSearchCV`; a
        network has the steps ``features``, ``context``, ``scaler`` and ``net``. None
        means a space around the preset: for networks the learning rate, weight decay,
        dropout, width, hop, band and the strength of each augmentation, for trees their
        size, number and regularisation. In a space of your own no trial is set; see
        `enqueue`.
    scoring : str or callable, default="roc_auc"
        What the search maximises.
    threshold_scoring : str or callable, default=None
        What the threshold maximises; None means accuracy, or F1 with the preset
        "reference".
    cv : int or splitter, default=3
        Folds of a trial.
    trial_epochs : int, default=15
        Epochs of a network in a trial.
    max_epochs : int, default=None
        Epochs of the networks that vote; None means those of the preset.
    sample_rate, duration : int, default=16000, and float, default=1.0
        Rate in Hz and length in s that clips are brought to.
    log_scale : bool, default=True
        dB and scaled channels, or unscaled linear power; for the preset "reference".
    vote_cv : int or splitter, default=None
        Folds that the weights and the threshold are learned on; None means those of
        the preset.
    prune_on : {"fold"} or None, default="fold"
        When trials with low scores are stopped; this and the next four parameters are
        those of :class:`~skbreath.OptunaSearchCV`.
    timeout : float, default=None
        Seconds after which no further trials are started.
    enqueue : list of dict, default=None
        Parameters to try first, after those of the member as it is.
    storage : str, Path or optuna storage, default=None
        Where trials are kept, to resume the search or share it. To find its study
        again a search needs the same data and an integer `random_state`.
    study_name : str, default=None
        Name of the study in `storage`.
    pos_label : label, default="I"
        The positive class, inhale.
    n_jobs : int, default=None
        Fits in parallel. The folds of a trial are fitted one by one with `prune_on`.
    device : str or torch.device, default="cpu"
        Where the networks are trained.
    random_state : int, RandomState instance or None, default=None
        Seed of everything.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        ``model`` : the unfitted Pipeline. Its vote has the best trials, the best one
        first, and then the members of the preset.

        ``search`` : the finished :class:`~skbreath.OptunaSearchCV`.

    Raises
    ------
    ValueError
        If `device` is not available, `part` is not a member of the preset, a file
        cannot be read, `pos_label` is not a class of `y`, `y` has more than two
        classes, `n_members` is more than `n_trials`, too few distinct trials are
        complete, or the study in `storage` is of another search.
    OSError
        If the storage cannot be opened, or fails for longer than some seconds.

    Examples
    --------
    >>> from skbreath import make_breath_sounds
    >>> from skbreath import tune_breath_classifier
    >>> sounds = make_breath_sounds(40, random_state=0)
    >>> result = tune_breath_classifier(
    ...     sounds.waveforms, sounds.target, n_trials=2, n_members=1,
    ...     trial_epochs=1, cv=2, random_state=0,
    ... )
    >>> len(result.search.study_.trials)
    2
    >>> [name for name, _ in result.model["classifier"].estimator.estimators][1:]
    ['frames', 'spectrogram', 'boosting']
    """
    if n_trials is not None and n_members > n_trials:
        raise ValueError(
            f"n_members must be at most n_trials={n_trials}, got {n_members}."
        )
    check_present(y, "y")
    check_at_most_two_classes(y)
    # The model without tuning; it checks the preset and the device.
    model = make_breath_classifier(
        preset=preset,
        max_epochs=max_epochs,
        sample_rate=sample_rate,
        duration=duration,
        scoring=threshold_scoring,
        pos_label=pos_label,
        cv=vote_cv,
        n_jobs=n_jobs,
        device=device,
        random_state=random_state,
    )
    vote = model["classifier"].estimator
    # Of the threshold, so that trials have other seeds than the members of the preset.
    seeds = check_random_state(model["classifier"].random_state)

    def seed():
        return None if random_state is None else int(seeds.randint(2**31 - 1))

    if preset == "reference":
        net: dict[str, Any] = {"max_epochs": 25 if max_epochs is None else max_epochs}
        net |= {"device": str(device), "random_state": seed()}
        member = make_net_member(sample_rate=sample_rate, log_scale=log_scale, **net)
        space, first = network_space(), []
        vote.set_params(estimators=[], weights="learned")
    else:
        member = _member(vote, part, seed())
        space, own = member_space(member)
        first = [own]
    if param_distributions is not None:
        space, first = param_distributions, []

    waveforms = AudioReader(sample_rate=sample_rate, duration=duration).fit_transform(X)
    epochs = {n: v for n, v in member.get_params().items() if n == "net__max_epochs"}
    search = OptunaSearchCV(
        member.set_params(**dict.fromkeys(epochs, trial_epochs)),
        space,
        n_trials=n_trials,
        scoring=scoring,
        pos_label=pos_label,
        cv=cv,
        prune_on=prune_on,
        timeout=timeout,
        enqueue=[*first, *(enqueue or ())] or None,
        storage=storage,
        study_name=study_name,
        refit=False,
        n_jobs=n_jobs,
        random_state=seed(),
    ).fit(waveforms, y, groups=groups)
    if "net__max_epochs" in search.best_params_:  # kept as it was searched
        epochs = {}
    if timeout is not None:
        complete = search.cv_results_["trial_state"] == "COMPLETE"
        n_members = min(n_members, int(np.count_nonzero(complete)))
    best = [
        (name, estimator.set_params(**epochs))
        for name, estimator in top_estimators(search, n_members)
    ]
    vote.set_params(estimators=[*best, *vote.estimators])
    return Bunch(model=model, search=search)


def _member(vote, part, seed):
    """Get a member of the vote of a preset, with another seed."""
    members = dict(vote.estimators)
    if part not in members:
        raise ValueError(
            f"Expected part to be a member of the preset, one of {list(members)}, got "
            f"{part!r}."
        )
    member = clone(members[part])
    return member.set_params(**{f"{member.steps[-1][0]}__random_state": seed})
