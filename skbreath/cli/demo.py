"""``skbreath demo``."""

import click

from .common.command import Command, print_result
from .common.files import print_table
from .common.options import cores, jobs_option, path_type, seed_option


@click.command(cls=Command)
@click.option(
    "--data",
    type=path_type,
    help="Folder with train.csv, train/*.wav, test.csv and test/*.wav.",
)
@click.option("--quick", is_flag=True, help="With --data: 600 clips, fewer trials.")
@click.option("--out", type=path_type, default="skbreath-demo", show_default=True)
@seed_option
@jobs_option
def demo(data, quick, out, seed, jobs):
    """Run the whole workflow in a minute.

    The steps are features, tuning, vote, threshold and cross-validation; without
    --data on synthetic breaths. Writes the model, a submission, the table of scores
    and a picture into --out.

    \b
    Examples:
      skbreath demo
      skbreath demo --data kaggle-breath --quick
    """
    if quick and data is None:
        raise click.UsageError(
            "--quick needs --data; without --data the demo is quick."
        )
    if data is not None and not data.is_dir():
        raise NotADirectoryError(f"Expected a folder for --data, got {data}.")
    from ..utils.progress import StepProgress
    from .demo_run import RESULTS, run_demo

    with StepProgress() as progress:
        table = run_demo(
            out, progress, data, quick=quick, seed=seed, n_jobs=cores(jobs)
        )
    print_result(
        results=table.reset_index(), files=[out / name for name in RESULTS], data=data
    )
    shown = table[["f1", "roc_auc"]].map("{:.3f}".format)
    shown.columns = ["F1", "AUC"]
    intervals = table[["accuracy", "accuracy_low", "accuracy_high"]]
    shown.insert(
        0, "accuracy [95 %]", [_with_interval(*row) for row in intervals.values]
    )
    where = "synthetic breaths" if data is None else str(data)
    print_table(shown, f"Cross-validated by recording, {where}")
    for name in RESULTS:
        click.echo(f"wrote {out / name}")


def _with_interval(value, low, high):
    """Format a score with its interval."""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
