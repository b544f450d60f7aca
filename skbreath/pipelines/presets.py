"""Build the members of the presets, each from waveforms to probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from ..features.breath_features import BreathFeatures
from ..features.channel_scaler import ChannelScaler
from ..features.feature_set import GROUPS
from ..features.recording_context import RecordingContext
from ..features.summary_pooling import SummaryPooling
from ..networks.augmentation import (
    CircularShift,
    CutMix,
    LeaveRecording,
    MaskChannels,
    MaskFrames,
    Mixup,
)
from ..networks.classifier import ResidualCNNClassifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from ..utils.typing import Seed

__all__ = [
    "PRESETS",
    "REFERENCE_TRIALS",
    "make_boosting_member",
    "make_frame_member",
    "make_net_member",
    "make_spectrogram_member",
    "preset_members",
]

# Two folds are enough for weights and calibration. Members are then fitted on all
# clips, which is better than the average of members fitted on folds.
_CALIBRATED = {"calibration": "sigmoid", "cv": 2}

# Parameters of each preset that differ from the defaults of `make_breath_classifier`.
PRESETS = {
    "default": _CALIBRATED,
    "fast": _CALIBRATED,
    "accurate": _CALIBRATED,
    "reference": {"weights": [0.4, 0.6], "scoring": "f1"},
}

# How the networks of the other presets are trained.
_TRAINING: dict[str, Any] = {
    "lr": 2e-3,
    "weight_decay": 1e-2,
    "scheduler": "one_cycle",
    "early_stopping": False,
    "precision": "auto",
}
_MIXED = [CutMix(0.4), Mixup(0.4), MaskChannels(0.2), MaskFrames(0.2)]

# Hyper-parameters of the three trials that the original competition entry kept of
# its sixty: good starting points on one-second clips of chest sounds.
REFERENCE_TRIALS = {
    "trial_8": {
        "dropout": 0.5320,
        "lr": 5.45e-4,
        "weight_decay": 2.85e-4,
        "gamma": 0.5447,
    },
    "trial_12": {
        "dropout": 0.4456,
        "lr": 5.31e-4,
        "weight_decay": 6.18e-5,
        "gamma": 0.5326,
    },
    "trial_54": {
        "dropout": 0.3638,
        "lr": 2.176e-3,
        "weight_decay": 1.29e-5,
        "gamma": 0.5838,
    },
}


def make_net_member(
    *, sample_rate: int = 16000, log_scale: bool = True, **net_params: Any
) -> Pipeline:
    """Build a network over time: the 112 channels, scaling, residual CNN.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz of the waveforms.
    log_scale : bool, default=True
        dB and scaled channels, or unscaled linear power.
    **net_params
        Parameters of :class:`~skbreath.ResidualCNNClassifier`.

    Returns
    -------
    member : :class:`~sklearn.pipeline.Pipeline`
        Steps ``features``, ``scaler`` ("passthrough" for linear power) and ``net``.

    Examples
    --------
    >>> from skbreath import make_net_member
    >>> make_net_member(lr=0.002)["net"].lr
    0.002
    """
    return Pipeline(
        [
            ("features", BreathFeatures(sample_rate=sample_rate, log_scale=log_scale)),
            ("scaler", ChannelScaler() if log_scale else "passthrough"),
            ("net", ResidualCNNClassifier(**net_params)),
        ]
    )


def make_frame_member(*, sample_rate: int = 16000, **net_params: Any) -> Pipeline:
    """Build a network over the frames: 112 channels and loop, scaling, residual CNN.

    The network of :func:`make_net_member` sees where in its loop each frame lies and
    how each channel differs from its mean over the recording. It is trained on masked
    and mixed clips, without a validation part.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz of the waveforms.
    **net_params
        Parameters of :class:`~skbreath.ResidualCNNClassifier` to change.

    Returns
    -------
    member : :class:`~sklearn.pipeline.Pipeline`
        Steps ``features``, ``context``, ``scaler`` and ``net``.

    Examples
    --------
    >>> from skbreath import make_frame_member
    >>> make_frame_member(max_epochs=5)["net"].max_epochs
    5
    """
    features = BreathFeatures(
        sample_rate=sample_rate,
        groups=(*GROUPS, "loop"),
        n_fft=_samples(0.064, sample_rate),  # 1024 at 16 kHz
        hop_length=_samples(0.032, sample_rate),
    )
    params = {
        "max_epochs": 30,
        "dropout": 0.4,
        "augmentations": [LeaveRecording(0.5), *_MIXED],
    }
    # Clips leave their recordings batch by batch, as an augmentation.
    context = ("context", RecordingContext(n_planes=2, alone=0))
    return _network_member([("features", features), context], params | net_params)


def make_spectrogram_member(
    *,
    sample_rate: int = 16000,
    fmax: float | None = 2000,
    pool_first: bool = True,
    **net_params: Any,
) -> Pipeline:
    """Build a network over frequency and time: mel and loop, scaling, residual CNN.

    The network sees mel bands, and where in its loop each frame lies. It is trained on
    shifted, masked and mixed clips, without a validation part.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz of the waveforms.
    fmax : float or None, default=2000
        Upper edge of the mel bands in Hz; a stethoscope delivers little above the
        default. The lower edge is 50 Hz.
    pool_first : bool, default=True
        That of :class:`~skbreath.ResidualCNN2d`. False trains three times as long; the
        preset "accurate" has it, with 60 epochs.
    **net_params
        Parameters of :class:`~skbreath.ResidualCNNClassifier` to change.

    Returns
    -------
    member : :class:`~sklearn.pipeline.Pipeline`
        Steps ``features``, ``scaler`` and ``net``.

    Examples
    --------
    >>> from skbreath import make_spectrogram_member
    >>> make_spectrogram_member(max_epochs=5)["net"].max_epochs
    5
    """
    from ..networks.residual_cnn import ResidualCNN2d

    features = BreathFeatures(
        sample_rate=sample_rate,
        groups=("mel", "loop"),
        n_fft=_samples(0.064, sample_rate),
        hop_length=_samples(0.016, sample_rate),
        n_mels=64,
        fmin=50,
        fmax=fmax,
    )
    params = {
        "module": ResidualCNN2d,
        "net_params": {"module__n_planes": 2, "module__pool_first": pool_first},
        "hidden_channels": 16,
        "max_epochs": 30,
        "dropout": 0.3,
        "augmentations": [CircularShift(0.25), *_MIXED],
    }
    return _network_member([("features", features)], params | net_params)


def _network_member(steps, net_params):
    """Build a network after steps that compute its features."""
    net = ResidualCNNClassifier(**(_TRAINING | net_params))
    return Pipeline([*steps, ("scaler", ChannelScaler()), ("net", net)])


def make_boosting_member(
    *, sample_rate: int = 16000, random_state: Seed = None
) -> Pipeline:
    """Build boosted trees on the course of the channels through one breath.

    The trees also see how each number differs from its mean over the recording.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate in Hz of the waveforms.
    random_state : int, RandomState instance or None, default=None
        Seed of the trees.

    Returns
    -------
    member : :class:`~sklearn.pipeline.Pipeline`
        Steps ``features``, ``context`` and ``boosting``.

    Examples
    --------
    >>> from skbreath import make_boosting_member
    >>> [name for name, _ in make_boosting_member().steps]
    ['features', 'context', 'boosting']
    """

    def course(groups, n_bins, **params):
        features = BreathFeatures(
            sample_rate=sample_rate,
            groups=(*groups, "loop"),
            n_fft=_samples(0.064, sample_rate),
            **params,
        )
        pooling = SummaryPooling(n_bins=n_bins, relative=True, period_channel=-1)
        return make_pipeline(features, pooling)

    bands = {"n_mels": 16, "fmin": 50, "fmax": 2000}
    fine = course(("mel",), 16, hop_length=_samples(0.010, sample_rate), **bands)
    coarse = course(
        ("rms", "zcr", "contrast", "mfcc"),
        8,
        hop_length=_samples(0.016, sample_rate),
    )
    boosting = HistGradientBoostingClassifier(
        learning_rate=0.03,
        max_iter=400,
        max_leaf_nodes=15,
        l2_regularization=5.0,
        max_features=0.1,
        # By default it stops early on more than 10,000 rows, by a random validation
        # set that splits recordings.
        early_stopping=False,
        random_state=random_state,
    )
    union = FeatureUnion([("bands", fine), ("timbre", coarse)])
    context = RecordingContext(random_state=random_state)
    return Pipeline([("features", union), ("context", context), ("boosting", boosting)])


def _samples(seconds, sample_rate):
    """Convert seconds to an even number of samples."""
    return 2 * round(seconds * sample_rate / 2)


def preset_members(
    preset: Literal["default", "fast", "accurate", "reference"],
    *,
    sample_rate: int,
    max_epochs: int | None,
    device: str,
    seed: Callable[[], int | None],
) -> list[tuple[str, Pipeline]]:
    """Build the members of a preset, with names; `seed` is called for each member."""

    def net(make, epochs, **params):
        return make(
            sample_rate=sample_rate,
            max_epochs=epochs if max_epochs is None else max_epochs,
            device=device,
            random_state=seed(),
            **params,
        )

    if preset == "reference":
        return [
            (name, net(make_net_member, 25, log_scale=False, **REFERENCE_TRIALS[name]))
            for name in ("trial_8", "trial_54")
        ]
    if preset == "fast":
        return [("frames", net(make_frame_member, 25))]
    boosting = make_boosting_member(sample_rate=sample_rate, random_state=seed())
    epochs, pool_first = (60, False) if preset == "accurate" else (30, True)
    frames = net(make_frame_member, 30)
    spectrogram = net(make_spectrogram_member, epochs, pool_first=pool_first)
    return [
        ("frames", frames),
        ("spectrogram", spectrogram),
        ("boosting", boosting),
    ]
