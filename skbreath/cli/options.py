"""Options that commands share, and how they print tables."""

import os
from pathlib import Path

import click

BAD_FILES = "bad-files.csv"
# What --model may say instead of a file.
PRETRAINED = "pretrained"

folder = click.Path(path_type=Path)
# A folder with train.csv and train/, or a CSV file of one's own.
data_argument = click.argument("data", type=folder)
seed_option = click.option(
    "--random-state",
    "--seed",
    "seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Random seed.",
)
jobs_option = click.option(
    "--n-jobs",
    "--jobs",
    "jobs",
    default=None,
    type=click.IntRange(1),
    help="Fits or files in parallel.  [default: the number of cores]",
)
epochs_option = click.option(
    "--max-epochs",
    default=None,
    type=click.IntRange(1),
    help="Epochs of the networks, at most.  [default: as many as the preset has]",
)
batch_size_option = click.option(
    "--batch-size",
    default=512,
    show_default=True,
    type=click.IntRange(1),
    help="Files at a time.",
)
group_option = click.option(
    "--group",
    default="recording",
    show_default=True,
    help="What folds must not share: recording or day; for a CSV one of its columns.",
)
pos_label_option = click.option(
    "--pos-label", default="I", show_default=True, help="The positive class."
)
out_option = click.option(
    "--out",
    type=folder,
    required=True,
    help="Model file to write: .skb, or a pickle as .joblib.",
)
skip_bad_option = click.option(
    "--skip-bad",
    is_flag=True,
    help="Leave out files that cannot be read, and list them in bad-files.csv beside "
    "the output, or on the terminal if there is none.",
)
scoring_option = click.option(
    "--scoring",
    type=click.Choice(["f1", "accuracy", "balanced_accuracy"]),
    default=None,
    help="What the decision threshold maximises.  [default: accuracy; f1 with the "
    "preset reference and for tune]",
)
preset_option = click.option(
    "--preset",
    type=click.Choice(["default", "fast", "accurate", "reference"]),
    default="default",
    show_default=True,
    help="Which members vote: one network in minutes, or several for longer.",
)


def model_path(path):
    """The file that --model means: the pretrained model by that name or without one."""
    if path is not None and (str(path) != PRETRAINED or path.exists()):
        return path
    from ..pretrained import PRETRAINED as packaged

    click.echo(
        "Using the pretrained model of chest sounds: for non-commercial use (CC BY-NC "
        "4.0), not for diagnosis.",
        err=True,
    )
    return packaged


def save(model, path):
    """Write a model in the format that its suffix names."""
    from ..atomic import atomic_path
    from ..model_file import save_model

    if path.suffix != ".joblib":
        save_model(model, path)
        return
    import joblib

    with atomic_path(path) as temporary:
        joblib.dump(model, temporary)


def load(path):
    """Read a model that takes audio files, in the format that its suffix names.

    A fine-tuned model or a search gives the pipeline that it predicts with.
    """
    from .._inner_model import inner_model
    from ..audio import AudioReader

    model = inner_model(load_any(path))
    if type(model).__name__ == "PhaseSegmenter":
        raise ValueError(
            f"{path} finds phases in whole recordings: use `skbreath annotate`."
        )
    if not hasattr(model, "steps") or not isinstance(model[0], AudioReader):
        raise ValueError(
            f"{path} holds a {type(model).__name__} that takes no audio files; its "
            "first step must be an AudioReader."
        )
    return model


def load_any(path):
    """Read whatever model `train` or `train-phases` wrote."""
    from ..model_file import load_model

    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a model file.")
    if not path.is_file():
        raise FileNotFoundError(f"No model file {path}; `skbreath train` writes one.")
    return _unpickle(path) if _is_pickle(path) else load_model(path)


def metadata_of(path):
    """What a model file says of its model; None where it is a pickle."""
    from ..model_file import model_info

    return None if _is_pickle(path) else model_info(path)["metadata"]


def _is_pickle(path):
    with path.open("rb") as file:
        archive = file.read(2) == b"PK"  # a .skb by another name
    return path.suffix == ".joblib" and not archive


def _unpickle(path):
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:
        # Unpickling raises whatever the bytes happen to spell.
        raise ValueError(
            f"{path} is not a model written by `skbreath train` with these package "
            f"versions ({type(error).__name__}: {error or 'damaged'})."
        ) from error


