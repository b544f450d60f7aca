"""``skbreath info``."""

import click

from .common.command import Command, print_result
from .common.files import model_path
from .common.options import path_type

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "torch",
    "skorch",
    "optuna",
    "numba",
    "soundfile",
    "soxr",
    "av",
    "skops",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "distributed",
)


@click.command(cls=Command)
@click.argument("model", required=False, type=path_type)
def info(model):
    """Show the contents of a model file, or versions.

    MODEL is a .skb file, or a model of the package: clips, nose-clips, nose, nose-live
    or chest. Code in it is not run. Without MODEL: versions and machine, to include in
    a report of an error.

    \b
    Examples:
      skbreath info
      skbreath info model.skb
      skbreath info model.skb --json
    """
    if model is None:
        about = _machine()
    elif model.suffix == ".joblib":
        raise ValueError(
            f"{model} is a pickle, whose contents cannot be shown without running its "
            "code; save the model as .skb."
        )
    else:
        from ..model_files.save_load import model_info

        about = model_info(model_path(model))
    for line in _lines(about):
        click.echo(line)
    print_result(**about)


def _machine():
    """Collect versions of packages and facts about the machine."""
    import importlib.metadata
    import os
    import platform

    from .. import __version__

    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = None
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count()
    return {
        "skbreath": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": cores,
        "packages": packages,
    }


def _lines(value, indent=""):
    """Yield a nested dict as lines of text."""
    for name, entry in value.items():
        if isinstance(entry, dict) and entry:
            yield f"{indent}{name}:"
            yield from _lines(entry, indent + "  ")
        else:
            if isinstance(entry, list):
                entry = ", ".join(map(str, entry))
            yield f"{indent}{name}: {'none' if entry is None else entry}"
