"""Tune the network, keep the best trials, and let them vote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.utils import Bunch, check_random_state

from ..audio.reader import AudioReader
from ..networks.fit_inputs import check_device
from ..search.optuna_search import OptunaSearchCV
from ..search.top_trials import top_estimators
from .breath_classifier import make_breath_classifier
from .presets import make_net_member

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from ..utils.typing import Clips, Column, Folds, Scoring, Seed

__all__ = ["network_space", "tune_breath_classifier"]


def network_space(prefix: str = "net__") -> dict[str, Any]:
    """Get the search space of the original entry for its network.

    Parameters
    ----------
    prefix : str, default ``"net__"``
        Put before each parameter name.

    Returns
    -------
    space : dict
        Optuna distributions of dropout (0.3 to 0.7), learning rate (1e-4 to 1e-2,
        log), weight decay (1e-6 to 1e-2, log) and gamma (0.3 to 0.9).

    Examples
    --------
    >>> from skbreath import network_space
    >>> sorted(network_space())
    ['net__dropout', 'net__gamma', 'net__lr', 'net__weight_decay']
    """
    from optuna.distributions import FloatDistribution

    return {
        f"{prefix}dropout": FloatDistribution(0.3, 0.7),
        f"{prefix}lr": FloatDistribution(1e-4, 1e-2, log=True),
        f"{prefix}weight_decay": FloatDistribution(1e-6, 1e-2, log=True),
        f"{prefix}gamma": FloatDistribution(0.3, 0.9),
    }


def tune_breath_classifier(
    X: Clips,
    y: Column,
    groups: Column | None = None,
    *,
    n_trials: int = 60,
    n_members: int = 3,
    param_distributions: dict[str, Any] | Callable[..., dict[str, Any]] | None = None,
    scoring: Scoring = "roc_auc",
    threshold_scoring: Scoring = "f1",
    cv: Folds = 3,
    trial_epochs: int = 10,
    max_epochs: int = 25,
    sample_rate: int = 16000,
    duration: float = 1.0,
    log_scale: bool = True,
    vote_cv: Folds = 5,
    prune_on: Literal["fold"] | None = None,
    timeout: float | None = None,
    enqueue: list[dict[str, Any]] | None = None,
    storage: Any = None,
    study_name: str | None = None,
    pos_label: Any = "I",
    n_jobs: int | None = None,
    device: str = "cpu",
    random_state: Seed | None = None,
) -> Bunch:
    """Search the network's parameters and build a classifier of the best trials.

    Trials are compared after a short training; the trials that are kept are
    trained in full when the returned model is fitted.

    Start with these five parameters: `groups`, `n_trials`, `n_members`, `cv` and
    `max_epochs`. The others adapt the data, the search and where it runs.

    Parameters
    ----------
    X : paths or waveforms
        As :class:`~skbreath.AudioReader` takes them, read once.
    y : array-like of shape (n_clips,)
        Labels.
    groups : array-like of shape (n_clips,), default=None
        Recording or patient of each clip.
    n_trials : int, default=60
        Trials of the search.
    n_members : int, default=3
        Best distinct trials that vote.
    param_distributions : dict, default=None
        Optuna distributions of parameters of the member pipeline (steps
        ``features``, ``scaler``, ``net``); None means :func:`network_space`.
    scoring : str or callable, default="roc_auc"
        What the search maximises.
    threshold_scoring : str or callable, default="f1"
        What the threshold maximises.
    cv : int or splitter, default=3
        Folds of a trial.
    trial_epochs, max_epochs : int, default=10, 25
        Epochs in a trial, and of a member that is kept.
    sample_rate, duration : int, default=16000, and float, default=1.0
        Rate in Hz and length in s that clips are brought to.
    log_scale : bool, default=True
        dB and scaled channels, or unscaled linear power.
    vote_cv : int or splitter, default=5
        Folds that the weights and the threshold are learned on.
    prune_on : {"fold"}, default=None
        When trials with low scores are stopped; this and the next four parameters are
        those of :class:`~skbreath.OptunaSearchCV`.
    timeout : float, default=None
        Seconds after which no further trials are started.
    enqueue : list of dict, default=None
        Parameters to try first.
    storage : str, Path or optuna storage, default=None
        Where trials are kept, to resume the search or share it. To find its study
        again a search needs the same data and an integer `random_state`.
    study_name : str, default=None
        Name of the study in `storage`.
    pos_label : label, default="I"
        The positive class, inhale.
    n_jobs : int, default=None
        Fits in parallel.
    device : str, default="cpu"
        Where the networks are trained.
    random_state : int, RandomState instance or None, default=None
        Seed of everything.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        ``model`` : the unfitted Pipeline that
        :func:`~skbreath.make_breath_classifier` makes of the best trials, the
        best one first.

        ``search`` : the finished :class:`~skbreath.OptunaSearchCV`.

    Raises
    ------
    ValueError
        If `device` is not available, a file cannot be read, `pos_label` is not a
        class of `y`, fewer than `n_members` distinct trials are complete, or the
        study in `storage` is of another search.
    OSError
        If the storage cannot be opened, or fails for longer than some seconds.

    Examples
    --------
    >>> from skbreath import make_breath_sounds
    >>> from skbreath import tune_breath_classifier
    >>> sounds = make_breath_sounds(40, random_state=0)
    >>> result = tune_breath_classifier(
    ...     sounds.waveforms, sounds.target, n_trials=2, n_members=2,
    ...     trial_epochs=1, cv=2, random_state=0,
    ... )
    >>> len(result.search.study_.trials)
    2
    >>> sorted(name for name, _ in result.model["classifier"].estimator.estimators)
    ['trial_0', 'trial_1']
    """
    seeds = check_random_state(random_state)

    def seed():
        return None if random_state is None else int(seeds.randint(2**31 - 1))

    check_device(device)  # before the files are read
    reader = AudioReader(sample_rate=sample_rate, duration=duration)
    waveforms = reader.fit_transform(X)
    member = make_net_member(
        sample_rate=sample_rate,
        log_scale=log_scale,
        max_epochs=trial_epochs,
        device=device,
        random_state=seed(),
    )
    search = OptunaSearchCV(
        member,
        network_space() if param_distributions is None else param_distributions,
        n_trials=n_trials,
        scoring=scoring,
        pos_label=pos_label,
        cv=cv,
        prune_on=prune_on,
        timeout=timeout,
        enqueue=enqueue,
        storage=storage,
        study_name=study_name,
        refit=False,
        n_jobs=n_jobs,
        random_state=seed(),
    ).fit(waveforms, y, groups=groups)
    members = [
        (name, estimator.set_params(net__max_epochs=max_epochs))
        for name, estimator in top_estimators(search, n_members)
    ]
    model = make_breath_classifier(
        members,
        sample_rate=sample_rate,
        duration=duration,
        scoring=threshold_scoring,
        pos_label=pos_label,
        cv=vote_cv,
        n_jobs=n_jobs,
        random_state=seed(),
    )
    return Bunch(model=model, search=search)
