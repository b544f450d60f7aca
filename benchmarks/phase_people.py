"""Measure models on people, microphones and days that they were not trained on."""

import sys

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from benchmarks import phase_data
from benchmarks.train_segmenters import (
    chest_segmenter,
    describe,
    live_segmenter,
    microphones,
    segmenter,
    strings,
    versions,
)
from skbreath import PhaseSegmenter, event_scores, load_pretrained, rate_errors
from skbreath.pretrained.choice import sounds_like

N_FOLDS = 4
CERTAIN = 0.8
N_BOOTSTRAP = 1000
RIGHT_RATE = 2.0
N_TEST_STRINGS = 60
N_BINS = 10
# A phase counts as found at this overlap, and a recording as good at this F1.
OVERLAP, GOOD = 0.5, 0.8
HEADER = ("", "I 50 %", "E 50 %", "I 80 %", "E 80 %", "rate within 2")
NAMES = "as in the package", "nose-live", "boosted trees, lag 1 s"


def predict_people(folder, quick):
    """Fit on some people and days, predict the others.

    Returns a table of recordings: set, model, person, certain, truth, found, choice.
    """
    info, waveforms, tables = phase_data.people_recordings(folder)
    phases, timing = phase_data.chest_phases(folder), phase_data.chest_timing(folder)
    by_day = GroupKFold(N_FOLDS, shuffle=True, random_state=0)
    folds = zip(
        GroupKFold(N_FOLDS).split(tables, groups=info["person"]),
        by_day.split(phases, groups=phases["day"]),
        strict=True,
    )
    rows = []
    for number, ((train, test), (train_clips, test_clips)) in enumerate(folds):
        own = [waveforms[i] for i in train], [tables[i] for i in train]
        nose = versions(*own)
        chest = strings(phases.iloc[train_clips], timing)
        chooser = microphones(nose[0], chest[0])
        trees = PhaseSegmenter(lag=1.0, emission_weight=0.3, random_state=0)
        sounds, truth = [waveforms[i] for i in test], [tables[i] for i in test]
        for name, model in zip(
            NAMES, (segmenter(), live_segmenter(), trees), strict=True
        ):
            model.fit(*(own if model is trees else nose))
            part = _predictions("nose-20", name, model, chooser, sounds, truth)
            part[["person", "certain"]] = info.iloc[test][["person", "certain"]].values
            rows.append(part)
        sounds, truth = strings(
            phases.iloc[test_clips], timing, N_TEST_STRINGS, seed=number + 1
        )
        model = chest_segmenter(*chest)
        rows.append(_predictions("chest", NAMES[0], model, chooser, sounds, truth))
        print("fold", number, "done", file=sys.stderr, flush=True)
        if quick:
            break
    _, sounds, truth = phase_data.nose_recordings(folder)
    chooser = microphones(versions(waveforms, tables)[0], strings(phases, timing)[0])
    for name, model in zip(NAMES, ("nose", "nose-live"), strict=False):
        model = load_pretrained(model)
        rows.append(_predictions("nose-mic", name, model, chooser, sounds, truth))
    return pd.concat(rows, ignore_index=True)


def _predictions(kind, name, model, chooser, sounds, truth):
    """Predict recordings; a table with a row for each."""
    choices = [sounds_like(chooser, one) for one in describe(sounds)]
    return pd.DataFrame(
        {
            "set": kind,
            "model": name,
            "truth": truth,
            "found": model.predict(sounds),
            "choice": choices,
        }
    )


