"""Ablation: what each idea gains or loses for the networks of the presets.

``python -m benchmarks.bench_ablation --data FOLDER [--ideas "no mixup"] [--save]``

One idea at a time is put into, or taken out of, the two networks of the presets (that
over frequency and time trained for 30 epochs only); each is trained on two folds by day
and compared with the network as it is, clip by clip. Training is random: the networks
as they are are trained with three seeds, and an idea that gains less than these differ
has shown nothing. Each fit is kept in ``--folder``; a run goes on with what is missing.
"""

import argparse
import importlib.util
import time

import numpy as np
import pandas as pd
import torch

from benchmarks import harness
from benchmarks.ablation_ideas import IDEAS
from benchmarks.bench_accuracy import five_folds
from skbreath import AudioReader, compare_predictions
from skbreath.utils.files import atomic_path

FOLDS = (0, 1)
SEEDS = (0, 1, 2)
LIBROSA_IDEAS = ("per-channel energy",)


def fitted_scores(make, seed, waveforms, labels, train, test):
    """Train on some clips; give the probability of inhale of others."""
    torch.set_num_threads(1)
    member = make(seed).fit(waveforms[train], labels[train])
    return member.predict_proba(waveforms[test])[:, list(member.classes_).index("I")]


def score_file(folder, network, name, seed, fold):
    """Where the scores of a fold are kept."""
    return folder / f"{network}-{name}-{seed}-{fold}.npy"


def check_ideas(arguments, options):
    """Refuse ideas that no chosen network has, or that this machine cannot try."""
    networks = options.networks
    known = list(dict.fromkeys(idea for name in networks for idea in IDEAS[name]))
    tried = known if options.ideas is None else options.ideas
    unknown = [idea for idea in tried if idea not in known]
    if unknown:
        arguments.error(
            f"argument --ideas: {', '.join(map(repr, unknown))} is none of the ideas "
            f"for {' or '.join(networks)}: {', '.join(map(repr, known))}."
        )
    if options.report or importlib.util.find_spec("librosa"):
        return
    if needs_librosa := [idea for idea in tried if idea in LIBROSA_IDEAS]:
        arguments.error(
            f"the idea {needs_librosa[0]!r} needs librosa: leave it out with --ideas, "
            'or pip install -c constraints.txt -e ".[bench]".'
        )


def check_bases(arguments, options, folder):
    """Refuse to report a network whose fits as it is are not in the folder."""
    for network in options.networks:
        base = next(iter(IDEAS[network]))
        files = [score_file(folder, network, base, SEEDS[0], fold) for fold in FOLDS]
        if missing := [file for file in files if not file.is_file()]:
            arguments.error(
                f"{str(missing[0])!r} is missing, and all ideas for {network} are "
                "compared with it: run python -m benchmarks.bench_ablation --data "
                f"{options.data} --networks {network} --ideas --folder {folder} first, "
                "or leave the network out with --networks."
            )


def main():
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", required=True, help="folder in the Kaggle layout")
    arguments.add_argument(
        "--networks",
        nargs="+",
        choices=IDEAS,
        default=list(IDEAS),
        metavar="NETWORK",
        help=f"only some of {', '.join(IDEAS)}",
    )
    arguments.add_argument("--ideas", nargs="*", metavar="IDEA", help="not all of them")
    arguments.add_argument("--folder", help="keeps each fit; a temporary one if absent")
    arguments.add_argument("--report", action="store_true", help="fit nothing more")
    arguments.add_argument("--save", action="store_true")
    options = arguments.parse_args()
    check_ideas(arguments, options)
    data = harness.load_clips(arguments, options.data)
    folder = harness.kept_folder(arguments, options.folder, report=options.report)
    if options.report:
        check_bases(arguments, options, folder)
    labels, waveforms = data.target, AudioReader().fit_transform(list(data.paths))
    folds = five_folds(data, data.day)
    splits = [folds[fold] for fold in FOLDS]

    def scores_of(network, name, seed, fold, train, test):
        """From the folder, or fitted; None if nothing is to be fitted."""
        file = score_file(folder, network, name, seed, fold)
        if not file.is_file():
            if options.report:
                return None
            began = time.process_time()
            make = IDEAS[network][name]
            scores = fitted_scores(make, seed, waveforms, labels, train, test)
            with atomic_path(file) as path:
                np.save(path, scores)
            print(f"{file.name} {time.process_time() - began:.0f} s", flush=True)
        scores = np.load(file)
        harness.check_kept(file, len(scores), len(test))
        return scores

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
        rows, missing = [], []
        for title, idea, seed in tried:
            frame = predictions(network, idea, seed)
            if frame is None:
                missing.append(title)
            else:
                rows.append((title, *compared(first, frame)))
        report.table(
            f"Network: {network}; 95 % intervals by recording",
            ("", "AUC", "difference of AUC", "difference of accuracy"),
            [(f"{base}, seed {SEEDS[0]}", *compared(first, first)), *rows],
        )
        if missing:
            report.line(f"not run: {'; '.join(missing)}")
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
