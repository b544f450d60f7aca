"""Check and write the files of a command, and print tables."""

from contextlib import contextmanager
from pathlib import Path

import click

BAD_FILES = "bad-files.csv"
_TABLES = ("train.csv", "test.csv", "sample_submission.csv")


def check_outputs(outputs, inputs=()):
    """Check that outputs can be written and do not replace an input.

    Parameters
    ----------
    outputs : dict of str to Path or None
        By option; None for an output that is not written.
    inputs : iterable of Path or None
        Files and folders that are read.

    Raises
    ------
    click.UsageError
        If two outputs are one file, or an output would replace a file that is read, a
        table of a data set that is read, or any audio file.
    OSError
        As :func:`skbreath.atomic.check_destination`.
    """
    from ..atomic import check_destination

    written = {}
    for option, path in outputs.items():
        if path is None:
            continue
        check_destination(path)
        target = path.resolve()
        if target in written:
            raise click.UsageError(
                f"{option} and {written[target]} are the same file, {path}; name "
                "another."
            )
        written[target] = option
        refuse_overwriting(option, [path], inputs)


def refuse_overwriting(option, paths, inputs):
    """Check that paths do not replace a file that is read, or any audio file.

    Parameters
    ----------
    option : str
        Option that names the paths.
    paths : list of Path
        Files to write; their folders need not exist yet.
    inputs : iterable of Path or str or None
        As in :func:`check_outputs`.

    Raises
    ------
    click.UsageError
    """
    from .._audio_file import has_audio_suffix

    read = {Path(path).resolve() for path in inputs if path is not None}
    for path in paths:
        target = path.resolve()
        is_table = target.name in _TABLES and target.parent in read
        taken = target in read or is_table or has_audio_suffix(target)
        if target.exists() and taken:
            raise click.UsageError(
                f"{option} {path} would overwrite an input or an audio file; name "
                "another."
            )


def check_model_suffix(path):
    """Check that a model file has a suffix that can be loaded."""
    if path.suffix.lower() not in (".skb", ".joblib"):
        raise click.UsageError(
            f"--out must end in .skb, or .joblib for a pickle, got {path}."
        )


@contextmanager
def open_table(path):
    """Write a CSV file from one DataFrame after another; `path` changes at the end."""
    from ..atomic import atomic_path

    # A file name need not be UTF-8; it is written as it was read.
    how = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    with atomic_path(path) as temporary, open(temporary, "w", **how) as file:

        def append(table):
            table.to_csv(
                file,
                index=False,
                header=file.tell() == 0,
                lineterminator="\n",
                float_format="%.6f",
            )

        yield append


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


def leave_out(problems, n_files, out):
    """Report files that are left out, in a list beside `out` if that is given."""
    if out is None:
        report_bad_files(problems, n_files)
        return
    import pandas as pd

    with open_table(out.parent / BAD_FILES) as write:
        write(pd.DataFrame(problems, columns=["path", "reason"], dtype=object))
    report_count(len(problems), n_files, out)


def report_count(n_bad, n_files, out):
    """Print how many files are left out; if all are, raise an error."""
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
    """Print the files that are left out, where no list of them is written."""
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


def print_table(table, title):
    """Print a DataFrame of strings."""
    from rich.console import Console
    from rich.table import Table

    shown = Table()
    shown.add_column(table.index.name or "", no_wrap=True)
    for column in table.columns:
        shown.add_column(column, justify="right", no_wrap=True)
    for name, row in table.iterrows():
        shown.add_row(str(name), *row.astype(str))
    console = Console()
    if not console.is_terminal:  # do not cut a number off
        console = Console(width=120)
    console.print(title, highlight=False)
    console.print(shown)
