"""Every command and every block of Python code of README and pages runs."""

import functools
import shutil
import sys
import types
import warnings
from pathlib import Path

import click
import matplotlib
import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from pages import DOCS, PAGES, commands, python_blocks
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skbreath
from skbreath.cli import main

# Not run: what needs a database or a program that this project does not bring.
LEFT_OUT = {"big-data": "postgresql+psycopg://", "faq": 'classifier__groups": g'}

NOT_RUN = ("demo", "export", "listen", "monitor")


def simple_model():
    """Make a model that is fitted in no time."""
    features = skbreath.BreathFeatures(groups=("rms", "zcr"), hop_length=1024)
    return make_pipeline(features, skbreath.SummaryPooling(), LogisticRegression())


@pytest.fixture
def own_data(tmp_path, breath_folder, monkeypatch):
    """Change to a folder with the files that the pages name."""
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    Path("kaggle-breath").symlink_to(breath_folder, target_is_directory=True)
    train = skbreath.load_kaggle_breath(breath_folder)
    columns = {"path": train.paths, "label": train.target, "patient": train.day}
    for name in ("clips.csv", "new-clips.csv", "new.csv"):
        pd.DataFrame(columns).assign(device="a").to_csv(name, index=False)
    for name in ("clips", "new", "folder"):
        Path(name).mkdir()
        for path in train.paths[:3]:
            shutil.copy(path, name)
    shutil.copy(train.paths[0], "clip.wav")
    shutil.copy(train.paths[0], "new/breath.wav")
    for folder in ("recordings", "more"):
        Path(folder).mkdir()
    names = ["monday", "tuesday", "wednesday", "a", "b", "night", "recording"]
    for seed, name in enumerate(names):
        made = skbreath.make_breath_recording(20, random_state=seed)
        soundfile.write(f"{name}.wav", made.waveform, made.sample_rate)
        shutil.copy(f"{name}.wav", "more")
        if name not in ("night", "recording"):
            skbreath.write_label_track(f"{name}.txt", made.phases)
            for suffix in (".wav", ".txt"):
                shutil.copy(f"{name}{suffix}", "recordings")
    return tmp_path


@pytest.fixture
def run(monkeypatch, breath_folder):
    """Return a function that runs blocks of code in a module "page"."""
    # The code of the pages does not depend on how long models are trained.
    quick = functools.partial(skbreath.make_breath_classifier, max_epochs=1, cv=2)

    def quick_classifier(members=None, *, preset=None, max_epochs=1, **params):
        params.pop("cv", None)
        preset = {} if members is not None else {"preset": preset or "fast"}
        return quick(members, **preset, **params)

    search = skbreath.OptunaSearchCV

    def quick_search(estimator, space, **params):
        return search(estimator, space, **params | {"n_trials": 3, "cv": 2})

    monkeypatch.setattr(skbreath, "make_breath_classifier", quick_classifier)
    monkeypatch.setattr(skbreath, "OptunaSearchCV", quick_search)
    top = skbreath.top_estimators
    # Of few trials, few are distinct.
    monkeypatch.setattr(
        skbreath, "top_estimators", lambda found, k, **params: top(found, 1, **params)
    )
    evaluate = skbreath.evaluate

    def quick_evaluate(*data, cv=2, n_resamples=50, **params):
        return evaluate(*data, cv=2, n_resamples=50, **params)

    monkeypatch.setattr(skbreath, "evaluate", quick_evaluate)

    def run(blocks, page):
        module = types.ModuleType("page")
        train = skbreath.load_kaggle_breath(breath_folder)
        waveforms = np.vstack([skbreath.load_audio(p)[0] for p in train.paths])
        model = make_pipeline(skbreath.AudioReader(), *simple_model())
        # What pages take as given.
        vars(module).update(
            pd=pd,
            train=train,
            test=skbreath.load_kaggle_breath(breath_folder, subset="test"),
            paths=train.paths,
            y=train.target,
            labels=train.target,
            recordings=train.recording,
            weights=np.ones(len(train.target)),
            waveforms=waveforms,
            X=train.paths,
            pipeline=make_pipeline(skbreath.AudioReader(), *simple_model()[:-1]),
            corrected_tables=[
                skbreath.read_label_track(f"{day}.txt") for day in ("monday", "tuesday")
            ],
            model=model.fit(train.paths, train.target),
            clip_classifier=simple_model().fit(waveforms, train.target),
            microphone=np.split(soundfile.read("monday.wav")[0], 10),
            make_breath_classifier=skbreath.make_breath_classifier,
        )
        vars(module)["pipeline"].fit(train.paths, train.target)
        monkeypatch.setitem(sys.modules, "page", module)
        left_out = LEFT_OUT.get(page.stem)
        for block in blocks:
            if left_out is None or left_out not in block:
                exec(compile(block, str(page), "exec"), vars(module))

    return run


def command_of(words):
    """Return a command of ``skbreath`` and its context."""
    context = click.Context(main, info_name="skbreath", **main.context_settings)
    command = main.get_command(context, words[0])
    assert command is not None, words
    return command, click.Context(command, context, info_name=words[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_options_of_the_commands_of_a_page_exist(page):
    for words in commands(page):
        command, context = command_of(words)
        command.make_parser(context).parse_args(list(words[1:]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in PAGES if python_blocks(p)], ids=lambda page: page.stem
)
def test_python_code_of_a_page_runs(page, own_data, run):
    if page.stem == "export":
        pytest.importorskip("onnx", reason='needs the extra "onnx"')
        pytest.skip("tested in tests/onnx_export")
    if page.stem == "big-data":
        pytest.importorskip("dask", reason='needs the extra "distributed"')
    with warnings.catch_warnings():
        # Clips of other lengths and few groups, as the page's reader may have.
        warnings.simplefilter("ignore", UserWarning)
        run(python_blocks(page), page)


def quickened(words):
    """Return a command with fewer trials, folds and epochs."""
    name, words = words[0], [*words[1:]]
    options = {command for command in words if command.startswith("--")}
    fast = ["--max-epochs", 1, "--jobs", 1]
    if name in ("train", "evaluate", "tune") and "--model" not in options:
        words += ["--preset", "fast"] * (name != "tune") + fast
        words += ["--cv", 2] * (name == "evaluate")
    if name == "tune":
        words += ["--trials", 2, "--members", 1]
    return [name, *map(str, words)]


@pytest.mark.slow
def test_commands_of_the_pages_run(own_data):
    skbreath.save_model(skbreath.load_pretrained("nose-clips"), "model.skb")
    skbreath.save_model(skbreath.load_pretrained("nose"), "phases.skb")
    skbreath.save_model(skbreath.load_pretrained("nose"), "mine.skb")
    (own_data / "experiment.toml").write_text(
        'data = "kaggle-breath"\nmax_epochs = 1\n', encoding="utf-8"
    )
    Path("breaths").symlink_to("kaggle-breath", target_is_directory=True)
    done = set()
    for page in PAGES:
        for words in commands(page):
            # Tested elsewhere: long, waiting for sound, or in need of another package.
            if words[0] in NOT_RUN or tuple(words) in done:
                continue
            done.add(tuple(words))
            result = CliRunner().invoke(main, quickened(words))
            # 1: `check` found errors in the data.
            assert result.exit_code in (0, 1), (page, words, result.output)
    assert len(done) > 20


def test_pages_are_read():
    assert ["check", "breaths"] in commands(DOCS / "ten-minutes.md")
    assert "check_dataset" in python_blocks(DOCS / "check.md")[0]
