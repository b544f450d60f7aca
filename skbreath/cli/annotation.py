"""``skbreath annotate``."""

import math
from dataclasses import dataclass
from pathlib import Path

import click

from .common.command import Command, print_result, wants_json
from .common.files import (
    check_outputs,
    leave_out,
    load_model_file,
    model_path,
    reject_overwriting,
    say_model,
)
from .common.options import TimeType, path_type, skip_bad_option

_SUFFIX = {
    "audacity": ".txt",
    "hf_lung": ".txt",
    "icbhi": ".txt",
    "raven": ".txt",
    "textgrid": ".TextGrid",
    "csv": ".csv",
    "json": ".json",
}


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, type=path_type)
@click.option(
    "--model",
    type=path_type,
    help="`nose` or `chest`, models that come with the package, or a file written by "
    "`train-phases` or `train`.  [default: nose or chest, chosen by the sound]",
)
@click.option(
    "--out",
    type=path_type,
    help="Label file to write, or a folder for several recordings; the terminal if "
    "not given. Recordings in subfolders of a folder get subfolders.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(sorted(_SUFFIX)),
    help="Format of the labels in --out.  [default: by its suffix, audacity in a "
    "folder]; without --out a CSV table is printed.",
)
@click.option(
    "--plot",
    type=path_type,
    help="Picture to write, or a folder for several recordings. More than 10 min are "
    "an overview, and in a .pdf further pages show all phases.",
)
@click.option(
    "--from",
    "start",
    type=TimeType(),
    help="Where --plot begins, in s, m:ss or h:mm:ss.  [default: the beginning]",
)
@click.option("--to", "end", type=TimeType(), help="Where --plot ends, as --from.")
@click.option("--statistics", is_flag=True, help="Print rate, I:E ratio and pauses.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Let --out replace label tracks beside their recordings. Without it that is "
    "an error, since they may be made by hand.",
)
@skip_bad_option
def annotate(
    paths, model, out, format_, plot, start, end, statistics, overwrite, skip_bad
):
    """Find inhales and exhales in whole recordings.

    PATHS are recordings of any length, or folders of them. Loading a .skb file does
    not run code from it; loading a .joblib file does, so load only your own.

    \b
    Examples:
      skbreath annotate recording.wav --model phases.skb --out labels.txt \\
          --plot timeline.png
      skbreath annotate night.wav --model phases.skb --plot part.png \\
          --from 1:30:00 --to 1:31:00
      skbreath annotate recordings/ --model phases.skb --out labels/ --format json
    """
    from ..utils.progress import StepProgress

    _check_part(plot, start, end)
    recordings, left_out = _plan(
        paths, model, out, format_, plot, start, overwrite, skip_bad
    )
    with StepProgress() as progress:
        segmenters = _Segmenters(model)
        with progress.step("Annotating", len(recordings)) as advance:
            results = []
            for recording in recordings:
                segmenter, recording.model = segmenters.find(recording.path)
                results.append(_annotate(segmenter, recording, format_, start, end))
                advance()
    segmenters.say_chosen()
    if wants_json():
        described = list(map(_describe, recordings, results))
        bad = [{"path": path, "reason": reason} for path, reason in left_out]
        print_result(recordings=described, left_out=bad)
    for recording, phases in zip(recordings, results, strict=True):
        _report(recording, phases, statistics)
    if out is None and plot is None and not statistics:
        _print_csv(recordings, results)


@dataclass
class _Recording:
    """Hold a recording to annotate, its length in s, and the files to write for it.

    `model` is the model of the package that was chosen by its sound, or None.
    """

    path: str
    duration: float
    track: Path | None
    picture: Path | None
    model: str | None = None


