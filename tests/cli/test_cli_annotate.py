"""``skbreath train-phases`` and ``skbreath annotate``."""

import json
import re
import shutil

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skbreath import (
    AudioReader,
    BreathFeatures,
    PhaseSegmenter,
    SummaryPooling,
    load_model,
    make_breath_recording,
    make_breath_sounds,
    model_info,
    read_label_track,
    write_label_track,
)
from skbreath.cli import main


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for seed, suffix in enumerate((".txt", ".TextGrid", ".csv")):
        made = make_breath_recording(20, 12 + seed, random_state=seed)
        soundfile.write(folder / f"r{seed}.wav", made.waveform, 16000)
        write_label_track(folder / f"r{seed}{suffix}", made.phases)
    return folder


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "phases.joblib"
    result = run("train-phases", folder, "--out", path)
    assert result.exit_code == 0, result.output
    assert "3 recordings" in result.stdout and f"wrote {path}" in result.stdout
    return path


def test_one_recording_to_a_label_track_and_a_picture(model, folder, tmp_path):
    out, plot = tmp_path / "labels.txt", tmp_path / "timeline.png"
    result = run(
        "annotate", folder / "r0.wav", "--model", model, "--out", out, "--plot", plot,
        "--statistics",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    phases = read_label_track(out, "audacity", labels=("I", "E"))
    assert len(phases) >= 4
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert re.search(r"breaths a minute \(confidence 0\.\d\d\)", result.stdout)


def test_a_folder_to_a_folder_in_json(model, folder, tmp_path):
    out = tmp_path / "labels"
    result = run("annotate", folder, "--model", model, "--out", out, "--format", "json")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in out.iterdir())
    assert names == ["r0.json", "r1.json", "r2.json"]
    content = json.loads((out / "r1.json").read_text(encoding="utf-8"))
    assert content["duration_s"] == pytest.approx(20, abs=0.01)
    assert {"start_s", "end_s", "label", "probability"} == set(content["phases"][0])


def test_csv_on_the_terminal(model, folder):
    result = run("annotate", folder / "r0.wav", folder / "r1.wav", "--model", model)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "path,start_s,end_s,label,probability"
    assert {line.split(",")[0] for line in lines[1:]} == {
        str(folder / "r0.wav"),
        str(folder / "r1.wav"),
    }


def test_a_model_of_clips_will_do(folder, tmp_path):
    clips = make_breath_sounds(60, random_state=0)
    model = make_pipeline(
        AudioReader(drift="warn"),
        BreathFeatures(groups=("mel",)),
        SummaryPooling(),
        LogisticRegression(C=1e-3, max_iter=500),
    ).fit(clips.waveforms, clips.target)
    path = tmp_path / "clips.joblib"
    joblib.dump(model, path)
    rng = np.random.default_rng(0)
    loud = tmp_path / "loud.wav"
    sound = np.concatenate([np.zeros(48000), rng.uniform(-0.9, 0.9, 80000)])
    soundfile.write(loud, sound, 16000)
    result = run("annotate", folder / "r0.wav", loud, "--model", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("path,")
    assert "rows" not in result.stderr


def test_without_a_model_the_sound_chooses_one(folder, tmp_path):
    rng = np.random.default_rng(0)
    hiss = tmp_path / "hiss.wav"  # a stethoscope has no such high sounds
    soundfile.write(hiss, 0.1 * rng.normal(size=80000), 16000)
    result = run("annotate", folder / "r0.wav", hiss, "--out", tmp_path / "labels")
    assert result.exit_code == 0, result.output
    chosen = "Model {} was chosen by the sound of 1 recording (--model {} is"
    assert chosen.format("chest", "nose") in result.stderr
    assert chosen.format("nose", "chest") in result.stderr
    assert "for non-commercial use" in result.stderr
    shown = run("annotate", hiss, "--json")
    assert json.loads(shown.stdout)["recordings"][0]["model"] == "nose"


def test_the_name_of_a_model_of_the_package_decides(folder):
    result = run("annotate", folder / "r0.wav", "--model", "nose")
    assert result.exit_code == 0, result.output
    assert "Model nose: for recordings of a microphone at nose" in result.stderr
    assert "chosen" not in result.stderr


def test_a_silent_recording_is_named_with_the_reason(model, folder, tmp_path):
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(32000), 16000)
    out = tmp_path / "labels.txt"
    result = run("annotate", path, "--model", model, "--out", out, "--statistics")
    assert result.exit_code == 0, result.output
    assert "silent.wav is silent" in result.stderr
    assert "the recording is silent" in result.stdout and "pause" not in result.stdout
    assert out.read_text(encoding="utf-8") == ""


