"""The constants handed to the kernels."""

from skbreath._feature_stack import GROUPS, FeatureStack
from skbreath._spectral_plan import make_plan

STACK = FeatureStack(
    sample_rate=16000, groups=GROUPS, n_mels=64, n_fft=1024, hop_length=256, fmin=0.0,
    fmax=None, n_mfcc=13, n_contrast_bands=6, log_scale=True, dtype="float32",
)  # fmt: skip


def test_equal_stacks_share_a_plan():
    assert make_plan(STACK, 63) is make_plan(STACK._replace(), 63)


def test_groups_left_out_leave_no_gap():
    plan = make_plan(STACK._replace(groups=("delta", "contrast")), 63)
    assert plan.first_rows == (-1, -1, -1, 0, -1, 7, -1)
    assert len(plan.mel_bands) == 0
    assert len(plan.cepstral_bands) == 128


def test_crossings_need_no_spectrum():
    plan = make_plan(STACK._replace(groups=("zcr",)), 63)
    assert not plan.needs_frames
    assert not plan.needs_spectrum


def test_short_clips_have_narrow_deltas():
    assert [len(make_plan(STACK, n).slope) for n in (2, 3, 6, 63)] == [0, 3, 5, 9]
