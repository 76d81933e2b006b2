"""The annotations of the public interface, as mypy reads them."""

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import get_overloads

import pytest

import sklearn_twolayer

PACKAGE = Path(sklearn_twolayer.__file__).parent
PROGRAM = Path(__file__).parent / "typed" / "of_a_user.py"


def test_mypy_understands_a_program_of_a_user(tmp_path):
    pytest.importorskip("mypy", reason="mypy comes with the dev extra")
    options = ["--strict", "--follow-imports=silent", "--ignore-missing-imports"]
    command = [sys.executable, "-m", "mypy", *options, f"--cache-dir={tmp_path}", str(PROGRAM)]
    environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()


def public_functions():
    """The constructor and the public methods of the public classes, as the package defines them."""
    for name, public in inspect.getmembers(sklearn_twolayer, inspect.isclass):
        for method, function in inspect.getmembers(public, inspect.isroutine):
            function = inspect.unwrap(getattr(function, "__func__", function))
            is_own = (getattr(function, "__module__", None) or "").startswith("sklearn_twolayer")
            if is_own and (method == "__init__" or not method.startswith("_")):
                yield pytest.param(function, id=f"{name}.{method}")


@pytest.mark.parametrize("function", list(public_functions()))
def test_every_parameter_is_annotated(function):
    for overload in get_overloads(function) or [function]:
        parameters = set(inspect.signature(overload).parameters) - {"self", "cls"}
        assert overload.__annotations__.keys() == {*parameters, "return"}


@pytest.mark.parametrize("function", list(public_functions()))
def test_help_shows_annotations_by_their_names(function):
    """It began with two thousand characters of what an array may be."""
    if function.__name__ != "__init__":
        assert len(str(inspect.signature(function))) < 300