def test_an_empty_recording_stops_no_folder(model, folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    soundfile.write(data / "empty.wav", np.zeros(0), 16000)
    soundfile.write(data / "good.wav", *soundfile.read(folder / "r0.wav"))
    out, pictures = tmp_path / "labels", tmp_path / "pictures"
    result = run(
        *("annotate", data, "--model", model, "--out", out),
        *("--plot", pictures, "--statistics"),
    )
    assert result.exit_code == 0, result.output
    assert "empty.wav is empty: it has no samples" in result.stderr
    assert "empty.wav: no breaths" in result.stdout and "nan" not in result.stdout
    assert (out / "empty.txt").read_text(encoding="utf-8") == ""
    assert len((out / "good.txt").read_text(encoding="utf-8").splitlines()) > 2
    assert [path.name for path in pictures.iterdir()] == ["good.png"]


def test_bad_recordings_are_left_out_and_listed(model, folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    content = (folder / "r0.wav").read_bytes()
    (data / "good.wav").write_bytes(content)
    (data / "cut.wav").write_bytes(content[: len(content) // 2])
    (data / "text.wav").write_text("no sound", encoding="utf-8")
    out = tmp_path / "labels"
    command = ["annotate", data, "--model", model, "--out", out]
    assert run(*command).exit_code == 2 and not out.exists()
    result = run(*command, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert "2 of 3 files cannot be read" in result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["bad-files.csv", "good.txt"]
    listed = pd.read_csv(out / "bad-files.csv")
    assert sorted(listed["path"]) == [str(data / "cut.wav"), str(data / "text.wav")]
    described = json.loads(run(*command, "--skip-bad", "--json").stdout)
    assert [entry["path"] for entry in described["recordings"]] == [
        str(data / "good.wav")
    ]
    assert described["left_out"] == listed.to_dict("records")
    (data / "good.wav").unlink()
    assert run(*command, "--skip-bad").exit_code == 2


def test_where_no_breath_is_found_there_is_no_rate(model, tmp_path):
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(0).normal(size=80000) * 0.1
    soundfile.write(path, noise, 16000)
    result = run("annotate", path, "--model", model, "--statistics")
    assert result.exit_code == 0, result.output
    assert "too few breaths for a rate" in result.stdout
    assert "Warning" in result.stderr and "noise.wav" in result.stderr


@pytest.mark.parametrize(
    "args, what",
    [
        (["missing.wav"], "no such file"),
        (["{folder}", "--out", "{tmp}/one.txt"], "one file for 3 recordings"),
        (["{folder}/r0.wav", "--out", "{tmp}/no/labels.txt"], "does not exist"),
        (
            ["{folder}/r0.wav", "--model", "{tmp}/no.joblib"],
            "`skbreath train` writes",
        ),
        (["{folder}/r0.wav", "--model", "Nose"], "did you mean nose?"),
        (["{folder}/r0.wav", "--out", "{tmp}/labels.xyz"], ".csv, .json, .txt, got"),
        (["{folder}/r0.txt"], "not readable as audio"),
        (["{folder}/r0.wav", "--format", "csv"], "give both"),
    ],
)
def test_errors_are_one_line(args, what, model, folder, tmp_path):
    args = [arg.format(folder=folder, tmp=tmp_path) for arg in args]
    if "--model" not in args:
        args += ["--model", model]
    result = run("annotate", *args)
    assert result.exit_code == 2
    assert what in result.stderr and "Traceback" not in result.output
    assert not any(tmp_path.iterdir())


def test_nothing_that_is_read_is_overwritten(model, folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("r0.wav", "r0.txt", "r1.wav"):
        (data / name).write_bytes((folder / name).read_bytes())
    (data / "link.txt").symlink_to(data / "r0.wav")
    kept = {path: path.read_bytes() for path in (*data.iterdir(), model)}
    sound = data / "r0.wav"
    for args in (
        ("annotate", sound, "--model", model, "--out", sound),
        ("annotate", sound, "--model", model, "--out", data / "link.txt"),
        ("annotate", sound, "--model", model, "--plot", sound),
        ("annotate", sound, "--model", model, "--out", model),
        ("annotate", sound, "--model", model, "--out", data / "r1.wav"),
        ("train-phases", data, "--out", sound),
        ("train-phases", data, "--out", data / "r0.txt"),
    ):
        result = run(*args)
        assert result.exit_code == 2, args
        assert "would overwrite" in result.stderr
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_part_of_a_recording_is_drawn(model, folder, tmp_path):
    path, part = tmp_path / "long.wav", tmp_path / "part.svg"
    soundfile.write(path, np.tile(soundfile.read(folder / "r0.wav")[0], 5), 16000)
    command = ["annotate", path, "--model", model, "--plot", part]
    result = run(*command, "--from", "1:20", "--to", "90.5")
    assert result.exit_code == 0, result.output
    drawn = part.read_text(encoding="utf-8")
    assert "1:21" in drawn and "1:19" not in drawn


@pytest.mark.slow
def test_a_pdf_of_a_long_recording_has_pages_with_all_phases(model, folder, tmp_path):
    path, pdf = tmp_path / "long.wav", tmp_path / "all.pdf"
    soundfile.write(path, np.tile(soundfile.read(folder / "r0.wav")[0], 31), 16000)
    result = run("annotate", path, "--model", model, "--plot", pdf)
    assert result.exit_code == 0, result.output
    assert b"/Count 3" in pdf.read_bytes()


@pytest.mark.parametrize(
    "args, what",
    [
        (["--plot", "--from", "0:20"], "before the end of the recording, got 20 s"),
        (["--plot", "--from", "9", "--to", "4"], "--to after --from, got 9 s to 4 s"),
        (["--plot", "--from", "soon"], "a time in s, m:ss or h:mm:ss, got 'soon'"),
        (["--plot", "--to", "-3"], "a time in s, m:ss or h:mm:ss, got '-3'"),
        (["--to", "3"], "add --plot"),
    ],
)
def test_wrong_parts_are_errors_before_the_work(args, what, model, folder, tmp_path):
    if args[0] == "--plot":
        args = ["--plot", tmp_path / "new" / "plots", *args[1:]]
    result = run("annotate", folder, "--model", model, *args)
    assert result.exit_code == 2
    assert what in " ".join(result.stderr.split()), result.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["{data}", "{data}/r0.txt"])
def test_labels_beside_a_recording_are_replaced_only_if_told(
    to, model, folder, tmp_path
):
    data = tmp_path / "data"
    data.mkdir()
    soundfile.write(data / "r0.wav", *soundfile.read(folder / "r0.wav"))
    (data / "r0.txt").write_text("0.1\t1.1\tI\n", encoding="utf-8")
    what = data / "r0.wav" if to.endswith(".txt") else data
    args = ("annotate", what, "--model", model, "--out", to.format(data=data))
    result = run(*args)
    assert result.exit_code == 2
    assert f"{data / 'r0.txt'}" in result.stderr and "--overwrite" in result.stderr
    assert (data / "r0.txt").read_text(encoding="utf-8") == "0.1\t1.1\tI\n"
    result = run(*args, "--overwrite")
    assert result.exit_code == 0, result.output
    assert len((data / "r0.txt").read_text(encoding="utf-8").splitlines()) > 2


def test_a_folder_of_its_own_may_be_written_again(model, folder, tmp_path):
    args = ("annotate", folder / "r0.wav", "--model", model, "--out", tmp_path)
    assert [run(*args).exit_code for _ in range(2)] == [0, 0]


def test_a_refused_run_leaves_no_folder(model, folder, tmp_path):
    (tmp_path / "bad.wav").write_text("no sound", encoding="utf-8")
    out = tmp_path / "new" / "labels"
    result = run("annotate", folder, tmp_path / "bad.wav", "--model", model)
    assert result.exit_code == 2
    for files in ((folder, tmp_path / "bad.wav"), (folder / "r0.wav",) * 2):
        result = run("annotate", *files, "--model", model, "--out", out)
        assert result.exit_code == 2
        assert not out.parent.exists()


@pytest.mark.slow
def test_recordings_of_a_folder_are_held_out_together(folder, model, tmp_path):
    out, data = tmp_path / "phases.joblib", tmp_path / "data"
    for name, person in (("r0", "a"), ("r1", "a"), ("r2", "b")):
        (data / person).mkdir(parents=True, exist_ok=True)
        for file in folder.glob(f"{name}.*"):
            shutil.copy(file, data / person)
    result = run("train-phases", data, "--group", "folder", "--out", out)
    assert result.exit_code == 0, result.output
    files = sorted(data.rglob("*.wav"))
    tracks = [f for f in sorted(data.rglob("r*")) if f.suffix != ".wav"]
    tables = [read_label_track(f, labels=("I", "E")) for f in tracks]
    expected = PhaseSegmenter(lag=1.0, random_state=0)
    expected.fit(files, tables, ["a", "a", "b"])
    weight, default = (joblib.load(path).emission_weight_ for path in (out, model))
    assert weight == expected.emission_weight_ != default
    result = run("train-phases", data / "a", "--group", "folder", "--out", out)
    assert result.exit_code == 2 and "at least 2 groups" in result.stderr


def test_training_names_what_is_wrong(folder, tmp_path):
    out = tmp_path / "phases.joblib"
    data = tmp_path / "data"
    data.mkdir()
    sound = make_breath_recording(5, random_state=0).waveform
    soundfile.write(data / "a.wav", sound, 16000)
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 2 and "no label track" in result.stderr
    (data / "a.txt").write_text("0\t1\tI\n2\t1\tE\n", encoding="utf-8")
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 2 and "a.txt" in result.stderr
    assert "line 2" in result.stderr
    (data / "a.txt").write_text("0\t1\tI\n2\t9\tE\n", encoding="utf-8")
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 2 and "beyond the end" in result.stderr
    # Where in which file, and how long the sound beside it really is.
    assert "a.txt' has" in result.stderr and "line 2 (2 to 9)" in result.stderr
    assert "(5.000 s)" in result.stderr
    assert not out.exists()


def test_training_needs_both_phases(three, tmp_path):
    data, write = three
    write(*["0\t1\tI\n"] * 3)
    result = run("train-phases", data, "--out", tmp_path / "phases.skb")
    assert result.exit_code == 2 and "have no phase with the label E" in result.stderr
    assert "in " + str(data) in result.stderr


def test_training_says_how_good_it_is_and_which_tracks_do_not_fit(tmp_path):
    for seed in range(6):
        made = make_breath_recording(20, 12 + seed, random_state=seed)
        soundfile.write(tmp_path / f"r{seed}.wav", made.waveform, 16000)
        phases = made.phases
        if seed == 5:  # inhales and exhales of another recording
            phases = make_breath_recording(20, 31, random_state=9).phases
        write_label_track(tmp_path / f"r{seed}.txt", phases)
    result = run(
        "train-phases", tmp_path, "--base", "none", "--out", tmp_path / "m.skb"
    )
    assert result.exit_code == 0, result.output
    found = re.search(r"held-out .* is: I (0\.\d+), E (0\.\d+)", result.stdout)
    assert 0.6 < float(found[1]) <= 1 and 0.6 < float(found[2]) <= 1
    assert "in 1 of 6 recordings the F1 is low" in result.stderr
    assert "r5.wav' (0." in result.stderr


def test_label_tracks_are_found_under_their_own_names(tmp_path):
    data, out = tmp_path / "data", tmp_path / "phases.skb"
    data.mkdir()
    words = {"I": "inhale", "E": "Ex"}
    names = {
        "steth_1.wav": ("steth_1_label.txt", "hf_lung"),
        "r.1.wav": ("r.1.Table.2.Selections.txt", "raven"),
        "b.WAV": ("b.TXT", "audacity"),
        "u\u0308.wav": ("\u00fc.textgrid", "textgrid"),  # the same name, as of macOS
    }
    for seed, (recording, (track, format)) in enumerate(names.items()):
        made = make_breath_recording(8, 20, random_state=seed)
        soundfile.write(data / recording, made.waveform, 16000)
        phases = made.phases.replace({"label": words})
        write_label_track(data / track, phases, format)
    (data / "b.TXT").write_text("", encoding="utf-8")
    note = "labels read as I: inhale; as E: Ex."
    result = run("check", data)
    assert f"NOTE labels: {note}" in result.stdout
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stderr.count(note) == 1
    assert "1 of 4 recordings have no phase" in result.stderr
    assert "4 recordings" in result.stdout


@pytest.fixture
def three(tmp_path):
    """Recordings of people, and a function that writes label tracks of their phases."""
    data = tmp_path / "data"
    data.mkdir()
    made = make_breath_recording(8, 20, random_state=0)
    names = ["ann_deep_1", "ann_deep_2", "bob_deep_1"]
    for name in names:
        soundfile.write(data / f"{name}.wav", made.waveform, 16000)

    def write(*tracks):
        for name, track in zip(names, tracks, strict=True):
            (data / f"{name}.txt").write_text(track, encoding="utf-8")

    write(*["0,5\t1,5\tbreath in\n2,0\t3,5\tOut\n"] * 3)
    return data, write


def test_other_labels_are_mapped_or_left_out(three, tmp_path):
    (data, write), out = three, tmp_path / "phases.skb"
    track = "0\t1\tbreath in\n2\t3\tOut\n4\t5\tcough\n"
    write(track, track, track.replace("cough", "fan"))
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 2
    assert "3 of 3 label tracks cannot be used" in result.stderr
    assert result.stderr.count("ann_deep_2.txt' has a label other than") == 1
    asked = "breath in=?,cough=?,fan=?"
    assert result.stderr.count(f"--labels '{asked}', with 'I' or 'E' in place of") == 1
    assert f"--labels '{asked}', with I" in " ".join(run("check", data).stdout.split())
    names = "breath in=I,cough=", "--labels", "fan="
    result = run("check", data, "--labels", *names)
    assert (
        "3 rows are left out" in result.stdout and "expected the" not in result.stdout
    )
    result = run("train-phases", data, "--labels", *names, "--out", out)
    assert result.exit_code == 0, result.output
    assert (
        "3 rows are left out, as labels= says: 'cough' (2), 'fan' (1)" in result.stderr
    )
    assert "6 phases" in result.stdout
    clips = tmp_path / "clips.csv"
    clips.write_text("path,label\nann_deep_1.wav,in\n", encoding="utf-8")
    result = run("check", clips, "--labels", "in=I")
    assert result.exit_code == 2 and "with label tracks, got table" in result.stderr


@pytest.mark.parametrize(
    "names, message",
    [
        ("breath in:I", "got 'breath in:I'"),
        ("in=I,Out", "got 'Out'"),
        ("in=I=E", "got 'in=I=E'"),
        ("breath in=?", "got 'breath in=?'"),
        ("breath in=inhale", "got 'breath in=inhale'"),
        ("in=I,out=E, in = E", "--labels gives 'in' two different labels"),
    ],
)
def test_wrong_mappings_of_labels_are_one_line(names, message, three, tmp_path):
    out = tmp_path / "phases.skb"
    result = run("train-phases", three[0], "--labels", names, "--out", out)
    assert result.exit_code == 2 and message in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not out.exists()


def test_tracks_of_other_recordings_are_listed_together(three, tmp_path):
    data, write = three
    track = "0\t1\tI\n2\t3\tE\n"
    write(track, track + "7\t9\tI\n", track + "20\t21\tI\n")
    result = run("train-phases", data, "--out", tmp_path / "phases.skb")
    assert result.exit_code == 2
    assert "2 of 3 label tracks cannot be used" in result.stderr
    for name, where in (("ann_deep_2", "7 to 9"), ("bob_deep_1", "20 to 21")):
        assert f"{name}.txt' has a time beyond the end of" in result.stderr
        assert f"line 3 ({where}). Check that the phases are of this" in result.stderr


def test_a_part_of_the_name_may_group_recordings(three, folder, model, tmp_path):
    data, out = three[0], tmp_path / "phases.skb"
    args = ("train-phases", data, "--out", out, "--labels", "breath in=I", "--group")
    result = run(*args, "^[^_]+")
    assert result.exit_code == 0, result.output
    assert "Note: recordings of 2 groups: ann (2), bob (1)." in result.stderr
    for group, message in (
        ("folders", "is not a part of the names of 3 of 3 recordings: .*ann_deep_1"),
        ("ann|x*", "names of 1 of 3 recordings: .*bob_deep_1"),
        ("deep", "--group deep needs at least 2 groups .*found deep .3."),
        ("person(", "recording, folder or a regular expression, got 'person.'"),
    ):
        result = run(*args, group)
        assert result.exit_code == 2 and re.search(message, result.stderr), group


def test_the_same_track_in_two_formats_is_read_once(folder, tmp_path):
    data, out = tmp_path / "data", tmp_path / "phases.skb"
    shutil.copytree(folder, data)
    for track in list(data.glob("r?.txt")):
        write_label_track(track.with_suffix(".csv"), read_label_track(track), "csv")
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 0, result.output


def test_a_model_for_a_microphone_is_half_a_second_late(folder, tmp_path):
    out = tmp_path / "live.skb"
    result = run("train-phases", folder, "--live", "--out", out)
    assert result.exit_code == 0, result.output
    assert load_model(out).latency_ < 0.5
    result = run("train-phases", folder, "--live", "--base", "nose", "--out", out)
    assert result.exit_code == 2 and "seconds late" in result.stderr
    result = run("train-phases", folder, "--live", "--lag", "2", "--out", out)
    assert result.exit_code == 2 and "leave --lag out" in result.stderr
    result = run("train-phases", folder / "none", "--out", out)
    assert result.exit_code == 2 and "none does not exist" in result.stderr


@pytest.mark.slow
def test_a_model_is_built_on_one_of_the_package(folder, tmp_path):
    out = tmp_path / "phases.skb"
    result = run("train-phases", folder, "--base", "chest", "--out", out)
    assert result.exit_code == 0, result.output
    assert "Model chest, as the base: for recordings of a steth" in result.stderr
    assert load_model(out).base is not None
    metadata = model_info(out)["metadata"]
    assert "CC BY-NC 4.0" in metadata["licence"]
    assert "own recordings, and the model chest" in metadata["training_data"]
    result = run("train-phases", folder, "--out", out)  # they sound like a chest
    assert result.exit_code == 0 and "as the base" not in result.stderr


def test_recordings_and_label_tracks_must_be_pairs(folder, tmp_path):
    data, out = tmp_path / "data", tmp_path / "phases.skb"
    shutil.copytree(folder, data)
    (data / "r0_LABEL.txt").write_text("", encoding="utf-8")
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 2 and "('r0.txt', 'r0_LABEL.txt')" in result.stderr
    assert "several label tracks" in run("check", data).stdout
    (data / "r0_LABEL.txt").unlink()
    shutil.copy(data / "r0.wav", data / "r0.Flac")
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 2 and "r0.txt' ('r0.Flac', 'r0.wav')" in result.stderr
    (data / "r0.Flac").unlink()
    (data / "r0.txt").rename(data / "r0-labels.txt")
    result = run("train-phases", data, "--out", out)
    assert result.exit_code == 2 and "1 of 3 recordings have no" in result.stderr
    assert "x_label.txt, x.Table.1.selections.txt" in " ".join(result.stderr.split())
    assert not out.exists()


def test_recordings_of_one_name_are_named(model, folder, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    for name in ("r0.wav", "r0.FLAC", "r1.wav"):
        shutil.copy(folder / f"{name[:2]}.wav", data / name)
    result = run("annotate", data, "--model", model, "--out", out)
    assert result.exit_code == 2 and not out.exists()
    assert f"'{data / 'r0.FLAC'}' and '{data / 'r0.wav'}'" in result.stderr
    assert "r1" not in result.stderr


def test_subfolders_of_recordings_become_subfolders_of_labels(model, folder, tmp_path):
    for person in ("a", "b"):
        (tmp_path / "data" / person).mkdir(parents=True)
        shutil.copy(folder / "r0.wav", tmp_path / "data" / person)
    out = tmp_path / "labels"
    result = run("annotate", tmp_path / "data", "--model", model, "--out", out)
    assert result.exit_code == 0, result.output
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.txt"))
    assert made == ["a/r0.txt", "b/r0.txt"]


def test_a_picture_alone_prints_no_table(model, folder, tmp_path):
    plot = tmp_path / "timeline.png"
    result = run("annotate", folder / "r0.wav", "--model", model, "--plot", plot)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [f"wrote {plot}"] and plot.exists()


def test_doubtful_recordings_are_annotated_with_a_warning(model, folder, tmp_path):
    sound, rate = soundfile.read(folder / "r0.wav", dtype="int16")
    soundfile.write(tmp_path / "open.wav", sound, rate)
    content = bytearray((tmp_path / "open.wav").read_bytes())
    content[4:8] = content[40:44] = bytes(4)  # as left by a recorder that crashed
    (tmp_path / "open.wav").write_bytes(content)
    soundfile.write(tmp_path / "coarse.wav", sound, rate, subtype="PCM_U8")
    both = np.column_stack([sound, -sound])
    soundfile.write(tmp_path / "opposite.wav", both, rate)
    result = run("annotate", tmp_path, "--model", model, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    for what in (
        "open.wav' does not say in its header how long it is",
        "coarse.wav' has 8 bits a sample",
        "opposite.wav' are opposite and nearly cancel each other",
    ):
        assert result.stderr.count(what) == 1, result.stderr
    expected = run("annotate", folder / "r0.wav", "--model", model, "--out", tmp_path)
    assert expected.exit_code == 0
    labels = (tmp_path / "out" / "open.txt").read_text(encoding="utf-8")
    assert labels == (tmp_path / "r0.txt").read_text(encoding="utf-8")
