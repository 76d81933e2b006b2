"""The shape of the sources: who imports whom and who sees what; nothing grows too large."""

import ast
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

import sklearn_twolayer
from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._base import BaseTwoLayer

FOLDER = Path(sklearn_twolayer.__file__).parent
RUNTIME = {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl"}
#: File -> the extras that it imports, inside functions.
EXTRAS = {
    "_data/partitions.py": {"dask", "distributed"},
    "_display.py": {"matplotlib"},
    "_network_display.py": {"matplotlib"},
    "onnx.py": {"skl2onnx", "onnx"},
}
#: Folder, or file beside the folders -> what it imports of the package, and no less.
ALLOWED = {
    # the mathematics, functions of a vector
    "_network": set(),
    "_optimize": set(),
    # what is made of them
    "_bayes": {"_network"},
    "_data": {"_network"},
    "_fit": {"_bayes", "_network", "_optimize"},
    # the estimators
    "_version": set(),
    "_callbacks": set(),
    "_learned": {"_bayes", "_data", "_fit", "_network", "_version"},
    "_mlp": set(),
    "_validation": {"_data", "_fit", "_learned"},
    "_base": {
        "_callbacks",
        "_data",
        "_fit",
        "_learned",
        "_mlp",
        "_network",
        "_validation",
        "_version",
    },
    "_regressor": {"_base", "_data", "_fit", "_learned", "_validation"},
    "_classifier": {"_base", "_data", "_fit", "_validation"},
    # on top of them
    "_display": set(),
    "_network_display": {"_display"},
    "_prediction_display": {"_display"},
    "onnx": {"_base", "_classifier", "_network", "_regressor"},
    "__init__": {
        "_classifier",
        "_display",
        "_network_display",
        "_prediction_display",
        "_regressor",
        "_version",
    },
}
#: Private names of dependencies that are used because there are no public ones.
UNAVOIDABLE = {
    ("onnx.py", "skl2onnx._parse"),  # how an estimator names its outputs
    ("_data/partitions.py", "_meta"),  # the kind of a Dask data frame's partitions
    ("_callbacks.py", "_init_callback_context"),  # of scikit-learn's mixin
    ("_mlp.py", "_label_binarizer"),  # by which scikit-learn's MLPClassifier names classes
}
#: Files that may read private attributes of an estimator.
KNOW_ESTIMATORS = {
    "_base.py",
    "_regressor.py",
    "_classifier.py",
    "_callbacks.py",
    "_network_display.py",
    "onnx.py",
}
ESTIMATORS = {"BaseTwoLayer", "TwoLayerRegressor", "TwoLayerClassifier"}
MOST_LINES, MOST_PARAMETERS, MOST_POSITIONAL = 370, 6, 4

SOURCES = {
    path.relative_to(FOLDER).as_posix(): path.read_text("utf-8")
    for path in sorted(FOLDER.rglob("*.py"))
}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}


def unit(name):
    """The folder of a file or of a dotted module, or itself beside the folders."""
    return name.removesuffix(".py").replace("/", ".").split(".")[0]


def imports(tree):
    """(module, names) of every import statement, wherever it stands; names None for all."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module, [alias.name for alias in node.names]


def at_run_time(tree):
    """The statements of a module without those that only type checkers read."""
    kept = [
        node
        for node in tree.body
        if not isinstance(node, ast.If) or ast.unparse(node.test) != "TYPE_CHECKING"
    ]
    return ast.Module(kept, [])


def package_imports(tree):
    """Dotted modules of the package that are imported: "_fit.run"; of a folder, its files."""
    for module, names in imports(at_run_time(tree)):
        top, _, rest = module.partition(".")
        if top != "sklearn_twolayer":
            continue
        if f"{rest.replace('.', '/')}.py" in SOURCES:
            yield rest
        else:  # the package or a folder: what is named lies in it
            yield from (f"{rest}.{name}".lstrip(".") for name in names or ["__init__"])


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def private_imports(tree):
    """Imported names of dependencies with a leading underscore on their path."""
    own = sys.stdlib_module_names | {"sklearn_twolayer"}
    for module, names in imports(tree):
        if module.split(".")[0] in own:
            continue
        if any(map(is_private, module.split("."))):
            yield module
        else:
            yield from (f"{module}.{name}" for name in names or [] if is_private(name))


def functions(tree):
    """(class or None, function) of every function and lambda, wherever it stands."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                yield node if isinstance(node, ast.ClassDef) else None, child