def _plan(paths, model, out, format_, plot, start, overwrite, skip_bad):
    """List recordings with their outputs, and bad files; check all before any work."""
    from ..audio.files import find_audio_files

    if format_ is not None and out is None:
        raise click.UsageError(
            "--format is the format of the files in --out; give both."
        )
    files = find_audio_files(paths)
    many = len(files) > 1 or any(path.is_dir() for path in paths)
    good, durations, problems = _readable(files, skip_bad)
    folders = [path for path in paths if path.is_dir()]
    tracks = _targets(good, folders, out, many, _SUFFIX[format_ or "audacity"])
    pictures = _targets(good, folders, plot, many, ".png")
    if out is not None and not overwrite:
        _reject_replacing(good, tracks, out)
    _check_targets("--out", out, tracks, [*good, model])
    if tracks == [out] and format_ is None and out is not None:
        _check_track_suffix(out)
    _check_targets("--plot", plot, pictures, [*good, model])
    if plot is not None and plot.suffix and not plot.is_dir():
        _check_picture_suffix(plot)
    _check_ends(good, durations, start)
    _make_folder(out, tracks)
    _make_folder(plot, pictures)
    if skip_bad:
        beside = out if out is None or not many else out / "labels"
        leave_out(problems, len(files), beside)
    return list(map(_Recording, good, durations, tracks, pictures)), problems


def _check_part(plot, start, end):
    """Raise an error if --from and --to are not a part that --plot can draw."""
    if plot is None and (start is not None or end is not None):
        raise click.UsageError(
            "--from and --to choose the part that --plot draws; add --plot."
        )
    if end is not None and end <= (start or 0):
        raise click.UsageError(
            f"Expected --to after --from, got {start or 0:g} s to {end:g} s."
        )


def _check_ends(files, durations, start):
    """Raise an error if recordings end before the part to draw begins."""
    from ..utils.text import shorten

    short = [
        f"{file} ({duration:.1f} s)"
        for file, duration in zip(files, durations, strict=True)
        if start and 0 < duration <= start
    ]
    if short:
        raise click.UsageError(
            f"Expected --from to be before the end of the recording, got {start:g} s "
            f"for {shorten(short)}."
        )


def _readable(files, skip_bad):
    """Return recordings, lengths in s and problems; without `skip_bad` raise those."""
    from ..audio.decoding import check_audio_files, inspect_audio_files
    from ..audio.files import AudioError

    if not skip_bad:
        return files, check_audio_files(files, allow_empty=True), []
    durations, problems = inspect_audio_files(files, n_samples=0, allow_empty=True)
    lengths = dict(zip(files, durations, strict=True))
    # Files that are damaged after their header.
    problems += inspect_audio_files([file for file in files if lengths[file] > 0])[1]
    bad = {path for path, _ in problems}
    good = [file for file in files if file not in bad]
    if not good:
        raise AudioError(problems)
    return good, [lengths[file] for file in good], problems


def _targets(files, folders, target, many, suffix):
    """Return the file to write for each recording, None where there is no target.

    Results of recordings in subfolders of `folders` are in such subfolders too.
    """
    if target is None:
        return [None] * len(files)
    if not many and not target.is_dir():
        return [target]
    made = []
    for file in map(Path, files):
        parents = [folder for folder in folders if file.is_relative_to(folder)]
        name = file.relative_to(parents[0]) if parents else Path(file.name)
        made.append(target / name.with_name(f"{file.stem}{suffix}"))
    return made


def _reject_replacing(files, tracks, out):
    """Raise an error if a label track beside its recording would be replaced."""
    for file, track in zip(map(Path, files), tracks, strict=True):
        beside = track.parent.resolve() == file.parent.resolve()
        if beside and track.stem == file.stem and track.exists():
            # A recording in place of a track is an error of `_check_targets`.
            if track.resolve() != file.resolve():
                raise ValueError(
                    f"--out {out} would overwrite the label track {track} beside its "
                    "recording; name another --out, or add --overwrite."
                )


