"""``skbreath evaluate``."""

import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from .common.command import Command, print_result
from .common.files import (
    check_outputs,
    load,
    load_clips,
    model_path,
    print_table,
    recordings_for,
)
from .common.options import (
    cores,
    data_argument,
    group_option,
    jobs_option,
    path_type,
    pos_label_option,
    preset_option,
    recording_option,
    scoring_option,
    seed_option,
    skip_bad_option,
    training_options,
)


@click.command(cls=Command)
@data_argument
@preset_option
@group_option
@recording_option("COLUMN", "a column of a CSV file; ")
@pos_label_option
@scoring_option("accuracy; f1 with the preset reference")
@click.option(
    "--cv", default=5, show_default=True, type=click.IntRange(2), help="Folds."
)
@click.option(
    "--model",
    "model_file",
    type=path_type,
    help="Evaluate this trained model instead of training: a file, or a model of the "
    "package, `clips` (stethoscope) or `nose-clips`. DATA must not be its training "
    "data.",
)
@click.option("--out", type=path_type, help="CSV of the out-of-fold predictions.")
@click.option("--breakdown", type=path_type, help="CSV of the scores of each group.")
@click.option(
    "--report", "page", type=path_type, help="HTML page with all results and sounds."
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Column of a CSV file by which the report breaks the scores down; may be "
    "repeated. For a folder, recording and day are always included.",
)
@click.option(
    "--trials-csv",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Trials that `skbreath tune` wrote, for the report.",
)
@training_options
@seed_option
@jobs_option
@skip_bad_option
def evaluate(
    data,
    preset,
    group,
    recording,
    pos_label,
    scoring,
    cv,
    model_file,
    out,
    breakdown,
    page,
    by,
    trials_csv,
    max_epochs,
    device,
    seed,
    jobs,
    skip_bad,
    **audio,
):
    """Cross-validate, folds grouped by recording or day.

    DATA is as for `skbreath train`. With --model nothing is trained; --preset, --cv,
    --scoring and --max-epochs then have no effect, and --sample-rate, --duration and
    --device, which are those of the model, are errors.

    \b
    Examples:
      skbreath evaluate kaggle-breath --group day --report report.html
      skbreath evaluate new-clips.csv --group patient --model model.skb
    """
    from ..evaluation.evaluate import evaluate, evaluate_fitted
    from ..pipelines.breath_classifier import make_breath_classifier
    from ..reporting.report import report
    from ..utils.files import atomic_path
    from ..utils.progress import StepProgress

    check_outputs(
        {"--out": out, "--breakdown": breakdown, "--report": page},
        [data, model_file, trials_csv],
    )
    if model_file is not None:
        _reject_with_model([*audio, "device"])
    if page is None:
        _reject_without_report(by=by, trials_csv=trials_csv)
    trials = None if trials_csv is None else _read_trials(trials_csv)
    paths, y, groups, frame = load_clips(
        data, group, pos_label, out=out, skip_bad=skip_bad, **audio
    )
    breakdowns = _breakdown_columns(data, frame, group, by)
    model = None
    if model_file is not None:
        title = f"{len(paths)} clips, model {model_file}, 95 % intervals by {group}"
        model_file = model_path(model_file)
        model = load(model_file)
        print_result(n_trained_on=_warn_of_known_clips(model, paths))
        recordings = recordings_for(model, paths, recording, frame)
        result = evaluate_fitted(
            *(model, paths, y, groups), recordings=recordings, pos_label=pos_label
        )
        given = {"model_file": model_file.name}
    else:
        title = f"{len(paths)} clips, {cv} folds by {group}, 95 % intervals by {group}"
        model = make_breath_classifier(
            preset=preset,
            max_epochs=max_epochs,
            pos_label=pos_label,
            scoring=scoring,
            random_state=seed,
            device=device,
            **audio,
        )
        recordings = recordings_for(model, paths, recording, frame)
        with StepProgress() as progress, progress.step("Cross-validating", cv):
            result = evaluate(
                *(model, paths, y, groups),
                recordings=recordings,
                cv=cv,
                pos_label=pos_label,
                return_estimator=page is not None,
                n_jobs=cores(jobs),
            )
        given = {
            "preset": preset,
            "seed": seed,
            "max_epochs": max_epochs,
            "scoring": scoring,
        }
        model = None  # those of the folds are in the result
    # Names without folders, as the page may be passed on.
    given |= {"data": data.resolve().name, "pos_label": pos_label}
    result.settings = {
        "command": _command_given(),
        **given,
        **result.settings,
        "grouped_by": group,
    }
    if out is not None:
        predictions = result.predictions
        predictions.insert(0, "path", paths[predictions["row"]])
        with atomic_path(out) as path:
            predictions.drop(columns="row").to_csv(path, index=False)
    if breakdown is not None:
        with atomic_path(breakdown) as path:
            result.by_group.to_csv(path)
    print_result(
        report=page,
        table=result.table.reset_index(names="metric"),
        by_group=result.by_group.reset_index(),
        n_clips=len(paths),
        settings=result.settings,
        out=out,
        breakdown=breakdown,
    )
    if page is not None:
        report(
            result,
            page,
            X=paths,
            model=model,
            search=trials,
            breakdowns=breakdowns,
            title=f"Evaluation on {data.stem}",
        )
    # After all files, as a reader that ends early would stop the command here.
    print_table(result.table.map("{:.3f}".format), title)
    for path in (out, breakdown, page):
        if path is not None:
            click.echo(f"wrote {path}")


