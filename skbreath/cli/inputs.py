"""Models, clips and file names that commands read."""

import os

import click

from .outputs import leave_out

# The word that --model accepts instead of a file.
PRETRAINED = "pretrained"


def model_path(path):
    """Return the file of --model; the pretrained one by its name or by default."""
    if path is not None and (str(path) != PRETRAINED or path.exists()):
        return path
    from ..pretrained import PRETRAINED as packaged

    click.echo(
        "Using the pretrained model of chest sounds: for non-commercial use (CC BY-NC "
        "4.0), not for diagnosis.",
        err=True,
    )
    return packaged


def load(path):
    """Read a model that takes audio files, in the format that its suffix names.

    A fine-tuned model or a search gives the pipeline that it predicts with.
    """
    from .._inspection import unwrap
    from ..audio import AudioReader

    model = unwrap(load_model_file(path))
    if type(model).__name__ == "PhaseSegmenter":
        raise ValueError(
            f"{path} is a model of whole recordings; use it with `skbreath annotate`."
        )
    if not hasattr(model, "steps") or not isinstance(model[0], AudioReader):
        raise ValueError(
            f"Expected a pipeline that starts with an AudioReader in {path}, got a "
            f"{type(model).__name__}, which does not take audio files."
        )
    return model


def load_model_file(path):
    """Read a model that a command wrote, whatever its type."""
    from ..model_file import load_model

    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a model file.")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; `skbreath train` writes a model."
        )
    return _unpickle(path) if _is_pickle(path) else load_model(path)


def metadata_of(path):
    """Return the metadata of a model file; None where it is a pickle."""
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
        # Unpickling damaged bytes can raise any exception.
        raise ValueError(
            f"{path} is not a model written by `skbreath train` with these package "
            f"versions ({type(error).__name__}: {error or 'damaged'})."
        ) from error


def load_clips(data, group, *, out=None, skip_bad=False):
    """Load paths, labels and groups of DATA; name all unreadable files in one error."""
    clips = load_clip_table(data, group, out=out, skip_bad=skip_bad)
    return clips.paths, clips.target, clips.groups


def load_clip_table(data, group, *, out=None, skip_bad=False):
    """Load DATA as :func:`load_clips`, with all its columns as ``frame``."""
    from sklearn.utils import Bunch

    from ..datasets import load_kaggle_breath, load_labelled_folder

    if data.suffix.lower() == ".csv":
        clips = load_labelled_folder(data, group_column=group)
        groups = clips.groups
    elif group in ("recording", "day"):
        clips = load_kaggle_breath(data)
        groups = clips[group]
    else:
        raise click.UsageError(
            f"--group must be recording or day for a folder, got {group}."
        )
    good = _find_good(clips.paths, out, skip_bad)
    paths, target, groups = clips.paths[good], clips.target[good], groups[good]
    labels = sorted(set(target.tolist()))
    if len(labels) != 2:
        raise ValueError(f"Expected 2 labels in {data}, got {labels}.")
    n_groups = len(set(groups))
    if n_groups < 5:
        raise ValueError(
            f"{data} has only {n_groups} different values of {group!r}; folds need at "
            "least 5: name a finer one by --group."
        )
    frame = clips.frame[good]
    return Bunch(paths=paths, target=target, groups=groups, frame=frame)


def _find_good(paths, out, skip_bad):
    """Return which files can be read; without `skip_bad` raise one error for others."""
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
