"""What the tests and the examples in docstrings stand on.

Those of displays run where matplotlib is installed, and open no window. The program of a user in
``tests/typed`` is read by mypy, and never run.
"""

import os
from importlib.util import find_spec

os.environ.setdefault("MPLBACKEND", "Agg")
collect_ignore = ["tests/typed"]
collect_ignore_glob = [] if find_spec("matplotlib") else ["sklearn_twolayer/*_display.py"]
