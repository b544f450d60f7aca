"""Pruning: work and best score of the original entry's search, with and without.

``python -m benchmarks.bench_pruning [--clips 400] [--trials 60] [--seeds 0 1 2]``

Each search is one process with one torch thread; ``--jobs`` of them run at a time,
so the work is counted in fits and epochs and in CPU seconds. The folds and the space
are the same for all searches of a seed; the score is F1 at the best threshold.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from skorch.callbacks import Callback

from benchmarks import harness
from benchmarks.bench_reference_table import f1_at_best_threshold
from skbreath import (
    AudioReader,
    BreathFeatures,
    ChannelScaler,
    OptunaSearchCV,
    ResidualCNNClassifier,
    load_kaggle_breath,
    network_space,
)

MODES = (None, "fold")


class CountEpochs(Callback):
    """Epochs of all networks trained in this process."""

    epochs = 0

    def on_epoch_end(self, net, **kwargs):
        CountEpochs.epochs += 1


def search(mode, seed, X, y, groups, trials, folds, pruner=None):
    """Run one search; give its best score and what it took."""
    torch.set_num_threads(1)
    net = ResidualCNNClassifier(max_epochs=10, callbacks=[CountEpochs()])
    CountEpochs.epochs, cpu = 0, time.process_time()
    found = OptunaSearchCV(
        net.set_params(random_state=seed),
        network_space(prefix=""),
        n_trials=trials,
        scoring=f1_at_best_threshold,
        cv=folds,
        prune_on=mode,
        pruner=pruner,
        refit=False,
        random_state=seed,
    ).fit(X, y, groups=groups)
    table = found.cv_results_
    scores = np.array([table[f"split{fold}_test_score"] for fold in range(folds)])
    return {
        "best": found.best_score_,
        "fits": int(np.isfinite(scores).sum()),
        "epochs": CountEpochs.epochs,
        "cpu": time.process_time() - cpu,
        "complete": int((table["trial_state"] == "COMPLETE").sum()),
    }


def load(n_clips, seed):
    """Scaled log features, labels and recordings of clips drawn at random."""
    clips = load_kaggle_breath(harness.data_folder() / "kaggle-breath")
    rows = np.random.default_rng(seed).permutation(len(clips.paths))[:n_clips]
    waveforms = AudioReader().fit_transform(np.asarray(clips.paths)[rows])
    # Scaled once for all folds: its means know all rows, alike on all sides.
    X = ChannelScaler().fit_transform(BreathFeatures().fit_transform(waveforms))
    return X, np.asarray(clips.target)[rows], np.asarray(clips.recording)[rows]


def main():
    options = harness.parser(__doc__)
    options.add_argument("--clips", type=int, default=400)
    options.add_argument("--trials", type=int, default=60)
    options.add_argument("--folds", type=int, default=5)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--jobs", type=int, default=2)
    options = options.parse_args()
    if harness.data_folder() is None:
        raise SystemExit("no real recordings: set SKBREATH_DATA to their folder")
    report = harness.Report("bench_pruning")
    report.line(
        f"{options.clips} clips drawn by seed, {options.folds} folds by recording, "
        f"{options.trials} trials of 10 epochs, log features"
    )
    began = time.perf_counter()
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        jobs = {}
        for seed in options.seeds:
            data = load(options.clips, seed)
            for mode in MODES:
                settings = (mode, seed, *data, options.trials, options.folds)
                jobs[seed, mode] = pool.submit(search, *settings)
        rows, shares = [], {}
        for seed in options.seeds:
            plain = jobs[seed, None].result()
            for mode in MODES:
                one = jobs[seed, mode].result()
                shares.setdefault(mode, []).append(
                    (
                        plain["epochs"] / one["epochs"],
                        one["best"] - plain["best"],
                        plain["cpu"] / one["cpu"],
                    )
                )
                rows.append(
                    (
                        f"seed {seed}, prune_on={mode!r}",
                        one["complete"],
                        one["fits"],
                        one["epochs"],
                        f"{plain['epochs'] / one['epochs']:.2f}",
                        f"{one['cpu']:,.0f}",
                        f"{one['best']:.4f}",
                        f"{one['best'] - plain['best']:+.4f}",
                    )
                )
    header = ("", "complete", "fits", "epochs", "times less", "CPU s", "best", "")
    report.table("Work and the best mean score", header, rows)
    summary = [
        (
            f"prune_on={mode!r}",
            *(f"{value:.3f}" for value in np.mean(shares[mode], axis=0)),
        )
        for mode in MODES[1:]
    ]
    header = ("mean over seeds", "times fewer epochs", "best score, difference", "CPU")
    report.table("In short", header, summary)
    report.line(f"{(time.perf_counter() - began) / 60:.1f} minutes")
    if options.save:
        report.save()


if __name__ == "__main__":
    main()
