"""``skbreath annotate`` and ``skbreath train-phases``."""

import math

import click

from .command import Command, print_result, wants_json
from .inputs import load_model_file
from .options import out_option, path_type, seed_option, skip_bad_option
from .outputs import (
    check_model_suffix,
    check_outputs,
    leave_out,
    refuse_overwriting,
    save,
)

_SUFFIX = {
    "audacity": ".txt",
    "hf_lung": ".txt",
    "icbhi": ".txt",
    "raven": ".txt",
    "textgrid": ".TextGrid",
    "csv": ".csv",
    "json": ".json",
}


@click.command("train-phases", cls=Command)
@click.argument("data", type=path_type)
@out_option
@click.option("--fmax", type=float, help="Upper end of the band in Hz.")
@click.option(
    "--sample-rate", default=16000, show_default=True, type=click.IntRange(1000)
)
@click.option(
    "--lag",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 60),
    help="Seconds a decision may wait: 0.1 for a microphone; for recordings, 1 breaks "
    "long phases of slow or noisy breathing less often.",
)
@seed_option
def train_phases(data, out, fmax, sample_rate, lag, seed):
    """Learn from annotated recordings to annotate others.

    DATA holds recordings, and beside each a label track of the same name: Audacity,
    HF_Lung, Raven or CSV (.txt, .csv), Praat (.TextGrid), or JSON, with the labels
    I and E.

    \b
    Example:
      skbreath train-phases recordings/ --out phases.skb
    """
    from ..audio import check_audio_files, find_audio_files
    from ..label_tracks import read_label_track, track_beside
    from ..progress import StepProgress
    from ..segmentation import PhaseSegmenter

    check_outputs({"--out": out})
    files = find_audio_files([data])
    tables, without, tracks = [], [], []
    for file, duration in zip(files, check_audio_files(files), strict=True):
        track = track_beside(file)
        if track is None:
            without.append(file)
        else:
            tracks.append(track)
            table = read_label_track(track, labels=("I", "E"), duration=duration)
            tables.append(table)
    refuse_overwriting("--out", [out], [*files, *tracks])
    check_model_suffix(out)
    if without:
        raise ValueError(
            f"{len(without)} of {len(files)} recordings have no label track beside "
            f"them, such as {without[0]}; annotate or move them."
        )
    segmenter = PhaseSegmenter(
        fmax=fmax, sample_rate=sample_rate, lag=lag, random_state=seed
    )
    with StepProgress() as progress, progress.step("Learning phases", 1):
        segmenter.fit(files, tables)
    save(segmenter, out)
    n_phases = sum(map(len, tables))
    click.echo(f"{len(files)} recordings, {n_phases} phases; wrote {out}")
    print_result(out=out, n_recordings=len(files), n_phases=n_phases)


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, type=path_type)
@click.option(
    "--model",
    type=path_type,
    help="File written by `train-phases` or `train`; without it phases are found by "
    "level, and which is the inhale is a guess.",
)
@click.option(
    "--out",
    type=path_type,
    help="Label file to write, or a folder for several recordings; the terminal if "
    "not given.",
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
    help="Picture to write, or a folder for several recordings.",
)
@click.option("--statistics", is_flag=True, help="Print rate, I:E ratio and pauses.")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Let --out replace label tracks that lie beside their recordings; without it "
    "that is refused, since they may be made by hand.",
)
@skip_bad_option
def annotate(paths, model, out, format_, plot, statistics, overwrite, skip_bad):
    """Find inhales and exhales in whole recordings.

    PATHS are recordings of any length, or folders of them. A model file .skb may come
    from anybody; loading a .joblib runs whatever code is in it.

    \b
    Examples:
      skbreath annotate recording.wav --model phases.skb --out labels.txt \\
          --plot timeline.png
      skbreath annotate recordings/ --model phases.skb --out labels/ --format json
    """
    import warnings

    from ..audio import find_audio_files
    from ..progress import StepProgress

    if format_ is not None and out is None:
        raise click.UsageError("--format is that of the files in --out; give both.")
    files = find_audio_files(paths)
    many = len(files) > 1 or any(path.is_dir() for path in paths)
    n_files = len(files)
    # Before a folder is made for the results.
    files, durations, problems = _readable(files, skip_bad)
    suffix = _SUFFIX[format_ or "audacity"]
    if out is not None and not overwrite:
        _refuse_replacing(files, out, many, suffix)
    tracks = _destinations(files, out, many, suffix, "--out", model)
    pictures = _destinations(files, plot, many, ".png", "--plot", model)
    if plot is not None and plot.suffix:
        from matplotlib.backend_bases import FigureCanvasBase

        kinds = FigureCanvasBase.get_supported_filetypes()
        if not plot.is_dir() and plot.suffix[1:].lower() not in kinds:
            raise click.UsageError(
                f"--plot {plot}: pictures end in one of {', '.join(sorted(kinds))}."
            )
    if skip_bad:
        beside = out if out is None or not many else out / "labels"
        leave_out(problems, n_files, beside)
    with StepProgress() as progress:
        segmenter = _load_segmenter(model, progress)
        with progress.step("Annotating", len(files)) as advance:
            results = []
            for number, file in enumerate(files):
                with warnings.catch_warnings():
                    # What it says is shown below, in the order of the files.
                    warnings.simplefilter("ignore", UserWarning)
                    (phases,) = segmenter.predict([file])
                results.append(phases)
                if tracks:
                    _write(tracks[number], phases, format_, durations[number])
                if pictures and durations[number] > 0:
                    _draw(pictures[number], file, phases)
                advance()
    print_result(
        recordings=[
            _described(file, phases, durations[number], tracks and tracks[number])
            for number, (file, phases) in enumerate(zip(files, results, strict=True))
        ]
    )
    for number, (file, phases) in enumerate(zip(files, results, strict=True)):
        if phases.attrs["note"]:
            click.echo(f"Warning: {file} {phases.attrs['note']}.", err=True)
        if tracks:
            click.echo(f"{file}: {len(phases)} phases; wrote {tracks[number]}")
        if pictures and durations[number] > 0:
            click.echo(f"wrote {pictures[number]}")
        if statistics:
            _print_statistics(file, phases, durations[number])
    if not tracks and not statistics:
        _print_csv(files, results)


