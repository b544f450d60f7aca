"""Benchmarks that are called wrongly say what to do; reports say what is missing."""

import importlib
import os
import re
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from soundfile import write

from skbreath import (
    load_kaggle_breath,
    load_model,
    make_breath_recording,
    write_label_track,
)

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDED = {
    "bench_accuracy": [],
    "bench_ablation": [],
    "bench_fine_tune": ["--work", "new"],
    "bench_reference_table": [],
    "bench_tuning": [],
    "train_pretrained": ["--folder", "new"],
}


@pytest.fixture
def script(monkeypatch, tmp_path):
    """Imports a benchmark by its name; results go to a folder of the test."""
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.chdir(tmp_path)
    # The package tells libraries to have one thread; other tests have their own ways.
    with mock.patch.dict(os.environ):
        importlib.import_module("benchmarks")
    harness = importlib.import_module("benchmarks.harness")
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def call(monkeypatch, script):
    """Runs a benchmark as the command line does."""

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        script(name).main()

    return call


@pytest.fixture
def refused(call, capsys):
    """Runs a benchmark whose arguments are wrong; gives the message."""

    def refused(name, *arguments):
        with pytest.raises(SystemExit) as error:
            call(name, *arguments)
        assert error.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    return refused


@pytest.fixture
def keep(tmp_path, breath_folder, script):
    """Writes fold files as if `bench_accuracy` had fitted a model."""
    accuracy = script("bench_accuracy")
    clips = load_kaggle_breath(breath_folder)
    splits = accuracy.five_folds(clips, clips.day)
    kept = tmp_path / "kept"
    kept.mkdir()

    def keep(model, folds, n_too_many=0):
        for fold in folds:
            test = splits[fold][1]
            score = np.random.default_rng(fold).random(len(test) + n_too_many)
            np.savez(
                accuracy.fold_file(kept, "day", model, 0, fold),
                score=score,
                predicted=score > 0.5,
                **dict.fromkeys(("fit_seconds", "fit_cpu", "latency_ms", "size_mb"), 1),
            )
        return kept

    return keep


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("bench_accuracy", ["--models", "nosuch"], "--models: .* 'nosuch' .*boosting"),
        ("bench_accuracy", ["--folds", "9"], "--folds: .* 9 .*choose from .*4"),
        ("bench_accuracy", ["--folds", "-1"], "--folds: .* -1 .*choose from .*4"),
        ("bench_accuracy", ["--folds", "0", "7"], "--folds: .* 7 .*choose from .*4"),
        ("bench_accuracy", ["--peer", "nosuch"], "--peer: there is no .*'nosuch'"),
        ("bench_accuracy", ["--pybreathparams", "no"], "--pybreathparams: .*'no'"),
        ("bench_accuracy", ["--report"], "give --folder"),
        ("bench_accuracy", ["--report", "--folder", "new"], "no folder 'new'"),
        ("bench_ablation", ["--networks", "nosuch"], "--networks: .*'nosuch'.*frames"),
        (
            "bench_ablation",
            ["--ideas", "no mixup", "nosuch"],
            "--ideas: 'nosuch' is none .* spectrogram or frames: 'as it is', .*'noise'",
        ),
        (
            "bench_ablation",
            ["--networks", "frames", "--ideas", "GRU head"],
            "--ideas: 'GRU head' is none .* for frames: .*'96 channels'",
        ),
        ("bench_ablation", ["--report"], "give --folder"),
        ("bench_fine_tune", ["--draws", "0"], "--draws: 0 is less than 1"),
        ("bench_tuning", ["--part", "nosuch"], "--part: .*'nosuch'.*frames"),
        ("train_pretrained", ["--preset", "nosuch"], "--preset: .*'nosuch'.*default"),
    ],
)
def test_wrong_arguments(refused, breath_folder, name, arguments, message):
    shown = refused(name, "--data", breath_folder, *NEEDED[name], *arguments)
    assert re.search(message, shown), shown
    assert not Path("new").exists()


@pytest.mark.parametrize("name", NEEDED)
def test_no_data(refused, name):
    shown = refused(name, "--data", "/nowhere", *NEEDED[name])
    assert "/nowhere" in shown and shown.startswith(f"{name}: error: argument --data")
    assert not Path("new").exists()


def test_recordings_without_tracks_or_phases(refused, tmp_path):
    made = make_breath_recording(10, random_state=0)
    write(tmp_path / "a.wav", made.waveform, made.sample_rate)
    command = ("bench_fine_tune", "--work", "new", "--data", tmp_path)
    assert f"1 of 1 recordings in {str(tmp_path)!r}" in refused(*command)
    write_label_track(tmp_path / "a.txt", made.phases)
    assert f"{str(tmp_path)!r} has {len(made.phases)} labelled" in refused(*command)
    (tmp_path / "a.txt").write_text("no times\n", encoding="utf-8")
    assert "a.txt" in refused(*command)


