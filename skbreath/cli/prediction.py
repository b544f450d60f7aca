"""``skbreath predict``."""

import click

from ._shared import folder

# What is picked up from a folder; a file named by itself may be called anything.
_AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".aif", ".aiff"}


@click.command()
@click.argument("paths", nargs=-1, type=folder)
@click.option("--model", type=folder, required=True, help="File written by `train`.")
@click.option("--out", type=folder, help="CSV to write; the terminal if not given.")
@click.option(
    "--submission",
    type=folder,
    help="Competition folder: predict its test.csv and write ID,Target.",
)
def predict(paths, model, out, submission):
    """Predict inhale (I) or exhale (E) for audio files or folders of them.

    The model file must come from somebody you trust: loading it can run code.

    \b
    Examples:
      skbreath predict --model model.joblib clip.wav recordings/
      skbreath predict --model model.joblib --submission kaggle-breath \\
          --out submission.csv
    """
    if bool(paths) == (submission is not None):
        raise click.UsageError("Give either PATHS or --submission.")
    if submission is not None and out is None:
        raise click.UsageError("--submission needs --out.")
    import pandas as pd

    from ..atomic import atomic_path, check_destination
    from ..datasets import load_kaggle_breath, write_submission

    if out is not None:
        check_destination(out)
    if submission is not None:
        test = load_kaggle_breath(submission, subset="test")
        fitted = _load_model(model)
        write_submission(out, test.id, fitted.predict(test.paths))
        click.echo(f"wrote {out}")
        return
    files = _audio_files(paths)
    fitted = _load_model(model)
    proba = fitted.predict_proba(files)
    table = pd.DataFrame({"path": files, "label": fitted.predict(files)})
    for label, column in zip(fitted.classes_, proba.T, strict=True):
        table[f"probability_{label}"] = column.round(6)
    if out is None:
        click.echo(table.to_csv(index=False), nl=False)
        return
    with atomic_path(out) as path:
        table.to_csv(path, index=False)
    click.echo(f"wrote {out}")


def _audio_files(paths):
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


def _load_model(path):
    import joblib
    from sklearn.pipeline import Pipeline

    if not path.is_file():
        raise FileNotFoundError(f"No model file {path}; `skbreath train` writes one.")
    try:
        model = joblib.load(path)
    except Exception as error:
        # Unpickling raises whatever the bytes happen to spell.
        raise ValueError(
            f"{path} is not a model written by `skbreath train` with these package "
            f"versions ({type(error).__name__}: {error})."
        ) from error
    if not isinstance(model, Pipeline) or "audio" not in model.named_steps:
        raise ValueError(
            f"{path} holds no skbreath model but a {type(model).__name__}."
        )
    return model
