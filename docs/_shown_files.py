"""Sphinx extension: a link alone on its line shows what it leads to.

On a forge a page of Markdown has the link. On the site
``[All tables](../benchmarks/results/x.json)`` is the tables of a benchmark, all of them or those
whose titles are the text of the link, divided by semicolons; and
``[TwoLayerNetwork.backward](../sklearn_twolayer/_network/backprop.py)`` is a program: the class or
function that the text names, or the whole file under its own name. A Markdown file above the
folder of the pages is read as if it stood there.
"""

import re
from pathlib import Path

TABLES = re.compile(r"^\[(.+)\]\(\.\./benchmarks/results/(\w+)\.json\)$", re.MULTILINE)
PROGRAM = re.compile(r"^\[(.+)\]\((\S+\.py)\)$", re.MULTILINE)
PAGE = re.compile(r"^\[.+\]\((\.\./\w+\.md)\)$", re.MULTILINE)


def tables(link):
    """The directive of ``_results.py``."""
    titles, name = link.groups()
    option = "" if titles == "All tables" else f":titles: {titles}\n"
    return f":::{{results}} {name}\n{option}:::"


def program(link):
    """Sphinx's own directive."""
    name, path = link.groups()
    if name == Path(path).name:
        return f":::{{literalinclude}} {path}\n:::"
    return f":::{{literalinclude}} {path}\n:pyobject: {name}\n:dedent:\n:lineno-match:\n:::"


def page(link):
    """MyST's own directive; links to ``docs/`` of such a file lead to pages of this folder."""
    return f":::{{include}} {link.group(1)}\n:relative-docs: docs/\n:::"


def show(text):
    """The text of a page with directives in the place of such links."""
    return PAGE.sub(page, PROGRAM.sub(program, TABLES.sub(tables, text)))


def show_files(app, docname, source):
    """Sphinx reads what ``show`` makes of the page."""
    source[0] = show(source[0])


def setup(app):
    """Connect to the reading of pages."""
    app.connect("source-read", show_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
