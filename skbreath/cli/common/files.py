"""Read models and clips; check and write the files and tables of commands."""

import os
import re
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import click

from ...utils.text import shorten
from .command import print_result

# The names that --model accepts instead of a file, and what the models are for.
PRETRAINED = {
    "clips": "clips of a stethoscope; for non-commercial use (CC BY-NC 4.0), not for "
    "diagnosis.",
    "nose-clips": "clips of a microphone at nose or mouth; not for diagnosis.",
    "nose": "recordings of a microphone at nose or mouth; not for diagnosis.",
    "nose-live": "sound of a microphone at nose or mouth, as it is recorded; not for "
    "diagnosis.",
    "chest": "recordings of a stethoscope; for non-commercial use (CC BY-NC 4.0), not "
    "for diagnosis.",
}

BAD_FILES = "bad-files.csv"
_TABLES = ("train.csv", "test.csv", "sample_submission.csv")


def model_path(path):
    """Return the file of --model; by default, or by its name, one of the package."""
    name = "clips" if path is None or str(path) == "pretrained" else str(path)
    if name not in PRETRAINED or (path is not None and path.exists()):
        similar = get_close_matches(name.lower(), PRETRAINED, 1)
        if similar and not path.exists():
            raise FileNotFoundError(
                f"{path} does not exist; did you mean {similar[0]}? The models of the "
                f"package are {', '.join(PRETRAINED)}."
            )
        return path
    from ...pretrained import PRETRAINED as files

    say_model(name)
    return files[name]


def say_model(name, chosen=""):
    """Print which model of the package is used, and what for."""
    click.echo(f"Model {name}{chosen}: for {PRETRAINED[name]}", err=True)


def load(path):
    """Read a model that takes audio files; unwrap a search or fine-tuned model."""
    from ...audio.reader import AudioReader
    from ...ensemble.inspection import unwrap

    model = unwrap(load_model_file(path))
    if type(model).__name__ == "PhaseSegmenter":
        raise ValueError(
            f"Expected a model of clips, got {path}, a model of whole recordings; use "
            "it with `skbreath annotate`."
        )
    if not hasattr(model, "steps") or not isinstance(model[0], AudioReader):
        raise ValueError(
            f"Expected a pipeline that starts with an AudioReader in {path}, got a "
            f"{type(model).__name__}, which does not take audio files."
        )
    return model


def load_model_file(path):
    """Read a model that a command wrote, whatever its type."""
    from ...model_files.save_load import load_model

    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a model file.")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; `skbreath train` writes a model."
        )
    return _unpickle(path) if _is_pickle(path) else load_model(path)


def metadata_of(path):
    """Return the metadata of a model file; None where it is a pickle."""
    from ...model_files.save_load import model_info

    return None if _is_pickle(path) else model_info(path)["metadata"]


def _is_pickle(path):
    """Return whether a model file is a pickle."""
    with path.open("rb") as file:
        archive = file.read(2) == b"PK"  # a .skb file with another suffix
    return path.suffix == ".joblib" and not archive


def _unpickle(path):
    """Load a pickle; raise one type of error if that fails."""
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:
        # Unpickling damaged bytes can raise any exception.
        raise ValueError(
            f"{path} is not a model written by `skbreath train` with these package "
            f"versions ({type(error).__name__}: {error or 'damaged'})."
        ) from error


def load_clips(
    data, group, pos_label, *, sample_rate, duration, out=None, skip_bad=False
):
    """Load paths, labels, groups and table of DATA; name all unreadable files.

    Of each file, `duration` seconds at `sample_rate` are needed. Words for inhale and
    exhale are read as I and E, unless `pos_label` is such a word.
    """
    import numpy as np

    from ...datasets.label_files import load_kaggle_breath, load_labelled_folder
    from ...phases.phase_table import common_words, words_note

    if data.is_dir() and not (data / "train.csv").is_file():
        raise FileNotFoundError(
            "Expected a CSV file with the columns path and label, or a folder with "
            f"train.csv and train/, got the folder {data} without train.csv."
        )
    if data.suffix.lower() == ".csv":
        clips = load_labelled_folder(data, group_column=group)
        groups = clips.groups
        names = common_words(clips.target) if pos_label in ("I", "E") else {}
        if names:
            click.echo(f"Note: {words_note(names)}.", err=True)
            clips.target = np.array([names.get(one, one) for one in clips.target])
    elif group in ("recording", "day"):
        clips = load_kaggle_breath(data)
        groups = clips[group]
    else:
        raise click.UsageError(
            f"--group must be recording or day for a folder, got {group}."
        )
    good = _find_good(clips.paths, sample_rate, duration, out, skip_bad)
    paths, target, groups = clips.paths[good], clips.target[good], groups[good]
    labels = sorted(set(target.tolist()))
    if len(labels) != 2:
        raise ValueError(f"Expected 2 labels in {data}, got {labels}.")
    n_groups = len(set(groups))
    if n_groups < 5:
        raise ValueError(
            f"Expected at least 5 values of {group!r} in {data} for the folds, got "
            f"{n_groups}; name another column by --group."
        )
    return paths, target, groups, clips.frame[good]


