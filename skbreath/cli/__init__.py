"""The ``skbreath`` command."""

import os
import sys

import click

from .. import __version__
from .annotation import annotate, train_phases
from .demo import demo
from .prediction import predict
from .training import evaluate, train, tune

__all__ = ["main"]

# Unreadable input or wrong parameters. Anything else is a bug of ours.
_USER_ERRORS = (ValueError, OSError)


def _one_line(error):
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


class _Commands(click.Group):
    """Turns errors about the user's input into one line and exit code 2."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our output left, as `head` does: no error of anybody.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except _USER_ERRORS as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"Error: {_one_line(error)}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("Interrupted; no result was left half-written.", err=True)
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                raise
            kind = type(error).__name__
            message = f"{kind}: {_one_line(error)}"
            click.echo(f"Unexpected error, please report it: {message}", err=True)
            click.echo("`skbreath --debug ...` shows where it happened.", err=True)
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skbreath")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug):
    """Tell inhale from exhale in breath sounds."""


for _command in (demo, train, tune, evaluate, predict, train_phases, annotate):
    main.add_command(_command)
