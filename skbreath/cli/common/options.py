"""Define options that commands share."""

import math
from pathlib import Path

import click


class FiniteFloatRange(click.FloatRange):
    """Check a range of numbers as click does, but reject NaN."""

    def convert(self, value, param, ctx):
        value = super().convert(value, param, ctx)
        if not math.isfinite(value):
            self.fail(f"{value} is not in the range {self._describe_range()}.")
        return value


class TimeType(click.ParamType):
    """Convert a time in s, m:ss or h:mm:ss to s."""

    name = "time"

    def convert(self, value, param, ctx):
        from ...phases.label_rows import LineError, parse_time

        try:
            seconds = parse_time(str(value), None)
        except LineError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            self.fail(f"Expected a time in s, m:ss or h:mm:ss, got {value!r}.")
        return seconds


path_type = click.Path(path_type=Path)
# A folder with train.csv and train/, or a CSV file with a table of clips.
data_argument = click.argument("data", type=path_type)
seed_option = click.option(
    "--random-state",
    "--seed",
    "seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**32 - 1),
    help="Random seed.",
)
jobs_option = click.option(
    "--n-jobs",
    "--jobs",
    "jobs",
    default=None,
    type=click.IntRange(1),
    help="Fits or files in parallel.  [default: the number of cores]",
)
epochs_option = click.option(
    "--max-epochs",
    default=None,
    type=click.IntRange(1),
    help="Epochs of the networks, at most.  [default: as many as the preset has]",
)
duration_option = click.option(
    "--duration",
    default=1.0,
    show_default=True,
    type=FiniteFloatRange(0, 3600, min_open=True),
    help="Length in s that clips are cut or padded to, at most an hour.",
)


def _check_device(ctx, param, device):
    """Raise an error for a device that is not available."""
    if device != "cpu":
        from ...networks.fit_inputs import check_device

        try:
            check_device(device)
        except ValueError as error:
            raise click.UsageError(f"--{error}", ctx) from error
    return device


device_option = click.option(
    "--device",
    default="cpu",
    show_default=True,
    callback=_check_device,
    help="Where the networks are trained: cpu, cuda, cuda:1 or mps.",
)
batch_size_option = click.option(
    "--batch-size",
    default=512,
    show_default=True,
    type=click.IntRange(1),
    help="Files at a time.",
)
group_option = click.option(
    "--group",
    default="recording",
    show_default=True,
    help="Column whose values folds must not share: recording or day; for a CSV file "
    "any of its columns.",
)
pos_label_option = click.option(
    "--pos-label", default="I", show_default=True, help="The positive class."
)


def _read_labels(_ctx, _param, options):
    """Return a dict of the labels of --labels, with None for those left out."""
    names = {}
    for pair in [pair for option in options for pair in option.split(",")]:
        word, equals, label = map(str.strip, pair.partition("="))
        if not word or not equals or label not in ("I", "E", ""):
            raise click.UsageError(
                f"Expected --labels WORD=I, WORD=E, or WORD= to leave a label out, "
                f"such as --labels inhale=I,exhale=E,cough=; got {pair!r}."
            )
        if names.setdefault(word, label or None) != (label or None):
            raise click.UsageError(f"--labels gives {word!r} two different labels.")
    return names


labels_option = click.option(
    "--labels",
    multiple=True,
    metavar="WORD=LABEL,...",
    callback=_read_labels,
    help="Labels of label tracks to read as I or E, such as inhale=I,exhale=E, or to "
    "leave out, such as cough=; common words such as inhale are read without it.",
)
out_option = click.option(
    "--out",
    type=path_type,
    required=True,
    help="Model file to write: .skb, or a pickle as .joblib.",
)
skip_bad_option = click.option(
    "--skip-bad",
    is_flag=True,
    help="Leave out files that cannot be read, and list them in bad-files.csv beside "
    "the output, or on the terminal if there is none.",
)


def recording_option(metavar, column):
    """Make the option --recording; `column` says of which table it may be a column."""
    return click.option(
        "--recording",
        metavar=metavar,
        help="Which clips were recorded together, so that each is compared with the "
        f"others of its recording: {column}a regular expression that finds a part of "
        "the file name, such as ^[^_]+; or none.  [default: names as in the Kaggle "
        "layout, <recording>_<number>.wav]",
    )


def sample_rate_option(lowest):
    """Make the option --sample-rate."""
    return click.option(
        "--sample-rate",
        default=16000,
        show_default=True,
        type=click.IntRange(lowest, 1_000_000),
        help="Rate in Hz to which clips are resampled.",
    )


def training_options(command):
    """Add --sample-rate, --duration, --device and --max-epochs of a classifier."""
    # The presets have bands up to 2 kHz, half of the lowest rate.
    command = duration_option(device_option(epochs_option(command)))
    return sample_rate_option(4000)(command)


def scoring_option(default):
    """Make the option --scoring; `default` is for its help."""
    return click.option(
        "--scoring",
        type=click.Choice(["f1", "accuracy", "balanced_accuracy"]),
        default=None,
        help=f"What the decision threshold maximises.  [default: {default}]",
    )


preset_option = click.option(
    "--preset",
    type=click.Choice(["default", "fast", "accurate", "reference"]),
    default="default",
    show_default=True,
    help="Which members vote: one network in minutes, or several for longer.",
)


def cores(jobs):
    """Return the value of --jobs, or the number of cores."""
    import joblib

    return jobs or joblib.cpu_count(only_physical_cores=False)
