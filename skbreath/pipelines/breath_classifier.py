"""Build the classifier, from audio files to labels, as one Pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from ..audio.reader import AudioReader
from ..ensemble.threshold import ThresholdClassifier
from ..ensemble.voting import WeightedVotingClassifier
from ..networks.fit_inputs import check_device
from .prediction import predict_files
from .presets import PRESETS, REFERENCE_TRIALS, make_net_member, preset_members

if TYPE_CHECKING:
    from typing import Any, Literal

    import torch

    from ..utils.typing import Folds, Members, Scoring, Seed

__all__ = [
    "REFERENCE_TRIALS",
    "make_breath_classifier",
    "make_net_member",
    "predict_files",
]


def make_breath_classifier(
    members: Members | None = None,
    *,
    preset: Literal["default", "fast", "accurate", "reference"] = "default",
    sample_rate: int = 16000,
    duration: float = 1.0,
    max_epochs: int | None = None,
    weights: Any = None,
    scoring: Scoring | None = None,
    pos_label: Any = "I",
    cv: Folds | None = None,
    drift: Literal["warn"] | None = "warn",
    n_jobs: int | None = None,
    device: str | torch.device = "cpu",
    random_state: Seed | None = None,
) -> Pipeline:
    """Build the classifier, a Pipeline from paths or waveforms to labels.

    ::

        audio         AudioReader
        classifier    ThresholdClassifier of a WeightedVotingClassifier of
                        frames       112 channels and loop, 1-D residual CNN
                        spectrogram  mel bands and loop, 2-D residual CNN
                        boosting     course of the channels, boosted trees

    If it is known which clips were recorded together, give ``recordings``: the network
    over the frames and the trees compare the sound of a clip with that of the others,
    see :class:`~skbreath.RecordingContext`, and the vote its odds with theirs. A model
    that is fitted with them serves single clips as well.

    Features are computed inside the members, because members may differ in them.
    Every part can be set and tuned by name, for example
    ``classifier__estimator__spectrogram__net__lr``.

    Parameters
    ----------
    members : list of (str, estimator), default=None
        Members of the vote, each from waveforms to probabilities; None means those
        of `preset`. :func:`~skbreath.top_estimators` gives such a list from a
        search over one of them.
    preset : {"default", "fast", "accurate", "reference"}, default="default"
        "fast" is one network over the frames; "default" adds one over the spectrogram
        and boosted trees, "accurate" trains that for twice as long. The vote is
        weighted and calibrated out of fold, its members fitted on all clips.
        "reference" is the recipe of the original competition entry: two networks on
        unscaled linear power, weighted 4 to 6, the threshold tuned for F1.
    sample_rate : int, default=16000
        Rate in Hz that clips are brought to.
    duration : float, default=1.0
        Length in seconds that clips are cut or padded to.
    max_epochs : int, default=None
        Epochs of the networks, at most; None means as many as the preset has.
    weights : "learned", array-like, dict or None, default=None
        Weights of the vote, see :class:`~skbreath.WeightedVotingClassifier`; None
        means those of the preset, or "learned" with `members`.
    scoring : str or callable, default=None
        What the threshold maximises, see :class:`~skbreath.ThresholdClassifier`; None
        means accuracy, or F1 with the preset "reference".
    pos_label : label, default="I"
        The positive class, inhale.
    cv : int or splitter, default=None
        Folds that weights, calibration and threshold are learned on; None means 2,
        or 5 with `members` of your own or the preset "reference".
    drift : "warn" or None, default="warn"
        Warn when audio to predict is unlike the training audio, in level, band,
        sampling rate or microphone; see :class:`~skbreath.AudioReader`.
    n_jobs : int, default=None
        Fits in parallel, as in joblib.
    device : str or torch.device, default="cpu"
        Where the networks are trained.
    random_state : int, RandomState instance or None, default=None
        Seed of every part; an integer makes a fit repeat to the bit.

    Returns
    -------
    pipeline : :class:`~sklearn.pipeline.Pipeline`
        Steps ``audio`` and ``classifier``. Give groups, such as the days or patients,
        and recordings by ``pipeline.fit(X, y, classifier__groups=groups,
        classifier__recordings=recordings)``, or by their plain names with
        scikit-learn's metadata routing enabled; and to predict, recordings by
        ``pipeline.predict(X, recordings=recordings)``.

    Raises
    ------
    ValueError
        If `preset` is not one of these, or `device` is not available here.
    TypeError
        If `members` is a text, such as the name of a preset.

    See Also
    --------
    evaluate : Cross-validate it, grouped, with intervals.

    Examples
    --------
    >>> from skbreath import make_breath_classifier, make_breath_sounds
    >>> sounds = make_breath_sounds(60, random_state=0)
    >>> model = make_breath_classifier(max_epochs=2, cv=2, random_state=0)
    >>> model = model.fit(sounds.waveforms, sounds.target)
    >>> model.predict(sounds.waveforms).shape
    (60,)
    """
    if isinstance(members, str):
        meant = members if members in PRESETS else "fast"
        raise TypeError(
            f"Expected members to be a list of (name, estimator), got {members!r}; for "
            f'a ready-made vote pass preset="{meant}".'
        )
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ValueError(f"preset must be one of {tuple(PRESETS)}, got {preset!r}.")
    device = str(device)
    if device != "cpu":
        check_device(device)  # here, before any features are computed
    seeds = check_random_state(random_state)

    def seed():
        # Without a seed, each part draws its own in each fit.
        return None if random_state is None else int(seeds.randint(2**31 - 1))

    settings: dict[str, Any] = {"weights": "learned", "cv": 5, "scoring": "accuracy"}
    if members is None:
        settings |= cast("dict[str, Any]", PRESETS[preset])
        members = preset_members(
            preset,
            sample_rate=sample_rate,
            max_epochs=max_epochs,
            device=device,
            seed=seed,
        )
    given = {"weights": weights, "cv": cv, "scoring": scoring}
    settings |= {name: value for name, value in given.items() if value is not None}
    scoring = settings.pop("scoring")
    vote = WeightedVotingClassifier(members, n_jobs=n_jobs, **settings)
    threshold = ThresholdClassifier(
        vote,
        scoring=scoring,
        pos_label=pos_label,
        cv=settings["cv"],
        random_state=seed(),
    )
    # A single thread, as it reads short clips faster than several.
    reader = AudioReader(sample_rate=sample_rate, duration=duration, drift=drift)
    return Pipeline([("audio", reader), ("classifier", threshold)])
