"""The list of mutations keeps up with the package: each replaces a text that is there."""

from pathlib import Path

import pytest
from mutations import MUTATIONS, ROOT


@pytest.mark.parametrize("file", MUTATIONS)
def test_mutations_replace_what_is_there(file):
    source = (ROOT / "sklearn_twolayer" / file).read_text(encoding="utf-8")
    tests, *mutations = MUTATIONS[file]
    for old, new in mutations:
        assert old in source
        assert old != new
    for test in tests.split():
        assert Path(ROOT, "tests", test.partition("::")[0]).exists()
