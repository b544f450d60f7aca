"""Read the pages: their blocks of Python code, and their commands."""

import re
import shlex
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
# Written by docs/write_commands.py, and tested as such.
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]
PAGES.remove(DOCS / "commands.md")


def python_blocks(page):
    """List the blocks of Python code of a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(page):
    """List the `skbreath` commands of a page, each as its words."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```(?:console)?\n(.*?)^```$", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            # Two spaces are before a remark; a pipe leads to another program.
            line = re.split(r" {2,}| \| ", line.removeprefix("$ "))[0]
            if line.startswith("skbreath "):
                found.append(shlex.split(line)[1:])
    return found
