"""``skbreath train`` and ``train-phases``."""

import os
from collections import Counter

import click

from ..utils.text import shorten
from .common.command import Command, print_result
from .common.files import (
    check_model_suffix,
    check_outputs,
    load_clips,
    metadata_of,
    parts_of_names,
    recordings_for,
    reject_overwriting,
    save,
    say_model,
)
from .common.options import (
    FiniteFloatRange,
    cores,
    data_argument,
    group_option,
    jobs_option,
    labels_option,
    out_option,
    path_type,
    pos_label_option,
    preset_option,
    recording_option,
    scoring_option,
    seed_option,
    skip_bad_option,
    training_options,
)

# F1 of a good model, and of a recording whose labels may be those of another.
_GOOD_F1, _POOR_F1 = 0.6, 0.3
# Recordings whose sound decides about the base.
_MOST_COMPARED = 10


@click.command(cls=Command)
@data_argument
@out_option
@preset_option
@group_option
@recording_option("COLUMN", "a column of a CSV file; ")
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
    recording,
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
    paths, y, groups, frame = load_clips(
        data, group, pos_label, out=out, skip_bad=skip_bad, **audio
    )
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
    params = {"classifier__groups": groups}
    recordings = recordings_for(model, paths, recording, frame)
    if recordings is not None:
        params["classifier__recordings"] = recordings
    with StepProgress() as progress, progress.step("Training", count_fits(model)):
        model.fit(paths, y, **params)
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
    "--base",
    type=click.Choice(["nose", "chest", "none"]),
    help="Model of the package that the new model is built on, so that fewer "
    "recordings are enough; models built on chest are for non-commercial use.  "
    "[default: nose if it is nearer by the sound, with the default band and rate]",
)
@click.option(
    "--live",
    is_flag=True,
    help="Make a model for a microphone, less than half a second late: without a base, "
    "and with a shorter lag.",
)
@click.option(
    "--lag",
    type=FiniteFloatRange(0, 60),
    help="Seconds that a label may be delayed; a longer lag breaks long phases of slow "
    "or noisy breathing less often.  [default: 1, or 0.1 with --live]",
)
@labels_option
@click.option(
    "--group",
    default="recording",
    show_default=True,
    help="What is held out together: each recording; with folder, the recordings of a "
    r"folder; or those with the same part of the file name, found by a regular "
    r"expression, such as person\d+ for person01_deep_01.wav.",
)
@seed_option
def train_phases(data, out, fmax, sample_rate, base, live, lag, labels, group, seed):
    """Train a model that annotates whole recordings.

    DATA is a folder of recordings, and beside each a label track of the same name:
    Audacity, HF_Lung, Raven or CSV (.txt, .csv), Praat (.TextGrid), or JSON, with the
    labels I and E, or common words for them, such as inhale and exhale. The tracks of
    x.wav may also be x_label.txt (HF_Lung) or x.Table.1.selections.txt (Raven).

    \b
    Examples:
      skbreath train-phases recordings/ --out phases.skb
      skbreath train-phases recordings/ --live --out live.skb
      skbreath train-phases recordings/ --out phases.skb \\
          --labels "breath in=I,breath out=E,cough="
      skbreath train-phases people/ --group folder --out phases.skb
      skbreath train-phases files/ --group "person[0-9]+" --out phases.skb
    """
    from ..audio.decoding import check_audio_files
    from ..audio.files import find_audio_files
    from ..phases.label_tracks import read_tracks, tracks_beside, unclear_tracks
    from ..segmentation.segmenter import PhaseSegmenter
    from ..utils.progress import StepProgress

    check_outputs({"--out": out})
    if live and base not in (None, "none"):
        raise click.UsageError(
            f"--base {base} is seconds late, which is not --live; leave one out."
        )
    if live and lag is not None:
        raise click.UsageError("--live sets the lag to 0.1 s; leave --lag out.")
    if not data.exists():
        raise FileNotFoundError(f"{data} does not exist; name a folder of recordings.")
    files = find_audio_files([data])
    tracks = tracks_beside(files)
    inputs = [*files, *(track for found in tracks.values() for track in found)]
    reject_overwriting("--out", [out], inputs)
    check_model_suffix(out)
    groups = _groups(files, group)
    for what, items, advice in unclear_tracks(tracks):
        raise ValueError(
            f"{len(items)} of {len(files)} {what}: {shorten(items)}; {advice}."
        )
    tables, problems, notes, hint = read_tracks(
        [track for (track,) in tracks.values()], check_audio_files(files), labels
    )
    for note in notes:
        click.echo(f"Note: {note}", err=True)
    if problems:
        n_bad = f"{len(problems)} of {len(files)} label tracks cannot be used: "
        what = shorten(problems, " ") + hint
        raise ValueError(what if len(problems) == 1 else n_bad + what)
    empty = [repr(file) for file, t in zip(files, tables, strict=True) if t.empty]
    if empty:
        click.echo(
            f"Warning: {len(empty)} of {len(files)} recordings have no phase in their "
            f"label tracks and count as pauses: {shorten(empty)}.",
            err=True,
        )
    present = {label for table in tables for label in table["label"]}
    missing = [label for label in ("I", "E") if label not in present]
    if missing:
        raise ValueError(
            f"The label tracks of the {len(files)} recordings in {data} have no phase "
            f"with the label {missing[0]}; label both phases."
        )
    if live or (base is None and (fmax, sample_rate) != (None, 16000)):
        base = "none"
    base = _nearest_base(files) if base is None else base
    segmenter = PhaseSegmenter(
        fmax=2000.0 if base == "chest" and fmax is None else fmax,
        sample_rate=sample_rate,
        base=_load_base(base),
        lag=(0.1 if live else 1.0) if lag is None else lag,
        random_state=seed,
    )
    with StepProgress() as progress, progress.step("Learning phases", 1):
        segmenter.fit(files, tables, groups)
    save(segmenter, out, _metadata(base))
    n_phases = sum(map(len, tables))
    click.echo(f"{len(files)} recordings, {n_phases} phases; wrote {out}")
    held_out = _report_held_out(segmenter, files)
    print_result(
        out=out, n_recordings=len(files), n_phases=n_phases, held_out_f1=held_out
    )


