"""Examples in docstrings of displays run where matplotlib is installed, and open no window."""

import os
from importlib.util import find_spec

os.environ.setdefault("MPLBACKEND", "Agg")
collect_ignore_glob = [] if find_spec("matplotlib") else ["sklearn_twolayer/*_display.py"]