def _check_targets(option, target, made, sources):
    """Raise an error if results cannot be written, or would replace an input."""
    from ..utils.text import shorten

    if target is None:
        return
    if made == [target]:
        check_outputs({option: target}, sources)
        return
    if target.suffix and not target.is_dir():
        raise click.UsageError(
            f"{option} {target} is one file for {len(made)} recordings; name a folder."
        )
    by_result = {}
    for path, source in zip(made, sources, strict=False):
        by_result.setdefault(path, []).append(repr(source))
    same = [" and ".join(names) for names in by_result.values() if len(names) > 1]
    if same:
        raise ValueError(
            f"Recordings of the same name would overwrite each other's results: "
            f"{shorten(same, '; ')}; annotate them one by one, with an --out for each."
        )
    reject_overwriting(option, made, sources)


def _check_track_suffix(out):
    """Raise an error if the suffix of a label file names no format."""
    suffixes = sorted(set(_SUFFIX.values()))
    if out.suffix.lower() not in map(str.lower, suffixes):
        raise click.UsageError(
            f"Expected --out to end in one of {', '.join(suffixes)}, got {out}; or "
            "name a folder that exists, or a --format."
        )


def _check_picture_suffix(plot):
    """Raise an error if matplotlib cannot write a file of this suffix."""
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if plot.suffix[1:].lower() not in kinds:
        raise click.UsageError(
            f"Expected --plot to end in one of {', '.join(sorted(kinds))}, got {plot}."
        )


def _make_folder(target, made):
    """Make the folder of the results, if they go to a folder."""
    from ..utils.files import check_destination

    if target is None or made == [target]:
        return
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_destination(path)


class _Segmenters:
    """Load the model of --model, or choose one of the package for each recording."""

    def __init__(self, model):
        self._given = None if model is None else load_segmenter(model)
        self._pretrained = {}
        self._numbers = {}  # of recordings, by the name of the model that was chosen

    def find(self, path):
        """Return the segmenter for a recording, and its name if it was chosen."""
        from ..pretrained import load_pretrained
        from ..pretrained.choice import choose_segmenter

        if self._given is not None:
            return self._given, None
        name = choose_segmenter(path)
        if name not in self._pretrained:
            self._pretrained[name] = load_pretrained(name)
        self._numbers[name] = self._numbers.get(name, 0) + 1
        return self._pretrained[name], name

    def say_chosen(self):
        """Print which models were chosen."""
        for name, number in sorted(self._numbers.items()):
            other = "chest" if name == "nose" else "nose"
            count = f" of {number} recording{'s' * (number > 1)}"
            count = "" if len(self._numbers) == 1 else count
            chosen = f" was chosen by the sound{count} (--model {other} is the other)"
            say_model(name, chosen)


def load_segmenter(model):
    """Load a model of phases, or make one of a model of clips."""
    from sklearn.pipeline import Pipeline

    from ..segmentation.segmenter import PhaseSegmenter

    fitted = load_model_file(model_path(model))
    if isinstance(fitted, PhaseSegmenter):
        return fitted
    if isinstance(fitted, Pipeline):
        rate, duration = fitted[0].sample_rate, fitted[0].duration
        if duration is None:
            raise ValueError(
                f"Expected a model of clips of a fixed length, got {model}, which "
                "takes clips of any length."
            )
        return PhaseSegmenter.from_classifier(
            fitted, sample_rate=rate, clip_duration=duration
        )
    raise ValueError(
        f"Expected a model of phases or of clips in {model}, got a "
        f"{type(fitted).__name__}."
    )


def _annotate(segmenter, recording, format_, start, end):
    """Find the phases of one recording and write them; return the phases."""
    import warnings

    from ..audio.clip_warnings import AudioWarning
    from ..phases.label_tracks import write_label_track

    with warnings.catch_warnings():
        # The note of a recording is printed later, in the order of the recordings.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("default", AudioWarning)
        (phases,) = segmenter.predict([recording.path])
    if recording.track is not None:
        duration = float(recording.duration)
        write_label_track(recording.track, phases, format_, duration=duration)
    if recording.picture is not None and recording.duration > 0:
        _draw(recording, phases, start or 0.0, end)
    return phases


