"""The pretrained model on another microphone, with 5, 20 and 80 labelled phases.

``python -m benchmarks.bench_fine_tune --data FOLDER --work FOLDER [--save]``

FOLDER holds recordings of an air microphone with label tracks beside them. In each draw
recordings are taken in random order until enough phases are labelled: 5 are the
beginning of one recording, 80 some eight recordings. All other recordings are test, so
that no recording is on both sides. Exhales are louder there, so everything is done
twice: on the clips as they are, and with every clip brought to the same level (root
mean square), where level alone knows nothing.

Sides: *pretrained*, untrained on this microphone; *fine-tuned*, ``fine_tune`` with its
defaults (learning rate and updates were not chosen on these recordings; that fewer than
50 clips are not calibrated was, after draw 0, and draw 2 showed that the temperature of
80 clips needs smoothed targets: its accuracy was 0.445 at an AUC of 0.999); *head
only*, the same with all but the last layers frozen; *network from scratch*, as many
networks of the same architecture with as many updates, from random weights; *pooled log
mel*, a logistic regression on mean, deviation and 8 time bins; *level alone*, a
logistic regression on the level.

What is done is kept in ``--work``: an interrupted run goes on.
"""

import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import harness
from skbreath import (
    AudioWarning,
    BreathFeatures,
    ResidualCNNClassifier,
    SummaryPooling,
    WeightedVotingClassifier,
    clips_from_recordings,
    fine_tune,
    load_pretrained,
    read_label_track,
)
from skbreath.ensemble.inspection import find_parts
from skbreath.pipelines.fine_tuning import has_network

SIZES = (5, 20, 80)
N_UPDATES = 100
LEVEL = 0.05