def parameters(owner, function):
    """Parameters by position, and all: without self or cls, and ``*args`` is one of each."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    decorators = {ast.unparse(decorator) for decorator in getattr(function, "decorator_list", ())}
    if owner is not None and "staticmethod" not in decorators:
        positional = positional[1:]
    positional += [arguments.vararg] if arguments.vararg else []
    keywords = [*arguments.kwonlyargs, *([arguments.kwarg] if arguments.kwarg else [])]
    return positional, positional + keywords


def too_many_parameters(tree):
    """Functions with too many; constructors and ``fit`` of estimators are as scikit-learn asks."""
    for owner, function in functions(tree):
        name = getattr(function, "name", "lambda")
        if owner is not None and owner.name in ESTIMATORS and name in ("__init__", "fit"):
            continue
        positional, every = parameters(owner, function)
        if len(positional) > MOST_POSITIONAL or len(every) > MOST_PARAMETERS:
            yield f"{name}, line {function.lineno}: {len(every)}, {len(positional)} by position"


def definitions(tree):
    """Names that a file defines for itself: functions, classes and constants."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            names = chain.from_iterable(map(ast.walk, node.targets))
            yield from (name.id for name in names if isinstance(name, ast.Name))


def behind_self(attribute):
    return ast.unparse(attribute.value) in ("self", "cls")


def private_definitions(tree, classes=None):
    """Private names that the classes (all, or those named) define: methods and attributes."""
    for owner in ast.walk(tree):
        if not isinstance(owner, ast.ClassDef) or not (classes is None or owner.name in classes):
            continue
        for node in ast.walk(owner):
            is_stored = isinstance(getattr(node, "ctx", None), ast.Store)
            if isinstance(node, ast.FunctionDef):
                yield node.name
            elif isinstance(node, ast.Attribute) and is_stored and behind_self(node):
                yield node.attr
        for node in owner.body:
            targets = getattr(node, "targets", [getattr(node, "target", None)])
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def estimator_privates():
    """Private names of the estimators, which are nobody else's business."""
    files = ("_base.py", "_regressor.py", "_classifier.py")
    found = chain.from_iterable(private_definitions(TREES[file], ESTIMATORS) for file in files)
    return set(filter(is_private, found))


