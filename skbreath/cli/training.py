"""``skbreath train``, ``tune`` and ``evaluate``."""

from pathlib import Path

import click

from ._output import Command, answer
from ._outputs import check_model_suffix, check_outputs
from ._report_input import breakdown_columns, read_trials, refuse_without_report
from ._shared import (
    cores,
    data_argument,
    epochs_option,
    folder,
    group_option,
    jobs_option,
    load,
    load_clip_table,
    load_clips,
    model_path,
    out_option,
    pos_label_option,
    preset_option,
    print_table,
    save,
    scoring_option,
    seed_option,
    skip_bad_option,
)


@click.command(cls=Command)
@data_argument
@out_option
@preset_option
@group_option
@pos_label_option
@scoring_option
@epochs_option
@seed_option
@jobs_option
@skip_bad_option
def train(
    data, out, preset, group, pos_label, scoring, max_epochs, seed, jobs, skip_bad
):
    """Train on DATA and save the model.

    DATA is a folder with train.csv (ID,Target) and train/*.wav, or a CSV file with
    the columns path, label and the one named by --group.

    \b
    Examples:
      skbreath train kaggle-breath --out model.skb
      skbreath train kaggle-breath --preset accurate --out model.skb
      skbreath train clips.csv --group patient --out model.skb
    """
    from ..pipeline import make_breath_classifier
    from ..progress import StepProgress

    check_model_suffix(out)
    check_outputs({"--out": out}, [data])
    paths, y, groups = load_clips(data, group, out=out, skip_bad=skip_bad)
    model = make_breath_classifier(
        preset=preset,
        max_epochs=max_epochs,
        pos_label=pos_label,
        scoring=scoring,
        n_jobs=cores(jobs),
        random_state=seed,
    )
    with StepProgress() as progress, progress.step("Training", _count_fits(model)):
        model.fit(paths, y, classifier__groups=groups)
    save(model, out)
    _print_fitted(model, out)


@click.command(cls=Command)
@data_argument
@out_option
@click.option(
    "--n-trials",
    "--trials",
    "trials",
    default=60,
    show_default=True,
    type=click.IntRange(1),
)
@click.option(
    "--n-members",
    "--members",
    "members",
    default=None,
    type=click.IntRange(1),
    help="Best trials that vote.  [default: 3, or --trials if that is less]",
)
@click.option(
    "--trial-epochs",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="Epochs in a trial.",
)
@click.option(
    "--storage",
    help="File (trials.db) or database URL that keeps the trials: the same command "
    "goes on after a kill, and several at a time share the work.",
)
@click.option(
    "--prune-on",
    type=click.Choice(["fold"]),
    help="Stop trials with low scores after a fold.",
)
@click.option(
    "--batch-size",
    "--batch",
    "batch",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Trials at a time, in up to --jobs processes; with 1 the folds are parallel, "
    "unless --prune-on puts them in series.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    help="Seconds after which no further trial is started.",
)
@click.option("--trials-csv", type=folder, help="CSV of all trials to write.")
@group_option
@pos_label_option
@scoring_option
@epochs_option
@seed_option
@jobs_option
@skip_bad_option
def tune(
    data,
    out,
    trials,
    members,
    trial_epochs,
    storage,
    prune_on,
    batch,
    timeout,
    trials_csv,
    group,
    pos_label,
    scoring,
    max_epochs,
    seed,
    jobs,
    skip_bad,
):
    """Tune, let the best trials vote, and save the model.

    DATA is as for `skbreath train`. The trials are compared by their ROC AUC;
    --scoring is for the threshold of the vote.

    \b
    Examples:
      skbreath tune kaggle-breath --trials 60 --out tuned.skb
      skbreath tune kaggle-breath --storage trials.db --prune-on fold --batch 2 \\
          --out tuned.skb
    """
    import pandas as pd

    from .._study_storage import check_storage
    from ..atomic import atomic_path
    from ..progress import StepProgress
    from ..tuning import tune_breath_classifier

    check_model_suffix(out)
    check_outputs({"--trials-csv": trials_csv, "--out": out}, [data])
    check_storage(storage)
    if members is None:
        members = min(3, trials)
    if members > trials:
        raise click.UsageError("--members cannot exceed --trials.")
    paths, y, groups = load_clips(data, group, out=out, skip_bad=skip_bad)
    n_folds = 3
    with StepProgress() as progress:
        with progress.step("Tuning", trials * n_folds):
            tuned = tune_breath_classifier(
                paths,
                y,
                groups,
                pos_label=pos_label,
                threshold_scoring="f1" if scoring is None else scoring,
                n_trials=trials,
                n_members=members,
                trial_epochs=trial_epochs,
                max_epochs=25 if max_epochs is None else max_epochs,
                cv=n_folds,
                prune_on=prune_on,
                batch_size=batch,
                timeout=timeout,
                storage=storage,
                n_jobs=cores(jobs),
                random_state=seed,
            )
        with progress.step("Training the best", _count_fits(tuned.model)):
            tuned.model.fit(paths, y, classifier__groups=groups)
    if trials_csv is not None:
        with atomic_path(trials_csv) as path:
            pd.DataFrame(tuned.search.cv_results_).to_csv(path, index=False)
        click.echo(f"wrote {trials_csv}")
    best = tuned.search.best_params_
    answer(best_params=best, best_score=tuned.search.best_score_, trials_csv=trials_csv)
    save(tuned.model, out)
    _print_fitted(tuned.model, out)