def _draw(recording, phases, start, end):
    """Write the picture of a recording, or of the part of it that is wanted."""
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    from ..plotting.phase_timeline import PhaseTimelineDisplay
    from ..utils.files import atomic_path

    length = min(end or math.inf, float(recording.duration)) - start
    size = PhaseTimelineDisplay.figure_size(length)
    figure = Figure(figsize=size, layout="constrained")
    title = Path(recording.path).name
    display = PhaseTimelineDisplay.from_recording(
        recording.path, phases, start_s=start, end_s=end, title=title, figure=figure
    )
    with atomic_path(recording.picture) as temporary:
        if temporary.suffix.lower() != ".pdf":
            figure.savefig(temporary, dpi=120)
            return
        with PdfPages(temporary) as pdf:
            pdf.savefig(figure, dpi=120)
            for page in display.pages(title=title):
                pdf.savefig(page, dpi=120)
                page.clear()  # frees its memory


def _describe(recording, phases):
    """Return a recording and its phases for ``--json``."""
    statistics = _statistics(recording, phases)
    return {
        "path": recording.path,
        "duration_s": round(float(recording.duration), 6),
        "phases": phases.round({"start_s": 6, "end_s": 6}),
        "statistics": {**statistics.summary, "rate_note": statistics.rate_note},
        "note": phases.attrs["note"],
        "model": recording.model,
        "out": recording.track,
    }


def _report(recording, phases, statistics):
    """Print what was found in a recording and what was written."""
    if phases.attrs["note"]:
        click.echo(f"Warning: {recording.path} {phases.attrs['note']}.", err=True)
    if recording.track is not None:
        number = "1 phase" if len(phases) == 1 else f"{len(phases)} phases"
        click.echo(f"{recording.path}: {number}; wrote {recording.track}")
    if recording.picture is not None and recording.duration > 0:
        click.echo(f"wrote {recording.picture}")
    if statistics:
        click.echo(f"{recording.path}: {_statistics_text(recording, phases)}")


def _statistics(recording, phases):
    """Compute the breath statistics of a recording."""
    from ..phases.breath_statistics import breath_statistics

    return breath_statistics(phases, float(recording.duration))


def _statistics_text(recording, phases):
    """Format the breath statistics of a recording as one line."""
    if recording.duration == 0:
        return "no breaths"
    statistics = _statistics(recording, phases)
    summary, reason = statistics.summary, statistics.rate_note
    if reason:
        if statistics.pauses.empty:
            return reason
        return f"{reason}, longest pause {summary['longest_pause_s']:.1f} s"
    return (
        f"{summary['rate_per_min']:.1f} breaths a minute "
        f"(confidence {summary['rate_confidence']:.2f}), "
        f"inhale {_or_dash(summary['ti_s'], ' s')}, "
        f"exhale {_or_dash(summary['te_s'], ' s')}, "
        f"I:E {_or_dash(summary['ie_ratio'])}, pauses of 10 s or more: "
        f"{summary['n_apnoeas']:.0f}, longest pause {summary['longest_pause_s']:.1f} s"
    )


def _or_dash(value, unit=""):
    """Return the text of a number with its unit, or a dash where it is missing."""
    return "-" if math.isnan(value) else f"{value:.2f}{unit}"


def _print_csv(recordings, results):
    """Print the phases of all recordings as one CSV table."""
    import numpy as np
    import pandas as pd

    table = pd.concat(results, ignore_index=True)
    table = table[["start_s", "end_s", "label", "probability"]]
    # As objects: a file name need not be UTF-8, as pandas expects of text.
    paths = np.array([recording.path for recording in recordings], dtype=object)
    table.insert(0, "path", np.repeat(paths, list(map(len, results))))
    click.echo(table.to_csv(index=False, float_format="%.6f"), nl=False)
