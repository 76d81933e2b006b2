"""The main size of three benchmarks: as this machine is, and without AVX-512 where it has that.

    python benchmarks/bench_main.py [--quick] [--repeat N] [--without PEER]

Runs ``bench_gradient.py``, ``bench_minibatch.py`` and ``bench_predict.py`` with ``--main``, each in
a process of its own, and once more with AVX-512 switched off for everybody. Shown are our time,
and how many times slower than ours the peers were: medians of N runs. PyTorch's compiled code is
left out, which is wrong when its vectors are narrowed.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _report import argument_parser, print_table, save_tables
from _side_by_side import format_time, installed_peers, print_header, processor

#: Script -> what a run of it does, and with ``--quick``.
WORK = {
    "bench_gradient.py": ("gradient, n = 100,000", "gradient, n = 20,000"),
    "bench_minibatch.py": ("adam step of 200 rows", "adam step of 200 rows"),
    "bench_predict.py": ("predict, n = 1,000,000", "predict, n = 100,000"),
}
PEERS = ("scikit-learn", "PyTorch", "JAX")
#: What NumPy, OpenBLAS, PyTorch, oneDNN and XLA read.
WITHOUT_AVX512 = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
}
UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}


def run_script(script, options, environment):
    """The table that a script saves: its header, and its one row."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved.json"
        command = [sys.executable, Path(__file__).with_name(script), *options, "--save", saved]
        subprocess.run(command, env={**os.environ, **environment}, check=True)
        (table,) = json.loads(saved.read_text(encoding="utf-8"))["tables"]
    (row,) = table["rows"]
    return table["header"], row


def figures(header, row):
    """Our seconds, and how many times slower each peer was (nan where it was left out)."""
    number, unit = row[header.index("ours")].split()
    found = [float(number) * UNITS[unit]]
    for peer in PEERS:
        (column,) = [i for i, name in enumerate(header) if name.startswith(peer)]
        middle = row[column].partition(" (")[0]  # "6.1 (5.9 to 6.4)": median and quartiles
        found.append(np.nan if middle == "--" else float(middle))
    return found


def cells(runs):
    """The medians of several runs as text: our time, and each peer's multiple of it."""
    seconds, *ratios = np.median(runs, axis=0)
    return [format_time(seconds), *("--" if np.isnan(r) else f"{r:.3g}" for r in ratios)]


def main():
    """Print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds and small sizes")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each script")
    parser.add_argument("--without", action="append", default=[], help="a peer to leave out")
    options = parser.parse_args()
    passed = ["--main", *["--quick"] * options.quick]
    for peer in ("torch.compile", *options.without):
        passed += ["--without", peer]
    print_header("Main size")
    vectors = {"": {}}
    if "AVX512" in processor():
        vectors = {"AVX-512: ": {}, "AVX2: ": WITHOUT_AVX512}
    header = ["work", *(name for kind in vectors for name in (f"{kind}ours", *PEERS))]
    rows = []
    for script, work in WORK.items():
        row = [work[options.quick]]
        for environment in vectors.values():
            runs = [run_script(script, passed, environment) for _ in range(options.repeat)]
            row += cells([figures(*run) for run in runs])
        rows.append(row)
    title = "With and without AVX-512" if len(vectors) == 2 else "Main size"
    print_table(title, header, rows)
    save_tables(options.save, *installed_peers())


if __name__ == "__main__":
    main()
