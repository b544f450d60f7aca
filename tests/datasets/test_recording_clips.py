"""Clips cut from the labelled phases of recordings."""

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbreath import clips_from_recordings, make_breath_recording

RAMP = np.arange(5 * 1000, dtype=np.float32) / 5000
PHASES = pd.DataFrame(
    [(0.5, 1.0, "I"), (1.2, 3.2, "E"), (4.0, 4.1, "I")],
    columns=["start_s", "end_s", "label"],
)


def test_clips_are_the_samples_of_their_phases():
    clips = clips_from_recordings([RAMP], [PHASES], sample_rate=1000)
    assert clips.waveforms.shape == (2, 1000)
    assert clips.target.tolist() == ["I", "E"]
    assert np.array_equal(clips.waveforms[0], np.tile(RAMP[500:1000], 2))
    assert np.array_equal(clips.waveforms[1], RAMP[1200:2200])
    zeros = clips_from_recordings(
        [RAMP], [PHASES], sample_rate=1000, fill="zeros", min_duration=0
    )
    assert np.array_equal(zeros.waveforms[0, :500], RAMP[500:1000])
    assert not zeros.waveforms[0, 500:].any()
    assert zeros.target.tolist() == ["I", "E", "I"]


def test_groups_follow_the_recordings(tmp_path):
    made = make_breath_recording(20, random_state=0)
    path = tmp_path / "breath.wav"
    soundfile.write(path, made.waveform, 16000)
    clips = clips_from_recordings(
        [path, made.waveform], [made.phases] * 2, groups=["p1", "p2"]
    )
    n = len(clips.target) // 2
    assert clips.groups.tolist() == ["p1"] * n + ["p2"] * n
    assert np.allclose(clips.waveforms[:n], clips.waveforms[n:], atol=1e-4)
    alone = clips_from_recordings([path, path], [made.phases] * 2)
    assert alone.groups.tolist() == [0] * n + [1] * n
    resampled = clips_from_recordings([path], [made.phases], sample_rate=4000)
    assert resampled.waveforms.shape == (n, 4000)


@pytest.mark.parametrize(
    "options, what",
    [
        ({"annotations": []}, "1 recordings, but 0 annotations"),
        ({"groups": [1, 2]}, "1 recordings, but 2 groups"),
        ({"min_duration": 9.0}, "Expected phases of min_duration"),
        ({"annotations": [PHASES.assign(end_s=99.0)]}, "beyond the end"),
        ({"fill": "mirror"}, "fill"),
    ],
)
def test_wrong_input_is_an_error(options, what):
    given = {"recordings": [RAMP], "annotations": [PHASES], "sample_rate": 1000}
    with pytest.raises(ValueError, match=what):
        clips_from_recordings(**(given | options))
