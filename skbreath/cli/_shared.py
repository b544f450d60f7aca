"""Options that commands share, and how they print tables."""

from pathlib import Path

import click

folder = click.Path(path_type=Path)
data_argument = click.argument("data", type=folder)
seed_option = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="Random seed."
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
    type=click.Choice(["recording", "day"]),
    default="recording",
    show_default=True,
    help="What the folds must not share.",
)


def cores(jobs):
    import joblib

    return jobs or joblib.cpu_count(only_physical_cores=False)


def print_table(table, title):
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title)
    shown.add_column(table.index.name or "", no_wrap=True)
    for column in table.columns:
        shown.add_column(column, justify="right", no_wrap=True)
    for name, row in table.iterrows():
        shown.add_row(str(name), *row.astype(str))
    console = Console()
    # Never cut a number off where the terminal is narrow or absent.
    width = None if console.is_terminal else 100
    Console(width=width).print(shown)
