"""The constants handed to the kernels."""

import numpy as np
import pytest

from skbreath import _spectral_plan
from skbreath._filterbank import GROUPS

PARAMETERS = {
    "sample_rate": 16000, "groups": GROUPS, "n_mels": 64, "n_fft": 1024,
    "hop_length": 256, "fmin": 0.0, "fmax": None, "n_mfcc": 13,
    "n_contrast_bands": 6, "log_scale": True, "dtype": "float32", "n_frames": 63,
}  # fmt: skip


@pytest.mark.parametrize(
    ("n_samples", "n_fft", "hop_length", "expected"),
    [(16000, 1024, 256, 63), (15999, 1024, 256, 63), (1, 1024, 256, 1), (9, 4, 3, 4)],
)
def test_frames_are_centred_on_every_hop(n_samples, n_fft, hop_length, expected):
    assert _spectral_plan.n_frames(n_samples, n_fft, hop_length) == expected


def test_equal_parameters_share_a_plan():
    assert _spectral_plan.make_plan(**PARAMETERS) is _spectral_plan.make_plan(
        **PARAMETERS
    )


def test_groups_left_out_leave_no_gap():
    plan = _spectral_plan.make_plan(**{**PARAMETERS, "groups": ("contrast", "delta")})
    assert plan.first_rows == (-1, -1, -1, 0, -1, 7, -1)
    assert len(plan.mel_bands) == 0
    assert len(plan.cepstral_bands) == 128


def test_silence_needs_no_spectrum():
    plan = _spectral_plan.make_plan(**{**PARAMETERS, "groups": ("zcr",)})
    assert not plan.needs_frames
    assert not plan.needs_spectrum
    assert np.array_equal(plan.order.shape, (257, 2))
