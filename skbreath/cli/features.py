"""``skbreath features``."""

import re

import click

from .common.command import Command, print_result
from .common.files import check_outputs, unique_paths
from .common.options import (
    FiniteFloatRange,
    batch_size_option,
    cores,
    duration_option,
    jobs_option,
    path_type,
    sample_rate_option,
)

# As skbreath.features.feature_set.ALL_GROUPS, which would import NumPy for `--help`.
GROUPS = ("mel", "rms", "zcr", "contrast", "mfcc", "delta", "delta2", "loop")


class _Groups(click.ParamType):
    """Convert names separated by commas to groups of channels."""

    name = "names"

    def convert(self, value, param, ctx):
        groups = tuple(value.split(",")) if isinstance(value, str) else tuple(value)
        unknown = [name for name in groups if name not in GROUPS]
        if unknown:
            self.fail(f"{', '.join(unknown)} is none of {', '.join(GROUPS)}")
        return groups


# Parameters whose names in errors are replaced by those of the options.
_PARAMETER = re.compile(
    r"\b(groups|sample_rate|n_mels|n_fft|hop_length|n_mfcc|fm\w\w)\b"
)


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, type=path_type)
@click.option(
    "--out",
    type=path_type,
    required=True,
    help="File to write: .npz, .npy, .csv, or .parquet (needs pyarrow).",
)
@click.option(
    "--groups",
    type=_Groups(),
    default=",".join(GROUPS[:-1]),
    show_default=True,
    help="Groups of channels, separated by commas; loop is available too.",
)
@click.option(
    "--summary", is_flag=True, help="One row per file: mean, deviation, 8 time bins."
)
@sample_rate_option(100)
@duration_option
@click.option("--n-mels", default=64, show_default=True, type=click.IntRange(1))
@click.option("--n-fft", default=1024, show_default=True, type=click.IntRange(2))
@click.option("--hop-length", default=256, show_default=True, type=click.IntRange(1))
@click.option(
    "--fmin", default=0.0, show_default=True, type=FiniteFloatRange(0), help="In Hz."
)
@click.option(
    "--fmax",
    type=FiniteFloatRange(0, min_open=True),
    help="In Hz.  [default: half the rate]",
)
@click.option("--n-mfcc", default=13, show_default=True, type=click.IntRange(1))
@click.option(
    "--log-scale/--linear",
    default=True,
    help="Mel bands and RMS in dB, or linear.  [default: dB]",
)
@batch_size_option
@jobs_option
def features(
    paths, out, groups, summary, sample_rate, duration, batch_size, jobs, **params
):
    """Extract features of audio files into one file.

    PATHS are clips, or folders of them; a file that is named twice, also by its folder,
    counts once. The file holds the features, the names of the channels and the paths;
    for .npy the latter two are beside it, in .npy.json. Tables (.csv, .parquet) have
    one row per frame, or per file with --summary. Memory is needed for one batch of
    files, however many there are.

    \b
    Examples:
      skbreath features clips/ --out features.npz
      skbreath features clips/ --summary --out table.csv
      skbreath features clips/ --groups mel,loop --fmax 2000 --out mel.npz
    """
    from ..audio.files import AudioError, find_audio_files
    from ..features.breath_features import BreathFeatures
    from ..features.feature_file import unreadable_files, write_features
    from ..utils.progress import StepProgress

    check_outputs({"--out": out}, paths)
    extract = BreathFeatures(
        sample_rate=sample_rate, groups=groups, n_jobs=cores(jobs), **params
    )
    try:
        extract.fit([[0.0]])  # only checks the parameters
    except ValueError as error:
        named = _PARAMETER.sub(lambda m: "--" + m[0].replace("_", "-"), str(error))
        raise click.UsageError(named) from error
    files = unique_paths(find_audio_files(paths))
    problems = unreadable_files(files, sample_rate, duration)
    if problems:
        raise AudioError(problems)
    with StepProgress() as progress:
        with progress.step("Extracting", len(files)) as advance:
            shape, names = write_features(
                out,
                files,
                features=extract,
                summary=summary,
                sample_rate=sample_rate,
                duration=duration,
                batch_size=batch_size,
                advance=advance,
            )
    click.echo(f"{len(files)} files, {' x '.join(map(str, shape))}; wrote {out}")
    print_result(out=out, n_files=len(files), shape=shape, names=names)
