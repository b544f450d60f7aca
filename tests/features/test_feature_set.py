"""What a stack consists of. Its bounds are tested where users meet them."""

import pytest

from skbreath.features.feature_set import GROUPS, FeatureStack

STACK = FeatureStack(
    sample_rate=16000, groups=GROUPS, n_mels=64, n_fft=1024, hop_length=256, fmin=0.0,
    fmax=None, n_mfcc=13, n_contrast_bands=6, log_scale=True, dtype="float32",
)  # fmt: skip


@pytest.mark.parametrize(
    ("n_samples", "hop_length", "expected"),
    [(16000, 256, 63), (15999, 256, 63), (1, 256, 1), (255, 256, 1), (9, 3, 4)],
)
def test_frames_are_centred_on_every_hop(n_samples, hop_length, expected):
    assert STACK._replace(hop_length=hop_length).n_frames(n_samples) == expected


def test_channels_keep_the_order_of_the_groups():
    names = STACK._replace(groups=("mfcc", "rms"), n_mfcc=2).channel_names()
    assert names == ["rms", "mfcc_0", "mfcc_1"]
