"""Accuracy: the presets, the recipe of the original entry and classical rivals.

``python -m benchmarks.bench_accuracy --data FOLDER [--split day] [--models fast]``

Five folds by recording, and five by day, of the clips of one data set: every clip is
predicted by models that have heard nothing of its recording, or of its day. Each fit is
kept in ``--folder``, and a run goes on with what is missing; ``--report`` only reports.
MiniRocket and pybreathparams are computed in environments of their own, and left out
without ``--peer`` and ``--pybreathparams``.
Nothing is tuned here: what the presets are was chosen on folds by day of these clips.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks import harness
from benchmarks.bench_peer_breath import ask_peer, recipe
from skbreath import (
    AudioReader,
    BreathFeatures,
    SummaryPooling,
    compare_predictions,
    make_breath_classifier,
    save_model,
    score_predictions,
)
from skbreath.ensemble.rejection import labels_and_probabilities
from skbreath.utils.files import atomic_path

PRESETS = ("reference", "fast", "default", "accurate")
# Those that compare a clip with the other clips of its recording.
COMPARING = ("fast", "default", "accurate")
RIVALS = ("SVC", "boosting", "MiniRocket", "MiniRocket-mel", "pybreathparams")
# The option that names the Python of a rival with an environment of its own.
PEERS = {
    "MiniRocket": "peer",
    "MiniRocket-mel": "peer",
    "pybreathparams": "pybreathparams",
}
N_FOLDS = 5
METRICS = ("accuracy", "f1", "roc_auc", "log_loss", "calibration_error")
# Costs of a fold, and the digits that the table shows.
COSTS = {"fit_seconds": 0, "fit_cpu": 0, "latency_ms": 1, "size_mb": 2}


def pooled(classifier):
    """Mean, deviation and course of the channels, then `classifier`."""
    return make_pipeline(
        AudioReader(), BreathFeatures(), SummaryPooling(n_bins=8), classifier
    )


def make_model(name, seed, n_jobs):
    """Build a model by its name in the table."""
    if name in PRESETS:
        return make_breath_classifier(preset=name, n_jobs=n_jobs, random_state=seed)
    if name == "SVC":
        svc = make_pipeline(StandardScaler(), SVC(random_state=seed))
        return pooled(CalibratedClassifierCV(svc, ensemble=False))
    if name != "boosting":
        raise ValueError(f"there is no model {name!r}.")
    return pooled(HistGradientBoostingClassifier(random_state=seed))


def fit_fold(name, seed, data, groups, train, test, options):
    """Train on some clips and predict others; give what the table needs."""
    paths, labels = np.asarray(data.paths), data.target
    if name.startswith("MiniRocket"):
        steps = [BreathFeatures(groups=("mel",))] if name.endswith("mel") else []
        heard = make_pipeline(AudioReader(), *steps)
        return fit_peer(heard, paths, labels, train, test, options)
    if name == "pybreathparams":
        return fit_breath_peer(paths, labels, train, test, options)
    model = make_model(name, seed, options.n_jobs)
    fit_params = {"classifier__groups": groups[train]} if name in PRESETS else {}
    if name in COMPARING:
        fit_params["classifier__recordings"] = data.recording[train]
    began, cpu = time.perf_counter(), time.process_time()
    model.fit(list(paths[train]), labels[train], **fit_params)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    predicted, scores = labels_and_probabilities(model, list(paths[test]))
    one = [paths[test[0]]]
    latency = harness.measure({"one clip": lambda: model.predict(one)}, repeats=21)
    with tempfile.TemporaryDirectory() as folder:
        save = save_model if name in PRESETS else joblib.dump
        save(model, file := Path(folder) / "model.skb")
        size = file.stat().st_size
    inhale = list(model.classes_).index("I")
    together = {}
    if name in COMPARING:
        own = data.recording[test]
        predicted_with, scores_with = labels_and_probabilities(
            model, list(paths[test]), own
        )
        together = {
            "score_with": scores_with[:, inhale],
            "predicted_with": predicted_with == "I",
        }
    return {
        **together,
        "score": scores[:, inhale],
        "predicted": predicted == "I",
        "fit_seconds": seconds,
        "fit_cpu": cpu,
        "latency_ms": 1e3 * np.median(latency["one clip"].wall),
        "size_mb": size / 1e6,
    }


def fit_peer(heard, paths, labels, train, test, options):
    """The same for MiniRocket, in an environment of its own."""
    X = heard.fit_transform(list(paths))
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder) / "given.npz", Path(folder) / "result.npz"
        np.savez(given, X=X, y=labels == "I", train=train, test=test)
        script = Path(__file__).with_name("peer_minirocket.py")
        subprocess.run([options.peer, script, given, result], check=True)
        return dict(np.load(result))


def fit_breath_peer(paths, labels, train, test, options):
    """The same for the features of pybreathparams and a linear model, trained here.

    Its features are computed in one batch by another process, so there is no time of a
    single clip.
    """
    model = recipe()
    with tempfile.TemporaryDirectory() as folder:
        ask = partial(ask_peer, options.pybreathparams, folder=Path(folder))
        began = time.perf_counter()
        model.fit(ask(paths[train])[0], labels[train])
        seconds = time.perf_counter() - began
        score = model.predict_proba(ask(paths[test])[0])
    return {
        **dict.fromkeys(COSTS, np.nan),
        "score": score[:, list(model.classes_).index("I")],
        "predicted": model.classes_[score.argmax(axis=1)] == "I",
        "fit_seconds": seconds,
    }


def fold_file(folder, split, name, seed, fold):
    """Where the predictions of a fold are kept."""
    return Path(folder) / f"{split}-{name}-{seed}-{fold}.npz"


def load_fold(file, test):
    """What is kept of a fold with the clips `test`."""
    found = np.load(file)
    harness.check_kept(file, len(found["score"]), len(test))
    return found


def five_folds(data, groups):
    """The folds of all models and seeds."""
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0)
    return list(folds.split(data.target, data.target, groups))


def run(options, data, groups):
    """Fit what is missing; give predictions, costs, or why not, of each model."""
    labels = data.target
    recordings = data.recording
    predictions, costs, unmeasured = {}, {}, {}
    splits = five_folds(data, groups)
    for model, seed in ((m, s) for m in options.models for s in options.seeds):
        peer = PEERS.get(model)
        no_peer = peer and not getattr(options, peer)
        name = f"{model}, seed {seed}" if seed else model
        kept, missing = [], []
        for fold in options.folds:
            train, test = splits[fold]
            file = fold_file(options.folder, options.split, model, seed, fold)
            if not file.is_file():
                if options.report or no_peer:
                    missing.append(str(fold))
                    continue
                found = fit_fold(model, seed, data, groups, train, test, options)
                with atomic_path(file) as path:
                    np.savez(path, **found)
                print(f"{file.name} {found['fit_seconds']:.0f} s", flush=True)
            kept.append((fold, test, load_fold(file, test)))
        if missing:
            why = "" if options.report else f"no --{peer} is given, and "
            unmeasured[name] = f"{why}these folds are missing: {', '.join(missing)}"
            continue
        rows = {name: ""}
        if all("score_with" in found for _, _, found in kept):
            rows[f"{name}, with recordings"] = "_with"
        for row, which in rows.items():
            predictions[row] = pd.concat(
                pd.DataFrame(
                    {
                        "row": test,
                        "fold": fold,
                        "group": recordings[test],
                        "y_true": labels[test],
                        "y_pred": np.where(found[f"predicted{which}"], "I", "E"),
                        "y_score": found[f"score{which}"],
                    }
                )
                for fold, test, found in kept
            ).sort_values("row", ignore_index=True)
        costs[name] = {
            key: np.median([found[key] for _, _, found in kept]) for key in COSTS
        }
    return predictions, costs, unmeasured


def show(report, split, predictions, costs, unmeasured):
    """Scores with intervals, paired differences to the reference, and costs."""
    if unmeasured:
        report.line()
    for name, why in unmeasured.items():
        report.line(f"Held out by {split}, not measured: {name}, because {why}")
    if not predictions:
        return
    tables = {
        name: score_predictions(
            frame["y_true"], frame["y_pred"], frame["y_score"], frame["group"]
        )
        for name, frame in predictions.items()
    }
    report.table(
        f"Held out by {split}, 95 % intervals by recording",
        ("model", *METRICS, "chance's calibration error"),
        [
            (
                name,
                *(
                    "{value:.3f} [{low:.3f}, {high:.3f}]".format(**table.loc[metric])
                    for metric in METRICS
                ),
                f"{table.loc['perfect_calibration', 'value']:.3f}",
            )
            for name, table in tables.items()
        ],
    )
    if "reference" in predictions and len(predictions) > 1:
        rows = []
        for name, frame in predictions.items():
            if name != "reference":
                pairs = compare_predictions(predictions["reference"], frame).table
                rows.append(
                    (
                        name,
                        *(
                            "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(
                                **pairs.loc[metric]
                            )
                            for metric in METRICS[:3]
                        ),
                    )
                )
        report.table(
            f"Held out by {split}: difference to the reference on the same clips",
            ("model", *METRICS[:3]),
            rows,
        )
    report.table(
        f"Held out by {split}: cost, medians of the folds",
        ("model", "training s", "CPU s", "one clip ms", "file MB"),
        [
            (
                name,
                *(
                    "-" if np.isnan(cost[key]) else f"{cost[key]:.{digits}f}"
                    for key, digits in COSTS.items()
                ),
            )
            for name, cost in costs.items()
        ],
    )


def main():
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", required=True, help="folder in the Kaggle layout")
    arguments.add_argument("--split", choices=("recording", "day"), action="append")
    models = (*PRESETS, *RIVALS)
    arguments.add_argument(
        "--models",
        nargs="+",
        choices=models,
        default=models,
        metavar="MODEL",
        help=f"only some of {', '.join(models)}",
    )
    arguments.add_argument(
        "--folds",
        nargs="+",
        type=int,
        choices=range(N_FOLDS),
        default=range(N_FOLDS),
        metavar="FOLD",
        help="only some of the five, 0 to 4",
    )
    arguments.add_argument("--folder", help="keeps each fit; a temporary one if absent")
    arguments.add_argument(
        "--peer",
        help="python of an environment with aeon (see peer_minirocket.py); without it "
        "MiniRocket is not fitted",
    )
    arguments.add_argument(
        "--pybreathparams",
        help="python of an environment with pybreathparams (see bench_peer_breath.py)",
    )
    arguments.add_argument(
        "--n-jobs", type=int, default=1, help="CPU seconds are known of one only"
    )
    arguments.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=[0],
        metavar="SEED",
        help="of the models; the folds are always the same",
    )
    arguments.add_argument("--report", action="store_true", help="fit nothing more")
    arguments.add_argument("--save", action="store_true")
    options = arguments.parse_args()
    options.folds = sorted(set(options.folds))
    for peer in sorted(set(PEERS.values())):
        program = getattr(options, peer)
        if program and shutil.which(program) is None:
            arguments.error(f"argument --{peer}: there is no program {program!r}.")
    data = harness.load_clips(arguments, options.data)
    options.folder = harness.kept_folder(
        arguments, options.folder, report=options.report
    )
    groups = {"recording": data.recording, "day": data.day}
    report = harness.Report("bench_accuracy")
    report.line(
        f"{len(data.target)} clips, {len(set(data.recording))} recordings, "
        f"{len(set(data.day))} days; n_jobs={options.n_jobs}; seed 0 unless said"
    )
    if len(options.folds) < N_FOLDS:
        report.line(f"only these folds: {', '.join(map(str, options.folds))}")
    measured = False
    for split in options.split or groups:
        options.split = split
        predictions, *others = run(options, data, groups[split])
        show(report, split, predictions, *others)
        measured = measured or bool(predictions)
    if not measured:
        raise SystemExit("No model is measured, for the reasons above.")
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
