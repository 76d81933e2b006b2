"""What the benchmarks share: options, versions and machine, tables, means with standard errors."""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import re
import shlex
import sys
import warnings
from contextlib import contextmanager
from inspect import signature
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning


def argument_parser(docstring):
    """An argument parser that shows the docstring of the script as its help."""
    parser = argparse.ArgumentParser(
        description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--save", metavar="FILE", help="where to save the tables, as JSON")
    return parser


def add_data_arguments(parser, splits):
    """The folder, and which of its sets and splits, how many at a time."""
    parser.add_argument("folder", help="data folder")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="only these sets")
    parser.add_argument("--splits", type=int, default=splits, help="first splits of each set")
    parser.add_argument("--n-jobs", type=int, default=2, help="fits at a time, one core each")


def add_model_arguments(parser):
    """Parameters of our estimators; without them the defaults are measured."""
    parser.add_argument("--alpha", type=_number_or_name, help="a number, or auto, evidence, ard")
    parser.add_argument("--solver", help="auto, lm, lbfgs, adam, sgd or gd")


def model_options(arguments):
    """The parameters that were given on the command line."""
    options = {"alpha": arguments.alpha, "solver": arguments.solver}
    return {name: value for name, value in options.items() if value is not None}


def _number_or_name(text):
    try:
        return float(text)
    except ValueError:
        return text


def supports(function, parameter):
    """Whether a function or class takes a parameter."""
    return parameter in signature(function).parameters


def environment(*packages):
    """One line: versions of Python and of the packages, processor, cores."""
    names = ("sklearn-twolayer", "scikit-learn", "numpy", "scipy", *packages)
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{name} {importlib.metadata.version(name)}" for name in names]
    return f"{', '.join(versions)}; {_processor()}, {os.cpu_count()} cores"


def _processor():
    """Model name of the processor, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


#: The tables that this run has printed.
TABLES = []


def print_table(title, header, rows):
    """A markdown heading and table; the first column is left-aligned, the others right-aligned."""
    rows = list(rows)
    TABLES.append({"title": title, "header": list(header), "rows": [list(row) for row in rows]})
    rows = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    print(f"\n### {title}\n")
    for row in (rows[0], rule, *rows[1:]):
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        print("| " + " | ".join(cells) + " |", flush=True)


def save_tables(path, *packages):
    """What was printed, with the command, the day, the versions and the machine; for the site.

    A page shows the file by a link alone on its line, ``[All tables](../benchmarks/results/...)``.
    """
    if path is None:
        return
    results = {
        "command": shlex.join(["python", *sys.argv]),
        "date": datetime.date.today().isoformat(),
        "environment": environment(*packages),
        "tables": TABLES,
    }
    Path(path).write_text(as_json(results), encoding="utf-8")


def as_json(results):
    """With each row of a table on a line of its own, for those who follow the link on a forge."""
    lines = []

    def hold(row):
        lines.append(json.dumps(row, ensure_ascii=False, default=str))
        return f"line {len(lines) - 1}"

    tables = [
        {**table, "header": hold(table["header"]), "rows": [hold(row) for row in table["rows"]]}
        for table in results["tables"]
    ]
    text = json.dumps({**results, "tables": tables}, ensure_ascii=False, indent=1)
    return re.sub(r'"line (\d+)"', lambda held: lines[int(held[1])], text) + "\n"


def mean_and_error(values):
    """Mean, and its standard error over independent values (nan for a single one)."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return values.mean(), error


def with_error(mean, error, decimals):
    """Mean ± standard error as text; a dash where there is no figure."""
    if mean is None or np.isnan(mean):
        return "-"
    if error is None or np.isnan(error):
        return f"{mean:.{decimals}f}"
    return f"{mean:.{decimals}f} ± {error:.{decimals}f}"


@contextmanager
def no_convergence_warnings():
    """Peers and ours alike: the tables show what the settings reach."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