def _find_good(paths, sample_rate, duration, out, skip_bad):
    """Return which files can be read; without `skip_bad` raise one error for others."""
    import numpy as np

    from ...audio.decoding import inspect_audio_files
    from ...audio.files import AudioError

    durations, problems = inspect_audio_files(
        paths,
        sample_rate=sample_rate,
        n_samples=max(1, round(duration * sample_rate)),
    )
    if problems and not skip_bad:
        raise AudioError(problems)
    leave_out(problems, len(paths), out if skip_bad else None)
    return np.isfinite(durations)


def parts_of_names(files, pattern, option, others=""):
    """Return the part of each file name that a regular expression finds."""
    try:
        found = [re.search(pattern, os.path.basename(file)) for file in files]
    except re.error as error:
        raise click.UsageError(
            f"Expected {option} {others}a regular expression, got {pattern!r} "
            f"({error})."
        ) from error
    without = [repr(f) for f, m in zip(files, found, strict=True) if not m or not m[0]]
    if without:
        raise click.UsageError(
            f"{option} {pattern} is not a part of the names of {len(without)} of "
            f"{len(files)} recordings: {shorten(without)}; expected {others}a regular "
            "expression that is found in each name."
        )
    return [match[0] for match in found]


def recordings_for(model, files, recording, frame=None):
    """Return the recording of each file by --recording, for a model; None if not used.

    `frame` is the table of the files. Print whether recordings are used.
    """
    import numpy as np

    from ...datasets.label_files import recordings_of_names
    from ...ensemble.inspection import unwrap_steps

    uses = unwrap_steps(model).uses_recordings()
    if recording in (None, "none"):
        # Names are not read for a model without a use for them.
        known = uses and recording is None
        recordings = recordings_of_names(files) if known else None
    elif not uses:
        raise click.UsageError(
            "The model does not compare clips of a recording; leave --recording out."
        )
    elif frame is not None and recording in frame.columns:
        recordings = frame[recording].to_numpy(str)
    else:
        others = "" if frame is None else "a column or "
        recordings = np.array(parts_of_names(files, recording, "--recording", others))
    if recordings is not None:
        n = len(set(recordings.tolist()))
        click.echo(f"Note: clips are compared within {n} recordings.", err=True)
    elif uses and recording is None and len(files) > 1:
        click.echo(
            "Note: each clip counts as a recording of its own; name recordings by "
            "--recording.",
            err=True,
        )
    print_result(n_recordings=None if recordings is None else n)
    return recordings


def unique_paths(files):
    """Drop repeated files, keep the order, and print how many were repeated."""
    first, again = {}, set()
    for file in files:
        path = os.path.abspath(file)
        if path in first:
            again.add(path)
        first.setdefault(path, file)
    if again:
        what = "1 file is" if len(again) == 1 else f"{len(again)} files are"
        click.echo(f"Note: {what} named more than once; each counts once.", err=True)
    return list(first.values())


def check_outputs(outputs, inputs=()):
    """Check that outputs, paths or None by option, can be written.

    They must not be the same file, nor replace a file or data set in `inputs`, nor any
    audio file.
    """
    from ...utils.files import check_destination

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
        reject_overwriting(option, [path], inputs)


def reject_overwriting(option, paths, inputs):
    """Check that paths do not replace a file in `inputs`, or any audio file."""
    from ...audio.files import has_audio_suffix

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
    """Yield a function that appends a DataFrame to a CSV file, complete at the end."""
    from ...utils.files import atomic_path

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


def save(model, path, metadata=None):
    """Write a model in the format that its suffix names; a pickle has no metadata."""
    from ...model_files.save_load import save_model
    from ...utils.files import atomic_path

    if path.suffix != ".joblib":
        save_model(model, path, metadata=metadata)
        return
    import joblib

    with atomic_path(path) as temporary:
        joblib.dump(model, temporary)


def leave_out(problems, n_files, out):
    """Report files that are left out, in a list beside `out` if that is given."""
    if out is None:
        for path, reason in problems:
            click.echo(f"Left out: {path!r} {reason}", err=True)
    else:
        import pandas as pd

        with open_table(out.parent / BAD_FILES) as write:
            write(pd.DataFrame(problems, columns=["path", "reason"], dtype=object))
    report_count(len(problems), n_files, out)


def report_count(n_bad, n_files, out):
    """Print how many files are left out; if all are, raise an error."""
    see = "" if out is None else f"; see {out.parent / BAD_FILES}"
    if n_bad and n_bad == n_files:
        raise ValueError(f"none of the {n_files} files can be read{see}.")
    if n_bad:
        click.echo(
            f"Warning: {n_bad} of {n_files} files cannot be read and are left out"
            f"{see}.",
            err=True,
        )


def print_table(table, title):
    """Print a DataFrame of strings; as a list where a terminal is too narrow."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table()
    shown.add_column(table.index.name or "", no_wrap=True)
    for column in table.columns:
        shown.add_column(column, justify="right", no_wrap=True)
    for name, row in table.iterrows():
        shown.add_row(Text(str(name)), *row.astype(str))
    click.echo(title)
    console = Console()
    width = console.measure(shown, options=console.options.update(width=500)).maximum
    if width <= console.width or not console.is_terminal:
        Console(width=max(width, console.width)).print(shown)
        return
    for name, row in table.iterrows():
        click.echo(f"{name}:")
        for column, value in row.items():
            click.echo(f"  {column}: {value}")
