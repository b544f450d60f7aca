"""Test the display of a recording and its phases."""

import matplotlib
import numpy as np
import pytest
import soundfile

from skbreath import PhaseTimelineDisplay, make_breath_recording

matplotlib.use("agg")
MADE = make_breath_recording(20, random_state=0)


def test_timeline_has_three_parts_and_names_the_phases(tmp_path):
    path = tmp_path / "breath.wav"
    soundfile.write(path, np.stack([MADE.waveform] * 2, axis=1), 16000)
    display = PhaseTimelineDisplay.from_recording(path, MADE.phases, title="breath")
    waveform, spectrogram, phases = display.axes_
    assert waveform.get_title() == "breath"
    assert len(phases.patches) == len(MADE.phases)
    left = [bar.get_x() for bar in phases.patches]
    assert np.allclose(left, MADE.phases["start_s"])
    texts = [text.get_text() for text in phases.get_legend().get_texts()]
    assert texts == ["inhale", "exhale"]
    assert phases.get_xlim() == (0, pytest.approx(20, abs=0.1))
    assert spectrogram.get_ylim()[1] <= 8
    display.figure_.savefig(tmp_path / "out.png")


def test_a_label_keeps_its_colour_where_the_other_is_missing():
    exhales = MADE.phases[MADE.phases["label"] == "E"].reset_index(drop=True)
    colours = []
    for phases in (MADE.phases, exhales):
        display = PhaseTimelineDisplay.from_recording(MADE.waveform, phases)
        bar = display.axes_[2].patches[list(phases["label"]).index("E")]
        colours.append(bar.get_facecolor()[:3])
    assert colours[0] == colours[1]
    texts = display.axes_[2].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["exhale"]


def test_a_waveform_gives_the_same_as_its_file(tmp_path):
    path = tmp_path / "breath.wav"
    soundfile.write(path, MADE.waveform, 16000, "FLOAT")
    one = PhaseTimelineDisplay.from_recording(path, MADE.phases)
    other = PhaseTimelineDisplay.from_recording(MADE.waveform, MADE.phases)
    assert np.array_equal(one.envelope, other.envelope)
    assert np.array_equal(one.power_db, other.power_db)


def test_loud_columns_are_the_loud_ones():
    sound = np.zeros(32000, np.float32)
    sound[16000:17000] = np.sin(2 * np.pi * 1000 * np.arange(1000) / 16000)
    display = PhaseTimelineDisplay.from_recording(sound, MADE.phases.iloc[:0])
    loudest = display.times[np.argmax(display.envelope[1])]
    assert 1.0 <= loudest <= 1.1
    row, column = np.unravel_index(np.argmax(display.power_db), display.power_db.shape)
    assert display.frequencies[row] == pytest.approx(1000, abs=40)
    assert 1.0 <= display.times[column] <= 1.1


def test_long_recordings_are_merged_and_own_labels_shown(tmp_path):
    long = np.tile(MADE.waveform, 12)
    phases = MADE.phases.replace({"I": "in", "E": "out"})
    display = PhaseTimelineDisplay.from_recording(long, phases)
    assert display.power_db.shape[1] <= 2400
    assert display.axes_[2].get_xlabel() == "Time (min:s)"
    display.figure_.savefig(tmp_path / "out.png")
    with pytest.raises(ValueError, match="overlaps"):
        PhaseTimelineDisplay.from_recording(
            long, phases.assign(end_s=phases["end_s"] + 3)
        )
