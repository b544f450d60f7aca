"""Ablation: what each idea gains or loses for the networks of the presets.

``python -m benchmarks.bench_ablation --data FOLDER [--ideas "no mixup"] [--save]``

One idea at a time is put into, or taken out of, the two networks of the presets (that
over frequency and time trained for 30 epochs only); each is trained on two folds by day
and compared with the network as it is, clip by clip. Training is random: the networks
as they are are trained with three seeds, and an idea that gains less than these differ
has shown nothing. Each fit is kept in ``--folder``; a run goes on with what is missing.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks import harness
from benchmarks.ablation_ideas import IDEAS
from skbreath import AudioReader, load_kaggle_breath
from skbreath.evaluation import compare_predictions

FOLDS = (0, 1)
SEEDS = (0, 1, 2)


def fitted_scores(make, seed, waveforms, labels, train, test):
    """Train on some clips; give the probability of inhale of others."""
    torch.set_num_threads(1)
    member = make(seed).fit(waveforms[train], labels[train])
    return member.predict_proba(waveforms[test])[:, list(member.classes_).index("I")]


def main():
    """Run the benchmark."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", required=True, help="folder in the Kaggle layout")
    options.add_argument("--networks", nargs="+", choices=IDEAS, default=list(IDEAS))
    options.add_argument("--ideas", nargs="*", metavar="IDEA", help="not all of them")
    options.add_argument("--folder", help="keeps each fit; a temporary one if absent")
    options.add_argument("--report", action="store_true", help="fit nothing more")
    options.add_argument("--save", action="store_true")
    options = options.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    data = load_kaggle_breath(options.data)
    labels, waveforms = data.target, AudioReader().fit_transform(list(data.paths))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    splits = [list(folds.split(labels, labels, data.day))[fold] for fold in FOLDS]

    def scores_of(network, name, seed, fold, train, test):
        """From the folder, or fitted; None if nothing is to be fitted."""
        file = folder / f"{network}-{name}-{seed}-{fold}.npy"
        if not file.is_file():
            if options.report:
                return None
            began = time.process_time()
            make = IDEAS[network][name]
            np.save(file, fitted_scores(make, seed, waveforms, labels, train, test))
            print(f"{file.name} {time.process_time() - began:.0f} s", flush=True)
        return np.load(file)

    def predictions(network, name, seed):
        """Of all folds; None if one is missing."""
        found = [
            scores_of(network, name, seed, fold, *split)
            for fold, split in zip(FOLDS, splits, strict=True)
        ]
        if any(scores is None for scores in found):
            return None
        rows = np.concatenate([test for _, test in splits])
        scores = np.concatenate(found)
        return pd.DataFrame(
            {
                "row": rows,
                "group": data.recording[rows],
                "y_true": labels[rows],
                "y_pred": np.where(scores > 0.5, "I", "E"),
                "y_score": scores,
            }
        )

    report = harness.Report("bench_ablation")
    report.line("two folds by day; differences to the first seed as it is")
    for network in options.networks:
        base, *ideas = IDEAS[network]
        first = predictions(network, base, SEEDS[0])
        tried = [(f"{base}, seed {seed}", base, seed) for seed in SEEDS[1:]]
        tried += [(idea, idea, SEEDS[0]) for idea in ideas]
        if options.ideas is not None:
            tried = [entry for entry in tried if entry[1] in options.ideas]
        rows = []
        for title, idea, seed in tried:
            frame = predictions(network, idea, seed)
            if frame is not None:
                rows.append((title, *compared(first, frame)))
        report.table(
            f"Network: {network}; 95 % intervals by recording",
            ("", "AUC", "difference of AUC", "difference of accuracy"),
            [(f"{base}, seed {SEEDS[0]}", *compared(first, first)), *rows],
        )
    if options.save:
        report.save()


def compared(first, second):
    """Cells of a row: the AUC, and differences with intervals."""
    table = compare_predictions(first, second).table
    return (
        f"{table.loc['roc_auc', 'second']:.3f}",
        *(
            "{difference:+.3f} [{low:+.3f}, {high:+.3f}]".format(**table.loc[metric])
            for metric in ("roc_auc", "accuracy")
        ),
    )


if __name__ == "__main__":
    main()