def _readable(files, skip_bad):
    """Recordings, their lengths in s, and those left out; else one error for them."""
    from ..audio import AudioError, check_audio_files, inspect_audio_files

    if not skip_bad:
        return files, check_audio_files(files, allow_empty=True), []
    durations, problems = inspect_audio_files(files, n_samples=0, allow_empty=True)
    lengths = dict(zip(files, durations, strict=True))
    # What is damaged beyond its header.
    problems += inspect_audio_files([file for file in files if lengths[file] > 0])[1]
    bad = {path for path, _ in problems}
    good = [file for file in files if file not in bad]
    if not good:
        raise AudioError(problems)
    return good, [lengths[file] for file in good], problems


def _described(file, phases, duration, track):
    """One recording, for machines."""
    if not wants_json():
        return None
    from .._breath_statistics import breath_statistics

    summary = breath_statistics(phases, float(duration) + 1e-3).summary
    return {
        "path": file,
        "duration_s": round(float(duration), 6),
        "phases": phases.round({"start_s": 6, "end_s": 6}),
        "statistics": summary.to_dict(),
        "note": phases.attrs["note"],
        "out": track,
    }


def _destinations(files, target, many, suffix, option, model):
    """A file to write for each recording, checked before any work."""
    from pathlib import Path

    from ..atomic import check_destination

    if target is None:
        return None
    sources = [*files, model]
    if not many and not target.is_dir():
        check_outputs({option: target}, sources)
        return [target]
    if target.suffix and not target.is_dir():
        raise click.UsageError(
            f"{option} {target} is one file for {len(files)} recordings; name a folder."
        )
    made = [target / f"{Path(file).stem}{suffix}" for file in files]
    if len(set(made)) < len(made):
        raise ValueError(
            "Recordings of the same name would overwrite each other's results; name "
            "each once, and annotate folder by folder."
        )
    refuse_overwriting(option, made, sources)
    target.mkdir(parents=True, exist_ok=True)
    for path in made:
        check_destination(path)
    return made


