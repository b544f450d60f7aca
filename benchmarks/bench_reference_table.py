"""The original entry's table: its recipe done plainly, and done with skbreath.

``python -m benchmarks.bench_reference_table --data FOLDER [--quick] [--save]``

Whole days are held out for one test, and recordings of the other days for another;
everything is tuned once on the rest. Both sides search the entry's space with 60
trials of 10 epochs for F1 at the best threshold, train the best for 25 epochs and
tune each vote's threshold; both work at the same time, one process and one torch
thread each. Trials are kept in ``--folder``: a killed run goes on there.
"""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from benchmarks import harness
from benchmarks.plain_recipe import best_f1, recipe
from skbreath import (
    AudioReader,
    BreathFeatures,
    OptunaSearchCV,
    ThresholdClassifier,
    WeightedVotingClassifier,
    make_net_member,
    network_space,
    score_predictions,
    top_estimators,
)
from skbreath.ensemble.mixture import GivenProbabilities

STRATEGIES = ("best single", "two, plain average", "three", "weighted")


def f1_at_best_threshold(estimator, X, y):
    """What trials are judged by: inhale is the second class."""
    return best_f1(y == estimator.classes_[1], estimator.predict_proba(X)[:, 1])[0]


def with_skbreath(train, tests, settings, storage):
    """Grouped folds, log features, pruned search, one out-of-fold matrix."""
    torch.set_num_threads(1)
    X, y, recording = train
    cpu, wall = time.process_time(), time.perf_counter()
    member = make_net_member(max_epochs=settings["trial_epochs"], random_state=0)
    search = OptunaSearchCV(
        member,
        network_space(),
        n_trials=settings["trials"],
        scoring=f1_at_best_threshold,
        cv=3,
        prune_on="fold",
        storage=storage,
        refit=False,
        random_state=0,
    ).fit(X, y, groups=recording)
    searched = time.process_time() - cpu, time.perf_counter() - wall
    members = [
        (name, estimator.set_params(net__max_epochs=settings["epochs"]))
        for name, estimator in top_estimators(search, 3)
    ]
    vote = WeightedVotingClassifier(members, weights="learned", cv=5)
    vote.fit(X, y, groups=recording)
    oof = vote.oof_member_proba_
    given = GivenProbabilities(vote.classes_)
    mixtures = {
        "best single": (oof[0], [1, 0, 0]),
        "two, plain average": (oof[:2].mean(axis=0), [0.5, 0.5, 0]),
        "three": (oof.mean(axis=0), [1 / 3] * 3),
        "weighted": (vote.oof_proba_, vote.weights_),
    }
    probas = {
        name: [member.predict_proba(test) for member in vote.estimators_]
        for name, test in tests.items()
    }
    results = {}
    for strategy, (held_out, weights) in mixtures.items():
        threshold = ThresholdClassifier(
            given, pos_label="I", scoring="f1", cv="prefit", refit=False
        ).fit(held_out, y)
        for name in tests:
            proba = np.tensordot(weights, probas[name], axes=1)
            score, inhale = proba[:, 1], threshold.predict(proba) == "I"
            results[strategy, name] = score, inhale
    n_fits = int(np.isfinite(_fold_scores(search)).sum())
    spent = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "results": results,
        "search": searched,
        "all": spent,
        "fits": f"{n_fits} of {3 * settings['trials']} folds fitted",
        "weights": np.round(vote.weights_, 2).tolist(),
    }


def _fold_scores(search):
    table = search.cv_results_
    return np.array([table[f"split{fold}_test_score"] for fold in range(3)])


def plainly(train, tests, settings, storage):
    """One random split, linear features, nothing but torch and Optuna."""
    torch.set_num_threads(1)
    X, y, _ = train
    features = BreathFeatures()
    cpu, wall = time.process_time(), time.perf_counter()
    features = features.fit(X)
    outcome = recipe(
        features.transform(X),
        (y == "I").astype(int),
        {name: features.transform(test) for name, test in tests.items()},
        StratifiedShuffleSplit(1, test_size=0.2, random_state=42),
        storage=storage,
        **settings,
    )
    spent = time.process_time() - cpu, time.perf_counter() - wall
    return outcome | {"all": spent}


def split(clips, seed):
    """Rows: some whole days, recordings of the other days, and the rest."""
    day = np.asarray(clips.day)
    y, recording = np.asarray(clips.target), np.asarray(clips.recording)

    def part(rows, groups):
        cv = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        rest, test = next(cv.split(rows, y[rows], groups[rows]))
        return rows[rest], rows[test]

    rest, by_day = part(np.arange(len(y)), day)
    rest, by_recording = part(rest, recording)
    return rest, {"by recording": by_recording, "by day": by_day}


