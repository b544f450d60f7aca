"""``skbreath check``."""

import click

from .common.command import Command, print_result
from .common.files import check_outputs
from .common.options import cores, jobs_option, labels_option, path_type

_STYLE = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.command(cls=Command)
@click.argument("data", type=path_type)
@click.option("--group", help="Column of a CSV file whose values group related clips.")
@labels_option
@click.option("--out", type=path_type, help="CSV to write, with one row per file.")
@click.option(
    "--strict", is_flag=True, help="Exit code 1 for warnings too, not only errors."
)
@jobs_option
@click.pass_context
def check(ctx, data, group, labels, out, strict, jobs):
    """Check a data set for common problems.

    DATA is a folder with train.csv and train/, a CSV file with the columns path and
    label, a folder with one folder of clips per label, recordings with label tracks
    beside them, or any folder of audio files.

    It finds and gives advice on: files that cannot be read; rates, channels, lengths;
    silence, clipping, levels; loops; copies, also between labels and between train and
    test; missing labels and extra files; balance of the labels; recordings and days;
    and whether names, order, format or level alone reveal the labels.

    \b
    Exit codes: 0 no error found, 1 errors found, 2 nothing could be checked.

    \b
    Examples:
      skbreath check kaggle-breath
      skbreath check clips.csv --group patient --out files.csv
      skbreath check recordings/ --json
    """
    from ..data_checks.check_dataset import check_dataset
    from ..utils.files import atomic_path
    from ..utils.progress import StepProgress

    check_outputs({"--out": out}, [data])
    with StepProgress() as progress:
        with progress.step("Checking files", None) as advance:
            checked = check_dataset(
                data,
                group=group,
                labels=labels,
                n_jobs=cores(jobs),
                advance=advance,
            )
    for finding in checked.findings.itertuples():
        level = click.style(finding.level.upper(), fg=_STYLE[finding.level], bold=True)
        click.echo(f"{level} {finding.check}: {finding.finding}.")
        if finding.advice != "nothing":
            click.echo(f"    -> {finding.advice}.")
    counts = checked.counts
    n_files = len(checked.clips)
    summary = ", ".join(
        f"{number} {level}{'' if number == 1 else 's'}"
        for level, number in counts.items()
    )
    click.echo(f"{n_files} files ({checked.layout}): {summary}.")
    print_result(
        layout=checked.layout,
        n_files=n_files,
        counts=counts,
        findings=checked.findings,
    )
    if out is not None:
        with atomic_path(out) as path:
            checked.clips.to_csv(
                path, index=False, lineterminator="\n", errors="surrogateescape"
            )
        click.echo(f"wrote {out}")
        print_result(out=out)
    if counts["error"] or (strict and counts["warning"]):
        ctx.exit(1)
