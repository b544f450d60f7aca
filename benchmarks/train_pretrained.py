"""Train the model that comes with the package, and measure it for its model card.

``python -m benchmarks.train_pretrained --data FOLDER --work FOLDER [--preset default]``

FOLDER is the competition's, with train.csv. First five folds that share no day, a
stand-in for the patient, are trained and predicted: these predictions make the tables
of ``benchmarks/results/train_pretrained.txt`` and of ``docs/model-card.md``. Then the
model is trained on all clips and written to ``skbreath/pretrained/chest.skb``. Seeds
are fixed. Each fold is kept in ``--work``: an interrupted run goes on, and one with
another preset or other code of the classifier starts anew. ``--quick`` is for trying it
out: one epoch, few clips, and nothing outside ``--work`` is written.
"""

import argparse
import hashlib
import os
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from benchmarks import harness
from skbreath import (
    accuracy_coverage_curve,
    load_audio,
    load_kaggle_breath,
    load_model,
    make_breath_classifier,
    save_model,
)
from skbreath.crossfit import check_group_cv
from skbreath.evaluation import break_down, score_predictions
from skbreath.pretrained import PRETRAINED
from skbreath.rejection import labels_and_confidence

SEED = 0
N_FOLDS = 5
MOST_BYTES = 6_000_000
CARD = Path(__file__).parents[1] / "docs" / "model-card.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
METADATA = {
    "name": "skbreath chest",
    "licence": "CC BY-NC 4.0 (non-commercial), from its training data",
    "licence_url": "https://creativecommons.org/licenses/by-nc/4.0/",
    "training_data": "one-second stethoscope clips of HF_Lung_V1 (Hsu et al., PLoS ONE "
    "2021), as a public Kaggle competition gives them, one phase of breath each",
    "intended_use": "research; not a medical device, and not for diagnosis",
    "trained_by": "python -m benchmarks.train_pretrained",
}


def settings_key(model, clips):
    """What the predictions of a fold depend on, but for its rows."""
    # Not the reader, which is never the same to a cache.
    parts = (model[-1], model[0].get_params(), clips.target, clips.day, clips.id)
    code = hashlib.sha256()
    for name in ("classifier", "presets", "network", "augmentation", "voting"):
        file = Path(__file__).parents[1] / "skbreath" / f"{name}.py"
        code.update(file.read_bytes())
    return joblib.hash((parts, code.hexdigest()))[:12]


def predict_fold(model, clips, train, test, file):
    """Out-of-fold predictions of one fold, from `file` if it is there."""
    if not file.exists():
        fitted = clone(model).fit(
            clips.paths[train], clips.target[train], classifier__groups=clips.day[train]
        )
        labels, proba, confidence = labels_and_confidence(fitted, clips.paths[test])
        table = pd.DataFrame(
            {
                "row": test,
                "y_pred": labels,
                "y_score": proba[:, 1],
                "confidence": confidence,
            }
        )
        partial = file.with_suffix(".partial")
        table.to_csv(partial, index=False)
        os.replace(partial, file)
    return pd.read_csv(file)


def loudness(paths):
    """Level of each clip in dB below full scale."""
    waves = (load_audio(path)[0] for path in paths)
    return np.array([10 * np.log10(np.square(wave).mean() + 1e-12) for wave in waves])


def quartiles(levels):
    edges = np.quantile(levels, [0.25, 0.5, 0.75])
    names = [
        f"below {edges[0]:.0f} dB",
        f"{edges[0]:.0f} to {edges[1]:.0f} dB",
        f"{edges[1]:.0f} to {edges[2]:.0f} dB",
        f"above {edges[2]:.0f} dB",
    ]
    which = np.searchsorted(edges, levels, side="right")
    return np.array(names)[which], names