def test_ablation_without_librosa(refused, call, monkeypatch, breath_folder):
    monkeypatch.setitem(sys.modules, "librosa", None)
    for name in ("ablation_parts", "ablation_ideas", "bench_ablation"):
        monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    with pytest.raises(SystemExit) as error:
        call("bench_ablation", "--help")
    assert error.value.code == 0
    command = ("bench_ablation", "--data", breath_folder, "--ideas")
    assert ".[bench]" in refused(*command, "no mixup", "per-channel energy")


def test_report_of_accuracy_names_what_is_missing(call, keep, breath_folder, capsys):
    kept = keep("fast", range(5))
    keep("SVC", [0, 1])
    command = ["bench_accuracy", "--data", breath_folder, "--split", "day"]
    command += ["--folder", kept, "--models", "fast", "SVC", "MiniRocket"]
    call(*command, "--report", "--save")
    shown = capsys.readouterr().out
    assert "not measured: SVC, because these folds are missing: 2, 3, 4\n" in shown
    assert "not measured: MiniRocket, because these folds are missing: 0" in shown
    assert re.search(r"^fast +0\.", shown, flags=re.MULTILINE)
    assert Path("results/bench_accuracy.txt").read_text(encoding="utf-8") == shown

    call(*command, "--folds", "1", "0", "1")
    shown = capsys.readouterr().out
    assert "only these folds: 0, 1\n" in shown
    assert "MiniRocket, because no --peer is given" in shown
    assert re.search(r"^SVC +0\.", shown, flags=re.MULTILINE)


def test_kept_folds_of_other_clips_are_refused(call, keep, breath_folder):
    kept = keep("fast", range(5), n_too_many=1)
    command = ["bench_accuracy", "--data", breath_folder, "--split", "day"]
    with pytest.raises(SystemExit, match="day-fast-0-0.npz has the scores of"):
        call(*command, "--folder", kept, "--models", "fast", "--report")


def test_nothing_measured_is_an_error_and_not_saved(call, breath_folder, capsys):
    command = ["bench_accuracy", "--data", breath_folder, "--save"]
    with pytest.raises(SystemExit, match="No model is measured"):
        call(*command, "--models", "MiniRocket", "--folder", "a/b/c")
    assert "MiniRocket, because no --peer is given" in capsys.readouterr().out
    assert Path("a/b/c").is_dir() and not Path("results").exists()


def test_report_of_ablation_names_what_is_missing(
    call, refused, script, breath_folder, tmp_path, capsys
):
    folder = tmp_path / "kept"
    folder.mkdir()
    command = ["bench_ablation", "--data", breath_folder, "--folder", folder]
    command += ["--networks", "frames", "--report"]
    shown = refused(*command)
    assert "frames-as it is-0-0.npy" in shown and "--networks frames --ideas" in shown

    clips = load_kaggle_breath(breath_folder)
    splits = script("bench_accuracy").five_folds(clips, clips.day)
    rng = np.random.default_rng(0)
    for idea in ("as it is", "no mixup"):
        for fold in (0, 1):
            scores = rng.random(len(splits[fold][1]))
            np.save(folder / f"frames-{idea}-0-{fold}.npy", scores)
    call(*command, "--ideas", "no mixup", "as it is", "no masks")
    shown = capsys.readouterr().out
    assert re.search(r"^no mixup +0\.", shown, flags=re.MULTILINE)
    assert "not run: as it is, seed 1; as it is, seed 2; no masks\n" in shown

    np.save(folder / "frames-no mixup-0-1.npy", scores[1:])
    with pytest.raises(SystemExit, match="frames-no mixup-0-1.npy has the scores of"):
        call(*command)


@pytest.mark.slow
def test_training_writes_model_card_and_result(
    call, breath_folder, script, monkeypatch
):
    pretrained = script("train_pretrained")
    card = Path("model-card.md")
    card.write_text(
        f"before\n{pretrained.BEGIN}\nold\n{pretrained.END}\nafter\n", encoding="utf-8"
    )
    monkeypatch.setattr(pretrained, "PRETRAINED", {"clips": Path("clips.skb")})
    monkeypatch.setattr(pretrained, "CARD", card)
    command = ("train_pretrained", "--data", breath_folder, "--preset", "fast")
    call(*command, "--folder", "kept", "--n-jobs", "1")
    text = card.read_text(encoding="utf-8")
    assert (
        text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    )
    assert "| score | each clip alone | with its recording |" in text
    model = load_model("clips.skb")
    assert model["classifier"].estimator_.recording_shares_ == [0]
    result = Path("results/train_pretrained.txt").read_text(encoding="utf-8")
    assert 'preset "fast", seed 0' in result
    # What is in the folder is not trained again.
    monkeypatch.delattr(pretrained, "make_breath_classifier")
    call(*command, "--folder", "kept")


def test_help_of_training_says_what_it_needs_and_writes(call, capsys):
    with pytest.raises(SystemExit):
        call("train_pretrained", "--help")
    shown = " ".join(capsys.readouterr().out.split())
    written = "pretrained/clips.skb", "docs/model-card.md", "results/train_pretrained"
    assert all(file in shown for file in written)
