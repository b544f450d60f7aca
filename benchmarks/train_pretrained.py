"""Train the model that comes with the package, and measure it for its model card.

DATA is the competition's, with train.csv. The model is trained on all clips, seeds
fixed, and kept in FOLDER; it is not trained again if it is there. Its results are those
of the folds by day that weights and calibration are learned from: each clip is
predicted by members that were not trained on clips of its day, and mixed by weights
that were not learned from it. Three files of the repository are written in place: the
model, skbreath/pretrained/clips.skb, and the figures of docs/model-card.md and
benchmarks/results/train_pretrained.txt.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import harness
from benchmarks.bench_accuracy import PRESETS
from skbreath import (
    accuracy_coverage_curve,
    break_down,
    load_audio,
    load_model,
    make_breath_classifier,
    save_model,
    score_predictions,
)
from skbreath.ensemble.rejection import confidence_at
from skbreath.pretrained import PRETRAINED
from skbreath.utils.files import atomic_path

SEED, N_FOLDS = 0, 3
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
        options.folder.mkdir(parents=True, exist_ok=True)
        model = make_breath_classifier(
            preset=options.preset,
            cv=N_FOLDS,
            n_jobs=options.n_jobs,
            random_state=SEED,
        )
        model.fit(
            clips.paths,
            clips.target,
            classifier__groups=clips.day,
            classifier__recordings=clips.recording,
        )
        save_model(model, file)
    return load_model(file)


def out_of_fold_predictions(clips, proba, model):
    """Predictions of clips whose day was held out, by their probabilities."""
    classifier = model["classifier"]
    score = proba[:, list(classifier.classes_).index("I")]
    threshold = classifier.best_threshold_
    return pd.DataFrame(
        {
            "y_true": clips.target,
            "y_pred": np.where(score >= threshold, "I", "E"),
            "y_score": score,
            "confidence": confidence_at(score, threshold),
            "day": clips.day,
            "group": clips.day,
        }
    )


def use_table(alone, together, recordings):
    """(title, header, rows) of the scores of clips alone and with their recording."""
    others = pd.Series(recordings).groupby(recordings).transform("size").to_numpy() > 1
    frames = (alone, together, alone[others], together[others])
    tables = [
        score_predictions(*(f[name] for name in ("y_true", "y_pred", "y_score", "day")))
        for f in frames
    ]
    rows = [
        (
            name,
            *(
                "{value:.3f} [{low:.3f}, {high:.3f}]".format(**t.loc[name])
                for t in tables
            ),
        )
        for name in tables[0].index
    ]
    return (
        "Days not trained on, 95 % intervals by day",
        ("score", "each clip alone", "with its recording")
        + (f"the {others.sum()} clips with company, alone", "with"),
        rows,
    )


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
    """(title, header, rows) of what else the card shows, of clips alone."""
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
    arguments.add_argument("--preset", choices=PRESETS, default="accurate")
    arguments.add_argument("--n-jobs", type=int, default=2)
    options = arguments.parse_args()

    clips = harness.load_clips(arguments, options.data)
    fitted = trained(clips, options)
    vote = fitted["classifier"].estimator_
    alone, together = (
        out_of_fold_predictions(clips, proba, fitted)
        for proba in (vote.oof_proba_alone_, vote.oof_proba_)
    )
    report = harness.Report("train_pretrained")
    report.line(
        f'preset "{options.preset}", seed {SEED}, {len(clips.id)} clips, '
        f"{len(np.unique(clips.day))} days, {N_FOLDS} folds by day"
    )
    names = list(vote.named_estimators_)
    shares = vote.recording_shares_
    for what, values in {"weights": vote.weights_, "recording shares": shares}.items():
        pairs = zip(names, values, strict=True)
        report.line(f"{what}: " + ", ".join(f"{name} {v:.2f}" for name, v in pairs))
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
    uses = use_table(alone, together, clips.recording)
    for title, header, rows in (uses, *tables(alone, loudness(clips.paths))):
        report.table(title, header, rows)
        if not title.startswith("The same"):
            texts.append(markdown(title, header, rows))
    fill_card(texts)
    report.save()


if __name__ == "__main__":
    main()
