"""``skbreath train``, ``tune`` and ``evaluate``."""

import click

from ._shared import (
    cores,
    data_argument,
    epochs_option,
    folder,
    group_option,
    jobs_option,
    load_clips,
    pos_label_option,
    print_table,
    scoring_option,
    seed_option,
    skip_bad_option,
)


@click.command()
@data_argument
@click.option("--out", type=folder, required=True, help="Model file to write.")
@group_option
@pos_label_option
@scoring_option
@epochs_option
@seed_option
@jobs_option
@skip_bad_option
def train(data, out, group, pos_label, scoring, max_epochs, seed, jobs, skip_bad):
    """Train on DATA and save the model.

    DATA is a folder with train.csv (ID,Target) and train/*.wav, or a CSV file with
    the columns path, label and the one named by --group.

    \b
    Examples:
      skbreath train kaggle-breath --out model.joblib
      skbreath train clips.csv --group patient --out model.joblib
    """
    import joblib

    from ..atomic import atomic_path, check_destination
    from ..pipeline import make_breath_classifier
    from ..progress import StepProgress

    check_destination(out)
    paths, y, groups = load_clips(data, group, out=out, skip_bad=skip_bad)
    model = make_breath_classifier(
        max_epochs=max_epochs,
        pos_label=pos_label,
        scoring=scoring,
        n_jobs=cores(jobs),
        random_state=seed,
    )
    with StepProgress() as progress, progress.step("Training", _count_fits(model)):
        model.fit(paths, y, classifier__groups=groups)
    with atomic_path(out) as path:
        joblib.dump(model, path)
    _print_fitted(model, out)


@click.command()
@data_argument
@click.option("--out", type=folder, required=True, help="Model file to write.")
@click.option("--trials", default=60, show_default=True, type=click.IntRange(1))
@click.option(
    "--members",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="Best trials that vote.",
)
@click.option(
    "--trial-epochs",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="Epochs in a trial.",
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

    DATA is as for `skbreath train`.

    \b
    Example:
      skbreath tune kaggle-breath --trials 60 --out tuned.joblib
    """
    import joblib
    import pandas as pd

    from ..atomic import atomic_path, check_destination
    from ..progress import StepProgress
    from ..tuning import tune_breath_classifier

    for path in (out, trials_csv):
        if path is not None:
            check_destination(path)
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
                threshold_scoring=scoring,
                n_trials=trials,
                n_members=members,
                trial_epochs=trial_epochs,
                max_epochs=max_epochs,
                cv=n_folds,
                n_jobs=cores(jobs),
                random_state=seed,
            )
        with progress.step("Training the best", _count_fits(tuned.model)):
            tuned.model.fit(paths, y, classifier__groups=groups)
    if trials_csv is not None:
        with atomic_path(trials_csv) as path:
            pd.DataFrame(tuned.search.cv_results_).to_csv(path, index=False)
        click.echo(f"wrote {trials_csv}")
    with atomic_path(out) as path:
        joblib.dump(tuned.model, path)
    _print_fitted(tuned.model, out)


@click.command()
@data_argument
@group_option
@pos_label_option
@scoring_option
@click.option(
    "--cv", default=5, show_default=True, type=click.IntRange(2), help="Folds."
)
@click.option("--out", type=folder, help="CSV of the out-of-fold predictions.")
@epochs_option
@seed_option
@jobs_option
@skip_bad_option
def evaluate(
    data, group, pos_label, scoring, cv, out, max_epochs, seed, jobs, skip_bad
):
    """Cross-validate, folds grouped by recording or day.

    DATA is as for `skbreath train`.

    \b
    Example:
      skbreath evaluate kaggle-breath --group day
    """
    from ..atomic import atomic_path, check_destination
    from ..evaluation import evaluate
    from ..pipeline import make_breath_classifier
    from ..progress import StepProgress

    if out is not None:
        check_destination(out)
    paths, y, groups = load_clips(data, group, out=out, skip_bad=skip_bad)
    model = make_breath_classifier(
        max_epochs=max_epochs,
        pos_label=pos_label,
        scoring=scoring,
        random_state=seed,
    )
    with StepProgress() as progress, progress.step("Cross-validating", cv):
        result = evaluate(
            model, paths, y, groups, cv=cv, pos_label=pos_label, n_jobs=cores(jobs)
        )
    if out is not None:
        predictions = result.predictions
        predictions.insert(0, "path", paths[predictions["row"]])
        with atomic_path(out) as path:
            predictions.drop(columns="row").to_csv(path, index=False)
    print_table(
        result.table.map("{:.3f}".format),
        f"{len(paths)} clips, {cv} folds by {group}, 95 % intervals by {group}",
    )
    if out is not None:
        click.echo(f"wrote {out}")


def _print_fitted(model, out):
    """What the vote and the threshold have learned."""
    threshold = model["classifier"]
    vote = threshold.estimator_
    weights = zip(vote.named_estimators_, vote.weights_, strict=True)
    click.echo("weights: " + ", ".join(f"{name} {w:.2f}" for name, w in weights))
    click.echo(
        f"threshold: {threshold.best_threshold_:.3f} "
        f"(out-of-fold {threshold.scoring} {threshold.best_score_:.3f})"
    )
    click.echo(f"wrote {out}")


def _count_fits(model):
    """Fits of a model made by make_breath_classifier."""
    vote = model["classifier"].estimator
    return len(vote.estimators) * (vote.cv + 1)
