"""``skbreath export``."""

import click

from .common.command import Command, print_result
from .common.files import check_outputs, load_model_file, metadata_of, model_path
from .common.options import path_type


@click.command(cls=Command)
@click.argument("model", type=path_type)
@click.argument("out", type=path_type)
@click.option(
    "--compare",
    "clips",
    multiple=True,
    type=path_type,
    help="Clips, or a folder of them, for the comparison; may be repeated.  "
    "[default: synthetic breaths]",
)
def export(model, out, clips):
    """Write a model as ONNX, which runs without Python.

    The file computes features and probabilities from waveforms. MODEL was written by
    `skbreath train` or `tune`, or is a model of the package: clips (stethoscope) or
    nose-clips. OUT ends in .onnx. Labels, threshold and licence of the model are in the
    metadata of the file. Its output is compared with the model before it is written.
    Needs the extra "onnx".

    \b
    Examples:
      skbreath export model.skb model.onnx
      skbreath export model.skb model.onnx --compare clips/
    """
    from ..audio.files import find_audio_files
    from ..onnx_export.export import export_onnx
    from ..utils.progress import StepProgress

    check_outputs({"OUT": out}, [model, *clips])
    if out.suffix.lower() != ".onnx":
        raise click.UsageError(f"OUT must end in .onnx, got {out}.")
    files = find_audio_files(clips) if clips else None
    model = model_path(model)
    fitted = load_model_file(model)
    if not hasattr(fitted, "predict_proba"):
        raise ValueError(
            f"Expected a classifier of clips in {model}, as `train` and `tune` write "
            f"it, got a {type(fitted).__name__}."
        )
    with StepProgress() as progress, progress.step("Exporting", None):
        about = export_onnx(fitted, out, files, metadata=metadata_of(model))
    (n_samples,) = about.inputs["waveform"][1:]
    click.echo(f"in: waveform, (n_clips, {n_samples}) float32")
    click.echo(f"out: probability of {', '.join(map(str, about.metadata['classes']))}")
    if "model_license" in about.metadata:
        click.echo(f"licence: {about.metadata['model_license']}")
    click.echo(
        f"largest difference from the model: {about.difference:.1e} "
        f"({about.n_clips} clips)"
    )
    click.echo(f"wrote {out}")
    print_result(out=out, **about)
