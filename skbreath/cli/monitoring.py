"""``skbreath monitor``."""

from contextlib import suppress

import click

from ..live import LIVE_MODEL
from .annotation import load_segmenter
from .common.command import Command, print_result
from .common.options import path_type


@click.command(cls=Command)
@click.option(
    "--model",
    type=path_type,
    default=LIVE_MODEL,
    show_default=True,
    help="Model of the package, or a file written by `train-phases --live`. Other "
    "models of recordings work, but their phases come later.",
)
@click.option(
    "--port",
    default=8642,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of this computer; 0 is any that is free.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, open no browser.")
def monitor(model, port, no_browser):
    """Show breathing live in the browser.

    Serves a page with waveform, inhales and exhales, rate and pauses of the browser's
    microphone, or of a file that is dropped on it, with an alarm for long pauses. Only
    this computer can open it, and no sound leaves it. Ctrl-C ends it. Needs the extra
    "monitor". Not a medical device.

    \b
    Examples:
      skbreath monitor
      skbreath monitor --model live.skb --port 9000
    """
    import webbrowser

    try:
        from ..monitor.app import open_port, serve
    except ImportError as error:
        raise ImportError(
            f"`skbreath monitor` needs further packages ({error}): run "
            '`pip install -c constraints.txt ".[monitor]"`.'
        ) from error

    with open_port(port) as listener:
        segmenter = load_segmenter(model)
        if set(segmenter.labels) != {"I", "E"}:
            raise ValueError(
                "Expected a model with the labels I and E, got "
                f"{', '.join(segmenter.labels)}."
            )
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        print_result(address=address, model=model)
        click.echo(f"The monitor is at {address} until you press Ctrl-C.")
        if not no_browser:
            webbrowser.open(address)
        # By uvicorn's handler Ctrl-C is raised at the end, or not at all.
        with suppress(KeyboardInterrupt):
            serve(listener, segmenter, model.name)
        click.echo("Ended.")
