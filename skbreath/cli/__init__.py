"""Run the ``skbreath`` command.

In: the words of a command line. Out: files and printed results.

May import: everything.
Tests: ``pytest tests/cli``.
"""

import codecs
import os
import sys
import warnings
from contextlib import contextmanager

import click

from .. import __version__
from .annotation import annotate
from .checking import check
from .common.command import one_line
from .demo import demo
from .evaluation import evaluate
from .export import export
from .features import features
from .info import info
from .listening import listen
from .monitoring import monitor
from .prediction import predict
from .training import train, train_phases
from .tuning import tune

__all__ = ["main"]

# Unreadable input, wrong parameters, or an extra that is not installed. Other errors
# are bugs of skbreath.
_USER_ERRORS = (ValueError, OSError, ImportError)
# Many clips may have the same problem.
_WARNINGS_SHOWN = 5
# As a shell reports programs that end because `head` closed their output.
_CLOSED = 141


class _UsageLine(click.ClickException):
    """Print a usage error in one line; click prints four."""

    exit_code = 2

    def __init__(self, error):
        help_of = error.ctx.command_path if error.ctx else "skbreath"
        super().__init__(f"{error.format_message()} See `{help_of} --help`.")


class _Commands(click.Group):
    """Group commands, and print an error of the user in one line."""

    def main(self, *args, **kwargs):
        _accept_all_characters()
        return super().main(*args, **kwargs)

    def make_context(self, *args, **kwargs):
        with _usage_in_one_line(), _closed_output():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx):
        try:
            with _usage_in_one_line(), _plain_warnings(), _closed_output():
                return super().invoke(ctx)
        except _USER_ERRORS as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"Error: {one_line(error)}", err=True)
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
            message = f"{kind}: {one_line(error)}"
            click.echo(f"Unexpected error, please report it: {message}", err=True)
            click.echo("`skbreath --debug ...` shows where it happened.", err=True)
            ctx.exit(3)


def _accept_all_characters():
    """Let output be written in any encoding: escape what the encoding lacks."""
    codecs.register_error("skbreath.names", _write_name)
    for stream in (sys.stdout, sys.stderr):
        if not hasattr(stream, "reconfigure"):  # closed, or replaced by a program
            continue
        encoding = codecs.lookup(stream.encoding).name
        if encoding == "ascii":
            # By another name, as click would write UTF-8 instead.
            codecs.register({"ascii_only": _ascii_only()}.get)
            stream.reconfigure(encoding="ascii_only", errors="backslashreplace")
        elif encoding == "utf-8" and stream is sys.stdout:
            stream.reconfigure(errors="skbreath.names")
        else:
            stream.reconfigure(errors="backslashreplace")


def _ascii_only():
    """Return the codec of ASCII by another name."""
    ascii = codecs.lookup("ascii")
    coders = {"incrementalencoder": ascii.incrementalencoder}
    coders["incrementaldecoder"] = ascii.incrementaldecoder
    return codecs.CodecInfo(*ascii, **coders, name="ascii_only")


def _write_name(error):
    """Write the bytes of a file name that is not UTF-8, as `ls` does."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:  # of Windows
        return codecs.backslashreplace_errors(error)


@contextmanager
def _closed_output():
    """End quietly if the reader of the output has ended."""
    try:
        yield
    except (BrokenPipeError, SystemExit) as error:
        # rich turns the former into the latter.
        if not isinstance(error.__context__ or error, BrokenPipeError):
            raise
        # Or Python would complain when it writes the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(_CLOSED) from error


@contextmanager
def _usage_in_one_line():
    """Replace usage errors by those that are printed in one line."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        raise _UsageLine(error) from error


@contextmanager
def _plain_warnings():
    """Print warnings as lines of text, and only the first few about clips."""
    shown, texts = 0, set()

    def show(message, category, *_args, **_kwargs):
        nonlocal shown
        # A file may be opened several times.
        if str(message) in texts:
            return
        texts.add(str(message))
        # By name, as importing the class would import scikit-learn for `--help`.
        if category.__name__ == "AudioWarning":
            shown += 1
            if shown > _WARNINGS_SHOWN + 1:
                return
            if shown > _WARNINGS_SHOWN:
                message = "further warnings about clips are not shown."
        click.echo(f"Warning: {' '.join(str(message).split())}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skbreath")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug):
    """Classify breath sounds as inhale or exhale.

    `skbreath COMMAND --help` has examples. Every command takes --json and --config.

    \b
    Exit codes:
      0    done
      1    done, and `skbreath check` found errors
      2    nothing done: wrong usage, or input that cannot be used
      3    an error in skbreath; please report it
      130  interrupted
      141  the reader of the output, such as `head`, has ended
    """


for _command in (
    demo,
    check,
    features,
    train,
    tune,
    evaluate,
    predict,
    train_phases,
    annotate,
    listen,
    monitor,
    export,
    info,
):
    main.add_command(_command)
