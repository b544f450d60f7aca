"""The constants handed to the kernels."""

import pytest

from skbreath.features.feature_set import GROUPS, FeatureStack
from skbreath.features.kernel_plan import make_plan

STACK = FeatureStack(
    sample_rate=16000, groups=GROUPS, n_mels=64, n_fft=1024, hop_length=256, fmin=0.0,
    fmax=None, n_mfcc=13, n_contrast_bands=6, log_scale=True, dtype="float32",
)  # fmt: skip


def plan_of(n_frames=63, **changes):
    stack = STACK._replace(**changes)
    return make_plan(stack, *stack.mel_filters(), n_frames)


def test_filters_of_another_shape_are_refused():
    mel, mfcc = STACK.mel_filters()
    for filters in ((mel[:, :-1], mfcc), (mel, mfcc[:-1])):
        with pytest.raises(ValueError, match="Expected mel filters of shapes"):
            make_plan(STACK, *filters, 63)


def test_groups_left_out_leave_no_gap():
    plan = plan_of(groups=("delta", "contrast"))
    assert plan.first_rows == (-1, -1, -1, 0, -1, 7, -1)
    assert len(plan.mel_bands) == 0
    assert len(plan.cepstral_bands) == 128


def test_crossings_need_no_spectrum():
    plan = plan_of(groups=("zcr",))
    assert not plan.needs_frames
    assert not plan.needs_spectrum


def test_short_clips_have_narrow_deltas():
    assert [len(plan_of(n).slope) for n in (2, 3, 6, 63)] == [0, 3, 5, 9]
