"""Full-batch loss and gradient against n, f, h and the number of threads.

    python benchmarks/bench_scaling.py [--quick]

One quantity changes at a time; the slope is that of log time against log size, 1
where time is proportional to it.
"""

from contextlib import contextmanager

import numpy as np
from _report import print_table, save_tables
from _side_by_side import (
    arguments,
    format_ratio,
    format_time,
    n_cores,
    print_header,
    time_rounds,
)
from bench_gradient import Problem, ours
from threadpoolctl import threadpool_limits


def with_threads(turn, n_threads):
    """A contender that runs as on a machine with so many cores."""

    @contextmanager
    def limited():
        with threadpool_limits(n_threads, user_api="blas"), turn() as call:
            yield call

    return limited


def against(name, sizes, make, n_rounds):
    """Print time and time per unit against the sizes, and their slope."""
    contenders = {str(size): make(size) for size in sizes}
    seconds = time_rounds(contenders, n_rounds)
    medians = np.array([np.median(seconds[str(size)]) for size in sizes])
    slope = np.polyfit(np.log(sizes), np.log(medians), 1)[0]
    middle = len(sizes) // 2
    rows = [
        [f"{size:,}", format_time(time), f"{time / size / (medians[middle] / sizes[middle]):.2f}"]
        for size, time in zip(sizes, medians)
    ]
    print_table(f"Against {name}", (name, "time", f"time per {name}, relative"), rows)
    print(f"Slope {slope:.2f}.\n")


def main():
    """Print a table for each quantity."""
    options = arguments(__doc__)
    print_header("Scaling of full-batch loss and gradient")
    print("float32; n=100,000, f=20, h=100, k=1 where not said otherwise.\n")
    n, n_rounds = (20_000, 5) if options.quick else (100_000, 11)
    decades = (4, 5, 6) if options.quick else (4, 5, 6, 7)
    dtype = np.float32
    sizes = [10**decade for decade in decades]
    against("n", sizes, lambda n: ours(Problem(n, 20, 100, 1, 0, dtype)), n_rounds)
    sizes = [5, 20, 80, 320]
    against("f", sizes, lambda f: ours(Problem(n, f, 100, 1, 0, dtype)), n_rounds)
    sizes = [10, 30, 100, 300, 1000]
    against("h", sizes, lambda h: ours(Problem(n, 20, h, 1, 0, dtype)), n_rounds)
    turn = ours(Problem(n, 20, 100, 1, 0, dtype))
    counts = sorted({1, 2, n_cores()})
    seconds = time_rounds({count: with_threads(turn, int(count)) for count in counts}, n_rounds)
    rows = [
        [count, format_time(np.median(seconds[count])), format_ratio(seconds, 1, count)]
        for count in counts
    ]
    print_table("Against threads", ("threads", "time", "times faster than 1"), rows)
    save_tables(options.save)


if __name__ == "__main__":
    main()