def _refuse_replacing(files, out, many, suffix):
    """Labels beside a recording may be somebody's work; see that none is lost."""
    from pathlib import Path

    for file in map(Path, files):
        track = out / f"{file.stem}{suffix}" if many or out.is_dir() else out
        beside = track.parent.resolve() == file.parent.resolve()
        if beside and track.stem == file.stem and track.exists():
            # Sound is no label track: refused below, whatever the options.
            if track.resolve() != file.resolve():
                raise ValueError(
                    f"--out {out} would overwrite the label track {track} beside its "
                    "recording; name another --out, or add --overwrite."
                )


def _load_segmenter(model, progress):
    from sklearn.pipeline import Pipeline

    from ..segmentation import PhaseSegmenter

    if model is None:
        click.echo(
            "Warning: no --model; phases are found by their level, and told apart by a "
            "model of simulated chest sounds: which is the inhale is a guess.",
            err=True,
        )
        with progress.step("Learning from simulated sounds", 1):
            return _simulated_segmenter()
    fitted = load_model_file(model)
    if isinstance(fitted, PhaseSegmenter):
        return fitted
    if isinstance(fitted, Pipeline):
        rate, duration = fitted[0].sample_rate, fitted[0].duration
        if duration is None:
            raise ValueError(f"{model} takes clips of no fixed length.")
        return PhaseSegmenter.from_classifier(
            fitted, sample_rate=rate, clip_duration=duration
        )
    raise ValueError(f"{model} holds a {type(fitted).__name__}, no model of phases.")


def _simulated_segmenter():
    """Levels tell where phases are, clips made from noise which is which."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from ..datasets import make_breath_sounds
    from ..features import BreathFeatures, SummaryPooling
    from ..segmentation import PhaseSegmenter

    clips = make_breath_sounds(400, n_subjects=40, difficulty=0.3, random_state=0)
    classifier = make_pipeline(
        BreathFeatures(groups=("mel",), n_mels=32, fmin=50.0, fmax=2000.0),
        SummaryPooling(),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    )
    return PhaseSegmenter.from_classifier(classifier.fit(clips.waveforms, clips.target))


def _write(path, phases, format_, duration):
    from ..label_tracks import write_label_track

    write_label_track(path, phases, format_, duration=float(duration) + 1e-3)


def _draw(path, file, phases):
    from matplotlib.figure import Figure

    from ..atomic import atomic_path
    from ..plotting import PhaseTimelineDisplay

    figure = Figure(figsize=(13, 5.2), layout="constrained")
    PhaseTimelineDisplay.from_recording(file, phases, title=_title(file), figure=figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _title(file):
    from pathlib import Path

    return Path(file).name


def _print_csv(files, results):
    import pandas as pd

    tables = [
        phases.assign(path=file) for file, phases in zip(files, results, strict=True)
    ]
    table = pd.concat(tables)[["path", "start_s", "end_s", "label", "probability"]]
    click.echo(table.to_csv(index=False, float_format="%.6f"), nl=False)


def _print_statistics(file, phases, duration):
    from .._breath_statistics import breath_statistics

    if duration == 0:
        click.echo(f"{file}: no breaths")
        return
    summary = breath_statistics(phases, float(duration) + 1e-3).summary
    if math.isnan(summary["rate_per_min"]):
        click.echo(
            f"{file}: too few breaths to tell a rate ({summary['n_breaths']:.0f}), "
            f"longest pause {summary['longest_pause_s']:.1f} s"
        )
        return
    click.echo(
        f"{file}: {summary['rate_per_min']:.1f} breaths a minute, "
        f"inhale {_or_dash(summary['ti_s'])} s, exhale {_or_dash(summary['te_s'])} s, "
        f"I:E {_or_dash(summary['ie_ratio'])}, {summary['n_apnoeas']:.0f} pauses of "
        f"10 s or more, longest pause {summary['longest_pause_s']:.1f} s"
    )


def _or_dash(value):
    """Of a recording without inhales, their length is nothing."""
    return "-" if math.isnan(value) else f"{value:.2f}"
