"""Make tables of the pages from files.

``results`` shows tables and charts of a file in benchmarks/results, ``result-files``
lists these files, and ``package-map`` has the layers in pyproject.toml with the
docstring of each package.
"""

import html
import re
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx import addnodes

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"

_CELL = re.compile(r"\S+(?: \S+)*")
_NUMBER = r"([+-]?[\d,.]*\d)%?"
# Such as "0.77", "0.77 [0.75, 0.79]", "66% (51%..81%)" and "0.84 (0.77 to 0.91)".
_INTERVAL = re.compile(rf"{_NUMBER}(?: [\[(]{_NUMBER}(?:, |\.\.| to ){_NUMBER}[\])])?$")


def read_results(path):
    """Read a file of results: its first paragraph, then one block per paragraph.

    A block is a dict with a ``caption``, ``columns`` and ``rows``, and ``notes`` below
    the table. Without a table, ``columns`` is empty.
    """
    head, *paragraphs = path.read_text(encoding="utf-8").strip().split("\n\n")
    return head.splitlines(), [_read_block(text.splitlines()) for text in paragraphs]


def _read_block(lines):
    for i in range(len(lines) - 1):
        header, first = (list(_CELL.finditer(line)) for line in lines[i : i + 2])
        # Numbers are aligned on the right, names on the left.
        columns = {cell.end(): cell.group() for cell in header if cell.start()}
        ends = [cell.end() for cell in first]
        if len(first) < 2 or not columns or not set(columns) <= set(ends):
            continue
        name = header[0].group() if header[0].start() == 0 else ""
        rows = []
        for line in lines[i + 1 :]:
            found = {cell.end(): cell.group() for cell in _CELL.finditer(line)}
            if not set(ends[1:]) <= set(found):
                break
            indent = "\u2003" * line.startswith("  ")
            rows.append(
                [indent + next(iter(found.values())), *map(found.get, ends[1:])]
            )
        return {
            "caption": " ".join(lines[:i]),
            "columns": [name, *[columns.get(end, "") for end in ends[1:]]],
            "rows": rows,
            "notes": lines[i + 1 + len(rows) :],
        }
    return {"caption": "", "columns": [], "rows": [], "notes": lines}


def read_interval(text):
    """Read a value with its interval, such as "0.77 [0.75, 0.79]"; None if none."""
    found = _INTERVAL.match(text)
    if not found:
        return None
    value, *ends = [float(x.replace(",", "")) for x in found.groups() if x]
    return value, *(ends or [value, value])


def packages():
    """List (layer, package, summary, in, out) from the lowest layer to the highest."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (contract,) = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    rows = []
    for number, names in enumerate(reversed(contract["layers"])):
        for name in names.split(" | "):
            source = REPOSITORY / "skbreath" / name / "__init__.py"
            doc = source.read_text(encoding="utf-8").split('"""')[1]
            doc = " ".join(doc.split()).replace("``", "`")
            summary = doc.partition(". ")[0]
            parts = re.search(r"In: (.*?)\. Out: (.*?)\. ", doc)
            rows.append([str(number), name, summary, *parts.groups()])
    return rows


def _table(columns, rows, css):
    """Make a table of texts."""
    table = nodes.table(classes=["results", css])
    group = nodes.tgroup(cols=len(columns))
    group += [nodes.colspec(colwidth=1) for _ in columns]
    for kind, lines in ((nodes.thead, [columns]), (nodes.tbody, rows)):
        part = kind()
        for line in lines:
            row = nodes.row()
            for text in line:
                row += nodes.entry("", nodes.paragraph("", "", *_cell_nodes(text)))
            part += row
        group += part
    table += group
    return table


def _cell_nodes(text):
    """Yield the nodes of a cell: code in backticks, and intervals on a line below."""
    value, space, interval = text.partition(" ")
    if space and interval[0] in "[(" and read_interval(text):
        yield nodes.Text(f"{value} ")
        interval = interval.strip("[()]").replace("..", " to ").replace(", ", " to ")
        yield nodes.inline("", interval, classes=["interval"])
        return
    for i, piece in enumerate(re.split("`(.*?)`", text)):
        yield nodes.literal(piece, piece) if i % 2 else nodes.Text(piece)


