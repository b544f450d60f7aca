"""Options that commands share, and how they print tables."""

from pathlib import Path

import click

folder = click.Path(path_type=Path)
# A folder with train.csv and train/, or a CSV file of one's own.
data_argument = click.argument("data", type=folder)
seed_option = click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Random seed.",
)
jobs_option = click.option(
    "--jobs",
    default=None,
    type=click.IntRange(1),
    help="Fits in parallel.  [default: the number of cores]",
)
epochs_option = click.option(
    "--max-epochs",
    default=25,
    show_default=True,
    type=click.IntRange(1),
    help="Epochs of the networks, at most.",
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


scoring_option = click.option(
    "--scoring",
    type=click.Choice(["f1", "accuracy", "balanced_accuracy"]),
    default="f1",
    show_default=True,
    help="What the decision threshold maximises.",
)


def load_clips(data, group):
    """Paths, labels and groups of DATA; every unreadable file is named at once."""
    from ..audio import check_audio_files
    from ..datasets import load_kaggle_breath, load_labelled_folder

    if data.suffix.lower() == ".csv":
        clips = load_labelled_folder(data, group_column=group)
        groups = clips.groups
    elif group in ("recording", "day"):
        clips = load_kaggle_breath(data)
        groups = clips[group]
    else:
        raise click.UsageError("--group must be recording or day for a folder.")
    labels = sorted(set(clips.target.tolist()))
    if len(labels) != 2:
        raise ValueError(f"{data} has the labels {labels}; exactly two are needed.")
    n_groups = len(set(groups))
    if n_groups < 5:
        raise ValueError(
            f"{data} has only {n_groups} different values of {group!r}; folds need at "
            "least 5: name a finer one by --group."
        )
    check_audio_files(clips.paths)
    return clips.paths, clips.target, groups


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


# What is picked up from a folder; a file named by itself may be called anything.
_AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".aif", ".aiff"}


def audio_files(paths):
    """Files named, and the audio files in folders named, in a stable order."""

    files = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p for p in path.rglob("*") if p.suffix.lower() in _AUDIO_SUFFIXES
            )
            if not inside:
                raise ValueError(f"No audio file in the folder {path}.")
            files.extend(inside)
        else:
            files.append(path)
    return [str(path) for path in files]