def _report_held_out(segmenter, files):
    """Print how well held-out recordings are annotated; return the F1 by label."""
    f1, each = segmenter.held_out_f1_, segmenter.held_out_f1_by_recording_
    if f1 is None:
        click.echo("No quality is known: that needs two recordings with all labels.")
        return None
    f1 = dict(zip(segmenter.labels, f1.tolist(), strict=True))
    shown = ", ".join(f"{label} {value:.2f}" for label, value in f1.items())
    click.echo(f"In held-out recordings (2 folds) the F1 is: {shown}")
    if sum(f1.values()) / len(f1) >= _GOOD_F1:
        poor = [
            f"{file!r} ({value:.2f})"
            for file, value in zip(files, each, strict=True)
            if value < _POOR_F1
        ]
        if poor:
            click.echo(
                f"Warning: in {len(poor)} of {len(files)} recordings the F1 is low: "
                f"{shorten(poor)}; check that their label tracks belong to them.",
                err=True,
            )
    return f1


def _nearest_base(files):
    """Return "nose" if the sound of most recordings is nearer to it, else "none"."""
    from ..pretrained.choice import choose_segmenter

    kinds = [choose_segmenter(file) for file in files[:_MOST_COMPARED]]
    return "nose" if 2 * kinds.count("nose") > len(kinds) else "none"


def _load_base(name):
    """Return the model of --base, or None."""
    from sklearn.frozen import FrozenEstimator

    from ..pretrained import load_pretrained

    if name == "none":
        return None
    say_model(name, ", as the base")
    return FrozenEstimator(load_pretrained(name))


def _metadata(base):
    """Return the licence and origin of the base, which a model built on it keeps."""
    from ..pretrained import PRETRAINED

    if base == "none":
        return None
    metadata = metadata_of(PRETRAINED[base])
    origin = f"own recordings, and the model {base}: {metadata['training_data']}"
    kept = {key: metadata[key] for key in ("licence", "licence_url", "intended_use")}
    return {**kept, "training_data": origin}


def _groups(files, group):
    """Return the group of each recording by --group, and print how many there are."""
    if group == "recording":
        return None
    if group == "folder":
        groups = [os.path.dirname(file) for file in files]
    else:
        groups = parts_of_names(files, group, "--group", "recording, folder or ")
    sizes = Counter(groups)
    listed = shorten(f"{name} ({n})" for name, n in sizes.items())
    if len(sizes) < 2:
        raise click.UsageError(
            f"--group {group} needs at least 2 groups of recordings, one for each "
            f"person, such as 2 folders; found {listed}."
        )
    click.echo(f"Note: recordings of {len(sizes)} groups: {listed}.", err=True)
    return groups


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
