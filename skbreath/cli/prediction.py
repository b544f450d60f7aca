"""``skbreath predict``."""

import click

from ._shared import audio_files, folder


@click.command()
@click.argument("paths", nargs=-1, type=folder)
@click.option("--model", type=folder, required=True, help="File written by `train`.")
@click.option("--out", type=folder, help="CSV to write; the terminal if not given.")
@click.option(
    "--submission",
    type=folder,
    help="Competition folder: predict its test.csv and write ID,Target.",
)
@click.option(
    "--batch-size",
    default=512,
    show_default=True,
    type=click.IntRange(1),
    help="Files read and predicted at a time.",
)
def predict(paths, model, out, submission, batch_size):
    """Predict inhale (I) or exhale (E) of audio files.

    PATHS are files of one phase each, or folders of them; of a longer file only the
    beginning is used. A file's label is the positive class where its probability
    reaches the threshold set in training, which need not be 0.5.

    An interrupted run with --out goes on where it stopped when it is started again
    with the same model and files. The model file must come from somebody you trust:
    loading it can run code.

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
    from ..atomic import check_destination

    if out is not None:
        check_destination(out)
    if submission is None:
        _predict_paths(_load_model(model), model, audio_files(paths), out, batch_size)
    else:
        _predict_submission(_load_model(model), submission, out)


def _predict_submission(fitted, folder, out):
    from ..datasets import load_kaggle_breath, write_submission

    test = load_kaggle_breath(folder, subset="test")
    write_submission(out, test.id, fitted.predict(test.paths))
    click.echo(f"wrote {out}")


def _predict_paths(fitted, model, files, out, batch_size):
    from ..audio import check_audio_files
    from ..bulk import ResumableTable, predict_files
    from ..progress import StepProgress

    duration = fitted[0].duration
    too_long = (
        int((check_audio_files(files) > duration + 0.01).sum()) if duration else 0
    )
    if too_long:
        click.echo(
            f"Warning: {too_long} of {len(files)} files are longer than {duration:g} "
            "s; only their beginning is used.",
            err=True,
        )
    if out is None:
        for number, batch in enumerate(predict_files(fitted, files, batch_size)):
            text = batch.to_csv(index=False, header=number == 0, float_format="%.6f")
            click.echo(text, nl=False)
        return
    job = [model.read_bytes(), *files]
    with StepProgress() as progress, ResumableTable(out, job) as table:
        with progress.step("Predicting", len(files)) as advance:
            advance(table.n_done)
            for batch in predict_files(fitted, files[table.n_done :], batch_size):
                table.append(batch)
                advance(len(batch))
        table.finish()
    click.echo(f"wrote {out}")


def load_model_file(path):
    """What `train` or `train-phases` wrote to the file, whatever it is."""
    import joblib

    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, not a model file.")
    if not path.is_file():
        raise FileNotFoundError(f"No model file {path}; `skbreath train` writes one.")
    try:
        return joblib.load(path)
    except Exception as error:
        # Unpickling raises whatever the bytes happen to spell.
        raise ValueError(
            f"{path} is not a model written by `skbreath train` with these package "
            f"versions ({type(error).__name__}: {error or 'damaged'})."
        ) from error


def _load_model(path):
    from sklearn.pipeline import Pipeline

    from ..audio import AudioReader

    model = load_model_file(path)
    if not isinstance(model, Pipeline) or not isinstance(model[0], AudioReader):
        raise ValueError(
            f"{path} holds a {type(model).__name__} that takes no audio files; its "
            "first step must be an AudioReader."
        )
    return model
