"""Run the whole workflow on synthetic breaths or on a folder of real clips.

In each fold by recording, and then on all clips, the network is tuned, the best trials
vote, and the threshold is set. All scores are of held-out clips.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..audio.reader import AudioReader
from ..datasets.label_files import load_kaggle_breath, write_submission
from ..datasets.synthetic_clips import make_breath_sounds, write_breath_sounds
from ..evaluation.scores import score_predictions
from ..features.breath_features import BreathFeatures
from ..fitting.cross_fitting import check_group_cv
from ..model_files.save_load import save_model
from ..pipelines.tuning import tune_breath_classifier
from ..utils.files import atomic_path

__all__ = ["RESULTS", "DemoSize", "run_demo"]

# Files that the demo writes.
RESULTS = ("model.skb", "submission.csv", "results.csv", "breath.png")


@dataclass(frozen=True)
class DemoSize:
    """Define how much work the demo does."""

    n_trials: int
    n_members: int
    trial_epochs: int
    max_epochs: int
    outer_folds: int
    inner_folds: int
    n_clips: int | None = None

    @property
    def fits_per_model(self):
        """Count the fits for one model with tuning, vote and threshold."""
        in_search = self.n_trials * self.inner_folds
        return in_search + self.n_members * (self.inner_folds + 1)


EMBEDDED = DemoSize(3, 2, 5, 10, outer_folds=3, inner_folds=2)
QUICK = DemoSize(3, 2, 5, 10, outer_folds=3, inner_folds=2, n_clips=600)
FULL = DemoSize(12, 3, 10, 25, outer_folds=3, inner_folds=5)


def run_demo(out, progress, data=None, *, quick=False, seed=0, n_jobs=None):
    """Run the demo, write its results to a folder and return the table of scores.

    The folder must be new, empty, or from an earlier demo. Without `data`, synthetic
    breaths are made in ``out/data``.
    """
    out = _prepare_folder(out)
    size = FULL
    if data is None:
        size = EMBEDDED
        data = out / "data"
        with progress.step("Making synthetic breaths", 1):
            sounds = make_breath_sounds(240, n_subjects=15, random_state=seed)
            shutil.rmtree(data, ignore_errors=True)  # of an earlier demo
            write_breath_sounds(sounds, data)
    elif quick:
        size = QUICK
    train = load_kaggle_breath(data)
    test = load_kaggle_breath(data, subset="test")
    paths, y, groups = _subsample(train, size.n_clips, seed)
    with progress.step("Loading the feature extraction", 1):
        # Compile it here, so that not every worker does.
        clip = AudioReader().fit_transform(paths[:1])
        BreathFeatures().fit_transform(clip)

    def fit(rows):
        tuned = tune_breath_classifier(
            paths[rows],
            y[rows],
            groups[rows],
            preset="reference",
            n_trials=size.n_trials,
            n_members=size.n_members,
            trial_epochs=size.trial_epochs,
            max_epochs=size.max_epochs,
            cv=size.inner_folds,
            vote_cv=size.inner_folds,
            prune_on=None,
            n_jobs=n_jobs,
            random_state=seed,
        )
        return tuned.model.fit(paths[rows], y[rows], classifier__groups=groups[rows])

    folds = []
    outer = check_group_cv(size.outer_folds, y, groups)
    for number, (fitted, held_out) in enumerate(outer.split(paths, y, groups), 1):
        title = f"Cross-validating, fold {number} of {size.outer_folds}"
        with progress.step(title, size.fits_per_model):
            model = fit(fitted)
            strategies = _predict_strategies(model, paths[held_out])
            folds.append((y[held_out], groups[held_out], strategies))
    table = _score_strategies(folds, seed)

    with progress.step("Fitting on all clips", size.fits_per_model):
        model = fit(np.arange(len(y)))
    with progress.step("Writing results", 4) as advance:
        save_model(model, out / "model.skb")
        advance()
        write_submission(out / "submission.csv", test.id, model.predict(test.paths))
        advance()
        with atomic_path(out / "results.csv") as path:
            table.to_csv(path)
        advance()
        _draw(model, paths, y, out / "breath.png")
    return table


def _prepare_folder(out):
    """Make the folder, or check that an earlier demo made it."""
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file; name a folder to write to.")
    note = out / "ABOUT.txt"
    if out.is_dir() and any(out.iterdir()) and not note.exists():
        raise ValueError(
            f"The folder {out} has files that are not from an earlier demo; name a new "
            "folder."
        )
    out.mkdir(parents=True, exist_ok=True)
    note.write_text(
        "Made by `skbreath demo`, which replaces what is in here.\n", encoding="utf-8"
    )
    return out


def _subsample(train, n_clips, seed):
    """Draw a random part of the clips: paths, labels and recordings."""
    rows = np.arange(len(train.paths))
    if n_clips is not None and n_clips < len(rows):
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(rows, n_clips, replace=False))
    return train.paths[rows], train.target[rows], train.recording[rows]


def _predict_strategies(model, paths):
    """Return labels and inhale probabilities of each strategy from one fitted model."""
    waveforms = model["audio"].transform(paths)
    threshold = model["classifier"]
    vote = threshold.estimator_
    exhale, inhale = vote.classes_
    # tune_breath_classifier lists the best trial first.
    members = [member.predict_proba(waveforms)[:, 1] for member in vote.estimators_]
    voted = vote.predict_proba(waveforms)[:, 1]
    scores = {
        "best single trial": members[0],
        "plain average of trials": np.mean(members, axis=0),
        "weighted vote": voted,
    }
    labels = {
        name: np.where(score >= 0.5, inhale, exhale) for name, score in scores.items()
    }
    tuned = "weighted vote, tuned threshold"
    scores[tuned], labels[tuned] = voted, threshold.predict(waveforms)
    return {name: (labels[name], scores[name]) for name in scores}


def _score_strategies(folds, seed):
    """Pool the folds of each strategy into one row of the table."""
    y_true = np.concatenate([y for y, _, _ in folds])
    groups = np.concatenate([group for _, group, _ in folds])
    rows = {}
    for name in folds[0][2]:
        y_pred, y_score = (
            np.concatenate([strategies[name][part] for *_, strategies in folds])
            for part in (0, 1)
        )
        scores = score_predictions(y_true, y_pred, y_score, groups, random_state=seed)
        rows[name] = {
            "accuracy": scores.loc["accuracy", "value"],
            "accuracy_low": scores.loc["accuracy", "low"],
            "accuracy_high": scores.loc["accuracy", "high"],
            "f1": scores.loc["f1", "value"],
            "roc_auc": scores.loc["roc_auc", "value"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strategy")


def _draw(model, paths, y, picture):
    """Draw spectrograms of an inhale and an exhale beside the threshold curve."""
    # Unlike pyplot, Figure needs neither a window nor global state.
    from matplotlib.figure import Figure

    from ..plotting.decision_curves import ThresholdCurveDisplay
    from ..plotting.spectrogram import SpectrogramDisplay

    # One clip says nothing about drift, of which the reader of the model warns.
    reader = AudioReader(sample_rate=model["audio"].sample_rate)
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for ax, label, title in ((left, "I", "Inhale"), (middle, "E", "Exhale")):
        clip = reader.fit_transform(paths[y == label][:1])[0]
        rate = reader.sample_rate
        SpectrogramDisplay.from_waveform(clip, rate, title=title, ax=ax)
    ThresholdCurveDisplay.from_estimator(model["classifier"], ax=right)
    with atomic_path(picture) as path:
        figure.savefig(path, dpi=120)
