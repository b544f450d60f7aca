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


out_option = click.option(
    "--out",
    type=folder,
    required=True,
    help="Model file to write: .skb, or a pickle as .joblib.",
)
scoring_option = click.option(
    "--scoring",
    type=click.Choice(["f1", "accuracy", "balanced_accuracy"]),
    default="f1",
    show_default=True,
    help="What the decision threshold maximises.",
)


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
    """Read a model that takes audio files, in the format that its suffix names."""
    from ..audio import AudioReader
    from ..model_file import load_model

    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a model file.")
    if not path.is_file():
        raise FileNotFoundError(f"No model file {path}; `skbreath train` writes one.")
    model = _unpickle(path) if path.suffix == ".joblib" else load_model(path)
    if not hasattr(model, "steps") or not isinstance(model[0], AudioReader):
        raise ValueError(
            f"{path} holds a {type(model).__name__} that takes no audio files; its "
            "first step must be an AudioReader."
        )
    return model


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
