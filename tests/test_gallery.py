"""The scripts of the gallery are complete. That they run, the build of the site tests."""

import ast
import re
from pathlib import Path

import pytest

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
EXAMPLES = sorted(GALLERY.glob("*.py"))
#: A title, underlined as long as it is.
TITLE = re.compile(r"\n(\S.+)\n(=+)\n")


def test_there_are_examples_and_each_is_one_that_the_site_runs():
    assert len(EXAMPLES) >= 12
    assert all(re.fullmatch(r"plot_\d\d_\w+", path.stem) for path in EXAMPLES)
    assert (GALLERY / "GALLERY_HEADER.rst").exists()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_has_a_title_a_picture_and_says_what_was_seen(path):
    text = path.read_text(encoding="utf-8")
    title, line = TITLE.match(ast.get_docstring(ast.parse(text), clean=False)).groups()
    assert len(line) == len(title)
    assert "plt.show()" in text
    assert "# What was seen\n# -------------\n" in text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_uses_public_names_only(path):
    """What is copied from here must go on working."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [f"{node.module}.{alias.name}" for node in imported for alias in node.names]
    names += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    private = [name for name in names if re.search(r"(^|\.)_(?!_)", name)]
    assert any(name.startswith("sklearn_twolayer.") for name in names) and not private