def _chart(names, intervals, low, high):
    """Draw values with their intervals, one row each, as HTML."""

    def left(value):
        return f"{100 * min(max((value - low) / (high - low), 0), 1):.1f}%"

    rows = []
    for name, (value, start, end) in zip(names, intervals, strict=True):
        width = (min(end, high) - max(start, low)) / (high - low) * 100
        rows.append(
            f'<div class="chart-row"><span>{html.escape(name)}</span><span class='
            f'"chart-track"><i class="chart-span" style="left:{left(start)};'
            f'width:{max(width, 0):.1f}%"></i><i class="chart-dot" style="left:'
            f'{left(value)}"></i></span><b>{value:g}</b></div>'
        )
    axis = (
        f"<div class='chart-row'><span></span><span class='chart-axis'><i>{low:g}</i>"
    )
    rows.append(f"{axis}<i>{high:g}</i></span><b></b></div>")
    chart = f'<div class="chart" aria-hidden="true">{"".join(rows)}</div>'
    return nodes.raw("", chart, format="html")


class Results(Directive):
    """Show tables of a file in benchmarks/results."""

    required_arguments = 1
    option_spec = {
        # Beginnings of their captions, separated by semicolons; all if not given.
        "tables": directives.unchanged,
        # Names of columns, separated by semicolons; all if not given.
        "columns": directives.unchanged,
        # A column to draw, the ends of its axis, and whether the table is left out.
        "chart": directives.unchanged,
        "range": directives.unchanged,
        "chart-only": directives.flag,
        # A caption instead of the one in the file.
        "caption": directives.unchanged,
    }

    def run(self):
        """Make the nodes."""
        path = RESULTS / f"{self.arguments[0]}.txt"
        env = self.state.document.settings.env
        env.note_dependency(str(path))
        head, blocks = read_results(path)
        wanted = _split(self.options.get("tables"))
        made = []
        for beginning in wanted or [""]:
            chosen = [b for b in blocks if b["caption"].startswith(beginning)]
            if not chosen:
                raise self.error(f"{path.name} has no table {beginning!r}")
            for block in chosen if not wanted else chosen[:1]:
                made += self._show(block, with_notes=not wanted)
        return [*made, _source(path, head, env.docname)]

    def _show(self, block, with_notes):
        notes = (
            [nodes.paragraph(text=" ".join(block["notes"]))] if block["notes"] else []
        )
        if not block["columns"]:
            return notes
        columns = _split(self.options.get("columns")) or block["columns"][1:]
        try:
            picked = [0, *map(block["columns"].index, columns)]
        except ValueError as error:
            raise self.error(
                f"{self.arguments[0]}: {error} {block['columns']}"
            ) from None
        caption = self.options.get("caption", block["caption"])
        made = [nodes.paragraph(caption, caption, classes=["results-caption"])]
        if "chart" in self.options:
            made.append(self._draw(block))
        if "chart-only" not in self.options:
            rows = [[row[i] for i in picked] for row in block["rows"]]
            made.append(_table([block["columns"][i] for i in picked], rows, "figures"))
        return made + notes * with_notes

    def _draw(self, block):
        column = block["columns"].index(self.options["chart"])
        pairs = [(row[0], read_interval(row[column])) for row in block["rows"]]
        pairs = [(name, interval) for name, interval in pairs if interval]
        names, intervals = zip(*pairs, strict=True)
        top = max(end for *_, end in intervals)
        low, high = map(float, self.options.get("range", f"0 {top}").split())
        return _chart(names, intervals, low, high)


def _source(path, head, page):
    """Make the line with the raw file, the command and the machine."""
    line = nodes.paragraph(classes=["results-source"])
    target = f"../{path.relative_to(REPOSITORY)}"
    link = addnodes.download_reference("", "", reftarget=target, refdoc=page)
    link += nodes.literal(path.name, path.name)
    machine = head[1].partition(", Linux")[0]
    line += [link, nodes.Text(f" · {head[0]} · {machine}")]
    return line


class ResultFiles(Directive):
    """List all files of results."""

    def run(self):
        """Make the list."""
        page = self.state.document.settings.env.docname
        paths = sorted(RESULTS.glob("*.txt"))
        items = [_source(path, read_results(path)[0], page) for path in paths]
        return [nodes.bullet_list("", *[nodes.list_item("", item) for item in items])]


def _split(text):
    return [part.strip() for part in text.split(";")] if text else []


class PackageMap(Directive):
    """Show the packages by layer."""

    def run(self):
        """Make the table."""
        rows = [[n, f"`{name}`", *rest] for n, name, *rest in packages()]
        return [_table(["layer", "package", "purpose", "input", "output"], rows, "map")]


def setup(app):
    """Register the directives with Sphinx."""
    app.add_directive("results", Results)
    app.add_directive("result-files", ResultFiles)
    app.add_directive("package-map", PackageMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
