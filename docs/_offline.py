"""The site can be read without a network: a build whose pages would fetch anything fails."""

from html.parser import HTMLParser
from pathlib import Path

from sphinx.errors import SphinxError

#: Kinds of <link> whose address a browser does not ask for by itself.
NOT_FETCHED = {"canonical", "next", "prev", "search", "index", "author", "copyright"}


class _Addresses(HTMLParser):
    """The addresses from which a page would load scripts, styles and pictures, by src and link."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = "src"
        if tag == "link":
            name = "href" if NOT_FETCHED.isdisjoint((attributes.get("rel") or "").split()) else ""
        address = attributes.get(name) or ""
        if address.startswith(("http://", "https://", "//")):
            self.found.append(address)


def fetched(page):
    """What a browser would fetch from elsewhere to show this HTML; readers follow links."""
    parser = _Addresses()
    parser.feed(page)
    return parser.found


def refuse_what_is_fetched(app, exception):
    """Fail a build of HTML that has ended well, but with a page that needs a network."""
    if exception is not None or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        found = fetched(path.read_text(encoding="utf-8"))
        if found:
            name = path.relative_to(app.outdir)
            raise SphinxError(
                f"{name} would fetch {', '.join(found)}, but the pages need no network. "
                f"If it is left from an older build, delete {app.outdir}."
            )


def setup(app):
    """Look when all pages have been written."""
    app.connect("build-finished", refuse_what_is_fetched)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
