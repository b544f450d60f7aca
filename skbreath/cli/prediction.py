"""``skbreath predict``."""

from contextlib import ExitStack

import click

from .common.command import Command, print_result, wants_json
from .common.files import (
    BAD_FILES,
    check_outputs,
    leave_out,
    load,
    model_path,
    open_table,
    recordings_for,
    report_count,
    unique_paths,
)
from .common.options import (
    FiniteFloatRange,
    batch_size_option,
    path_type,
    recording_option,
    skip_bad_option,
)


@click.command(cls=Command)
@click.argument("paths", nargs=-1, type=path_type)
@click.option(
    "--model",
    type=path_type,
    help="File written by `train`, or a model of the package: `clips` (stethoscope) or "
    "`nose-clips`.  [default: clips]",
)
@click.option("--out", type=path_type, help="CSV to write; the terminal if not given.")
@click.option(
    "--submission",
    type=path_type,
    help="Competition folder: predict its test.csv and write ID,Target.",
)
@recording_option("PATTERN", "with --submission a column of test.csv; ")
@batch_size_option
@click.option(
    "--reject-below",
    type=FiniteFloatRange(0, 1),
    help="Confidence below which a label is marked as rejected, in a further column.",
)
@skip_bad_option
def predict(
    paths, model, out, submission, recording, batch_size, reject_below, skip_bad
):
    """Predict inhale (I) or exhale (E) of audio files.

    PATHS are files of one phase each, or folders of them; of a longer file only the
    beginning is used. A file that is named twice, also by its folder, is predicted
    once. A file's label is the positive class where its probability reaches the
    threshold set in training, which need not be 0.5.

    All files are checked before the first is predicted. If any cannot be read, all of
    those are named and nothing is predicted; with --skip-bad, the others are.

    With --reject-below, the columns confidence and rejected show which labels need
    manual review. The labels stay I and E; 0.5 rejects nothing.

    Loading a .skb file does not run code from it; loading a .joblib file does, so load
    only your own.

    \b
    Examples:
      skbreath predict clip.wav
      skbreath predict --model model.skb clip.wav recordings/
      skbreath predict --model model.skb --submission kaggle-breath \\
          --out submission.csv
    """
    from ..audio.files import find_audio_files

    if bool(paths) == (submission is not None):
        raise click.UsageError("Give either PATHS or --submission.")
    for path in paths:
        if path.suffix.lower() == ".csv":
            raise click.UsageError(
                f"Expected audio files or folders of them, got the table {path}."
            )
    if submission is not None and out is None:
        raise click.UsageError("--submission needs --out.")
    if submission is not None and skip_bad:
        raise click.UsageError(
            "--submission needs a label for every file; leave out --skip-bad."
        )
    if submission is not None and reject_below is not None:
        raise click.UsageError(
            "--submission has only the columns ID,Target; give --reject-below with "
            "PATHS, such as the folder test/."
        )
    check_outputs({"--out": out}, [*paths, model, submission])
    fitted = load(model_path(model))
    if submission is not None:
        _predict_submission(fitted, submission, out, recording)
        return
    files = unique_paths(find_audio_files(paths))
    settings = {
        "batch_size": batch_size,
        "reject_below": reject_below,
        "recordings": recordings_for(fitted, files, recording),
    }
    if out is None:
        _print_predictions(fitted, files, settings, skip_bad)
    else:
        _write_predictions(fitted, files, out, settings, skip_bad)


def _predict_submission(fitted, folder, out, recording):
    """Predict the test clips of a competition folder and write the submission."""
    from ..datasets.label_files import load_kaggle_breath, write_submission
    from ..ensemble.rejection import labels_and_probabilities

    test = load_kaggle_breath(folder, subset="test")
    recordings = recordings_for(fitted, test.paths, recording, test.frame)
    labels, _ = labels_and_probabilities(fitted, test.paths, recordings)
    write_submission(out, test.id, labels)
    click.echo(f"wrote {out}")
    print_result(out=out, n_files=len(test.paths))


