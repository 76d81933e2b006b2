"""Who may import whom: the modules form a strict DAG, and the mathematics knows no estimator."""

import ast
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import sklearn_twolayer

FOLDER = Path(sklearn_twolayer.__file__).parent
RUNTIME = {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl"}
#: Module -> what it may import beyond the dependencies, inside functions: the extras.
OPTIONAL = {
    "_rows": {"dask", "distributed"},
    "_display": {"matplotlib"},
    "_network_display": {"matplotlib"},
    "onnx": {"skl2onnx", "onnx"},
}
#: Module -> what it may import of the package.
ALLOWED = {
    # mathematics: knows no estimator, and gets its collaborators as arguments
    "_activations": set(),
    "_losses": {"_activations"},
    "_network": {"_activations", "_workspace"},
    "_initialize": set(),
    "_rows": {"_workspace"},
    "_score": set(),
    "_standardize": {"_network"},
    "_objective": {"_network"},
    "_curvature": set(),
    "_quadratic_model": {"_curvature"},
    "_minimize": set(),
    "_stochastic": {"_minimize"},
    "_evidence": set(),
    "_cross_validate": set(),
    "_choose_penalty": {"_auto", "_evidence", "_minimize", "_objective"},
    "_posterior": {"_activations", "_evidence", "_quadratic_model"},
    # leaves
    "_workspace": set(),
    "_parameters": set(),
    "_targets": set(),
    "_auto": set(),
    "_monitor": set(),
    "_compat": set(),
    "_display": set(),
    "_network_display": {"_display"},
    # the house
    "_table": {"_compat", "_rows", "_targets"},
    "_lazy": {"_rows", "_standardize", "_table"},
    "_explain": {"_activations", "_lazy", "_objective", "_rows", "_table"},
    "_validation": {"_objective", "_table"},
    "_callbacks": {"_choose_penalty", "_compat"},
    "_member": {
        "_auto",
        "_cross_validate",
        "_initialize",
        "_minimize",
        "_monitor",
        "_objective",
        "_train",
        "_validation",
    },
    "_uncertainty": {"_auto", "_objective", "_posterior", "_rows", "_validation"},
    "_partial_fit": {
        "_auto",
        "_member",
        "_monitor",
        "_objective",
        "_parameters",
        "_rows",
        "_stochastic",
        "_table",
        "_train",
        "_validation",
    },
    "_train": {
        "_choose_penalty",
        "_evidence",
        "_minimize",
        "_objective",
        "_quadratic_model",
        "_stochastic",
    },
    "_base": {
        "_auto",
        "_callbacks",
        "_compat",
        "_explain",
        "_member",
        "_monitor",
        "_network",
        "_parameters",
        "_rows",
        "_standardize",
        "_table",
        "_uncertainty",
        "_validation",
    },
    "_regressor": {"_base", "_lazy", "_losses", "_partial_fit", "_posterior", "_score"},
    "_classifier": {
        "_base",
        "_lazy",
        "_losses",
        "_member",
        "_partial_fit",
        "_posterior",
        "_score",
        "_targets",
    },
    "onnx": {"_base", "_regressor", "_classifier"},
    "__init__": {"_regressor", "_classifier", "_display", "_network_display"},
}


def imports(source):
    """(module, names) of every import statement, wherever it stands; names None for all."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module, [alias.name for alias in node.names]


def package_imports(source):
    """Names of the modules of the package that the source imports."""
    found = set()
    for module, names in imports(source):
        top, *rest = module.split(".")
        if top == "sklearn_twolayer":
            found |= {rest[0]} if rest else set(names or ["__init__"])
    return found


def private_imports(source):
    """Imported names of scikit-learn, scipy or numpy with a leading underscore on their path."""
    found = []
    for module, names in imports(source):
        if module.split(".")[0] in {"sklearn", "scipy", "numpy"}:
            found += [
                f"{module}.{name}"
                for name in names or [""]
                if any(part.startswith("_") for part in [*module.split("."), name])
            ]
    return found


def modules():
    """{name: source} of the package; a module that became a folder counts as one."""
    sources = {}
    for path in sorted(FOLDER.rglob("*.py")):
        name = path.relative_to(FOLDER).parts[0].removesuffix(".py")
        sources[name] = sources.get(name, "") + path.read_text("utf-8") + "\n"
    return sources


MODULES = modules()


def test_every_module_has_its_place():
    assert set(MODULES) - set(ALLOWED) == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_it_may(module):
    found = package_imports(MODULES[module]) - {module}
    assert found <= ALLOWED[module], sorted(found - ALLOWED[module])


def test_the_imports_form_a_dag():
    graph = {name: package_imports(source) - {name} for name, source in MODULES.items()}
    TopologicalSorter(graph).prepare()  # CycleError
    assert graph.keys() - set().union(*graph.values()) == {"__init__", "onnx"}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_beyond_the_dependencies_is_imported(module):
    tops = {name.split(".")[0] for name, _ in imports(MODULES[module])}
    assert (
        tops - RUNTIME - OPTIONAL.get(module, set()) - {"sklearn_twolayer"}
        <= sys.stdlib_module_names
    )


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"_compat"}))
def test_no_private_names_of_the_dependencies(module):
    assert private_imports(MODULES[module]) == []


def test_every_module_says_what_it_is_for():
    assert all(ast.get_docstring(ast.parse(source)) for source in MODULES.values())


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"__init__"}))
def test_a_module_can_be_imported_on_its_own(module):
    assert import_module(f"sklearn_twolayer.{module}")


def test_the_public_names():
    expected = ["LossCurveDisplay", "NetworkDisplay", "TwoLayerClassifier", "TwoLayerRegressor"]
    assert sorted(sklearn_twolayer.__all__) == expected
    assert all(hasattr(sklearn_twolayer, name) for name in sklearn_twolayer.__all__)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sklearn_twolayer._base import BaseTwoLayer", {"_base"}),
        ("from sklearn_twolayer import _minimize, _rows", {"_minimize", "_rows"}),
        ("import sklearn_twolayer._auto", {"_auto"}),
        ("import sklearn_twolayer", {"__init__"}),
        ("def f():\n    from sklearn_twolayer._auto import resolve", {"_auto"}),
        ("import numpy", set()),
    ],
)
def test_the_reader_of_imports_sees_imports_of_the_package(source, found):
    assert package_imports(source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sklearn.utils._param_validation import Interval", 1),
        ("from sklearn.utils.validation import _check_y, check_array", 1),
        ("import scipy._lib", 1),
        ("from sklearn.utils import check_array", 0),
        ("from sklearn_twolayer._base import BaseTwoLayer", 0),
    ],
)
def test_the_reader_of_imports_sees_private_names(source, found):
    assert len(private_imports(source)) == found