def _command_given():
    """Write the command with what it was given, files without their folders."""
    context = click.get_current_context()
    words = ["skbreath", context.info_name]
    for option in context.command.params:
        source = context.get_parameter_source(option.name)
        value = context.params.get(option.name)
        if source is ParameterSource.DEFAULT or option.name not in context.params:
            continue
        if getattr(option, "is_flag", False):
            words += [option.opts[-1]] * bool(value)
            continue
        for entry in value if isinstance(value, tuple) else [value]:
            text = entry.resolve().name if isinstance(entry, Path) else str(entry)
            is_option = isinstance(option, click.Option)
            words += [option.opts[-1]] * is_option + [shlex.quote(text)]
    return " ".join(words)


def _warn_of_known_clips(model, paths):
    """Warn about clips that a model was trained on; return how many there are."""
    from ..evaluation.leakage import known_clips

    known = known_clips(model, paths)
    if known:
        click.echo(
            f"Warning: the model was trained on {known} of these {len(paths)} clips; "
            "its scores on other clips may be lower.",
            err=True,
        )
    return known


def _breakdown_columns(data, frame, group, by):
    """Return the values of each column by which a report breaks scores down."""
    names = dict.fromkeys([group, *by])
    if data.suffix.lower() != ".csv":
        names = dict.fromkeys(["recording", "day", *by])
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise click.UsageError(
            f"--by {missing[0]} is not a column of {data}; the columns are "
            f"{', '.join(map(str, frame.columns))}."
        )
    return {name: frame[name].to_numpy() for name in names}


def _reject_with_model(names):
    """Raise an error for options that --model settles, where they are given."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"{option} is for a model to be trained, and --model is trained "
                "already: give one of the two."
            )


def _reject_without_report(**options):
    """Raise an error for options that need --report, where it is not given."""
    for name, value in options.items():
        if value:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(
                f"{option} is for the report only: add --report with its file name."
            )


def _read_trials(path):
    """Read the trials of a search that ``skbreath tune --trials-csv`` wrote."""
    import pandas as pd

    from ..reporting.tables import trials_table

    try:
        trials = pd.read_csv(path)
        trials_table(trials)  # raise its errors before the training
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(
            "Expected a table of trials, as `skbreath tune --trials-csv` writes it, "
            f"got {path}."
        ) from error
    return trials