def _print_predictions(fitted, files, settings, skip_bad):
    """Predict files and print the table."""
    if not skip_bad:
        _reject_bad_files(fitted, files)
    n_long, n_rejected, problems, kept = 0, 0, [], []
    for number, batch in enumerate(_batches(fitted, files, settings)):
        good, bad = _part(batch, skip_bad)
        problems += bad.itertuples(index=False, name=None)
        n_long += _count_long(fitted, good["path"])
        n_rejected += _count_rejected(good)
        text = good.to_csv(index=False, header=number == 0, float_format="%.6f")
        click.echo(text, nl=False)
        if wants_json():
            kept += good.to_dict(orient="records")
    print_result(
        predictions=kept, bad_files=[{"path": p, "reason": r} for p, r in problems]
    )
    _report(fitted, len(files), n_long, n_rejected, settings)
    leave_out(problems, len(files), None)


def _write_predictions(fitted, files, out, settings, skip_bad):
    """Predict files and write the table to a file."""
    from ..utils.progress import StepProgress

    n_long = n_bad = n_rejected = 0
    with ExitStack() as stack:
        progress = stack.enter_context(StepProgress())
        if not skip_bad:
            with progress.step("Checking files", len(files)) as advance:
                _reject_bad_files(fitted, files, advance)
        write = stack.enter_context(open_table(out))
        if skip_bad:
            write_bad = stack.enter_context(open_table(out.parent / BAD_FILES))
        advance = stack.enter_context(progress.step("Predicting", len(files)))
        for batch in _batches(fitted, files, settings):
            good, bad = _part(batch, skip_bad)
            n_long += _count_long(fitted, good["path"])
            n_rejected += _count_rejected(good)
            n_bad += len(bad)
            write(good)
            if skip_bad:
                write_bad(bad)
            advance(len(batch))
    _report(fitted, len(files), n_long, n_rejected, settings)
    report_count(n_bad, len(files), out)
    click.echo(f"wrote {out}")
    print_result(out=out, n_files=len(files), n_bad=n_bad)


def _reject_bad_files(fitted, files, advance=lambda n: None, chunk=4096):
    """Raise one error for all files that cannot be read."""
    from ..audio.files import AudioError
    from ..pipelines.prediction import inspect_for

    problems = []
    for start in range(0, len(files), chunk):
        part = files[start : start + chunk]
        problems += inspect_for(fitted, part)[1]
        advance(len(part))
    if problems:
        raise AudioError(problems)


def _batches(fitted, files, settings):
    """Yield the table of each batch of files."""
    from ..pipelines.prediction import predict_files

    return predict_files(fitted, files, errors="skip", **settings)


def _part(batch, skip_bad):
    """Split a batch into rows with a label and bad files with a reason."""
    from ..audio.files import AudioError

    wrong = batch["error"].notna()
    bad = batch.loc[wrong, ["path", "error"]]
    if len(bad) and not skip_bad:  # could be read when they were checked
        raise AudioError(list(bad.itertuples(index=False, name=None)))
    return batch[~wrong].drop(columns="error"), bad.rename(columns={"error": "reason"})


def _count_long(fitted, paths):
    """Count the files that are longer than the clips of the model."""
    from ..pipelines.prediction import inspect_for

    duration = fitted[0].duration
    if duration is None or len(paths) == 0:
        return 0
    return int((inspect_for(fitted, paths)[0] > duration + 0.01).sum())


def _count_rejected(good):
    """Count the rejected labels."""
    return int(good["rejected"].sum()) if "rejected" in good else 0


def _report(fitted, n_files, n_long, n_rejected, settings):
    """Print how many files are too long and how many labels were rejected."""
    if n_long:
        click.echo(
            f"Warning: {n_long} of {n_files} files are longer than "
            f"{fitted[0].duration:g} s; only their beginning is used.",
            err=True,
        )
    if settings["reject_below"] is not None:
        click.echo(f"rejected: {n_rejected} of {n_files} labels", err=True)
        print_result(n_rejected=n_rejected)
