"""List the data sets of the benchmark folder, with a checksum of what is in them.

    python benchmarks/list_data.py DATA --save benchmarks/results/data.json

The checksum is the SHA-256 of the bytes of X and then of y, as float64 in C order, so that a copy
from another place, in another format, can be compared.
"""

import hashlib

import numpy as np
from _data import classification_sets, curve_sets, regression_sets
from _report import argument_parser, environment, print_table, save_tables


def checksum(X, y):
    """SHA-256 of X and y, its first 16 digits."""
    digest = hashlib.sha256()
    for part in (X, y):
        digest.update(np.ascontiguousarray(part, dtype=np.float64).tobytes())
    return digest.hexdigest()[:16]


def main():
    """Print a table for each kind of sets."""
    parser = argument_parser(__doc__)
    parser.add_argument("folder", help="data folder")
    arguments = parser.parse_args()
    print(environment())
    kinds = {
        "Regression": regression_sets,
        "Classification": classification_sets,
        "Curves": curve_sets,
    }
    for title, sets in kinds.items():
        rows = [
            [data.name, f"{data.X.shape[0]:,}", data.X.shape[1], checksum(data.X, data.y)]
            for data in sets(arguments.folder, None)
        ]
        print_table(title, ["set", "rows", "columns", "SHA-256"], rows)
    save_tables(arguments.save)


if __name__ == "__main__":
    main()
