"""Label tracks survive a round trip, agree with other readers, and name bad lines."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skbreath import (
    PhaseSegmenter,
    clips_from_recordings,
    read_label_track,
    write_label_track,
)

FORMATS = {
    "audacity": (".txt", 1e-6),
    "hf_lung": (".txt", 1e-3),
    "textgrid": (".TextGrid", 1e-6),
    "raven": (".txt", 1e-6),
    "csv": (".csv", 1e-6),
    "json": (".json", 1e-6),
}
PHASES = pd.DataFrame(
    {
        "start_s": [0.0, 1.25, 3.5, 3661.001],
        "end_s": [1.25, 2.0, 4.123, 3662.5],
        "label": ["E", "I", "E", "I"],
    }
)


@st.composite
def tables(draw):
    steps = draw(st.lists(st.integers(5, 5000), max_size=12))
    times = np.cumsum(steps) / 1000
    rows = [
        (start, end, draw(st.sampled_from("IE")))
        for start, end in zip(times[::2], times[1::2], strict=False)
    ]
    table = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
    return table.astype({"start_s": float, "end_s": float, "label": object})


@pytest.mark.parametrize("format", FORMATS)
@given(phases=tables())
@settings(deadline=None, max_examples=15)
def test_what_is_written_is_read_again(format, phases, tmp_path_factory):
    suffix, tolerance = FORMATS[format]
    path = tmp_path_factory.mktemp("track") / f"labels{suffix}"
    write_label_track(path, phases, format)
    again = read_label_track(path, format)
    assert again["label"].tolist() == phases["label"].tolist()
    for column in ("start_s", "end_s"):
        assert np.allclose(again[column], phases[column], atol=tolerance, rtol=0)


@pytest.mark.parametrize("format", FORMATS)
def test_format_is_detected_from_the_file(format, tmp_path):
    path = tmp_path / f"labels{FORMATS[format][0]}"
    write_label_track(path, PHASES, format)
    pd.testing.assert_frame_equal(
        read_label_track(path), read_label_track(path, format)
    )


def test_icbhi_cycles_go_from_inhale_to_inhale(tmp_path):
    phases = pd.DataFrame(
        [(0, 1, "E"), (2, 3, "I"), (3.5, 5, "E"), (6, 7, "I"), (7.5, 9, "E")],
        columns=["start_s", "end_s", "label"],
    )
    path = tmp_path / "cycles.txt"
    write_label_track(path, phases, "icbhi")
    cycles = read_label_track(path)
    assert cycles[["start_s", "end_s"]].values.tolist() == [[0, 1], [2, 5], [6, 9]]
    assert set(cycles["label"]) == {"cycle"}
    path.write_text("0.5\t2.25\t1\t0\n2.25\t4\t0\t1\n")
    cycles = read_label_track(path)
    assert cycles["crackles"].tolist() == [1, 0]
    write_label_track(path, cycles, "icbhi")
    pd.testing.assert_frame_equal(read_label_track(path), cycles)


def test_short_textgrid_in_utf_16_with_two_tiers(tmp_path):
    text = """File type = "ooTextFile"
Object class = "TextGrid"

