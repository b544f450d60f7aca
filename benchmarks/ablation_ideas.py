"""The ideas of `bench_ablation`: what is put into, or taken out of, the networks."""

from sklearn.pipeline import Pipeline

from benchmarks.ablation_parts import (
    AttentionHead,
    ChannelEnergy,
    FillsMasks,
    LearnsFromTeachers,
    MixStyle,
    Noise,
    RandomFilter,
    RandomGain,
    RecurrentHead,
    RelativeBands,
    SmoothLabels,
    SqueezeExciteBlocks,
    WithoutDoubtful,
)
from skbreath import (
    REFERENCE_TRIALS,
    CircularShift,
    CutMix,
    MaskChannels,
    MaskFrames,
    Mixup,
    make_frame_member,
    make_net_member,
    make_spectrogram_member,
)
from skbreath.features.feature_set import GROUPS


def spectrogram(**params):
    """The network over frequency and time that `ablation.md` begins with."""
    params = {"max_epochs": 30, "pool_first": False} | params
    return make_spectrogram_member(**params)


def frames(**params):
    """The network over frames that `ablation.md` begins with."""
    member = make_frame_member(**({"max_epochs": 40} | params))
    _, *mixed = member["net"].augmentations  # LeaveRecording is for the context
    return member.set_params(
        context="passthrough", features__hop_length=256, net__augmentations=mixed
    )


def changed(make, **params):
    """The member with parameters of its network changed."""
    return lambda seed: make(random_state=seed, **params)


def features(make, **params):
    """The member with parameters of its features changed."""
    return lambda seed: make(random_state=seed).set_params(
        **{f"features__{name}": value for name, value in params.items()}
    )


def without(make, *kinds):
    """The member without some of its augmentations."""

    def remake(seed):
        member = make(random_state=seed)
        kept = [a for a in member["net"].augmentations if not isinstance(a, kinds)]
        return member.set_params(net__augmentations=kept)

    return remake


def with_first(make, augmentation):
    """The member with one augmentation more, before all others."""

    def remake(seed):
        member = make(random_state=seed)
        return member.set_params(
            net__augmentations=[augmentation, *member["net"].augmentations]
        )

    return remake


def relative(make, *axes):
    """The member with levels taken out of its bands."""

    def remake(seed):
        member = make(random_state=seed)
        member.steps.insert(1, ("relative", RelativeBands(axes)))
        return member

    return remake


def no_planes(seed):
    """The network over the spectrogram without knowledge of loops."""
    member = spectrogram(random_state=seed, net_params={})
    return member.set_params(features__groups=("mel",))


def trial_54(seed):
    """The network over frames as the original entry trained it, on decibels."""
    return make_net_member(random_state=seed, **REFERENCE_TRIALS["trial_54"])


def channel_energy(seed):
    """The network over the spectrogram on other than logarithmic bands."""
    member = spectrogram(random_state=seed).set_params(features__log_scale=False)
    return Pipeline([member.steps[0], ("energy", ChannelEnergy()), *member.steps[1:]])


def wrapped(wrapper, make):
    """The member inside of another way to fit it."""
    return lambda seed: wrapper(make(random_state=seed))


# The first of each is the one that the others are compared with.
IDEAS = {
    "spectrogram": {
        "as it is": changed(spectrogram),
        "no loop planes": no_planes,
        "no circular shift": without(spectrogram, CircularShift),
        "no CutMix": without(spectrogram, CutMix),
        "no mixup": without(spectrogram, Mixup),
        "no masks": without(spectrogram, MaskFrames, MaskChannels),
        "random gain": with_first(spectrogram, RandomGain()),
        "noise": with_first(spectrogram, Noise()),
        "random filter": with_first(spectrogram, RandomFilter()),
        "MixStyle": with_first(spectrogram, MixStyle()),
        "label smoothing 0.1": with_first(spectrogram, SmoothLabels()),
        "bands to 8 kHz": features(spectrogram, fmax=None),
        "bands to 4 kHz": features(spectrogram, fmax=4000),
        "32 bands": features(spectrogram, n_mels=32),
        "96 bands": features(spectrogram, n_mels=96),
        "frames of 10 ms": features(spectrogram, hop_length=160),
        "windows of 32 ms": features(spectrogram, n_fft=512),
        "levels relative to the clip": relative(spectrogram, 1, 2),
        "bands relative to the clip": relative(spectrogram, 2),
        "GRU head": changed(spectrogram, module=RecurrentHead),
        "attention head": changed(spectrogram, module=AttentionHead),
        "squeeze and excitation": changed(spectrogram, module=SqueezeExciteBlocks),
        "per-channel energy": channel_energy,
        "filling masks first": wrapped(FillsMasks, spectrogram),
        "without doubtful clips": wrapped(WithoutDoubtful, spectrogram),
        "soft targets of teachers": wrapped(LearnsFromTeachers, spectrogram),
        "pooling before the convolutions": changed(spectrogram, pool_first=True),
        "24 channels": changed(spectrogram, hidden_channels=24),
        "15 epochs": changed(spectrogram, max_epochs=15),
        "60 epochs": changed(spectrogram, max_epochs=60),
        "120 epochs": changed(spectrogram, max_epochs=120),
    },
    "frames": {
        "as it is": changed(frames),
        "trained as the original entry was": trial_54,
        "no loop channels": features(frames, groups=GROUPS),
        "no mixup": without(frames, Mixup),
        "no CutMix": without(frames, CutMix),
        "no masks": without(frames, MaskFrames, MaskChannels),
        "circular shift": with_first(frames, CircularShift(0.25)),
        "without doubtful clips": wrapped(WithoutDoubtful, frames),
        "96 channels": changed(frames, hidden_channels=96),
        "20 epochs": changed(frames, max_epochs=20),
        "80 epochs": changed(frames, max_epochs=80),
    },
}
