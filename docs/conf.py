"""The site: ``python -m sphinx -W --keep-going -b html docs docs/_build/html``.

The pages are Markdown, the API reference comes from the docstrings, and the gallery from the
scripts ``gallery/plot_*.py``, which are run. Nothing is fetched: neither by the build nor by
the pages, which can be read from a folder without a network (``_offline`` sees to that).
"""

import importlib.util
import sys
from pathlib import Path

import matplotlib
from docutils import nodes

from sklearn_twolayer import __version__

sys.path.insert(0, str(Path(__file__).parent))
from _source_pages import linkcode_resolve  # noqa: F401

matplotlib.use("Agg")

project = "sklearn_twolayer"
author = "The sklearn_twolayer developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.linkcode",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "_method_examples",
    "_offline",
    "_results",
    "_shown_files",
    "_source_pages",
]
exclude_patterns = ["_build", "_templates", "gallery", "examples"]
exclude_patterns += ["**sg_execution_times.rst"]  # of older builds
templates_path = ["_templates"]

# Markdown: formulas between dollars, links to headings as on a forge.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3

# Formulas are drawn by MathJax, whose one file with its fonts comes from a package: no network.
_mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
mathjax_path = "tex-svg.js"
mathjax3_config = {"svg": {"scale": 0.95}}

# The API reference: a page for each class, with all its methods.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_use_plots = False

# The gallery: zero or many scripts, each run.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"plot_.*\.py",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "min_reported_time": float("inf"),  # it would be that of the machine which builds the site
    "image_srcset": ["2x"],
    "write_computation_times": False,  # the same, on pages that fetch scripts for their tables
    "show_signature": False,
    "show_memory": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "plot_gallery": True,
    "backreferences_dir": "auto_gallery/backreferences",
    "doc_module": ("sklearn_twolayer",),
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_twolayer"
html_static_path = ["_static", str(_mathjax / "static" / "mathjax" / "tex-svg.js")]
html_css_files = ["site.css", "gallery.css"]
html_copy_source = False
html_context = {"default_mode": "auto"}
html_sidebars = {
    page: []
    for page in (
        "index",
        "derivation",
        "benchmarks",
        "changelog",
        "choices",
        "reading_the_source",
        "source/**",
    )
}
html_theme_options = {
    "logo": {"text": "sklearn_twolayer"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "collapse_navigation": True,
}
toc_object_entries_show_parents = "hide"
copybutton_exclude = ".linenos, .gp, .go"

#: What the docstrings of scikit-learn's mixins refer to, and where that is on its site.
SCIKIT_LEARN = {
    "df_output_transform": "modules/compose.html",
    "meta-estimator": "glossary.html#term-meta-estimator",
    "metadata_routing": "metadata_routing.html",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def refer_to_scikit_learn(app, env, node, contnode):
    """A label of scikit-learn's documentation as a link to its site, looked up nowhere."""
    page = SCIKIT_LEARN.get(node["reftarget"])
    if page:
        uri = f"https://scikit-learn.org/stable/{page}"
        return nodes.reference("", "", contnode, internal=False, refuri=uri)


def setup(app):
    """Resolve what the build would have to look up on the network."""
    app.connect("missing-reference", refer_to_scikit_learn)