0
4.5
<exists>
2
"IntervalTier"
"phases 2024"
0
4.5
3
0
1.5
"I"
1.5
2
""
2
4.5
"E ""loud"\""
"IntervalTier"
"words"
0
4.5
1
0
4.5
"hello"
"""
    path = tmp_path / "short.TextGrid"
    path.write_text(text, encoding="utf-16")
    rows = read_label_track(path).values.tolist()
    assert rows == [[0.0, 1.5, "I"], [2.0, 4.5, 'E "loud"']]


def test_audacity_frequencies_and_hf_lung_adventitious_sounds_are_left_out(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("0.5\t1.5\tI\n\\\t100.0\t2000.0\n\n2\t3\tE\n")
    assert read_label_track(path)["label"].tolist() == ["I", "E"]
    path.write_text("I 00:00:00.1 00:00:01.5\nWheeze 00:00:00.2 00:00:01.0\n")
    assert read_label_track(path)["label"].tolist() == ["I"]


def test_raven_lists_each_selection_once(tmp_path):
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"
    rows = "1\tWaveform 1\t1\t0.5\t1.5\tI\n1\tSpectrogram 1\t1\t0.5\t1.5\tI\n"
    path = tmp_path / "raven.txt"
    path.write_text(head + rows)
    assert read_label_track(path).values.tolist() == [[0.5, 1.5, "I"]]


@pytest.mark.parametrize(
    "name, text, line, what",
    [
        ("a.txt", "0\t1\tI\n2\t1.5\tE\n", 2, "ends before it begins"),
        ("a.txt", "1\t1\tI\n", 1, "is empty"),
        ("a.txt", "0\t1\tI\n\n0.5\t2\tE\n", 3, "overlaps"),
        ("a.txt", "0\t1\tI\n1\t2\tX\n", 2, "a label other than 'I', 'E'"),
        ("a.txt", "0\t1\tI\n9\t11\tE\n", 2, "beyond the end of the recording"),
        ("a.txt", "0\t1\tI\nx\t2\tE\n", 2, "'x' is not a time"),
        ("a.txt", "0\t1\tI\n1\tnan\tE\n", 2, "not a finite time"),
        ("a.txt", "-1\t1\tI\n", 1, "negative"),
        ("a.txt", "0 1 I\n", 1, "with tabs"),
        ("a.txt", "I 00:00:01 00:00:02\nE 00:00:0x 3\n", 2, "not a time like"),
        ("a.csv", "start_s,end_s\n1,2\n", 1, "lacks the column 'label'"),
        ("a.csv", "start_s,end_s,label\n1,2\n", 2, "cells"),
        ("a.TextGrid", 'File type = "ooTextFile"\n', 1, "TextGrid"),
        ("a.json", "{", 1, "not JSON"),
    ],
)
def test_errors_name_file_and_line(name, text, line, what, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=what) as error:
        read_label_track(path, labels=("I", "E"), duration=10)
    assert name in str(error.value)
    assert f"line {line}" in str(error.value)


def test_a_cut_textgrid_is_an_error(tmp_path):
    path = tmp_path / "a.TextGrid"
    write_label_track(path, PHASES)
    path.write_text(path.read_text()[:-80])
    with pytest.raises(ValueError, match="ends too early"):
        read_label_track(path)


def test_nothing_is_written_for_wrong_phases(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("old")
    wrong = PHASES.assign(end_s=PHASES["start_s"] - 1)
    with pytest.raises(ValueError, match="ends before it begins: row 0"):
        write_label_track(path, wrong)
    with pytest.raises(ValueError, match="cannot be written"):
        write_label_track(path, PHASES.assign(label="a\tb"))
    with pytest.raises(ValueError, match="format must be one of"):
        write_label_track(path, PHASES, "excel")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_phases_is_a_track_too(tmp_path):
    for suffix in (".txt", ".TextGrid", ".csv", ".json"):
        path = tmp_path / f"empty{suffix}"
        write_label_track(path, PHASES.iloc[:0], duration=2.0)
        assert read_label_track(path).shape == (0, 3)


# crowsetta 5.1 uses arguments that pandas 3.1 calls deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("format", ["audacity", "textgrid", "raven"])
def test_crowsetta_reads_the_same(format, tmp_path):
    crowsetta = pytest.importorskip("crowsetta")
    path = tmp_path / f"labels{FORMATS[format][0]}"
    write_label_track(path, PHASES, format)
    ours = read_label_track(path)
    if format == "raven":
        boxes = crowsetta.formats.bbox.Raven.from_file(path, annot_col="Annotation")
        theirs = [(b.onset, b.offset, b.label) for b in boxes.to_bbox()]
    else:
        reader = {"audacity": "AudSeq", "textgrid": "TextGrid"}[format]
        track = getattr(crowsetta.formats.seq, reader).from_file(path)
        sequence = track.to_seq()
        sequence = sequence[0] if isinstance(sequence, list) else sequence
        theirs = [
            (s.onset_s, s.offset_s, s.label) for s in sequence.segments if s.label
        ]
    assert [row[2] for row in theirs] == ours["label"].tolist()
    times = [row[:2] for row in theirs]
    assert np.allclose(times, ours[["start_s", "end_s"]], atol=1e-3)


def test_the_tracks_of_real_recordings_are_read(real_data):
    tracks = sorted((real_data / "nose-mic").glob("*.txt"))
    phases = [read_label_track(track, labels=("I", "E")) for track in tracks]
    assert len(phases) == 26
    assert sum(map(len, phases)) == sum(
        len(track.read_text().splitlines()) for track in tracks
    )


def test_phases_may_end_a_little_after_the_sound(tmp_path):
    """As tracks that were drawn by hand do."""
    path = tmp_path / "a.txt"
    path.write_text("9\t10.04\tI\n")
    assert len(read_label_track(path, duration=10)) == 1
    path.write_text("9\t10.06\tI\n")
    with pytest.raises(ValueError, match=r"a.txt' .*\(10.000 s\): line 1"):
        read_label_track(path, duration=10)


@pytest.mark.parametrize("where", ["fit", "clips_from_recordings"])
def test_the_track_is_named_beside_the_recording(where, tmp_path):
    path = tmp_path / "steth.txt"
    path.write_text("1\t1.5\tI\n2\t3\tE\n4\t9\tI\n")
    recording, table = np.zeros(80000), read_label_track(path)
    later = table.iloc[1:]  # a part of it is of the same file
    with pytest.raises(ValueError, match=r"recording 0 \(.*steth.txt'\) .*row 1 "):
        if where == "fit":
            PhaseSegmenter().fit([recording], [later])
        else:
            clips_from_recordings([recording], [later])
