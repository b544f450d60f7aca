"""Label tracks survive a round trip, agree with other readers, and name bad lines."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
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
    with pytest.warns(UserWarning, match="as cycles from inhale to inhale, without"):
        write_label_track(path, phases, "icbhi")
    cycles = read_label_track(path)
    assert cycles[["start_s", "end_s"]].values.tolist() == [[0, 1], [2, 5], [6, 9]]
    assert set(cycles["label"]) == {"cycle"}
    path.write_text("0.5\t2.25\t1\t0\n2.25\t4\t0\t1\n", encoding="utf-8")
    cycles = read_label_track(path)
    assert cycles["crackles"].tolist() == [1, 0]
    with warnings.catch_warnings(action="error"):
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
    with pytest.raises(ValueError, match=r"'phases 2024' .*'words' .*tier="):
        read_label_track(path, labels=("I", "O"), tier="phases")
    rows = read_label_track(path, tier="phases 2024").values.tolist()
    assert rows == [[0.0, 1.5, "I"], [2.0, 4.5, 'E "loud"']]


def textgrid(*tiers, head=('"ooTextFile"', '"TextGrid"'), points=()):
    """The short form of a TextGrid of tiers (name, label of a second each, ...)."""
    lines = [*head, "", "0", "9", "<exists>", str(len(tiers))]
    for name, *labels in tiers:
        is_point = name in points
        kind = "TextTier" if is_point else "IntervalTier"
        lines += [f'"{kind}"', f'"{name}"', "0", "9", str(len(labels))]
        for time, label in enumerate(labels):
            times = [str(time)] if is_point else [str(time), str(time + 1)]
            lines += [*times, '"{}"'.format(label.replace('"', '""'))]
    return "\n".join(lines) + "\n"


PAIRS = [[0, 1, "I"], [1, 2, "E"]]


@pytest.mark.parametrize(
    "tiers, points, options, found",
    [
        ([("in", "I", ""), ("ex", "", "E")], (), {}, PAIRS),
        ([("notes", ""), ("p", "I", "E")], (), {}, PAIRS),
        ([("notes", "cough"), ("p", "I", "E")], (), {}, PAIRS),
        ([("notes", "cough"), ("p", "I", "E"), ("t", "x")], ("t",), {}, PAIRS),
        ([("notes", "cough")], (), {}, [[0, 1, "cough"]]),
        ([("a", "", "E"), ("b", "I", "E")], (), {"tier": "b"}, PAIRS),
        ([("a", "", "E"), ("b", "I", "")], (), {"tier": ["a", "b"]}, PAIRS),
        (
            [("x", "inhale", ""), ("y", "", "exhale"), ("z", "?")],
            (),
            {"labels": {"inhale": "I", "exhale": "E"}},
            PAIRS,
        ),
        ([("in", "in"), ("x", "", "ex"), ("z", "?")], (), {"labels": "IE"}, PAIRS),
        ([("p", ""), ("q", "")], (), {}, []),
        # None of these may lose or pool phases.
        ([("in", "in", ""), ("ex", "", "E")], (), {}, "'in' .*'ex' .*tier="),
        ([("x", "in", "out"), ("y", "", "", "I")], (), {}, "'x' .*'y' .*tier="),
        ([("x", "in"), ("y", "", "", "Insp")], (), {}, "'x' .*'y' .*tier="),
        ([("in", "x", ""), ("out", "", "E")], (), {"labels": "IE"}, "'in' .*'out' "),
        ([("ann", "I", "E"), ("bob", "", "", "I")], (), {}, "'ann' .*'bob' .*tier="),
        ([("a", "x"), ("b", "y")], (), {}, "'a' .*'b' .*tier="),
        ([("p", ""), ("t", "I")], ("t",), {}, "'t' .points: 'I'"),
        ([("p", "E"), ("t", "I")], ("t",), {}, "'t' .points: 'I'"),
        ([("t", "I")], ("t",), {}, "expected an interval tier, got the tiers 't'"),
        ([("p", "I")], (), {"tier": "q"}, "expected interval tiers named .*'p' "),
        ([("p", "cough")], (), {"labels": "IE"}, "a label other than 'I', 'E': line"),
    ],
)
@pytest.mark.filterwarnings("ignore:labels read as I")
def test_tiers_are_read_together_or_named_in_an_error(
    tiers, points, options, found, tmp_path
):
    path = tmp_path / "a.TextGrid"
    path.write_text(textgrid(*tiers, points=points), encoding="utf-8")
    if isinstance(found, list):
        assert read_label_track(path, **options).values.tolist() == found
    else:
        with pytest.raises(ValueError, match=found):
            read_label_track(path, **options)


@pytest.mark.parametrize(
    "head",
    [
        ('File type = "ooTextFile"', 'Object class = "TextGrid"'),
        ('File type = "ooTextFile short"', '"TextGrid"'),
        ('File type = "ooTextFile"', 'Object class = "TextGrid 3"'),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_headers_line_ends_and_encodings_of_textgrids(
    head, newline, encoding, tmp_path
):
    path = tmp_path / "a.textgrid"
    labels = ("first\nsecond", 'item [1]: "IntervalTier" ü', "1.5")
    text = textgrid(("phases 3 ! x", *labels), head=head)
    path.write_text(text, encoding=encoding, newline=newline)
    assert read_label_track(path)["label"].tolist() == list(labels)


def test_tiers_of_another_format_are_an_error(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("0\t1\tI\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a.txt': tier= is for TextGrids only"):
        read_label_track(path, tier="phases")
    path.write_bytes(b"ooBinaryFile\x08TextGrid")
    with pytest.raises(ValueError, match="a.txt': a binary TextGrid; save it as"):
        read_label_track(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ValueError, match="a.txt': a Git LFS pointer; run `git lfs"):
        read_label_track(path)


@pytest.mark.parametrize("format", FORMATS)
@given(label=st.text(min_size=1))
@example(label='a "quote')
@example(label="next\u2028line\x85and\x0bmore")
@example(label="a\rb")
@example(label="0 1")
@example(label="start_s")
@example(label="e")
@settings(deadline=None, max_examples=25)
def test_a_label_is_read_as_it_was_written_or_not_written(
    format, label, tmp_path_factory
):
    path = tmp_path_factory.mktemp("track") / f"labels{FORMATS[format][0]}"
    phases = PHASES.assign(label=["E", label, "E", label])
    try:
        write_label_track(path, phases, format)
    except ValueError:
        assert not path.exists()
    else:
        again = read_label_track(path, format, ignore=(), labels=["E", label])
        assert again["label"].tolist() == phases["label"].tolist()


def test_labels_with_odd_characters_are_written(tmp_path):
    for format in ("audacity", "raven", "csv", "json", "textgrid"):
        path = tmp_path / f"{format}.txt"
        label = "say \"I\u2028 \x85 \x0b 'E"
        write_label_track(path, PHASES.assign(label=label), format)
        assert set(read_label_track(path)["label"]) == {label}


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\tNotes"


@pytest.mark.parametrize(
    "rows",
    [
        '1\tS\t1\t0\t1\tI\t"fan\n2\tS\t1\t1\t2\tE\t5" away\n',
        "1\tS\t1\t0\t1\tI\n\n2\tS\t1\t1\t2\tE\t\n\t\t\n",
        "1\tS\t1\t0\t1\tI\t\n1\tS\t2\t0\t1\tI\t\n2\tS\t1\t1\t2\tE\t\n",
        "1\tS 1\t1\t0\t1\tI\t\n1\tS 2\t1\t0\t1\tI\tx\n2\tW 1\t1\t1\t2\tE\t\n",
        "1\tS\t1\t0,0\t1,0\tI\t\n2\tS\t1\t0:00:01,0\t00:02\tE\t\n",
        "1\tS\t1\t0\t1\tI\tcaf\xe9\n2\tS\t1\t1\t2\tE\t\n",
    ],
    ids=["quotes", "empty", "channels", "views", "commas", "latin-1"],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_no_row_of_a_raven_table_is_lost(rows, newline, tmp_path):
    path = tmp_path / "a.Table.1.selections.txt"
    for header in (RAVEN, RAVEN.lower(), f"\n{RAVEN}"):
        path.write_text(f"{header}\n{rows}", encoding="latin-1", newline=newline)
        assert read_label_track(path).values.tolist() == PAIRS


@pytest.mark.parametrize(
    "header",
    [
        "Start;End;Phase",
        "start_s;end_s;label",
        "Start_s;END_S; Label ",
        '"Start (s)";"end_s";"Label"',
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".txt"])
def test_tables_of_spreadsheets_are_read(header, suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    path.write_text(
        f"{header}\n0,0;1,0;I\n;;\n\n1;2,00;E\n", newline="\r\n", encoding="utf-8"
    )
    assert read_label_track(path).values.tolist() == PAIRS
    tabs = f"{header}\n0,0;1,0;I\n1;2,00;E\n".replace(";", "\t")
    path.write_text(tabs, encoding="utf-16")
    assert read_label_track(path).values.tolist() == PAIRS
    path.write_text(tabs.replace(",", ".").replace("\t", ","), encoding="utf-8-sig")
    assert read_label_track(path).values.tolist() == PAIRS


def test_times_of_an_audacity_track_may_be_clock_times(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(
        "00:00:00.5\t00:01:00,25\tI\n1:00:00\t1:01:01.5\tE\n", encoding="utf-8"
    )
    assert read_label_track(path).values.tolist() == [
        [0.5, 60.25, "I"],
        [3600, 3661.5, "E"],
    ]
    path.write_text("0,5\t1,5\t0 1\n2,5\t3\t1 1\n", encoding="utf-8")
    assert read_label_track(path)["label"].tolist() == ["0 1", "1 1"]
    path.write_text("0\t1\tI\tcough\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 1 \(I\tcough\)"):
        read_label_track(path, labels=("I", "E"))


def test_times_of_a_textgrid_may_have_decimal_commas(tmp_path):
    path = tmp_path / "a.TextGrid"
    write_label_track(path, PHASES, duration=4000)
    text = path.read_text(encoding="utf-8").replace(".", ",")
    path.write_text(text, encoding="utf-8")
    assert read_label_track(path).values.tolist() == PHASES.values.tolist()


def test_json_of_other_programs(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '[{"start_s": "0", "End_s": "1,0", "label": "I"}]', encoding="utf-8"
    )
    assert read_label_track(path).values.tolist() == PAIRS[:1]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "words",
    [("inhale", "exhale"), ("Inspiration", "EXP"), ("i", "e"), ("in", "out")],
    ids=" ".join,
)
def test_common_words_for_phases_are_read_as_i_and_e(words, format, tmp_path):
    path = tmp_path / f"a{FORMATS[format][0]}"
    names = dict(zip("IE", words, strict=True))
    phases = PHASES.iloc[1:3].reset_index(drop=True)
    write_label_track(path, phases.replace({"label": names}), format)
    for labels in (None, ("I", "E"), {"cough": None}):
        note = f"^labels read as I: {words[0]}; as E: {words[1]}.$"
        with pytest.warns(UserWarning, match=note):
            found = read_label_track(path, format, labels=labels)
        assert found.values.tolist() == phases.values.tolist()


@pytest.mark.filterwarnings("error")
def test_own_labels_stay_or_are_mapped_as_the_user_says(tmp_path):
    path = tmp_path / "a.txt"

    def labels(text, labels=None):
        path.write_text(text, encoding="utf-8")
        return read_label_track(path, labels=labels)["label"].tolist()

    pair = "0\t1\t inhale \n1\t2\texhale\n"
    assert labels(pair, ("inhale", "exhale")) == ["inhale", "exhale"]
    assert labels(pair, {"inhale": "E", "exhale": "I"}) == ["E", "I"]
    assert labels("0\t1\tin\n1\t2\tnoise\n", ["in", "noise"]) == ["in", "noise"]
    assert labels("0\t1\tI\n1\t2\tE\n", {"a": "I"}) == ["I", "E"]
    assert labels("0\t1\tInhaler\n1\t2\tExpert\n") == ["Inhaler", "Expert"]
    with pytest.warns(UserWarning, match="as inhale: In, I; as exhale: E.$"):
        text = "0\t1\tIn\n1\t2\tE\n2\t3\tI\n"
        assert labels(text, ["inhale", "exhale"]) == ["inhale", "exhale", "inhale"]
    noisy = "0\t1\tI\n0\t2\tcough\n2\t3\tfan\n3\t4\tcough\n"
    with pytest.warns(UserWarning, match="^3 rows are left .*: 'cough' .2., 'fan' .1."):
        assert labels(noisy, {"cough": None, "fan": None}) == ["I"]
    with pytest.raises(ValueError, match="label other than 'I', 'E': line 1") as error:
        labels("0\t1\tcough, I\n1\t2\tE\n2\t3\tfan\n", ("I", "E"))
    assert "Give read_label_track labels={'cough, I': '?', 'fan': '?'}" in str(
        error.value
    )
    with pytest.raises(ValueError, match="--labels 'breath out=[?],fan=[?]', with"):
        labels("0\t1\tbreath out\n1\t2\tfan\n", ("I", "E"))
    for wrong in ("", 3, ("I", "E")):
        with pytest.raises(ValueError, match="labels must map each label to"):
            labels(pair, {"inhale": wrong})
    with pytest.raises(ValueError, match="say what 'inhale' means: put a label in"):
        labels(pair, {"inhale": "?", "exhale": "E"})


def test_audacity_frequencies_and_hf_lung_adventitious_sounds_are_left_out(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("0.5\t1.5\tI\n\\\t100.0\t2000.0\n\n2\t3\tE\n", encoding="utf-8")
    assert read_label_track(path)["label"].tolist() == ["I", "E"]
    path.write_text(
        "I 00:00:00.1 00:00:01.5\nWheeze 00:00:00.2 00:00:01.0\n", encoding="utf-8"
    )
    assert read_label_track(path)["label"].tolist() == ["I"]


def test_raven_lists_each_selection_once(tmp_path):
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tAnnotation\n"
    rows = "1\tWaveform 1\t1\t0.5\t1.5\tI\n1\tSpectrogram 1\t1\t0.5\t1.5\tI\n"
    path = tmp_path / "raven.txt"
    path.write_text(head + rows, encoding="utf-8")
    assert read_label_track(path).values.tolist() == [[0.5, 1.5, "I"]]


@pytest.mark.parametrize(
    "name, text, line, what",
    [
        ("a.txt", "0\t1\tI\n2\t1.5\tE\n", 2, "ends before it begins"),
        ("a.txt", "1\t1\tI\n", 1, "is empty"),
        ("a.txt", "0\t1\tI\n\n0.5\t2\tE\n", 3, "overlaps"),
        ("a.txt", "0\t1\tI\n1\t2\tX\n", 2, "a label other than 'I', 'E'"),
        ("a.txt", "0\t1\tI\n9\t11\tE\n", 2, "beyond the end of .* of this recording"),
        ("a.txt", "0\t1\tI\nx\t2\tE\n", 2, "'x' is not a time"),
        ("a.txt", "0\t1\tI\n1\tnan\tE\n", 2, "not a finite time"),
        ("a.txt", "-1\t1\tI\n", 1, "negative"),
        ("a.txt", "0 1 I\n", 1, "with tabs"),
        ("a.txt", "I 00:00:01 00:00:02 loud\n", 1, "not label, start and end"),
        ("a.txt", "I 00:00:01 00:00:02\nE 00:00:0x 3\n", 2, "is not a time in s, or"),
        ("a.csv", "start_s,end_s\n1,2\n", 1, "lacks 'label'; it has 'start_s', 'end"),
        ("a.csv", "start_s,end_s,label\n1,2\n", 2, "cells"),
        ("a.csv", "start_s,end_s,label\n1,5,2,5,I\n", 2, "cells .* not 1,5, or put ;"),
        ("a.csv", 'start_s,end_s,label,x\n0,1,I,"a\n1,2,E,b\n', 3, "quotes"),
        ("a.csv", "start_s,end_s,label,Label\n1,2,I,E\n", 1, "more than once"),
        ("a.csv", "path,start_s,end_s,label\na,0,1,I\nb,1,2,E\n", 3, "one recording"),
        ("a.csv", "", 1, "lacks 'start_s'"),
        ("a.txt", RAVEN.replace("Annotation", "x") + "\n", 1, "lacks 'annotation'; it"),
        ("a.txt", "0\t1\tI\xe9\n", 1, "not UTF-8"),
        ("a.txt", "0\t1\tI\n0:61:00\t2\tE\n", 2, "'0:61:00' is not a time"),
        ("a.TextGrid", 'File type = "ooTextFile"\n', 1, "TextGrid"),
        ("a.TextGrid", textgrid(("a", "I")) + '"x"\n', 16, "the end after the last"),
        ("a.TextGrid", textgrid(("a", "I"))[:-2], 15, "no closing quote"),
        ("a.json", "{", 1, "not JSON"),
    ],
)
def test_errors_name_file_and_line(name, text, line, what, tmp_path):
    path = tmp_path / name
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=what) as error:
        read_label_track(path, labels=("I", "E"), duration=10)
    assert name in str(error.value)
    assert f"line {line}" in str(error.value)


@pytest.mark.parametrize(
    "text, what",
    [
        ('{"events": [], "n": 1}', "expected an object with 'phases', got .*'events'"),
        ('{"phases": {}}', "expected a list of phases, got dict"),
        ('[{"start_ms": "500", "label": "I"}]', "phase 0: lacks 'start_s'; it has 'st"),
        ('[{"start_s": "1 s", "end_s": 2, "label": "I"}]', "phase 0: '1 s' is not a "),
        ('[{"start_s": 1, "end_s": 2, "label": null}]', "phase 0: expected a text as"),
        ("[1]", "phase 0: expected an object, got 1"),
    ],
)
def test_errors_in_json_name_the_phase(text, what, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=what):
        read_label_track(path)


def test_a_cut_textgrid_is_an_error(tmp_path):
    path = tmp_path / "a.TextGrid"
    write_label_track(path, PHASES)
    path.write_text(path.read_text(encoding="utf-8")[:-80], encoding="utf-8")
    with pytest.raises(ValueError, match="ends too early"):
        read_label_track(path)


def test_nothing_is_written_for_wrong_phases(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("old", encoding="utf-8")
    wrong = PHASES.assign(end_s=PHASES["start_s"] - 1)
    with pytest.raises(ValueError, match="ends before it begins: row 0"):
        write_label_track(path, wrong)
    with pytest.raises(ValueError, match="cannot be written"):
        write_label_track(path, PHASES.assign(label="a\tb"))
    with pytest.raises(ValueError, match="format must be one of"):
        write_label_track(path, PHASES, "excel")
    assert path.read_text(encoding="utf-8") == "old"
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
        len(track.read_text(encoding="utf-8").splitlines()) for track in tracks
    )


def test_phases_may_end_a_little_after_the_sound(tmp_path):
    """As tracks that were drawn by hand do."""
    path = tmp_path / "a.txt"
    path.write_text("9\t10.04\tI\n", encoding="utf-8")
    assert len(read_label_track(path, duration=10)) == 1
    path.write_text("9\t10.06\tI\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a.txt' .*\(10.000 s\): line 1"):
        read_label_track(path, duration=10)


@pytest.mark.parametrize("where", ["fit", "clips_from_recordings"])
def test_the_track_is_named_beside_the_recording(where, tmp_path):
    path = tmp_path / "steth.txt"
    path.write_text("1\t1.5\tI\n2\t3\tE\n4\t9\tI\n", encoding="utf-8")
    recording, table = np.zeros(80000), read_label_track(path)
    later = table.iloc[1:]  # a part of it is of the same file
    with pytest.raises(ValueError, match=r"recording 0 \(.*steth.txt'\) .*row 1 "):
        if where == "fit":
            PhaseSegmenter().fit([recording], [later])
        else:
            clips_from_recordings([recording], [later])