def paired(y, first, second, groups, n_resamples=2000):
    """Interval of the difference in accuracy, drawing whole recordings."""
    hits = (first == y).astype(float) - (second == y)
    codes = np.unique(groups, return_inverse=True)[1]
    total, count = np.bincount(codes, hits), np.bincount(codes)
    draws = np.random.default_rng(0).integers(
        len(total), size=(n_resamples, len(total))
    )
    differences = total[draws].sum(axis=1) / count[draws].sum(axis=1)
    low, high = np.quantile(differences, [0.025, 0.975])
    return f"{hits.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def main():
    arguments = harness.parser(__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--quick", action="store_true", help="three minutes")
    arguments.add_argument("--seed", type=int, default=0, help="of the hold-outs")
    arguments.add_argument("--folder", type=Path, help="where the trials are kept")
    options = arguments.parse_args()
    clips = harness.load_clips(arguments, options.data)
    settings = {"trials": 60, "trial_epochs": 10, "epochs": 25}
    if options.quick:
        settings = {"trials": 6, "trial_epochs": 4, "epochs": 8}
    folder = options.folder or Path(tempfile.mkdtemp(prefix="reference-table-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = harness.Report("bench_reference_table")
    if any(folder.iterdir()):
        report.line("goes on with the trials of an earlier run; times are of this one")
    report.line(f"settings: {settings}, hold-outs of seed {options.seed}")
    began = time.perf_counter()
    rest, tests = split(clips, options.seed)
    if options.quick:
        rest = rest[np.random.default_rng(0).permutation(len(rest))[:600]]
    waveforms = AudioReader().fit_transform(clips.paths)
    y, recording = np.asarray(clips.target), np.asarray(clips.recording)
    for name, rows in tests.items():
        groups = len(np.unique(recording[rows]))
        report.line(f"hold-out {name}: {len(rows)} clips of {groups} recordings")
    report.line(f"tuned and trained on {len(rest)} clips")

    train = waveforms[rest], y[rest], recording[rest]
    held_out = {name: waveforms[rows] for name, rows in tests.items()}
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        plain = other.submit(
            plainly, train, held_out, settings, f"sqlite:///{folder / 'plain.db'}"
        )
        outcomes = {
            "skbreath": with_skbreath(
                train, held_out, settings, folder / "skbreath.db"
            ),
            "plain": plain.result(),
        }
    for name, rows in tests.items():
        _tables(report, name, outcomes, y[rows], recording[rows])
    report.table(
        "Work: CPU and wall seconds, one process each, side by side",
        ("", "search CPU", "search wall", "all CPU", "all wall", "trials", "weights"),
        [
            (
                side,
                *(f"{seconds:,.0f}" for seconds in outcome["search"]),
                *(f"{seconds:,.0f}" for seconds in outcome["all"]),
                outcome["fits"],
                outcome["weights"],
            )
            for side, outcome in outcomes.items()
        ],
    )
    report.line(f"all of it took {(time.perf_counter() - began) / 60:.1f} minutes")
    if options.save:
        report.save()


def _tables(report, name, outcomes, y, recording):
    rows, labels = [], {}
    for strategy in STRATEGIES:
        for side, outcome in outcomes.items():
            score, inhale = outcome["results"][strategy, name]
            labels[side, strategy] = np.where(inhale, "I", "E")
            table = score_predictions(y, labels[side, strategy], score, recording)
            cells = [
                f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"
                for row in table.itertuples()
            ]
            assert np.isclose(
                table.loc["f1", "value"],
                f1_score(y, labels[side, strategy], pos_label="I"),
            )
            rows.append((f"{strategy}: {side}", *cells))
    header = ("threshold tuned for F1", "accuracy [95 %]", "F1", "AUC")
    report.table(f"Held out {name}, intervals by recording", header, rows)
    differences = [
        ("skbreath - plain, weighted", ("skbreath", "weighted"), ("plain", "weighted")),
        (
            "skbreath: weighted - plain average of three",
            ("skbreath", "weighted"),
            ("skbreath", "three"),
        ),
        (
            "skbreath: weighted - best single",
            ("skbreath", "weighted"),
            ("skbreath", "best single"),
        ),
    ]
    report.table(
        f"Accuracy, differences on the same clips, held out {name}",
        ("", "difference [95 %]"),
        [
            (text, paired(y, labels[first], labels[second], recording))
            for text, first, second in differences
        ],
    )


if __name__ == "__main__":
    main()
