"""Write docs/commands.md: ``python docs/write_commands.py``.

The page holds the help text of every command. It is kept in the repository, so that it
can be read there, and a test checks that it is up to date.
"""

from pathlib import Path

import click

from skbreath.cli import main

PAGE = Path(__file__).with_name("commands.md")
# Longest line that a page of the site shows without scrolling.
WIDTH = 72

HEAD = """\
# Every command and its options

Below is the output of `--help` of each command. Options have the names of the
parameters in Python. A wrong option or a bad file is one line and exit code 2; an
interrupted command leaves nothing half-written.
"""


def page():
    """Return the text of the page."""
    context = click.Context(main, info_name="skbreath", **main.context_settings)
    parts = [HEAD]
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        if not command.hidden:
            text = help_of(command, name, context)
            parts.append(f"## skbreath {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def help_of(command, name, parent):
    """Return the help text of a command at a fixed width."""
    context = click.Context(
        command,
        parent,
        info_name=name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
