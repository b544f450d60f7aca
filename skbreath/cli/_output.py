"""What every command has: ``--json`` for machines, ``--config`` for repetitions."""

import json
import math
import os
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import click

__all__ = ["Command", "answer", "one_line", "wants_json"]

_JSON, _RESULT = "skbreath.json", "skbreath.result"


def answer(**values):
    """Add to the JSON object that ``--json`` prints; nothing is shown without it."""
    click.get_current_context().meta.setdefault(_RESULT, {}).update(values)


def wants_json():
    """Whether a machine reads the output."""
    return click.get_current_context().meta.get(_JSON, False)


class Command(click.Command):
    """A command with ``--json`` and ``--config``."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_remember_json,
                help="Print one JSON object, and nothing else, on standard output.",
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
        # Asked before parsing: what is wrong may stand before --json.
        as_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if as_json:
                shown = {"command": self.name, "ok": False, "error": one_line(error)}
                click.echo(json.dumps(_plain(shown), allow_nan=False))
            raise

    def invoke(self, ctx):
        if not ctx.meta.get(_JSON):
            return super().invoke(ctx)
        shown = {"command": self.name, "ok": True}
        try:
            # Tables are for people.
            # A file name need not be UTF-8.
            with (
                open(os.devnull, "w", errors="surrogateescape") as nowhere,
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
            click.echo(json.dumps(_plain(shown), allow_nan=False))


def one_line(error):
    """What an error says, without line breaks."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, click.ClickException):
        error = error.format_message()
    return " ".join(str(error).split()) or type(error).__name__


def _plain(value):
    """JSON types; numbers that JSON lacks are null."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return _plain(value.to_dict(orient="records"))
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    text = os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    # A file name need not be UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()


def _remember_json(ctx, _param, value):
    ctx.meta[_JSON] = value


def _read_config(ctx, _param, path):
    if path is None:
        return
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}.", ctx) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise click.UsageError(f"{path} is not a TOML file: {error}.", ctx) from error
    commands = ctx.parent.command.commands
    for name, table in tables.items():
        if name not in commands:
            raise click.UsageError(
                f"{path} has an unknown table or key {name!r}; the tables are "
                f"{', '.join(sorted(commands))}.",
                ctx,
            )
        if not isinstance(table, dict):
            message = f"{path}: {name} must be a table, [{name}]."
            raise click.UsageError(message, ctx)
        known = _keys(commands[name])
        for key in table:
            if key not in known:
                raise click.UsageError(
                    f"{path} has an unknown key {key!r} in [{name}]; the keys are "
                    f"{', '.join(sorted(known))}.",
                    ctx,
                )
    known = _keys(ctx.command)
    given = tables.get(ctx.command.name, {})
    defaults = {known[key].name: value for key, value in given.items()}
    for key, value in given.items():
        _check(ctx, known[key], value, f"{path}: {key} in [{ctx.command.name}]")
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _keys(command):
    """Parameters by the names they have on the command line."""
    known = {}
    for param in command.params:
        if not param.expose_value:
            continue
        names = [param.name] if isinstance(param, click.Argument) else param.opts
        for name in names:
            if name.startswith("--") or isinstance(param, click.Argument):
                known[name.removeprefix("--")] = param
    return known


def _check(ctx, param, value, where):
    """Refuse a value of a wrong type here, where file and key can be named."""
    many = param.nargs != 1 or getattr(param, "multiple", False)
    if isinstance(value, dict) or isinstance(value, list) != many:
        wanted = "a list" if many else "a single value"
        raise click.UsageError(f"{where} must be {wanted}, got {value!r}.", ctx)
    types, wanted = _expected(param)
    for one in value if many else [value]:
        # click would make text of a number, or fail at a path that is one. To Python
        # true and false are whole numbers.
        if not isinstance(one, types) or isinstance(one, bool) != (types is bool):
            wanted = f"a list, each entry {wanted}" if many else wanted
            raise click.UsageError(f"{where} must be {wanted}, got {value!r}.", ctx)
    try:
        param.type_cast_value(ctx, value)
    except click.BadParameter as error:
        raise click.UsageError(f"{where}: {error.message}", ctx) from error


def _expected(param):
    """Types that a parameter may have in TOML, and what a user calls them."""
    if getattr(param, "is_flag", False):
        return bool, "true or false"
    if isinstance(param.type, click.types.IntParamType):
        return int, "a whole number"
    if isinstance(param.type, click.types.FloatParamType):
        return (int, float), "a number"
    return str, "text in quotes"