def foreign_privates(tree, of_estimators):
    """Private attributes that a file reads although no class in it defines them.

    A name that an estimator has too is its own only behind ``self``; spelled out as a
    string, as for ``getattr``, it never is.
    """
    own = set(private_definitions(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in of_estimators:
            yield node.value
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            is_own = node.attr in own and (behind_self(node) or node.attr not in of_estimators)
            if not is_own:
                yield node.attr


def catches_interrupt(tree):
    """Lines of the handlers that a KeyboardInterrupt ends in, and of suppressions of it."""
    for node in ast.walk(tree):
        caught = []
        if isinstance(node, ast.ExceptHandler):
            caught = ["BaseException"] if node.type is None else [ast.unparse(node.type)]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            caught = map(ast.unparse, node.args)
        if any("KeyboardInterrupt" in name or "BaseException" in name for name in caught):
            yield node.lineno


def test_every_file_has_its_place():
    assert {unit(name) for name in SOURCES} == set(ALLOWED)


@pytest.mark.parametrize("place", ALLOWED)
def test_a_folder_imports_what_it_may_and_uses_every_permission(place):
    trees = [tree for name, tree in TREES.items() if unit(name) == place]
    found = {unit(module) for tree in trees for module in package_imports(tree)}
    assert found - {place} == ALLOWED[place]


def test_the_imports_form_a_dag_with_the_public_modules_on_top():
    graph = {
        name.removesuffix(".py").replace("/", "."): set(package_imports(tree))
        for name, tree in TREES.items()
        if "/__init__" not in name
    }
    TopologicalSorter(graph).prepare()  # CycleError
    assert set().union(*graph.values()) - graph.keys() == set()
    assert graph.keys() - set().union(*graph.values()) == {"__init__", "onnx"}


@pytest.mark.parametrize("name", SOURCES)
def test_extras_are_imported_only_where_they_belong_and_only_inside_functions(name):
    extras = EXTRAS.get(name, set())
    tops = {module.split(".")[0] for module, _ in imports(TREES[name])}
    found = tops - RUNTIME - {"sklearn_twolayer"} - sys.stdlib_module_names
    assert found == extras
    outside = ast.Module([node for node in TREES[name].body if not _is_definition(node)], [])
    assert not {module.split(".")[0] for module, _ in imports(outside)} & extras


def _is_definition(node):
    return isinstance(node, (ast.FunctionDef, ast.ClassDef))


def test_every_dependency_is_used():
    tops = {module.split(".")[0] for tree in TREES.values() for module, _ in imports(tree)}
    assert RUNTIME - tops == set()


@pytest.mark.parametrize("name", SOURCES)
def test_no_private_names_of_the_dependencies(name):
    found = {(name, module) for module in private_imports(TREES[name])}
    assert found - UNAVOIDABLE == set()


def test_every_exemption_is_needed():
    used = {(name, module) for name, tree in TREES.items() for module in private_imports(tree)}
    used |= {(name, found) for name, tree in TREES.items() for found in foreign_privates(tree, ())}
    assert UNAVOIDABLE - used == set()
    known = estimator_privates()
    readers = {name for name, tree in TREES.items() if [*foreign_privates(tree, known)]}
    assert KNOW_ESTIMATORS - readers == set()


@pytest.mark.parametrize("name", SOURCES)
def test_every_module_says_what_it_is_for(name):
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", [name for name in SOURCES if name.endswith("/__init__.py")])
def test_folders_export_nothing_again(name):
    assert len(TREES[name].body) == 1, "more than a docstring"


def test_a_module_can_be_imported_on_its_own(tmp_path):
    """Each in a package of its own, without the imports of ``__init__``."""
    code = """
import importlib, sys, types
import scipy.optimize, sklearn.neural_network
cache, folder, *names = sys.argv[1:]
sys.pycache_prefix, sys.dont_write_bytecode = cache, False  # each source is compiled once
for name in names:
    for known in [known for known in sys.modules if known.startswith("sklearn_twolayer")]:
        del sys.modules[known]
    package = types.ModuleType("sklearn_twolayer")
    package.__path__ = [folder]
    sys.modules["sklearn_twolayer"] = package
    importlib.import_module("sklearn_twolayer." + name)
"""
    names = [name.removesuffix(".py").replace("/", ".") for name in SOURCES]
    command = [sys.executable, "-c", code, str(tmp_path), str(FOLDER), *names]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_public_names():
    displays = ["LossCurveDisplay", "NetworkDisplay", "PredictionDisplay"]
    names = [*displays, "TwoLayerClassifier", "TwoLayerRegressor", "__version__"]
    assert sorted(sklearn_twolayer.__all__) == sorted(names)
    assert all(hasattr(sklearn_twolayer, name) for name in sklearn_twolayer.__all__)


@pytest.mark.parametrize("name", sorted(set(SOURCES) - KNOW_ESTIMATORS))
def test_only_estimators_know_what_is_private_to_them(name):
    of_estimators = estimator_privates()
    assert {"_learned_", "_publish", "_targets_class"} <= of_estimators
    found = {(name, attribute) for attribute in foreign_privates(TREES[name], of_estimators)}
    assert found - UNAVOIDABLE == set()


@pytest.mark.parametrize("name", ["_callbacks.py", "onnx.py"])
def test_what_others_read_of_estimators_is_there(name):
    found = set(foreign_privates(TREES[name], ())) - estimator_privates()
    assert {(name, attribute) for attribute in found} - UNAVOIDABLE == set()


@pytest.mark.parametrize("name", [name for name in SOURCES if "/" in name])
def test_no_function_in_a_folder_takes_an_estimator(name):
    every = (parameters(owner, function)[1] for owner, function in functions(TREES[name]))
    assert "estimator" not in {parameter.arg for parameter in chain(*every)}


@pytest.mark.parametrize("name", SOURCES)
def test_functions_have_few_parameters(name):
    assert list(too_many_parameters(TREES[name])) == []


@pytest.mark.parametrize("name", SOURCES)
def test_files_are_short(name):
    assert len(SOURCES[name].splitlines()) <= MOST_LINES


def test_a_name_means_one_thing():
    names = Counter(chain.from_iterable(set(definitions(tree)) for tree in TREES.values()))
    assert {name for name, n_files in names.items() if n_files > 1} == {"__all__"}


def test_the_reader_sees_definitions():
    source = "A, B = C = 1, 2\ndef f():\n    D = 1\nclass G:\n    E = 1"
    assert list(definitions(ast.parse(source))) == ["A", "B", "C", "f", "G"]


def test_one_place_catches_the_interrupt_of_the_user():
    found = [(name, line) for name, tree in TREES.items() for line in catches_interrupt(tree)]
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sklearn_twolayer._base import BaseTwoLayer", {"_base"}),
        ("from sklearn_twolayer import _fit, _base", {"_fit", "_base"}),
        ("import sklearn_twolayer._fit.run", {"_fit.run"}),
        ("from sklearn_twolayer._fit import run, weights", {"_fit.run", "_fit.weights"}),
        ("import sklearn_twolayer", {"__init__"}),
        ("def f():\n    from sklearn_twolayer._fit.run import pose", {"_fit.run"}),
        ("import numpy", set()),
        ("if TYPE_CHECKING:\n    from sklearn_twolayer._fit import run", set()),
        ("if True:\n    from sklearn_twolayer._fit import run", {"_fit.run"}),
    ],
)
def test_the_reader_sees_imports_of_the_package(source, found):
    assert set(package_imports(ast.parse(source))) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sklearn.utils._param_validation import Interval", 1),
        ("from sklearn.utils.validation import _check_y, check_array", 1),
        ("import scipy._lib", 1),
        ("from dask._task_spec import Task", 1),
        ("from sklearn.utils import check_array", 0),
        ("from sklearn_twolayer._base import BaseTwoLayer", 0),
    ],
)
def test_the_reader_sees_private_names(source, found):
    assert len(list(private_imports(ast.parse(source)))) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(estimator): return estimator._learned_", ["_learned_"]),
        ("def f(model): return model._network().forward", ["_network"]),
        ("def f(model): return getattr(model, '_learned_', None)", ["_learned_"]),
        ("def f(rows): return rows._blocks", ["_blocks"]),
        ("class A:\n def f(self): return self._learned_", ["_learned_"]),
        ("class A:\n def _read(self): pass\n def f(self, b): b._read()", ["_read"]),
        ("class A:\n def _read(self): pass\n def f(self): self._read()", []),
        ("class A:\n def f(self, b):\n  self._x = 1\n  return b._x", []),
        ("class A:\n def f(self, b): b._x = 1", ["_x"]),
        ("class A:\n _x: int\n _y = 2\n def f(self): return self._x + self._y", []),
        ("def f(a): return a.__class__", []),
    ],
)
def test_the_reader_sees_private_attributes_of_others(source, found):
    of_estimators = {"_learned_", "_network", "_read"}
    assert list(foreign_privates(ast.parse(source), of_estimators)) == found


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("def f(a, b, c, d, *, e, g): pass", 0),
        ("def f(a, b, c, d, e): pass", 1),
        ("def f(a, *, b, c, d, e, g, h): pass", 1),
        ("def f(a, b, c, d, *args): pass", 1),
        ("def f(a, b, c, d, *, e, g, **kwargs): pass", 1),
        ("class A:\n def f(self, a, b, c, d): pass", 0),
        ("class A:\n @staticmethod\n def f(a, b, c, d, e): pass", 1),
        ("class A:\n def __init__(self, a, b, c, d, e): pass", 1),
        ("class TwoLayerRegressor:\n def __init__(self, a, b, c, d, e): pass", 0),
        ("def g():\n  def f(a, b, c, d, e): pass", 1),
        ("g = lambda a, b, c, d, e: 0", 1),
    ],
)
def test_the_reader_counts_parameters(source, n_found):
    assert len(list(too_many_parameters(ast.parse(source)))) == n_found


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("try: pass\nexcept (ValueError, KeyboardInterrupt): pass", 1),
        ("try: pass\nexcept: pass", 1),
        ("try: pass\nexcept BaseException as error: raise", 1),
        ("with contextlib.suppress(KeyboardInterrupt): pass", 1),
        ("try: pass\nexcept Exception: pass", 0),
    ],
)
def test_the_reader_sees_what_catches_an_interrupt(source, n_found):
    assert len(list(catches_interrupt(ast.parse(source)))) == n_found


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_nothing_stands_between_an_estimator_and_its_base(Estimator):
    """The only other class of the package is what stands in for the callbacks of scikit-learn."""
    ours = [cls for cls in Estimator.__mro__ if cls.__module__.startswith("sklearn_twolayer")]
    assert ours[:2] == [Estimator, BaseTwoLayer]
    assert {cls.__module__ for cls in ours[2:]} <= {"sklearn_twolayer._callbacks"}
