"""Tuning: the default preset, with and without the best trials of a search.

``python -m benchmarks.bench_tuning --data FOLDER --clips 600 --trials 12 [--save]``

A fifth of the days is for the test; neither the search nor the training has any clip of
them. The members that both models share are fitted once. Each fit and the trials are
kept in ``--folder``; a run goes on with what is missing.
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks import harness
from benchmarks.bench_accuracy import five_folds
from skbreath import AudioReader, compare_predictions, tune_breath_classifier
from skbreath.utils.files import atomic_path


class Known(ClassifierMixin, BaseEstimator):
    """Look up the probabilities of a member; a clip is its row in the table."""

    def __init__(self, proba):
        self.proba = proba

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return self.proba[np.ravel(X)]


def member_proba(member, X, y, splits, test):
    """Fit a member as a vote does: out-of-fold rows, then those of the test."""
    proba = np.empty((len(X), 2))
    for train, held_out in splits:
        fitted = clone(member).fit(X[train], y[train])
        proba[held_out] = fitted.predict_proba(X[held_out])
    return np.concatenate([proba, clone(member).fit(X, y).predict_proba(test)])


def predictions(classifier, members, y, groups, y_test, groups_test):
    """Fit a vote of known members; predict the test clips."""
    model = clone(classifier).set_params(estimator__estimators=members)
    rows = np.arange(len(y) + len(y_test))[:, None]
    model.fit(rows[: len(y)], y, groups=groups)
    test = rows[len(y) :]
    return pd.DataFrame(
        {
            "row": np.arange(len(y_test)),
            "group": groups_test,
            "y_true": y_test,
            "y_pred": model.predict(test),
            "y_score": model.predict_proba(test)[:, list(model.classes_).index("I")],
        }
    )


def main():
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", required=True, help="folder in the Kaggle layout")
    arguments.add_argument("--clips", type=int, default=600, help="to train on")
    arguments.add_argument("--trials", type=int, default=12)
    parts = ("frames", "spectrogram", "boosting")
    arguments.add_argument(
        "--part", choices=parts, default="frames", help="member that is searched"
    )
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--folder", help="keeps each fit; a temporary one if absent")
    arguments.add_argument("--save", action="store_true")
    options = arguments.parse_args()
    data = harness.load_clips(arguments, options.data)
    folder = harness.kept_folder(arguments, options.folder, report=False)
    train, test = five_folds(data, data.day)[0]
    draw = np.random.default_rng(options.seed)
    train = np.sort(draw.choice(train, min(options.clips, len(train)), replace=False))
    X, X_test = (AudioReader().fit_transform(data.paths[r]) for r in (train, test))
    y, groups = data.target[train], data.recording[train]

    report = harness.Report("bench_tuning")
    report.line(
        f"{len(train)} clips to search and train on, {len(test)} of other days for the "
        f"test; {options.trials} trials of {options.part}, seed {options.seed}"
    )
    tuned = tune_breath_classifier(
        *(X, y, groups),
        part=options.part,
        n_trials=options.trials,
        storage=folder / "trials.db",
        random_state=options.seed,
    )
    trials = pd.DataFrame(tuned.search.cv_results_)
    first, best = trials["mean_test_score"][0], tuned.search.best_score_
    n_pruned = (trials["trial_state"] == "PRUNED").sum()
    report.line(
        f"search: {n_pruned} trials pruned; mean AUC of the folds {first:.3f} as it "
        f"is, {best:.3f} of the best trial"
    )
    classifier = tuned.model["classifier"]
    splits = list(StratifiedGroupKFold(classifier.cv).split(X, y, groups))
    members = {}
    for name, member in classifier.estimator.estimators:
        file = folder / f"{name}.npy"
        if not file.is_file():
            began = time.process_time()
            with atomic_path(file) as path:
                np.save(path, member_proba(member, X, y, splits, X_test))
            print(f"{name} {time.process_time() - began:.0f} s", flush=True)
        members[name] = Known(np.load(file))
        harness.check_kept(file, len(members[name].proba), len(X) + len(X_test))

    known = (y, groups, data.target[test], data.recording[test])
    kinds = {
        "default": [kind for kind in members.items() if "trial" not in kind[0]],
        "tuned": list(members.items()),
    }
    frames = {kind: predictions(classifier, kinds[kind], *known) for kind in kinds}
    table = compare_predictions(frames["default"], frames["tuned"]).table
    report.table(
        "Test days; 95 % intervals of the difference by recording",
        ("", "default", "tuned", "difference"),
        [
            (
                metric,
                f"{row['first']:.3f}",
                f"{row['second']:.3f}",
                "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**row),
            )
            for metric, row in table.iterrows()
        ],
    )
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
