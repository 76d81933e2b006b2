"""Sphinx extension: each file of the package is a page of the site, and links to it lead there.

A link in Markdown such as ``[backprop.py](../sklearn_twolayer/_network/backprop.py)`` or
``[error bars](gallery/plot_03_error_bars.py)`` leads to the file on a forge, and here to its page
or to that of the gallery; the API reference links each method to its line.
"""

import importlib
import inspect
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import download_reference

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sklearn_twolayer"


def page_name(path):
    """The page of a file of the package."""
    return f"source/{path.relative_to(ROOT).with_suffix('').as_posix()}"


def collect_pages(app):
    """(name, context, template) of a page for each file, its lines numbered and linkable."""
    for path in sorted(PACKAGE.rglob("*.py")):
        code = path.read_text(encoding="utf-8")
        highlighted = app.builder.highlighter.highlight_block(
            code, "python", linenos="inline", lineanchors="line"
        )
        title = path.relative_to(ROOT).as_posix()
        body = f"<h1><code>{title}</code></h1>\n{highlighted}"
        yield page_name(path), {"title": title, "body": body}, "page.html"


def lead_links_to_pages(app, doctree, docname):
    """Links to files of the package, which would be downloads, lead to their pages."""
    for node in list(doctree.findall(download_reference)):
        path = (Path(app.srcdir) / Path(docname).parent / node["reftarget"]).resolve()
        page = None
        if path.suffix == ".py" and path.is_relative_to(PACKAGE):
            page = page_name(path)
        elif path.parent.name == "gallery":
            page = f"auto_gallery/{path.stem}"
        if page:
            uri = app.builder.get_relative_uri(docname, page)
            node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))


def linkcode_resolve(domain, info):
    """Where ``[source]`` beside a class or method leads: its line on the page of its file."""
    found = importlib.import_module(info["module"])
    try:
        for name in info["fullname"].split("."):
            found = getattr(found, name)
        path = Path(inspect.getsourcefile(inspect.unwrap(found)))
        line = inspect.getsourcelines(found)[1]
    except (AttributeError, TypeError):
        return None
    return f"../{page_name(path)}.html#line-{line}" if path.is_relative_to(PACKAGE) else None


def setup(app):
    """Connect the pages and the links."""
    app.connect("html-collect-pages", collect_pages)
    app.connect("doctree-resolved", lead_links_to_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
