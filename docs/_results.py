"""Sphinx extension: the tables of a benchmark, from the file that the run has saved.

``:::{results} neighbours`` shows ``benchmarks/results/neighbours.json`` with the command, the
day, the versions and the machine under it; ``:titles: first; second`` only some of its tables.
Pages have a link in its place, which ``_shown_files.py`` makes a directive.
"""

import json
import re
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives

RESULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


class Results(Directive):
    """The tables of a file of results."""

    required_arguments = 1
    option_spec: ClassVar = {"titles": directives.unchanged}

    def run(self):
        path = RESULTS / f"{self.arguments[0]}.json"
        self.state.document.settings.env.note_dependency(str(path))
        results = json.loads(path.read_text(encoding="utf-8"))
        titles = self.options.get("titles")
        wanted = titles and [title.strip() for title in titles.split(";")]
        tables = [t for t in results["tables"] if not wanted or t["title"] in wanted]
        if len(tables) != len(wanted or results["tables"]):
            raise self.error(f"{path.name} has no table of every title in {titles!r}")
        return [*map(table_node, tables), caption(results)]


#: A cell with a figure.
FIGURE = re.compile(r"[-<>±]*\s*\.?\d.*|-*")


def table_node(table):
    """A table with its title; columns of figures stand to the right."""
    header, rows = table["header"], table["rows"]
    classes = [
        ["figures"] if all(FIGURE.fullmatch(str(cell)) for cell in column) else []
        for column in zip(*rows)
    ]
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    head, body = nodes.thead(), nodes.tbody()
    head += row_node(header, classes)
    body += [row_node(row, classes) for row in rows]
    group += [head, body]
    node = nodes.table(classes=["results"])
    if table["title"]:
        node += nodes.title("", table["title"])
    node += group
    return node


def row_node(cells, classes):
    """A line of a table."""
    node = nodes.row()
    for cell, kind in zip(map(str, cells), classes):
        text = cell.strip("*")  # what a script prints in bold
        inner = nodes.strong("", text) if cell.startswith("**") else nodes.Text(text)
        entry = nodes.entry(classes=kind)
        entry += nodes.paragraph("", "", inner)
        node += entry
    return node


def caption(results):
    """How the figures were made."""
    node = nodes.paragraph(classes=["results-caption"])
    node += nodes.literal("", results["command"])
    node += nodes.Text(f" · {results['date']}; {results['environment']}")
    return node


def setup(app):
    """Register the directive."""
    app.add_directive("results", Results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