def load_clips(data, group, *, out=None, skip_bad=False):
    """Paths, labels and groups of DATA; every unreadable file is named at once."""
    clips = load_clip_table(data, group, out=out, skip_bad=skip_bad)
    return clips.paths, clips.target, clips.groups


def load_clip_table(data, group, *, out=None, skip_bad=False):
    """As :func:`load_clips`, a Bunch that also has ``frame``: all columns."""
    from sklearn.utils import Bunch

    from ..datasets import load_kaggle_breath, load_labelled_folder

    if data.suffix.lower() == ".csv":
        clips = load_labelled_folder(data, group_column=group)
        groups = clips.groups
    elif group in ("recording", "day"):
        clips = load_kaggle_breath(data)
        groups = clips[group]
    else:
        raise click.UsageError("--group must be recording or day for a folder.")
    good = _find_good(clips.paths, out, skip_bad)
    paths, target, groups = clips.paths[good], clips.target[good], groups[good]
    labels = sorted(set(target.tolist()))
    if len(labels) != 2:
        raise ValueError(f"{data} has the labels {labels}; exactly two are needed.")
    n_groups = len(set(groups))
    if n_groups < 5:
        raise ValueError(
            f"{data} has only {n_groups} different values of {group!r}; folds need at "
            "least 5: name a finer one by --group."
        )
    frame = clips.frame[good]
    return Bunch(paths=paths, target=target, groups=groups, frame=frame)


def _find_good(paths, out, skip_bad):
    """Which files can be read; without `skip_bad` one error for those that cannot."""
    import numpy as np

    from ..audio import AudioError, AudioReader, inspect_audio_files

    reader = AudioReader()  # as make_breath_classifier makes it
    durations, problems = inspect_audio_files(
        paths,
        sample_rate=reader.sample_rate,
        n_samples=round(reader.duration * reader.sample_rate),
    )
    if problems and not skip_bad:
        raise AudioError(problems)
    leave_out(problems, len(paths), out if skip_bad else None)
    return np.isfinite(durations)


def leave_out(problems, n_files, out):
    """Tell of files that are left out, and list them beside `out` if that is given."""
    if out is None:
        report_bad_files(problems, n_files)
        return
    import pandas as pd

    from ..atomic import atomic_path

    with atomic_path(out.parent / BAD_FILES) as path:
        pd.DataFrame(problems, columns=["path", "reason"]).to_csv(
            path, index=False, lineterminator="\n", errors="surrogateescape"
        )
    report_count(len(problems), n_files, out)


def report_count(n_bad, n_files, out):
    if n_bad and n_bad == n_files:
        raise ValueError(
            f"none of the {n_files} files can be read; see {out.parent / BAD_FILES}."
        )
    if n_bad:
        click.echo(
            f"Warning: {n_bad} of {n_files} files cannot be read and are left out; "
            f"see {out.parent / BAD_FILES}.",
            err=True,
        )


def report_bad_files(problems, n_files):
    """Where there is no file to list them in."""
    for path, reason in problems:
        click.echo(f"Left out: {path!r} {reason}", err=True)
    if problems and len(problems) == n_files:
        raise ValueError(f"none of the {n_files} files can be read.")
    if problems:
        click.echo(
            f"Warning: {len(problems)} of {n_files} files cannot be read and are left "
            "out.",
            err=True,
        )


def cores(jobs):
    import joblib

    return jobs or joblib.cpu_count(only_physical_cores=False)


def print_table(table, title):
    from rich.console import Console
    from rich.table import Table

    shown = Table()
    shown.add_column(table.index.name or "", no_wrap=True)
    for column in table.columns:
        shown.add_column(column, justify="right", no_wrap=True)
    for name, row in table.iterrows():
        shown.add_row(str(name), *row.astype(str))
    console = Console()
    if not console.is_terminal:  # never cut a number off
        console = Console(width=120)
    console.print(title, highlight=False)
    console.print(shown)


def named_once(files):
    """Files in the order in which they are named first; tell what is named again."""
    first, again = {}, set()
    for file in files:
        path = os.path.abspath(file)
        if path in first:
            again.add(path)
        first.setdefault(path, file)
    if again:
        said = "1 file is" if len(again) == 1 else f"{len(again)} files are"
        click.echo(f"Note: {said} named more than once; each counts once.", err=True)
    return list(first.values())
