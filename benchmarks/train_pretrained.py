"""Train the model that comes with the package, and measure it for its model card.

DATA is the competition's, with train.csv. What models trained the same way say of days
that they have not heard must be in FOLDER before. It is kept there by

    python -m benchmarks.bench_accuracy --data DATA --split day --models default \\
        --folder FOLDER

Then the model is trained on all clips, seeds fixed, unless FOLDER has it already. Three
files of the repository are written in place: the model, skbreath/pretrained/clips.skb,
and the figures of docs/model-card.md and benchmarks/results/train_pretrained.txt.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import harness
from benchmarks.bench_accuracy import (
    N_FOLDS,
    PRESETS,
    five_folds,
    fold_file,
    load_fold,
)
from skbreath import (
    accuracy_coverage_curve,
    break_down,
    load_audio,
    load_model,
    make_breath_classifier,
    save_model,
    score_predictions,
)
from skbreath.pretrained import PRETRAINED
from skbreath.utils.files import atomic_path

SEED = 0
MOST_BYTES = 6_000_000
CARD = Path(__file__).parents[1] / "docs" / "model-card.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
METADATA = {
    "name": "skbreath clips",
    "licence": "CC BY-NC 4.0 (non-commercial), from its training data",
    "licence_url": "https://creativecommons.org/licenses/by-nc/4.0/",
    "training_data": "one-second stethoscope clips of HF_Lung_V1 (Hsu et al., PLoS ONE "
    "2021), as a public Kaggle competition gives them, one phase of breath each",
    "intended_use": "research; not a medical device, and not for diagnosis",
    "trained_by": "python -m benchmarks.train_pretrained",
}


def trained(clips, options):
    """The model on all clips, from the folder if it is there."""
    file = options.folder / f"trained-{options.preset}.skb"
    if not file.is_file():
        model = make_breath_classifier(
            preset=options.preset, n_jobs=options.n_jobs, random_state=SEED
        )
        model.fit(
            clips.paths,
            clips.target,
            classifier__groups=clips.day,
            classifier__recordings=clips.recording,
        )
        save_model(model, file)
    return load_model(file)


def fold_files(arguments, options):
    """What `bench_accuracy` has kept of the preset; an error if not all of it."""
    files = [
        fold_file(options.folder, "day", options.preset, SEED, fold)
        for fold in range(N_FOLDS)
    ]
    if missing := [file for file in files if not file.is_file()]:
        arguments.error(
            f"{len(missing)} of {N_FOLDS} fold files are missing, such as "
            f"{str(missing[0])!r}: run python -m benchmarks.bench_accuracy --data "
            f"{options.data} --split day --models {options.preset} --folder "
            f"{options.folder} first."
        )
    return files


def out_of_fold_predictions(clips, files):
    """What models of the preset said of days that they had not heard."""
    parts = []
    folds = five_folds(clips, clips.day, SEED)
    for file, (_, test) in zip(files, folds, strict=True):
        kept = load_fold(file, test)
        parts.append(
            pd.DataFrame(
                {
                    "row": test,
                    "y_true": clips.target[test],
                    "y_pred": np.where(kept["predicted"], "I", "E"),
                    "y_score": kept["score"],
                    "confidence": kept["confidence"],
                    "day": clips.day[test],
                    "group": clips.day[test],
                }
            )
        )
    return pd.concat(parts).sort_values("row", ignore_index=True)


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
        "When uncertain labels are rejected",
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


def main():
    """Train, write, measure."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--preset", choices=PRESETS, default="default")
    arguments.add_argument("--n-jobs", type=int, default=2)
    options = arguments.parse_args()

    # All that can be missing is looked for before the training, which takes long.
    clips = harness.load_clips(arguments, options.data)
    files = fold_files(arguments, options)
    predictions = out_of_fold_predictions(clips, files)
    fitted = trained(clips, options)
    report = harness.Report("train_pretrained")
    report.line(
        f'preset "{options.preset}", seed {SEED}, {len(clips.id)} clips, '
        f"{len(np.unique(clips.day))} days, five folds by day"
    )
    about = METADATA | {"preset": options.preset, "seed": SEED, "folds_by": "day"}
    with atomic_path(PRETRAINED["clips"]) as path:
        save_model(fitted, path, metadata=about, half_size=True)
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SystemExit(
                f"the model takes {size:,} bytes, more than the {MOST_BYTES:,} that "
                "the package may carry; train a smaller preset."
            )
    some = clips.paths[:: max(1, len(clips.paths) // 200)]
    change = np.abs(
        load_model(PRETRAINED["clips"]).predict_proba(some) - fitted.predict_proba(some)
    ).max()
    report.line(
        f"the model takes {size:,} bytes; weights in half precision change "
        f"probabilities by {change:.1e} at most"
    )
    texts = [
        f'Preset "{options.preset}"; {len(clips.id)} clips of '
        f"{len(np.unique(clips.day))} days, each predicted by a model that was not "
        f"trained on clips of its day.\n"
    ]
    for title, header, rows in tables(predictions, loudness(clips.paths)):
        report.table(title, header, rows)
        if not title.startswith("The same"):
            texts.append(markdown(title, header, rows))
    fill_card(texts)
    report.save()


if __name__ == "__main__":
    main()
