"""``skbreath train``."""

import click

from .command import Command, print_result
from .inputs import load_clips
from .options import (
    cores,
    data_argument,
    epochs_option,
    group_option,
    jobs_option,
    out_option,
    pos_label_option,
    preset_option,
    scoring_option,
    seed_option,
    skip_bad_option,
)
from .outputs import check_model_suffix, check_outputs, save


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
    with StepProgress() as progress, progress.step("Training", count_fits(model)):
        model.fit(paths, y, classifier__groups=groups)
    save(model, out)
    print_fitted(model, out)


def print_fitted(model, out):
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
    print_result(
        out=out,
        weights=dict(weights),
        threshold={
            "pos_label": threshold.pos_label_,
            "value": threshold.best_threshold_,
            "scoring": threshold.scoring,
            "score": threshold.best_score_,
        },
    )


def count_fits(model):
    """Fits of a model made by make_breath_classifier."""
    vote = model["classifier"].estimator
    return len(vote.estimators) * (vote.cv + vote.refit)
