"""What the tests and the examples in docstrings stand on.

Those of displays run where matplotlib is installed, and open no window, that of ONNX where
skl2onnx is. The program of a user in ``tests/typed`` is read by mypy, and never run.
"""

import os
from importlib.util import find_spec

os.environ.setdefault("MPLBACKEND", "Agg")
collect_ignore = ["tests/typed"]
#: Files whose examples need a package beyond the dependencies.
OPTIONAL = {"matplotlib": "sklearn_twolayer/*_display.py", "skl2onnx": "sklearn_twolayer/onnx.py"}
collect_ignore_glob = [files for package, files in OPTIONAL.items() if not find_spec(package)]