@click.command(cls=Command)
@data_argument
@preset_option
@group_option
@pos_label_option
@scoring_option
@click.option(
    "--cv", default=5, show_default=True, type=click.IntRange(2), help="Folds."
)
@click.option(
    "--model",
    "model_file",
    type=folder,
    help="Judge this trained model on DATA, which it must not have seen, instead; "
    "`pretrained` is the one of chest sounds that comes with the package.",
)
@click.option("--out", type=folder, help="CSV of the out-of-fold predictions.")
@click.option("--breakdown", type=folder, help="CSV of the scores of each group.")
@click.option(
    "--report", "page", type=folder, help="HTML page of everything, with the sounds."
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Further breakdown of the report: a column of a CSV. May be repeated; a "
    "folder has recording and day anyway.",
)
@click.option(
    "--trials-csv",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Trials that `skbreath tune` wrote, for the report.",
)
@epochs_option
@seed_option
@jobs_option
@skip_bad_option
def evaluate(
    data,
    preset,
    group,
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
    seed,
    jobs,
    skip_bad,
):
    """Cross-validate, folds grouped by recording or day.

    DATA is as for `skbreath train`. With --model nothing is trained; --preset, --cv,
    --scoring and --max-epochs then have no effect.

    \b
    Examples:
      skbreath evaluate kaggle-breath --group day --report report.html
      skbreath evaluate new-clips.csv --group patient --model model.skb
    """
    from ..atomic import atomic_path
    from ..evaluation import evaluate, judge
    from ..pipeline import make_breath_classifier
    from ..progress import StepProgress
    from ..reporting import report

    check_outputs(
        {"--out": out, "--breakdown": breakdown, "--report": page},
        [data, model_file, trials_csv],
    )
    if page is None:
        refuse_without_report(by=by, trials_csv=trials_csv)
    trials = None if trials_csv is None else read_trials(trials_csv)
    clips = load_clip_table(data, group, out=out, skip_bad=skip_bad)
    paths, y, groups = clips.paths, clips.target, clips.groups
    breakdowns = breakdown_columns(data, clips.frame, group, by)
    model = None
    if model_file is not None:
        model_file = model_path(model_file)
        model = load(model_file)
        answer(n_trained_on=_warn_of_known_clips(model, paths))
        result = judge(model, paths, y, groups, pos_label=pos_label)
        title = f"{len(paths)} clips, {model_file}, 95 % intervals by {group}"
    else:
        title = f"{len(paths)} clips, {cv} folds by {group}, 95 % intervals by {group}"
        model = make_breath_classifier(
            preset=preset,
            max_epochs=max_epochs,
            pos_label=pos_label,
            scoring=scoring,
            random_state=seed,
        )
        with StepProgress() as progress, progress.step("Cross-validating", cv):
            result = evaluate(
                *(model, paths, y, groups),
                cv=cv,
                pos_label=pos_label,
                return_estimator=page is not None,
                n_jobs=cores(jobs),
            )
        model = None  # those of the folds are in the result
    if out is not None:
        predictions = result.predictions
        predictions.insert(0, "path", paths[predictions["row"]])
        with atomic_path(out) as path:
            predictions.drop(columns="row").to_csv(path, index=False)
    if breakdown is not None:
        with atomic_path(breakdown) as path:
            result.by_group.to_csv(path)
    answer(
        report=page,
        table=result.table.reset_index(names="metric"),
        by_group=result.by_group.reset_index(),
        n_clips=len(paths),
        out=out,
        breakdown=breakdown,
    )
    print_table(result.table.map("{:.3f}".format), title)
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
    for path in (out, breakdown, page):
        if path is not None:
            click.echo(f"wrote {path}")


def _warn_of_known_clips(model, paths):
    from .._leakage import known_clips

    known = known_clips(model, paths)
    if known:
        click.echo(
            f"Warning: the model was trained on {known} of these {len(paths)} clips; "
            "its scores here say nothing about others.",
            err=True,
        )
    return known


def _print_fitted(model, out):
    """What the vote and the threshold have learned."""
    threshold = model["classifier"]
    vote = threshold.estimator_
    weights = list(zip(vote.named_estimators_, vote.weights_, strict=True))
    click.echo("weights: " + ", ".join(f"{name} {w:.2f}" for name, w in weights))
    click.echo(
        f"threshold: {threshold.best_threshold_:.3f} "
        f"(out-of-fold {threshold.scoring} {threshold.best_score_:.3f})"
    )
    click.echo(f"wrote {out}")
    answer(
        out=out,
        weights=dict(weights),
        threshold={
            "pos_label": threshold.pos_label_,
            "value": threshold.best_threshold_,
            "scoring": threshold.scoring,
            "score": threshold.best_score_,
        },
    )


def _count_fits(model):
    """Fits of a model made by make_breath_classifier."""
    vote = model["classifier"].estimator
    return len(vote.estimators) * (vote.cv + vote.refit)
