"""``skbreath tune``."""

import multiprocessing
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from .common.command import Command, print_result
from .common.files import check_model_suffix, check_outputs, load_clips, save
from .common.options import (
    FiniteFloatRange,
    cores,
    data_argument,
    group_option,
    jobs_option,
    out_option,
    path_type,
    pos_label_option,
    preset_option,
    scoring_option,
    seed_option,
    skip_bad_option,
    training_options,
)
from .training import count_fits, print_fitted


@click.command(cls=Command)
@data_argument
@out_option
@preset_option
@click.option(
    "--part",
    type=click.Choice(["frames", "spectrogram", "boosting"]),
    default="frames",
    show_default=True,
    help="Member of the preset whose parameters are searched.",
)
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
    default=15,
    show_default=True,
    type=click.IntRange(1),
    help="Epochs of a network in a trial.",
)
@click.option(
    "--storage",
    help="File (trials.db) or database URL that keeps the trials: the same command "
    "resumes an interrupted search, and several processes share one.",
)
@click.option(
    "--prune-on",
    type=click.Choice(["fold", "none"]),
    default="fold",
    show_default=True,
    help="Stop trials with low scores after a fold, or run all folds, in parallel.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Processes that run a trial each, on one storage; --jobs is divided among "
    "them.",
)
@click.option(
    "--timeout",
    type=FiniteFloatRange(0, min_open=True),
    help="Seconds after which no further trial is started.",
)
@click.option("--trials-csv", type=path_type, help="CSV of all trials to write.")
@group_option
@pos_label_option
@scoring_option("accuracy; f1 with the preset reference")
@training_options
@seed_option
@jobs_option
@skip_bad_option
def tune(
    data,
    out,
    preset,
    part,
    trials,
    members,
    trial_epochs,
    storage,
    prune_on,
    workers,
    timeout,
    trials_csv,
    group,
    pos_label,
    scoring,
    max_epochs,
    device,
    seed,
    jobs,
    skip_bad,
    **audio,
):
    """Tune a preset, and add the best trials to its vote.

    DATA is as for `skbreath train`. The first trial is the --part of the preset as it
    is. The trials are compared by their ROC AUC; --scoring is for the threshold of the
    vote.

    \b
    Examples:
      skbreath tune kaggle-breath --trials 60 --out tuned.skb
      skbreath tune kaggle-breath --part boosting --trials 200 --out tuned.skb
      skbreath tune kaggle-breath --workers 2 --storage trials.db --out tuned.skb
    """
    import pandas as pd

    from ..pipelines.tuning import tune_breath_classifier
    from ..search.storage import check_storage
    from ..utils.files import atomic_path
    from ..utils.progress import StepProgress

    check_model_suffix(out)
    check_outputs({"--trials-csv": trials_csv, "--out": out}, [data])
    check_storage(storage)
    if members is None:
        members = min(3, trials)
    if members > trials:
        raise click.UsageError(
            f"--members must be at most --trials={trials}, got {members}."
        )
    paths, y, groups, _ = load_clips(
        data, group, pos_label, out=out, skip_bad=skip_bad, **audio
    )
    n_folds = 3
    settings = {
        "preset": preset,
        "part": part,
        "pos_label": pos_label,
        "threshold_scoring": scoring,
        "n_trials": trials,
        "n_members": members,
        "trial_epochs": trial_epochs,
        "max_epochs": max_epochs,
        "cv": n_folds,
        "prune_on": None if prune_on == "none" else prune_on,
        "timeout": timeout,
        "n_jobs": max(1, cores(jobs) // workers),
        "device": device,
        "random_state": seed,
        **audio,
    }
    what = "the network" if preset == "reference" else f"{part} of the preset {preset}"
    click.echo(
        f"First: {trials} trials of {what}, {workers} at a time, with {n_folds} fits "
        "each; then: training the vote with the best.",
        err=True,
    )
    with StepProgress() as progress:
        with (
            progress.step("Tuning", trials * n_folds),
            _shared(storage, workers) as settings["storage"],
            _further_workers(workers - 1, paths, y, groups, settings),
        ):
            tuned = tune_breath_classifier(paths, y, groups, **settings)
        n_fits = count_fits(tuned.model)
        click.echo(
            f"Next: training the vote with the best {members} trials ({n_fits} fits).",
            err=True,
        )
        with progress.step("Training the best", n_fits):
            tuned.model.fit(paths, y, classifier__groups=groups)
    if trials_csv is not None:
        with atomic_path(trials_csv) as path:
            pd.DataFrame(tuned.search.cv_results_).to_csv(path, index=False)
    best = tuned.search.best_params_
    print_result(
        best_params=best, best_score=tuned.search.best_score_, trials_csv=trials_csv
    )
    save(tuned.model, out)
    # After all files, as a reader that ends early would stop the command here.
    if trials_csv is not None:
        click.echo(f"wrote {trials_csv}")
    print_fitted(tuned.model, out)


@contextmanager
def _shared(storage, workers):
    """Give a storage that processes can share: the user's, or a temporary file."""
    if storage is not None or workers == 1:
        yield storage
        return
    with TemporaryDirectory(prefix="skbreath-tune-") as folder:
        yield Path(folder) / "trials.db"


@contextmanager
def _further_workers(number, paths, y, groups, settings):
    """Run trials in further processes during the block, and wait for them."""
    context = multiprocessing.get_context("spawn")
    arguments = (paths, y, groups, settings)
    processes = [context.Process(target=_work, args=arguments) for _ in range(number)]
    try:
        for process in processes:
            process.start()
        yield
        for process in processes:
            process.join()
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        click.echo(
            f"{len(failed)} of {number} further workers failed, with the exit codes "
            f"{failed}; the other workers ran their trials.",
            err=True,
        )


def _work(paths, y, groups, settings):
    """Run trials in this process until the study has enough."""
    from ..pipelines.tuning import tune_breath_classifier

    try:
        tune_breath_classifier(paths, y, groups, **settings)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        click.echo(f"a worker failed: {error}", err=True)
        sys.exit(1)