class Level(TransformerMixin, BaseEstimator):
    """The level of a clip in dB, and nothing else."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 10 * np.log10((np.square(X).mean(axis=1) + 1e-12)[:, None])


def from_scratch(pretrained, n_train, seed):
    """Untrained networks of the architecture of the pretrained model's, averaged."""
    threshold = pretrained[-1]
    name, member = next(
        (name, member)
        for name, member in threshold.estimator_.named_estimators_.items()
        if has_network(member)
    )
    epochs = -(-N_UPDATES // max(1, -(-(n_train - 1) // 16)))
    members = []
    for number, fitted in enumerate(getattr(member, "estimators", [member])):
        fresh = clone(fitted)
        assert isinstance(fresh[-1], ResidualCNNClassifier)
        fresh[-1].set_params(
            max_epochs=epochs, batch_size=16, early_stopping=False, random_state=seed
        )
        fresh[-1].random_state += number
        members.append((f"{name}_{number}", fresh))
    return WeightedVotingClassifier(members)


def sides(pretrained, n_train, seed):
    """Each is called with clips, labels and recordings, and gives a fitted model."""

    def tuned(**settings):
        return lambda X, y, groups: fine_tune(
            pretrained, X, y, groups, random_state=seed, **settings
        )

    def fitted(model):
        return lambda X, y, groups: model.fit(X, y)

    names = {
        name
        for network in find_parts(pretrained, ResidualCNNClassifier)
        if hasattr(network, "classes_")
        for name, _ in network.net_.module_.named_children()
    }
    parts = sorted(names - {"head", "dropout"})
    linear = (StandardScaler(), LogisticRegression(C=0.1))
    return {
        "pretrained": lambda X, y, groups: pretrained,
        "fine-tuned": tuned(),
        "head only": tuned(frozen=parts),
        "network from scratch": fitted(from_scratch(pretrained, n_train, seed)),
        "pooled log mel": fitted(
            make_pipeline(BreathFeatures(groups=("mel",)), SummaryPooling(), *linear)
        ),
        "level alone": fitted(make_pipeline(Level(), *linear)),
    }


def draw(clips, n_train, seed):
    """Rows of the first phases of recordings in random order; rows of all others."""
    order = np.random.default_rng(seed).permutation(np.unique(clips.groups))
    rows = np.concatenate([np.flatnonzero(clips.groups == name) for name in order])
    # One label is no lesson: the second class comes in with its first phase.
    for stop in range(n_train, len(rows)):
        train = rows[stop - n_train : stop]
        if len(np.unique(clips.target[train])) == 2:
            break
    return train, np.flatnonzero(~np.isin(clips.groups, clips.groups[train]))


def levelled(waveforms):
    level = np.sqrt(np.square(waveforms).mean(axis=1, keepdims=True))
    return waveforms * (LEVEL / np.maximum(level, 1e-6))


def judged(fit, X, clips, train, test):
    began = time.process_time()
    model = fit(X[train], clips.target[train], clips.groups[train])
    seconds = time.process_time() - began
    truth = clips.target[test]
    inhale = list(model.classes_).index("I")
    return {
        "auc": roc_auc_score(truth == "I", model.predict_proba(X[test])[:, inhale]),
        "accuracy": accuracy_score(truth, model.predict(X[test])),
        "seconds": seconds,
    }


def labelled_phases(arguments, folder):
    """Recordings of a folder and clips of their phases; an error if there are none."""
    files = sorted(folder.glob("*.wav"))
    if not files:
        arguments.error(f"argument --data: there is no *.wav in {str(folder)!r}.")
    tracks = [file.with_suffix(".txt") for file in files]
    if missing := [track.name for track in tracks if not track.is_file()]:
        arguments.error(
            f"argument --data: {len(missing)} of {len(files)} recordings in "
            f"{str(folder)!r} have no label track, such as {missing[0]!r}, beside them."
        )
    try:
        clips = clips_from_recordings(files, [read_label_track(t) for t in tracks])
    except ValueError as error:
        arguments.error(f"argument --data: {error}")
    if len(clips.target) <= max(SIZES):
        arguments.error(
            f"argument --data: {str(folder)!r} has {len(clips.target)} labelled "
            f"phases; to train on {max(SIZES)} and judge by others it takes more."
        )
    return files, clips


def main():
    arguments = harness.parser(__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--work", type=Path, required=True)
    arguments.add_argument("--draws", type=int, default=5)
    options = arguments.parse_args()
    if options.draws < 1:
        arguments.error(f"argument --draws: {options.draws} is less than 1.")
    # The warning of another microphone is right, and told by the first row anyway.
    warnings.simplefilter("ignore", AudioWarning)

    files, clips = labelled_phases(arguments, options.data)
    inputs = {
        "as recorded": clips.waveforms,
        "same level": levelled(clips.waveforms),
    }
    report = harness.Report("bench_fine_tune")
    report.line(
        f"{len(files)} recordings, {len(clips.target)} phases "
        f"({(clips.target == 'I').sum()} inhales), {options.draws} draws"
    )
    pretrained = load_pretrained()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(options.draws):
        for n_train in SIZES:
            train, test = draw(clips, n_train, seed)
            for side, fit in sides(pretrained, n_train, seed).items():
                for heard, X in inputs.items():
                    key = f"{seed}-{n_train}-{side}-{heard}".replace(" ", "_")
                    file = options.work / f"{key}.json"
                    if not file.exists():
                        scores = judged(fit, X, clips, train, test)
                        file.write_text(json.dumps(scores), encoding="utf-8")
                    case = {"input": heard, "side": side, "n": n_train, "seed": seed}
                    rows.append(case | json.loads(file.read_text(encoding="utf-8")))
    scores = pd.DataFrame(rows)
    for heard in inputs:
        for metric in ("auc", "accuracy"):
            part = scores[scores["input"] == heard]
            report.table(
                f"{metric} on other recordings, {heard}: mean (range) of the draws",
                ("side", *(f"{n} phases" for n in SIZES)),
                [
                    (side, *(_spread(rows[rows["n"] == n][metric]) for n in SIZES))
                    for side, rows in part.groupby("side", sort=False)
                ],
            )
    report.table(
        "Median CPU seconds of a fit",
        ("side", *(f"{n} phases" for n in SIZES)),
        [
            (side, *(f"{rows[rows['n'] == n]['seconds'].median():.1f}" for n in SIZES))
            for side, rows in scores.groupby("side", sort=False)
        ],
    )
    if options.save:
        report.save()


def _spread(values):
    return f"{values.mean():.3f} ({values.min():.3f}..{values.max():.3f})"


if __name__ == "__main__":
    main()
