"""What a release says of itself: one version, and no dependency that it does not need."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sklearn_twolayer
from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._version import DOCUMENTATION

ROOT = Path(__file__).parents[1]


def test_the_citation_names_the_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (\S+)$", text, re.MULTILINE) == [sklearn_twolayer.__version__]


def test_the_changelog_begins_with_the_version_and_names_what_is_supported():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.findall(r"^## (\S+)", text, re.MULTILINE)[0]
    assert newest == sklearn_twolayer.__version__
    found = text.partition(f"\n## {newest}")[2].partition("\n## ")[0]
    told = found.partition("### Supported versions\n")[2].partition("\n#")[0]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["plot"], *extras["dask"], *extras["onnx"]]
    for requirement in needed:
        assert re.sub(r"\[.*\]", "", requirement).replace(">=", " ") in told.lower(), requirement
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in told


def test_the_version_stands_in_one_file_of_the_package():
    folder = Path(sklearn_twolayer.__file__).parent
    holding = [
        path.name
        for path in folder.rglob("*.py")
        if f'"{sklearn_twolayer.__version__}"' in path.read_text("utf-8")
    ]
    assert holding == ["_version.py"]


def test_the_documentation_is_where_the_project_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["urls"]["Documentation"] == DOCUMENTATION
    assert project["urls"]["Changelog"] == f"{DOCUMENTATION}/changelog.html"
    assert (ROOT / "docs" / "changelog.md").exists()
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^url: (\S+)$", citation, re.MULTILINE) == [DOCUMENTATION]


def test_the_source_distribution_has_what_contributing_names():
    """Files that begin with a dot are taken one by one."""
    named = re.findall(r"`(\.[\w./]+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    named = {name for name in named if name[:6] != ".venv/" and (ROOT / name).is_file()}
    assert named >= {".ci/run", ".readthedocs.yaml"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert named <= set(project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_the_picture_in_a_notebook_links_to_the_documentation(Estimator):
    link = f"{DOCUMENTATION}/reference/sklearn_twolayer.{Estimator.__name__}.html"
    html = Estimator()._repr_html_()
    assert f'href="{link}"' in html
    assert "scikit-learn.org" not in html.split("</style>")[-1]


def imported_packages(module):
    """Top-level packages in memory after the import of a module, in a process of its own."""
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-W", "ignore", "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_importing_loads_no_package_that_the_mlp_of_scikit_learn_does_not():
    """An import is to cost little more than that of the MLP."""
    ours, mlp = map(imported_packages, ("sklearn_twolayer", "sklearn.neural_network"))
    assert ours - mlp - sys.stdlib_module_names == {"sklearn_twolayer"}
