import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import joblib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline

from skbreath import (
    AudioReader,
    BreathFeatures,
    ChannelScaler,
    FineTunedClassifier,
    ResidualCNNClassifier,
    SummaryPooling,
    ThresholdClassifier,
    load_kaggle_breath,
    load_model,
    save_model,
)
from skbreath.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
FAST = ["--max-epochs", "1", "--jobs", "1"]


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(scope="module")
def model(breath_folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.skb"
    result = run("train", breath_folder, "--out", path, *FAST)
    assert result.exit_code == 0, result.output
    assert f"wrote {path}" in result.stdout
    assert "threshold" in result.stdout
    return path


def test_submission_has_the_ids_of_the_test_set_in_their_order(
    model, breath_folder, tmp_path
):
    out = tmp_path / "submission.csv"
    result = run(
        "predict", "--model", model, "--submission", breath_folder, "--out", out
    )
    assert result.exit_code == 0, result.output
    submission = pd.read_csv(out)
    assert submission.columns.tolist() == ["ID", "Target"]
    expected = pd.read_csv(breath_folder / "test.csv")["ID"]
    assert submission["ID"].tolist() == expected.tolist()
    test = load_kaggle_breath(breath_folder, subset="test")
    labels = load_model(model).predict(test.paths, recordings=test.recording)
    assert submission["Target"].tolist() == labels.tolist()


def test_predict_prints_files_and_folders_as_csv(model, breath_folder):
    folder = breath_folder / "test"
    clip = sorted((breath_folder / "train").iterdir())[0]
    result = run("predict", "--model", model, folder, clip)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "path,label,probability_E,probability_I"
    assert len(lines) == 2 + len(list(folder.iterdir()))
    assert lines[-1].startswith(f"{clip},")


def test_a_file_that_is_named_twice_is_predicted_once(
    model, breath_folder, tmp_path, monkeypatch
):
    folder = breath_folder / "test"
    first, second, *others = sorted(folder.iterdir())
    monkeypatch.chdir(folder)
    result = run("predict", "--model", model, second.name, folder, f"./{second.name}")
    assert result.exit_code == 0, result.output
    table = pd.read_csv(io.StringIO(result.stdout))
    assert table["path"].tolist() == [second.name, *map(str, (first, *others))]
    assert "1 file is named more than once; each counts once" in result.stderr
    out = tmp_path / "labels.csv"
    command = ["predict", "--model", model, folder, first, second, "--out", out]
    result = run(*command, "--json")
    assert json.loads(result.stdout)["n_files"] == len(pd.read_csv(out)) == len(table)
    assert "2 files are named more than once; each counts once" in result.stderr
    result = run("predict", "--model", model, folder)
    assert "more than once" not in result.stderr


def test_rejected_labels_are_marked_in_a_column_of_their_own(
    model, breath_folder, tmp_path
):
    folder, out = breath_folder / "test", tmp_path / "labels.csv"
    command = ["predict", "--model", model, folder]
    plain = pd.read_csv(io.StringIO(run(*command).stdout))
    result = run(*command, "--reject-below", 0.7)
    table = pd.read_csv(io.StringIO(result.stdout))
    assert table["label"].tolist() == plain["label"].tolist()
    assert table["rejected"].dtype == bool
    assert table["rejected"].tolist() == (table["confidence"] < 0.7).tolist()
    n = table["rejected"].sum()
    assert f"rejected: {n} of {len(table)} labels" in result.stderr
    for options in ((), ("--out", out)):
        result = run(*command, "--reject-below", 0.7, *options, "--json")
        assert json.loads(result.stdout)["n_rejected"] == n
    pd.testing.assert_frame_equal(pd.read_csv(out), table)
    assert "n_rejected" not in json.loads(run(*command, "--json").stdout)
    result = run(
        *("predict", "--model", model, "--submission", breath_folder),
        *("--out", out, "--reject-below", 0.7),
    )
    assert result.exit_code == 2 and "only the columns ID,Target" in result.stderr
    assert run(*command, "--reject-below", 70).exit_code == 2


@pytest.mark.slow
def test_predicting_twice_in_fresh_processes_gives_the_same_bytes(
    model, breath_folder, tmp_path
):
    outputs = []
    for name in ("a.csv", "b.csv"):
        command = [sys.executable, "-m", "skbreath", "predict", "--model", model]
        command += [breath_folder / "test", "--out", tmp_path / name]
        subprocess.run(command, check=True, capture_output=True)
        outputs.append((tmp_path / name).read_bytes())
    assert outputs[0] == outputs[1] != b""


def test_evaluate_prints_intervals_and_writes_predictions(breath_folder, tmp_path):
    out = tmp_path / "oof.csv"
    result = run(
        "evaluate", breath_folder, "--group", "day", "--cv", "2", *FAST, "--out", out
    )
    assert result.exit_code == 0, result.output
    for word in ("accuracy", "f1", "roc_auc", "low", "high"):
        assert word in result.stdout
    predictions = pd.read_csv(out)
    clips = load_kaggle_breath(breath_folder)
    assert predictions["path"].tolist() == clips.paths.tolist()
    assert predictions["group"].tolist() == clips.day.tolist()
    assert predictions.groupby("group")["fold"].nunique().eq(1).all()


def test_evaluate_writes_a_report(breath_folder, model, tmp_path):
    page, trials = tmp_path / "report.html", tmp_path / "trials.csv"
    trials.write_text(
        "trial_number,trial_state,mean_test_score\n0,COMPLETE,0.75\n", encoding="utf-8"
    )
    result = run(
        *("evaluate", breath_folder, "--model", model, "--by", "ID"),
        *("--report", page, "--trials-csv", trials),
    )
    assert result.exit_code == 0, result.output
    assert f"wrote {page}" in result.stdout
    text = page.read_text(encoding="utf-8")
    for heading in ("By <bdi>recording", "By <bdi>day", "By <bdi>ID", "The search"):
        assert heading in text
    assert "Evaluation on data" in text


def test_report_of_a_cross_validation_has_the_weights_of_the_folds(
    breath_folder, tmp_path
):
    page = tmp_path / "report.html"
    result = run(
        *("evaluate", breath_folder, "--preset", "fast", "--cv", 2, *FAST),
        *("--report", page, "--seed", 7, "--json"),
    )
    assert result.exit_code == 0, result.output
    settings = json.loads(result.stdout)["settings"]
    expected = {"preset": "fast", "seed": 7, "n_folds": 2, "grouped_by": "recording"}
    assert expected.items() <= settings.items()
    assert settings["command"].startswith("skbreath evaluate data --preset fast")
    assert " --report report.html --max-epochs 1 --seed 7" in settings["command"]
    text = page.read_text(encoding="utf-8")
    assert "<dt>preset</dt><dd><bdi>fast" in text and settings["data_digest"] in text
    assert str(breath_folder.parent) not in text
    assert "The vote" in text and "2 models of the folds" in text


@pytest.mark.parametrize(
    "options, message",
    [
        (["--by", "shoe"], "--by shoe is not a column"),
        (["--trials-csv", "text"], "Expected a table of trials"),
        (["--report", "none/report.html"], "does not exist"),
    ],
)
def test_evaluate_refuses_a_report_before_it_trains(
    options, message, breath_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("path,label\na,b\n", encoding="utf-8")
    result = run("evaluate", breath_folder, "--report", "report.html", *options)
    assert result.exit_code == 2 and message in result.stderr, result.output
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("option", ["--by", "--trials-csv"])
def test_what_only_a_report_shows_is_refused_without_one(
    option, breath_folder, tmp_path
):
    trials = tmp_path / "day"
    trials.write_text("trial_number\n", encoding="utf-8")
    value = "day" if option == "--by" else trials
    result = run("evaluate", breath_folder, option, value)
    assert result.exit_code == 2
    assert f"{option} is for the report only: add --report" in result.stderr


def test_tune_keeps_the_best_trials(breath_folder, tmp_path):
    out, trials = tmp_path / "tuned.joblib", tmp_path / "trials.csv"
    result = run(
        # Fewer trials than the members that there are by default.
        *("tune", breath_folder, "--preset", "fast", "--trials", 2),
        *("--trial-epochs", 1),
        *(*FAST, "--out", out, "--trials-csv", trials),
    )
    assert result.exit_code == 0, result.output
    for name in ("trial_0", "trial_1", "frames"):
        assert name in result.stdout
    assert "(out-of-fold accuracy " in result.stdout
    first, tuning, announced, training = result.stderr.splitlines()[-4:]
    assert first.startswith("First: 2 trials of frames of the preset fast")
    assert tuning.startswith("Tuning: done") and training.startswith(
        "Training the best"
    )
    assert "vote with the best 2 trials (9 fits)" in announced
    assert len(pd.read_csv(trials)) == 2
    assert joblib.load(out)["classifier"].classes_.tolist() == ["E", "I"]


def test_tune_goes_on_with_stored_trials(breath_folder, tmp_path):
    storage = tmp_path / "trials.db"
    command = ["tune", breath_folder, "--members", 1, "--trial-epochs", 1, *FAST]
    command += ["--preset", "fast", "--storage", storage, "--workers", 2]
    tables = []
    for n_trials in (2, 3):
        trials = tmp_path / f"{n_trials}.csv"
        out = ["--out", tmp_path / "tuned.joblib", "--trials-csv", trials]
        result = run(*command, *out, "--trials", n_trials)
        assert result.exit_code == 0, result.output
        tables.append(pd.read_csv(trials))
    first, all_of_them = tables
    assert len(all_of_them) == 3
    pd.testing.assert_frame_equal(all_of_them[:2][["params"]], first[["params"]])
    with sqlite3.connect(storage) as database:
        assert database.execute("SELECT count(*) FROM trials").fetchone() == (3,)


@pytest.mark.parametrize(
    "storage, message",
    [
        ("nowhere/trials.db", "nowhere is not a folder: create it"),
        ("nowhere/trials.journal", "nowhere is not a folder: create it"),
        ("oracle://127.0.0.1/none", "database driver"),
        ("folder", "folder is a folder; name a file"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_one_line(
    storage, message, breath_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    out = tmp_path / "tuned.joblib"
    result = run("tune", breath_folder, "--out", out, "--storage", storage, "--jobs", 1)
    assert result.exit_code == 2 and message in result.stderr, result.output
    assert "Traceback" not in result.stderr and not out.exists()
    assert result.stderr.count("\n") - result.stderr.startswith("First: ") == 1


def test_tune_refuses_a_positive_class_that_is_not_there(breath_folder, tmp_path):
    out, storage = tmp_path / "tuned.skb", tmp_path / "trials.db"
    command = ["tune", breath_folder, "--out", out, "--storage", storage]
    result = run(*command, "--pos-label", "inhale", "--jobs", 1)
    assert result.exit_code == 2, result.output
    assert "pos_label='inhale' is not a class of y: ['E', 'I']" in result.stderr
    assert not out.exists() and not storage.exists()  # no trial was run


@pytest.mark.slow
def test_demo_writes_model_submission_table_and_picture(breath_folder, tmp_path):
    out = tmp_path / "demo"
    result = run("demo", "--data", breath_folder, "--quick", "--out", out)
    assert result.exit_code == 0, result.output
    assert "weighted vote, tuned threshold" in result.stdout
    assert (out / "breath.png").read_bytes().startswith(b"\x89PNG")
    assert len(pd.read_csv(out / "results.csv")) == 4
    submission = pd.read_csv(out / "submission.csv")
    test = load_kaggle_breath(breath_folder, subset="test")
    assert submission["ID"].tolist() == test.id.tolist()
    assert len(load_model(out / "model.skb").predict(test.paths)) == len(test.id)


@pytest.mark.slow
def test_demo_makes_the_table_and_the_picture_of_the_pages(tmp_path):
    # CI has run it before, as a newcomer does.
    demo = os.environ.get("SKBREATH_DEMO")
    if demo is None:
        demo = tmp_path / "demo"
        result = run("demo", "--out", demo)
        assert result.exit_code == 0, result.output
    page = (REPOSITORY / "docs/ten-minutes.md").read_text(encoding="utf-8")
    results = pd.read_csv(Path(demo, "results.csv"))
    assert len(results) == 4
    for name, *scores in results.itertuples(index=False):
        (line,) = re.findall(rf"│ {name} +│(.*)", page)
        # Other processors round differently, and labels near the threshold change.
        expected = pytest.approx(scores, abs=0.05)
        assert [float(n) for n in re.findall(r"0\.\d+", line)] == expected
    drawn, kept = (
        matplotlib.image.imread(path)
        for path in (Path(demo, "breath.png"), REPOSITORY / "docs/demo.png")
    )
    assert drawn.shape == kept.shape and np.abs(drawn - kept).mean() < 0.02


def test_demo_refuses_a_folder_with_other_files(tmp_path):
    (tmp_path / "results.csv").write_text("mine", encoding="utf-8")
    result = run("demo", "--out", tmp_path)
    assert result.exit_code == 2 and "name a new folder" in result.stderr
    assert os.listdir(tmp_path) == ["results.csv"]
    assert run("demo", "--out", tmp_path / "results.csv").exit_code == 2
    assert run("demo", "--quick").exit_code == 2


def broken(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "no model"])
def test_errors_are_one_line_with_exit_code_2(kind, model, breath_folder, tmp_path):
    clip = sorted((breath_folder / "test").iterdir())[0]
    (tmp_path / "none").mkdir()
    path = {
        "missing": tmp_path / "gone.wav",
        "folder": tmp_path / "none",
        "empty": broken(tmp_path, "empty.wav", b""),
        "text": broken(tmp_path, "text.wav", b"hello " * 100),
        "no model": clip,
    }[kind]
    chosen = broken(tmp_path, "model.skb", b"junk") if kind == "no model" else model
    out = tmp_path / "out.csv"
    result = run("predict", "--model", chosen, path, "--out", out)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("Error: ")
    named = chosen if kind == "no model" else path
    assert named.name in result.stderr
    assert not out.exists()


def test_destination_is_checked_before_the_work(breath_folder, tmp_path):
    out = tmp_path / "nowhere" / "model.skb"
    result = run("train", breath_folder, "--out", out, "--max-epochs", 10_000)
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_failed_training_leaves_the_old_model(breath_folder, tmp_path):
    out = tmp_path / "model.joblib"
    out.write_bytes(b"old")
    result = run("train", tmp_path, "--out", out)
    assert result.exit_code == 2
    assert "train.csv" in result.stderr
    assert out.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model.joblib"]


def test_length_and_rate_of_the_clips_are_options(breath_folder, tmp_path):
    out = tmp_path / "m.skb"
    options = ["--duration", 0.5, "--sample-rate", 8000, *FAST]
    commands = {"train": [], "tune": ["--trials", 1, "--trial-epochs", 1]}
    for name, more in commands.items():
        more += ["--preset", "fast"]
        result = run(name, breath_folder, "--out", out, *more, *options)
        assert result.exit_code == 0, result.output
        audio = load_model(out)["audio"]
        assert (audio.duration, audio.sample_rate) == (0.5, 8000)
    tables = []
    for changed in ([], options):
        table = tmp_path / "labels.csv"
        command = ["evaluate", breath_folder, "--preset", "fast", "--cv", 2, *FAST]
        result = run(*command, *changed, "--out", table)
        assert result.exit_code == 0, result.output
        tables.append(pd.read_csv(table))
    assert not tables[0].equals(tables[1])


@pytest.mark.parametrize("command", ["train", "tune", "evaluate"])
@pytest.mark.parametrize("device", ["cuda:63", "gpu"])
def test_an_unavailable_device_is_an_error_before_files_are_read(
    command, device, tmp_path
):
    out = tmp_path / "out.skb"
    result = run(command, tmp_path / "no data", "--out", out, "--device", device)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: --device='{device}' is not available here")


@pytest.mark.parametrize("option", ["--duration", "--sample-rate", "--device"])
def test_a_trained_model_settles_how_its_clips_are_read(model, breath_folder, option):
    # Also where the value is that of the default.
    value = {"--duration": 1, "--sample-rate": 16000, "--device": "cpu"}[option]
    result = run("evaluate", breath_folder, "--model", model, option, value)
    assert result.exit_code == 2 and result.stdout == ""
    assert f"{option} is for a model to be trained" in result.stderr


def test_usage_errors(model, tmp_path):
    assert run("predict", "--model", model).exit_code == 2
    result = run("predict", "--model", model, "--submission", tmp_path)
    assert result.exit_code == 2 and "--out" in result.stderr
    out = ["--out", tmp_path / "m.skb"]
    result = run("tune", tmp_path, *out, "--trials", 1, "--members", 2)
    assert result.exit_code == 2 and "--members" in result.stderr


def test_unexpected_errors_show_no_traceback(breath_folder, monkeypatch, tmp_path):
    def explode(*args, **kwargs):
        raise RuntimeError("boom")

    monkeypatch.setattr(pd, "read_csv", explode)
    result = run("train", breath_folder, "--out", tmp_path / "m.skb")
    assert result.exit_code == 3
    assert "RuntimeError: boom" in result.stderr and "Traceback" not in result.stderr


def test_help_of_every_command_has_an_example():
    listed = run("--help").output
    for name in main.commands:
        assert name in listed
        assert f"skbreath {name}" in run(name, "--help").output


def test_import_stays_light():
    code = (
        "import sys, json, skbreath\n"
        "heavy = ['torch', 'sklearn', 'librosa', 'numba', 'pandas', 'optuna']\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]))\n"
        "for name in skbreath.__all__: getattr(skbreath, name)\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert json.loads(output.stdout) == []


def test_probabilities_in_the_table_add_up(model, breath_folder, tmp_path):
    out = tmp_path / "out.csv"
    assert run("predict", "--model", model, breath_folder / "test", "--out", out)
    table = pd.read_csv(out)
    total = table["probability_E"] + table["probability_I"]
    np.testing.assert_allclose(total, 1, atol=2e-6)


def test_own_csv_with_own_labels_and_groups(breath_folder, tmp_path):
    clips = load_kaggle_breath(breath_folder)
    own = pd.DataFrame(
        {
            "path": clips.paths,
            "label": np.where(clips.target == "I", "in", "out"),
            "patient": clips.day,
        }
    )
    own.to_csv(tmp_path / "clips.csv", index=False)
    out = tmp_path / "model.joblib"
    command = ["train", tmp_path / "clips.csv", "--out", out, *FAST]
    for pos_label, classes in (("I", ["E", "I"]), ("in", ["in", "out"])):
        result = run(*command, "--group", "patient", "--pos-label", pos_label)
        assert result.exit_code == 0, result.output
        assert joblib.load(out).classes_.tolist() == classes
        noted = "Note: labels read as I: in; as E: out." in result.stderr
        assert noted is (pos_label == "I")
    result = run(*command, "--group", "patient", "--pos-label", "1")
    assert result.exit_code == 2 and "'1' is not a class" in result.stderr
    result = run(*command, "--pos-label", "in")
    assert result.exit_code == 2 and "recording" in result.stderr


def test_pickled_models_work_and_damaged_ones_are_named(breath_folder, tmp_path):
    out, clip = tmp_path / "m.joblib", sorted((breath_folder / "test").iterdir())[0]
    assert run("train", breath_folder, "--out", out, *FAST).exit_code == 0
    assert joblib.load(out).classes_.tolist() == ["E", "I"]
    assert run("predict", "--model", out, clip).exit_code == 0
    renamed = broken(tmp_path, "m.skb", out.read_bytes())
    result = run("predict", "--model", renamed, clip)
    assert result.exit_code == 2 and "looks like a pickle" in result.stderr
    for junk in (b"junk", b""):
        result = run("predict", "--model", broken(tmp_path, "b.joblib", junk), clip)
        assert result.exit_code == 2 and "b.joblib is not a model" in result.stderr


def test_trained_model_is_judged_and_known_clips_are_pointed_out(
    model, breath_folder, tmp_path
):
    out, by_day = tmp_path / "labels.csv", tmp_path / "days.csv"
    options = ["--group", "day", "--out", out, "--breakdown", by_day]
    result = run("evaluate", breath_folder, "--model", model, *options)
    assert result.exit_code == 0, result.output
    assert "calibration_error" in result.stdout
    n_clips = len(load_kaggle_breath(breath_folder).paths)
    assert f"trained on {n_clips} of these {n_clips} clips" in result.stderr
    predictions, days = pd.read_csv(out), pd.read_csv(by_day)
    assert len(predictions) == days["n_clips"].sum() == n_clips
    n_positive = (predictions["y_true"] == "I").sum()
    assert days["positive_share"] @ days["n_clips"] == pytest.approx(n_positive)
    assert days["group"].nunique() == len(days) == predictions["group"].nunique()


def test_longer_files_are_pointed_out(model, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.full(40000, 0.1), 16000)
    result = run("predict", "--model", model, tmp_path / "long.wav")
    assert result.exit_code == 0, result.output
    assert "1 of 1 files are longer than 1 s" in result.stderr


def test_model_that_takes_no_audio_is_refused(breath_folder, tmp_path):
    joblib.dump(LogisticRegression(), tmp_path / "lr.joblib")
    clip = sorted((breath_folder / "test").iterdir())[0]
    result = run("predict", "--model", tmp_path / "lr.joblib", clip)
    assert result.exit_code == 2 and "does not take audio files" in result.stderr
    result = run("predict", "--model", tmp_path, clip)
    assert result.exit_code == 2 and "is a folder" in result.stderr


def test_a_model_without_probabilities_is_refused_in_one_line(breath_folder, tmp_path):
    clips = load_kaggle_breath(breath_folder)
    path = tmp_path / "ridge.joblib"
    ridge = make_pipeline(AudioReader(duration=0.1), RidgeClassifier())
    joblib.dump(ridge.fit(clips.paths, clips.target), path)
    for out in ([], ["--out", tmp_path / "labels.csv"], ["--reject-below", "0.6"]):
        result = run("predict", "--model", path, breath_folder / "test", *out)
        assert result.exit_code == 2, result.output
        assert "Error: RidgeClassifier has no predict_proba" in result.stderr
        assert not result.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["ridge.joblib"]


@pytest.mark.parametrize("name", ["tuner.skb", "tuner.joblib"])
def test_a_fine_tuned_model_predicts_files(breath_folder, tmp_path, name):
    clips = load_kaggle_breath(breath_folder)
    bands = BreathFeatures(groups=("mel",), n_mels=8, fmax=4000)
    net = ResidualCNNClassifier(hidden_channels=2, max_epochs=1, random_state=0)
    threshold = ThresholdClassifier(net, pos_label="I", cv=2, random_state=0)
    model = make_pipeline(AudioReader(), bands, ChannelScaler(), threshold)
    model.fit(clips.paths, clips.target)
    tuner = FineTunedClassifier(model, n_updates=4, cv=2, random_state=0)
    tuner.fit(clips.paths, clips.target, clips.recording)
    path, out = tmp_path / name, tmp_path / "labels.csv"
    if path.suffix == ".skb":
        save_model(tuner, path)
    else:
        joblib.dump(tuner, path)
    options = ["--reject-below", "0.5", "--out", out]
    result = run("predict", "--model", path, breath_folder / "test", *options)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(out)
    assert table["label"].tolist() == tuner.predict(table["path"]).tolist()
    assert not table["rejected"].any()


def test_labels_and_groups_that_cannot_work_are_named(breath_folder, tmp_path):
    clips = load_kaggle_breath(breath_folder)
    own = pd.DataFrame({"path": clips.paths, "label": clips.target, "room": "A"})
    own.to_csv(tmp_path / "clips.csv", index=False)
    command = ["train", tmp_path / "clips.csv", "--out", tmp_path / "m.joblib"]
    result = run(*command, "--group", "room")
    assert result.exit_code == 2 and "5 values of 'room'" in result.stderr
    own.loc[0, "label"] = "pause"
    own.to_csv(tmp_path / "clips.csv", index=False)
    result = run(*command, "--group", "room")
    assert result.exit_code == 2 and "['E', 'I', 'pause']" in result.stderr


@pytest.fixture
def spoilt(breath_folder, tmp_path):
    """Clips of which three are bad, and their table."""
    clips = load_kaggle_breath(breath_folder)
    folder = tmp_path / "clips"
    folder.mkdir()
    paths = [shutil.copy(path, folder) for path in clips.paths]
    os.truncate(paths[0], 0)
    os.truncate(paths[40], 1000)
    soundfile.write(paths[7], np.full(9, np.inf), 16000, subtype="FLOAT")
    table = tmp_path / "clips.csv"
    columns = {"path": paths, "label": clips.target, "day": clips.day}
    pd.DataFrame(columns).to_csv(table, index=False)
    return [paths[0], paths[7], paths[40]], paths, table


def check_bad_files(path, bad):
    listed = pd.read_csv(path)
    assert listed.columns.tolist() == ["path", "reason"]
    assert listed["path"].tolist() == bad
    reasons = ["0 bytes", "infinite", "truncated"]
    assert all(a in b for a, b in zip(reasons, listed["reason"], strict=True))


def without_notes(result):
    """List the lines of standard error but notes, such as that on recordings."""
    return [line for line in result.stderr.splitlines() if "Note: " not in line]


def test_predict_names_all_bad_files_or_skips_them(model, spoilt, tmp_path):
    bad, paths, _ = spoilt
    out = tmp_path / "labels.csv"
    command = ["predict", "--model", model, *paths, "--batch-size", 5]
    result = run(*command, "--out", out)
    assert result.exit_code == 2 and not out.exists()
    (line,) = without_notes(result)
    assert line.startswith("Error: 3 audio files") and all(path in line for path in bad)
    assert sorted(os.listdir(tmp_path)) == ["clips", "clips.csv"]

    result = run(*command, "--out", out, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert f"3 of {len(paths)} files cannot be read and are left out" in result.stderr
    check_bad_files(tmp_path / "bad-files.csv", bad)
    labels = pd.read_csv(out)
    assert labels["path"].tolist() == [path for path in paths if path not in bad]
    assert labels.notna().all(axis=None)
    assert sorted(os.listdir(tmp_path)) == [
        *("bad-files.csv", "clips", "clips.csv", "labels.csv")
    ]

    result = run(*command, "--skip-bad")
    assert len(result.stdout.splitlines()) == len(labels) + 1
    assert all(f"Left out: {path!r}" in result.stderr for path in bad)
    good = [path for path in paths if path not in bad]
    result = run("predict", "--model", model, *good, "--out", out, "--skip-bad")
    assert "left out" not in result.stderr
    assert pd.read_csv(tmp_path / "bad-files.csv").empty
    result = run("predict", "--model", model, bad[0], "--out", out, "--skip-bad")
    assert result.exit_code == 2 and "none of the 1 files" in result.stderr
    assert pd.read_csv(out).empty and len(pd.read_csv(tmp_path / "bad-files.csv")) == 1


def test_an_interrupted_prediction_leaves_the_old_files(
    model, spoilt, tmp_path, monkeypatch
):
    _, paths, _ = spoilt
    before = sorted(os.listdir(tmp_path))
    out = tmp_path / "out" / "labels.csv"
    n_batches = 0
    out.parent.mkdir()
    out.write_text("old", encoding="utf-8")

    def interrupted(self, X, **params):
        nonlocal n_batches
        n_batches += 1
        if n_batches == 2:
            raise KeyboardInterrupt
        return predict_proba(self, X, **params)

    predict_proba = Pipeline.predict_proba
    monkeypatch.setattr(Pipeline, "predict_proba", interrupted)
    command = ["predict", "--model", model, *paths, "--skip-bad", "--out", out]
    assert run(*command, "--batch-size", 3).exit_code == 130
    assert (
        os.listdir(out.parent) == ["labels.csv"]
        and out.read_text(encoding="utf-8") == "old"
    )
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "out"])


def test_file_names_that_are_not_utf8_are_written_as_they_are(
    model, breath_folder, tmp_path
):
    clip = next((breath_folder / "test").iterdir())
    name = os.fsdecode(b"caf\xe9,\n.wav")
    shutil.copy(clip, os.path.join(tmp_path, name))
    out = tmp_path / "labels.csv"
    result = run("predict", "--model", model, tmp_path, "--out", out)
    assert result.exit_code == 0, result.output
    assert b'/caf\xe9,\n.wav",' in out.read_bytes()


def test_training_skips_bad_files(spoilt, tmp_path):
    bad, paths, table = spoilt
    out = tmp_path / "out" / "model.joblib"
    out.parent.mkdir()
    command = ["train", table, "--group", "day", *FAST, "--out", out]
    result = run(*command)
    assert result.exit_code == 2 and not out.exists()
    assert all(path in result.stderr for path in bad)
    result = run(*command, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert f"3 of {len(paths)} files cannot be read" in result.stderr
    check_bad_files(out.parent / "bad-files.csv", bad)
    command = ["evaluate", table, "--group", "day", "--cv", 2, *FAST, "--skip-bad"]
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert all(f"Left out: {path!r}" in result.stderr for path in bad)


def test_audio_unlike_the_training_audio_is_pointed_out(model, breath_folder, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(12):
        noise = rng.normal(0, 0.3, 16000).clip(-1, 1)
        soundfile.write(tmp_path / f"{number:02}.wav", noise, 16000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    result = run("predict", "--model", model, tmp_path, "--batch-size", 1)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 14
    unlike, silent = without_notes(result)
    assert "unlike the training audio (level: " in unlike and "00.wav" in unlike
    assert "silent.wav" in silent
    result = run("predict", "--model", model, tmp_path)
    assert "1 of 13 clips is digital silence" in result.stderr
    assert len(without_notes(result)) == 2
    result = run("predict", "--model", model, breath_folder / "test")
    assert without_notes(result) == []


@pytest.mark.parametrize(
    "command",
    [
        ["predict"],
        ["predict", "--model"],
        ["predict", "--batch-size", "0", "--model", "m"],
        ["predict", "--model", "m", "--submission", "d", "--out", "o", "--skip-bad"],
        ["train", "--nothing"],
        ["train", "d", "--out", "m.skb", "--duration", "nan"],
        ["tune", "d", "--out", "m.skb", "--duration", "0"],
        ["evaluate", "d", "--sample-rate", "3999"],
        ["train-phases", "d", "--out", "m.skb", "--lag", "nan"],
        ["predictt"],
        ["--nothing"],
    ],
)
def test_usage_errors_are_one_line(command):
    result = run(*command)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ") and line.endswith("--help`.")


def test_recordings_of_names_and_columns(model, breath_folder, tmp_path):
    train = load_kaggle_breath(breath_folder)
    folder, out = breath_folder / "train", tmp_path / "out.csv"
    expected = load_model(model).predict_proba(train.paths, recordings=train.recording)
    result = run("predict", "--model", model, *train.paths, "--out", out, "--json")
    n = len(set(train.recording.tolist()))
    assert f"clips are compared within {n} recordings" in result.stderr
    assert json.loads(result.stdout)["n_recordings"] == n
    table = pd.read_csv(out)
    assert table["path"].tolist() == train.paths.tolist()
    np.testing.assert_allclose(table["probability_I"], expected[:, 1], atol=2e-6)

    command = ["predict", "--model", model, folder, "--recording"]
    alone = run(*command, "none", "--json")
    assert json.loads(alone.stdout)["n_recordings"] is None
    by_day = run(*command, r"_S\d+_", "--json")
    assert json.loads(by_day.stdout)["n_recordings"] == len(set(train.day))
    wrong = run(*command, "person")
    assert wrong.exit_code == 2 and "--recording person is not a part" in wrong.stderr

    frame = train.frame.assign(label=train.target, one="x")
    frame[["path", "label", "recording", "day", "one"]].to_csv(tmp_path / "clips.csv")
    command = ["evaluate", tmp_path / "clips.csv", "--group", "recording", "--model"]
    result = run(*command, model, "--recording", "one", "--json")
    answer = json.loads(result.stdout)
    assert answer["n_recordings"] == 1 and answer["settings"]["with_recordings"]
    plain = make_pipeline(
        AudioReader(), BreathFeatures(), SummaryPooling(), GaussianNB()
    )
    save_model(plain.fit(train.paths, train.target), tmp_path / "plain.skb")
    result = run(*command, tmp_path / "plain.skb", "--recording", "one")
    assert result.exit_code == 2 and "leave --recording out" in result.stderr
    result = run("predict", "--model", tmp_path / "plain.skb", *train.paths[:2])
    assert result.exit_code == 0 and "recordings" not in result.stderr
