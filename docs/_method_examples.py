"""Sphinx extension: below each method of the API reference its example.

``methods_by_example.md`` has a section for each: its name is that of the method, with the class
where that is not one of both estimators.
"""

import re
from pathlib import Path

PAGE = Path(__file__).with_name("methods_by_example.md")
SECTION = re.compile(r"^### ([\w.]+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    """{name of a method: its section}."""
    return dict(SECTION.findall(PAGE.read_text(encoding="utf-8")))


def example_of(name):
    """The section of a method, ``sklearn_twolayer.Class.method``; None if there is none."""
    found, method = examples(), name.removeprefix("sklearn_twolayer.")
    of_both = method.removeprefix("TwoLayerRegressor.").removeprefix("TwoLayerClassifier.")
    return found.get(method, found.get(of_both))


def as_lines(section):
    """A section as lines of reStructuredText: words, then code, then what it prints."""
    words = FENCE.sub("", section).replace("`", "``").strip()
    lines = [".. rubric:: Examples", "", words, ""]
    for language, body in FENCE.findall(section):
        lines += [f".. code-block:: {language}", "", *(f"   {each}" for each in body.splitlines())]
        lines.append("")
    return lines


def add_example(app, what, name, obj, options, lines):
    """Sphinx shows the example of a method behind its docstring."""
    section = example_of(name) if what == "method" else None
    if section is not None:
        app.env.note_dependency(str(PAGE))
        lines += ["", *as_lines(section)]


def setup(app):
    """Connect to the reading of docstrings."""
    app.connect("autodoc-process-docstring", add_example, priority=900)  # behind numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
