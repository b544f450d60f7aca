"""``{command-help}``: the help of every ``skbreath`` command, as the command prints it.

Run at build time, so that a command or an option that is added appears by itself.
"""

import click
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from skbreath.cli import main

# What a page of the site shows without scrolling.
WIDTH = 72


def help_of(command, name):
    """Help text of a command, at a fixed width."""
    context = click.Context(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    return command.get_help(context)


class CommandHelp(SphinxDirective):
    """A section for each command."""

    def run(self):
        """Make the sections."""
        sections = []
        context = click.Context(main)
        for name in main.list_commands(context):
            command = main.get_command(context, name)
            if command.hidden:
                continue
            section = nodes.section(ids=[f"skbreath-{name}"])
            section += nodes.title(text=f"skbreath {name}")
            block = StringList()
            text = help_of(command, f"skbreath {name}")
            for line in ("```text", *text.splitlines(), "```"):
                block.append(line, source="skbreath.cli")
            self.state.nested_parse(block, self.content_offset, section)
            sections.append(section)
        return sections


def setup(app):
    """Register with Sphinx."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
