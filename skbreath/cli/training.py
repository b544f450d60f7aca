"""``skbreath train`` and ``train-phases``."""

import os

import click

from .command import Command, print_result
from .files import (
    check_model_suffix,
    check_outputs,
    load_clips,
    reject_overwriting,
    save,
)
from .options import (
    FiniteFloatRange,
    cores,
    data_argument,
    group_option,
    jobs_option,
    out_option,
    path_type,
    pos_label_option,
    preset_option,
    scoring_option,
    seed_option,
    skip_bad_option,
    training_options,
)


@click.command(cls=Command)
@data_argument
@out_option
@preset_option
@group_option
@pos_label_option
@scoring_option("accuracy; f1 with the preset reference")
@training_options
@seed_option
@jobs_option
@skip_bad_option
def train(
    data,
    out,
    preset,
    group,
    pos_label,
    scoring,
    max_epochs,
    device,
    seed,
    jobs,
    skip_bad,
    **audio,
):
    """Train on DATA and save the model.

    DATA is a folder with train.csv (ID,Target) and train/*.wav, or a CSV file with
    the columns path, label and the one named by --group.

    \b
    Examples:
      skbreath train kaggle-breath --out model.skb
      skbreath train kaggle-breath --preset accurate --out model.skb
      skbreath train clips.csv --group patient --out model.skb
    """
    from ..pipelines.breath_classifier import make_breath_classifier
    from ..utils.progress import StepProgress

    check_model_suffix(out)
    check_outputs({"--out": out}, [data])
    paths, y, groups, _ = load_clips(data, group, out=out, skip_bad=skip_bad, **audio)
    model = make_breath_classifier(
        preset=preset,
        max_epochs=max_epochs,
        pos_label=pos_label,
        scoring=scoring,
        n_jobs=cores(jobs),
        random_state=seed,
        device=device,
        **audio,
    )
    with StepProgress() as progress, progress.step("Training", count_fits(model)):
        model.fit(paths, y, classifier__groups=groups)
    save(model, out)
    print_fitted(model, out)


@click.command("train-phases", cls=Command)
@click.argument("data", type=path_type)
@out_option
@click.option(
    "--fmax",
    type=FiniteFloatRange(0, min_open=True),
    help="Upper end of the band in Hz.",
)
@click.option(
    "--sample-rate", default=16000, show_default=True, type=click.IntRange(1000)
)
@click.option(
    "--lag",
    default=0.1,
    show_default=True,
    type=FiniteFloatRange(0, 60),
    help="Seconds that a label may be delayed: 0.1 for a microphone; for recordings, 1 "
    "breaks long phases of slow or noisy breathing less often.",
)
@click.option(
    "--label",
    multiple=True,
    metavar="WORD=LABEL",
    help="Read a label as I or E, such as inhale=I; may be given several times.",
)
@click.option(
    "--group",
    type=click.Choice(["recording", "folder"]),
    default="recording",
    show_default=True,
    help="What is held out together: each recording, or the recordings of a folder, "
    "where every person has one.",
)
@seed_option
def train_phases(data, out, fmax, sample_rate, lag, label, group, seed):
    """Train a model that annotates whole recordings.

    DATA is a folder of recordings, and beside each a label track of the same name:
    Audacity, HF_Lung, Raven or CSV (.txt, .csv), Praat (.TextGrid), or JSON, with the
    labels I and E. The tracks of x.wav may also be x_label.txt (HF_Lung) or
    x.Table.1.selections.txt (Raven).

    \b
    Examples:
      skbreath train-phases recordings/ --out phases.skb
      skbreath train-phases recordings/ --out phases.skb \\
          --label inhale=I --label exhale=E
      skbreath train-phases people/ --group folder --out phases.skb
    """
    from ..audio.decoding import check_audio_files
    from ..audio.files import find_audio_files
    from ..phases.label_tracks import read_label_track, tracks_beside, unclear_tracks
    from ..segmentation.segmenter import PhaseSegmenter
    from ..utils.progress import StepProgress
    from ..utils.text import shorten

    check_outputs({"--out": out})
    names = _label_names(label)
    files = find_audio_files([data])
    tracks = tracks_beside(files)
    inputs = [*files, *(track for found in tracks.values() for track in found)]
    reject_overwriting("--out", [out], inputs)
    check_model_suffix(out)
    groups = None if group == "recording" else [os.path.dirname(f) for f in files]
    if groups is not None and len(set(groups)) < 2:
        raise click.UsageError(
            f"--group folder needs at least 2 folders in {data} with recordings, one "
            "for each person; found 1."
        )
    for what, items, advice in unclear_tracks(tracks):
        raise ValueError(
            f"{len(items)} of {len(files)} {what}: {shorten(items)}; {advice}."
        )
    tables = [
        read_label_track(track, labels=names, duration=duration)
        for (track,), duration in zip(
            tracks.values(), check_audio_files(files), strict=True
        )
    ]
    empty = [repr(file) for file, t in zip(files, tables, strict=True) if t.empty]
    if empty:
        click.echo(
            f"Warning: {len(empty)} of {len(files)} recordings have no phase in their "
            f"label tracks and count as pauses: {shorten(empty)}.",
            err=True,
        )
    segmenter = PhaseSegmenter(
        fmax=fmax, sample_rate=sample_rate, lag=lag, random_state=seed
    )
    with StepProgress() as progress, progress.step("Learning phases", 1):
        segmenter.fit(files, tables, groups)
    save(segmenter, out)
    n_phases = sum(map(len, tables))
    click.echo(f"{len(files)} recordings, {n_phases} phases; wrote {out}")
    print_result(out=out, n_recordings=len(files), n_phases=n_phases)


def _label_names(options):
    """Return the labels of --label by their words, or those that need no renaming."""
    pairs = [option.rpartition("=") for option in options]
    for option, (word, _, label) in zip(options, pairs, strict=True):
        if not word or label not in ("I", "E"):
            raise click.UsageError(
                f"Expected --label WORD=I or WORD=E, such as inhale=I, got {option!r}."
            )
    return {"I": "I", "E": "E"} | {word: label for word, _, label in pairs}


def print_fitted(model, out):
    """Print the weights of the vote and the threshold."""
    threshold = model["classifier"]
    vote = threshold.estimator_
    weights = list(zip(vote.named_estimators_, vote.weights_, strict=True))
    click.echo("weights: " + ", ".join(f"{name} {w:.2f}" for name, w in weights))
    click.echo(
        f"threshold: {threshold.best_threshold_:.3f} "
        f"(out-of-fold {threshold.scoring} {threshold.best_score_:.3f})"
    )
    click.echo(f"wrote {out}")
    print_result(
        out=out,
        weights=dict(weights),
        threshold={
            "pos_label": threshold.pos_label_,
            "value": threshold.best_threshold_,
            "scoring": threshold.scoring,
            "score": threshold.best_score_,
        },
    )


def count_fits(model):
    """Count the fits that a model of make_breath_classifier costs."""
    vote = model["classifier"].estimator
    return len(vote.estimators) * (vote.cv + vote.refit)