def tables(predictions, levels):
    """(title, header, rows) of everything that the card shows."""
    columns = (predictions[name] for name in ("y_true", "y_pred", "y_score", "day"))
    scores = score_predictions(*columns)
    yield (
        "Days not trained on, 95 % intervals by day",
        ("score", "value", "interval"),
        [
            (name, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}")
            for name, row in scores.iterrows()
        ],
    )
    ratio = scores.loc["calibration_error", "value"]
    ratio /= scores.loc["perfect_calibration", "value"]
    yield (
        "Calibration error, beside that of a perfectly calibrated model",
        ("", "ratio"),
        [("all clips", f"{ratio:.2f}")],
    )
    days = break_down(predictions, by="day")
    days = days[days["n_clips"] >= 20]
    spread = days["accuracy"].quantile([0, 0.25, 0.5, 0.75, 1])
    yield (
        f"Accuracy of the {len(days)} days with 20 clips or more",
        ("worst", "lower quartile", "median", "upper quartile", "best"),
        [[f"{value:.3f}" for value in spread]],
    )
    yield (
        "The same, day by day, worst first",
        ("day", "clips", "accuracy", "AUC"),
        [
            (day, int(row.n_clips), f"{row.accuracy:.3f}", f"{row.roc_auc:.3f}")
            for day, row in days.iterrows()
        ],
    )
    which, names = quartiles(levels)
    by_level = break_down(predictions, by=which).loc[names]
    yield (
        "By loudness, quartiles of the level below full scale",
        ("level", "clips", "accuracy", "AUC"),
        [
            (name, int(row.n_clips), f"{row.accuracy:.3f}", f"{row.roc_auc:.3f}")
            for name, row in by_level.iterrows()
        ],
    )
    curve = accuracy_coverage_curve(
        *(predictions[name] for name in ("y_true", "y_pred", "confidence", "day"))
    )
    kept = [curve.iloc[(curve["coverage"] - c).abs().argmin()] for c in COVERAGES]
    yield (
        "When unsure labels are rejected",
        ("reject below", "clips kept", "accuracy of these", "interval"),
        [
            (
                f"{row.reject_below:.3f}",
                f"{row.coverage:.0%}",
                f"{row.accuracy:.3f}",
                f"{row.low:.3f} to {row.high:.3f}",
            )
            for row in kept
        ],
    )


COVERAGES = (1, 0.8, 0.6, 0.4)


def markdown(title, header, rows):
    lines = [f"**{title}**", "", "| " + " | ".join(header) + " |", "|---" * len(header)]
    lines[-1] += "|"
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([*lines, ""])


def fill_card(texts):
    """Put the figures between the marks of the model card."""
    card = CARD.read_text(encoding="utf-8")
    before, rest = card.split(BEGIN)
    after = rest.split(END)[1]
    inside = "\n".join(["", *texts])
    CARD.write_text(f"{before}{BEGIN}\n{inside}{END}{after}", encoding="utf-8")


def subset(clips, rows):
    return type(clips)(
        **{name: clips[name][rows] for name in ("paths", "target", "day", "id")}
    )


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--preset", default="default")
    options.add_argument("--jobs", type=int, default=None)
    options.add_argument("--quick", action="store_true")
    options = options.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    clips = load_kaggle_breath(options.data)
    clips = subset(clips, np.arange(len(clips.id))[:: 8 if options.quick else 1])
    model = make_breath_classifier(
        preset=options.preset,
        max_epochs=1 if options.quick else None,
        n_jobs=options.jobs,
        random_state=SEED,
    )
    key = settings_key(model, clips)
    report = harness.Report("train_pretrained")
    report.line(
        f'preset "{options.preset}", seed {SEED}, {len(clips.id)} clips, '
        f"{len(np.unique(clips.day))} days, {N_FOLDS} folds by day"
    )
    parts = []
    splitter = check_group_cv(N_FOLDS, clips.target, clips.day)
    for fold, (train, test) in enumerate(
        splitter.split(clips.paths, clips.target, clips.day)
    ):
        file = options.work / f"{key}-fold-{fold}.csv"
        with threadpool_limits(1, user_api="openmp"):
            parts.append(predict_fold(model, clips, train, test, file))
        print(f"fold {fold + 1} of {N_FOLDS} done", flush=True)
    predictions = pd.concat(parts).sort_values("row", ignore_index=True)
    rows = predictions["row"].to_numpy()
    predictions["y_true"] = clips.target[rows]
    predictions["day"] = predictions["group"] = clips.day[rows]

    path = options.work / "chest.skb" if options.quick else PRETRAINED
    fitted = clone(model).fit(clips.paths, clips.target, classifier__groups=clips.day)
    about = METADATA | {"preset": options.preset, "seed": SEED, "folds_by": "day"}
    save_model(fitted, options.work / "trained.skb", metadata=about, half_size=True)
    size = (options.work / "trained.skb").stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(
            f"the model takes {size:,} bytes, more than the {MOST_BYTES:,} that the "
            "package may carry; train a smaller preset."
        )
    os.replace(options.work / "trained.skb", path)
    some = clips.paths[:: max(1, len(clips.paths) // 200)]
    change = np.abs(
        load_model(path).predict_proba(some) - fitted.predict_proba(some)
    ).max()
    report.line(
        f"the model takes {size:,} bytes; weights in half precision change "
        f"probabilities by {change:.1e} at most"
    )
    texts = [
        f'Preset "{options.preset}"; {len(clips.id)} clips of '
        f"{len(np.unique(clips.day))} days, each predicted by a model that has heard "
        f"no clip of its day.\n"
    ]
    for title, header, rows in tables(predictions, loudness(clips.paths)):
        report.table(title, header, rows)
        if not title.startswith("The same"):
            texts.append(markdown(title, header, rows))
    if options.quick:
        return
    fill_card(texts)
    report.save()


if __name__ == "__main__":
    main()
