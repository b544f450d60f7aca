"""Add ``--json`` and ``--config`` to every command."""

import json
import math
import os
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import click

__all__ = [
    "Command",
    "LinesCommand",
    "one_line",
    "plain",
    "print_result",
    "wants_json",
]

_JSON, _RESULT = "skbreath.json", "skbreath.result"


def print_result(**values):
    """Add values to the JSON object that ``--json`` prints; without it, do nothing."""
    click.get_current_context().meta.setdefault(_RESULT, {}).update(values)


def wants_json():
    """Return whether the output is JSON."""
    return click.get_current_context().meta.get(_JSON, False)


class Command(click.Command):
    """Add ``--json`` and ``--config`` to a command."""

    json_help = "Print one JSON object, and nothing else, on standard output."

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_remember_json,
                help=self.json_help,
            ),
            click.Option(
                ["--config"],
                type=click.Path(dir_okay=False),
                expose_value=False,
                is_eager=True,
                callback=_read_config,
                help="TOML file with options; those on the command line win.",
            ),
        ]

    def parse_args(self, ctx, args):
        # Before parsing, as the wrong option may come before --json.
        as_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if as_json:
                shown = {"command": self.name, "ok": False, "error": one_line(error)}
                click.echo(json.dumps(plain(shown), allow_nan=False))
            raise

    def invoke(self, ctx):
        if not ctx.meta.get(_JSON):
            return super().invoke(ctx)
        shown = {"command": self.name, "ok": True}
        try:
            # Hide other output, in which file names need not be UTF-8.
            with (
                open(
                    os.devnull, "w", encoding="utf-8", errors="surrogateescape"
                ) as nowhere,
                redirect_stdout(nowhere),
            ):
                super().invoke(ctx)
            shown |= ctx.meta.get(_RESULT, {})
        except click.exceptions.Exit as end:  # a command that found something
            shown |= {"ok": end.exit_code == 0} | ctx.meta.get(_RESULT, {})
            raise
        except (Exception, KeyboardInterrupt) as error:
            shown |= {"ok": False, "error": one_line(error)}
            raise
        finally:
            click.echo(json.dumps(plain(shown), allow_nan=False))


class LinesCommand(Command):
    """Leave standard output to the command, which prints a JSON object in each line."""

    json_help = "Print JSON objects, one in each line, and nothing else."

    def invoke(self, ctx):
        return click.Command.invoke(self, ctx)


def one_line(error):
    """Return the message of an error without line breaks."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, click.ClickException):
        error = error.format_message()
    return " ".join(str(error).split()) or type(error).__name__


def plain(value):
    """Convert a value to the types of JSON; numbers that JSON lacks become null."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return plain(value.to_dict(orient="records"))
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    # A file name need not be UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()


def _remember_json(ctx, _param, value):
    """Store the value of --json in the context."""
    ctx.meta[_JSON] = value


def _read_config(ctx, _param, path):
    """Make the options in a TOML file the defaults of the command."""
    if path is None:
        return
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}.", ctx) from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise click.UsageError(f"{path} is not a TOML file: {error}.", ctx) from error
    commands = ctx.parent.command.commands
    ctx.default_map = {}
    for name, table in tables.items():
        if name not in commands:
            raise click.UsageError(
                f"{path} has an unknown table or key {name!r}; the tables are "
                f"{', '.join(sorted(commands))}.",
                ctx,
            )
        if not isinstance(table, dict):
            raise click.UsageError(f"{path}: {name} must be a table, [{name}].", ctx)
        known = _parameters(commands[name])
        for key, value in table.items():
            if key not in known:
                raise click.UsageError(
                    f"{path} has an unknown key {key!r} in [{name}]; the keys are "
                    f"{', '.join(sorted(known))}.",
                    ctx,
                )
            if name == ctx.command.name:
                _check_value(ctx, known[key], value, f"{path}: {key} in [{name}]")
                ctx.default_map[known[key].name] = value


def _parameters(command):
    """Return the parameters of a command by their names on the command line."""
    return {
        name.removeprefix("--"): param
        for param in command.params
        if param.expose_value
        for name in param.opts
    }


def _check_value(ctx, param, value, where):
    """Raise an error that names file and key if a value in a TOML file is wrong.

    click alone would name neither, and would convert a number to text.
    """
    many = param.nargs != 1 or getattr(param, "multiple", False)
    types, wanted = _expected(param)
    if isinstance(value, list) != many:
        wanted = "a list" if many else "a single value"
    elif all(
        # In Python, true and false are whole numbers.
        isinstance(one, types) and isinstance(one, bool) == (types is bool)
        for one in (value if many else [value])
    ):
        try:
            param.type_cast_value(ctx, value)
        except click.BadParameter as error:
            raise click.UsageError(f"{where}: {error.message}", ctx) from error
        return
    elif many:
        wanted = f"a list, each entry {wanted}"
    raise click.UsageError(f"{where} must be {wanted}, got {value!r}.", ctx)


def _expected(param):
    """Return the Python types of a parameter in TOML, and their description."""
    if getattr(param, "is_flag", False):
        return bool, "true or false"
    if isinstance(param.type, click.types.IntParamType):
        return int, "a whole number"
    if isinstance(param.type, click.types.FloatParamType):
        return (int, float), "a number"
    return str, "text in quotes"