def people(report, folder, quick):
    """Report what models find in recordings of other people, microphones and days."""
    results = predict_people(folder, quick)
    nose = results[results["set"] == "nose-20"]
    rows = []
    for name in NAMES:
        own = nose[nose["model"] == name]
        rows.append((f"{name}, all recordings", *_with_intervals(own)))
        own = own[own["certain"] >= CERTAIN]
        rows.append((f"{name}, certain labels", *_with_intervals(own)))
    report.table(
        f"Nose, {N_FOLDS} folds of people: event F1 at two overlaps, and share of "
        "recordings whose rate is within 2 a minute, with 95 % intervals by person",
        HEADER,
        rows,
    )
    results = results[results["model"] == NAMES[0]]
    nose = results[results["set"] == "nose-20"]
    report.table(
        "As in the package, all recordings, by person",
        HEADER,
        [
            (who, *_formatted(_scores(count(own))))
            for who, own in nose.groupby("person")
        ],
    )
    report.table(
        "As in the package: another microphone and person, and chest recordings joined "
        "from clips of other days",
        HEADER,
        [
            (kind, *_formatted(_scores(count(results[results["set"] == kind]))))
            for kind in ("nose-mic", "chest")
        ],
    )
    report.table(
        "Trust: calibration error of the probability that a phase is found at an "
        f"overlap of {OVERLAP:.0%}; share of recordings with a warning among those "
        f"whose mean F1 is below {GOOD}, and among the others; share for which the "
        "sound chooses the right model",
        ("", "n", "calibration", "warned, poor", "warned, good", "choice"),
        [
            (kind, *_trust(results[results["set"] == kind], kind.split("-")[0]))
            for kind in ("nose-20", "nose-mic", "chest")
        ],
    )


def count(rows):
    """Count phases of each recording: 2 * matched, true + found; and right rates."""
    counts = []
    for true, found in zip(rows["truth"], rows["found"], strict=True):
        row = []
        for overlap in (0.5, 0.8):
            table = event_scores(true, found, min_iou=overlap).reindex(["I", "E"])
            matched = 2 * table["n_matched"].fillna(0)
            both = table[["n_true", "n_predicted"]].fillna(0).sum(axis=1)
            row += [*matched, *both]
        # A missing rate is not right.
        row.append(np.abs(rate_errors(true, found))[0] <= RIGHT_RATE)
        counts.append(row)
    return np.array(counts, dtype=float)


def _scores(counts):
    """F1 of I and E at both overlaps, and the share of right rates."""
    total = counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        f1 = total[[0, 1, 4, 5]] / total[[2, 3, 6, 7]]
    return [*f1, counts[:, -1].mean()]


def _formatted(values):
    return [f"{value:.3f}" for value in values]


def _with_intervals(rows):
    """Format scores with intervals by person."""
    rng, counts = np.random.default_rng(0), count(rows)
    parts = [counts[rows["person"] == who] for who in rows["person"].unique()]
    drawn = [
        _scores(np.concatenate([parts[i] for i in rng.choice(len(parts), len(parts))]))
        for _ in range(N_BOOTSTRAP)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return [
        f"{value:.3f} ({a:.2f} to {b:.2f})"
        for value, a, b in zip(_scores(counts), low, high, strict=True)
    ]


def phase_hits(rows):
    """Probability of each phase found, and whether it overlaps a true one enough."""
    probability, hits = [], []
    for true, found in zip(rows["truth"], rows["found"], strict=True):
        for phase in found.itertuples():
            same = true[true["label"] == phase.label]
            both = np.minimum(same["end_s"], phase.end_s)
            both = (both - np.maximum(same["start_s"], phase.start_s)).clip(lower=0)
            lengths = same["end_s"] - same["start_s"] + phase.end_s - phase.start_s
            hits.append(bool((both / (lengths - both) >= OVERLAP).any()))
            probability.append(phase.probability)
    return np.array(probability), np.array(hits)


def calibration_error(probability, hits):
    """Mean distance between probability and share of hits, in bins of equal width."""
    bins = np.minimum((probability * N_BINS).astype(int), N_BINS - 1)
    table = pd.DataFrame({"bin": bins, "probability": probability, "hit": hits})
    means = table.groupby("bin").mean()
    weight = table["bin"].value_counts(normalize=True)
    return float((weight * (means["probability"] - means["hit"]).abs()).sum())


def _trust(rows, kind):
    """Format calibration, warnings in poor and good recordings, and right choices."""
    f1 = np.array([np.nanmean(_scores(one[None])[:2]) for one in count(rows)])
    warned = np.array([bool(table.attrs["note"]) for table in rows["found"]])
    good = f1 >= GOOD
    shares = [f"{warned[chosen].sum()} of {chosen.sum()}" for chosen in (~good, good)]
    error = calibration_error(*phase_hits(rows))
    return len(rows), f"{error:.3f}", *shares, f"{np.mean(rows['choice'] == kind):.1%}"
