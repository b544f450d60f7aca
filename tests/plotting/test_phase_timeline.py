"""Test the display of a recording and its phases."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import soundfile

from skbreath import PhaseTimelineDisplay, breath_statistics, make_breath_recording

matplotlib.use("agg")
MADE = make_breath_recording(20, random_state=0)


def test_timeline_has_three_parts_and_names_the_phases(tmp_path):
    path = tmp_path / "breath.wav"
    soundfile.write(path, np.stack([MADE.waveform] * 2, axis=1), 16000)
    display = PhaseTimelineDisplay.from_recording(path, MADE.phases, title="breath")
    waveform, spectrogram, phases = display.axes_
    assert waveform.get_title() == "breath"
    (bars,) = phases.collections
    left = [path.vertices[:, 0].min() for path in bars.get_paths()]
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
        (bars,) = display.axes_[2].collections
        colour = bars.get_facecolor()[list(phases["label"]).index("E")]
        colours.append(colour[:3].tolist())
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


def ticks(ax):
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    marks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    return [mark.get_text() for place, mark in marks if low <= place <= high]


def repeated(n, **labels):
    """A recording of n times 20 s, and its phases."""
    length = len(MADE.waveform) / 16000
    tables = [MADE.phases.assign(k=k) for k in range(n)]
    phases = pd.concat(tables, ignore_index=True)
    phases[["start_s", "end_s"]] += length * phases[["k"]].to_numpy()
    return np.tile(MADE.waveform, n), phases.replace(labels)


def test_minutes_are_rows_and_the_rate():
    long, phases = repeated(7, I="i", E="e")
    duration = len(long) / 16000
    display = PhaseTimelineDisplay.from_recording(long, phases)
    *rows, rate = display.axes_
    begins = [0, 60, 120][: len(rows)]
    assert [ax.get_xlim() for ax in rows] == [(t, t + 60) for t in begins]
    assert sum(len(ax.texts) for ax in rows) >= 0.9 * len(phases)
    assert rate.get_xlim() == (0, pytest.approx(duration))
    values = rate.lines[0].get_ydata()
    true = breath_statistics(MADE.phases).summary["rate_per_min"]
    assert np.allclose(values, true, rtol=0.2)
    assert ticks(rows[1])[:2] == ["1:00", "1:05"]
    with pytest.raises(ValueError, match="overlaps"):
        PhaseTimelineDisplay.from_recording(
            long, phases.assign(end_s=phases["end_s"] + 3)
        )


def test_hours_are_an_overview_with_pauses_and_pages_with_phases():
    long, phases = repeated(32)
    late = phases["start_s"] > 400
    phases = phases[late | (phases["end_s"] < 380)]
    display = PhaseTimelineDisplay.from_recording(long, phases)
    assert display.power_db.shape[1] <= 2400
    waveform, _, rate = display.axes_
    assert len(waveform.collections) == 1 and not waveform.texts
    (pauses,) = rate.collections
    (path,) = pauses.get_paths()
    assert path.get_extents().x0 <= 380 and path.get_extents().x1 >= 400
    assert ticks(rate)[:3] == ["0:00", "1:00", "2:00"]
    first, second = display.pages(title="night")
    assert first.axes[0].get_title() == "night"
    assert len(first.axes) == 11 and len(second.axes) == 2
    assert not list(PhaseTimelineDisplay.from_recording(*repeated(1)).pages())


def test_a_part_is_drawn_at_its_own_times():
    long, phases = repeated(8)
    part = PhaseTimelineDisplay.from_recording(long, phases, start_s=82.5, end_s=90)
    assert part.axes_[0].get_xlim() == (82.5, 90)
    assert ticks(part.axes_[2])[:2] == ["1:23", "1:24"]
    alone = PhaseTimelineDisplay.from_recording(long[1320000:1440000], phases.iloc[:0])
    assert np.array_equal(part.envelope, alone.envelope)
    end = PhaseTimelineDisplay.from_recording(long, phases, start_s=62.5, end_s=1e6)
    assert end.duration == pytest.approx(len(long) / 16000 - 62.5)


@pytest.mark.parametrize(
    "part, what",
    [
        ({"start_s": 30}, r"before the end of recording 0 \(20.* s\), got 30 s"),
        ({"start_s": 5, "end_s": 4}, "end_s must be after start_s, got 5 to 4 s"),
        ({"start_s": -1}, "start_s must be a time in s of 0 or more, got -1"),
        ({"end_s": "1:00"}, "end_s must be a time in s of 0 or more, got '1:00'"),
    ],
)
def test_parts_that_are_not_in_the_recording_are_errors(part, what):
    with pytest.raises(ValueError, match=what):
        PhaseTimelineDisplay.from_recording(MADE.waveform, MADE.phases, **part)


@pytest.mark.parametrize("n_phases", [0, 1])
@pytest.mark.parametrize("seconds", [20, 100, 700])
def test_without_phases_there_is_still_a_picture(n_phases, seconds, tmp_path):
    sound = np.zeros(seconds * 16000, np.float32)
    display = PhaseTimelineDisplay.from_recording(sound, MADE.phases.iloc[:n_phases])
    display.figure_.savefig(tmp_path / "out.png")
    said = [text.get_text() for text in display.axes_[-1].texts]
    assert ("no phases" in said) == (n_phases == 0 and seconds > 20)


def test_a_rate_that_cannot_be_trusted_is_dotted_with_the_reason():
    long, phases = repeated(5)
    display = PhaseTimelineDisplay.from_recording(long, phases.assign(probability=0.1))
    (line,), (text,) = display.axes_[-1].lines, display.axes_[-1].texts
    assert line.get_linestyle() == ":" and "low probability" in text.get_text()


def test_more_than_two_labels_have_no_rate():
    long, phases = repeated(5)
    phases.loc[0, "label"] = "cough"
    display = PhaseTimelineDisplay.from_recording(long, phases)
    (text,) = display.axes_[-1].texts
    assert "more than two labels" in text.get_text()
