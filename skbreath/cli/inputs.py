"""Models, clips and file names that commands read."""

import os

import click

from .outputs import leave_out

# The word that --model accepts instead of a file.
PRETRAINED = "pretrained"


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


def load(path):
    """Read a model that takes audio files, in the format that its suffix names.

    A fine-tuned model or a search gives the pipeline that it predicts with.
    """
    from .._inner_model import inner_model
    from ..audio import AudioReader

    model = inner_model(load_model_file(path))
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


def load_model_file(path):
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


def unique_paths(files):
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
