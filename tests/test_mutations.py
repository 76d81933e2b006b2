"""The list of mutations keeps up with the package: each text is there, and each module."""

from pathlib import Path

import pytest
from mutations import MUTATIONS, ROOT

PACKAGE = ROOT / "sklearn_twolayer"


@pytest.mark.parametrize(
    "file", [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")], ids=str
)
def test_the_tests_of_each_module_are_found_by_its_name_or_in_the_list(file):
    mirror = Path(ROOT, "tests", file.parent, f"test_{file.stem.lstrip('_')}.py")
    assert mirror.exists() or file.as_posix() in MUTATIONS or file.stem in ("__init__", "_version")


@pytest.mark.parametrize("file", MUTATIONS)
def test_mutations_replace_what_is_there(file):
    source = (PACKAGE / file).read_text(encoding="utf-8")
    tests, *mutations = MUTATIONS[file]
    for old, new in mutations:
        assert old in source
        assert old != new
    for test in tests.split():
        assert Path(ROOT, "tests", test.partition("::")[0]).exists()
