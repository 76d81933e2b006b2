"""Measure contenders side by side, in one process, with interleaved repetitions.

A machine's speed drifts (other work, temperature), so contenders take turns, in
a new random order in each round, and are compared within the round: what is
printed are medians over rounds of times and of ratios, with quartiles. Before a
turn the process rests until the threads that the last contender left spinning
have gone to sleep, and one call goes unmeasured.
"""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np
from _report import argument_parser
from threadpoolctl import threadpool_limits

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "jax")
#: What a peer needs beside the dependencies; the tables have "--" where it was left out.
NEEDS = {"PyTorch": "torch", "torch.compile": "torch", "JAX": "jax", "JAX scan": "jax"}
REST = 0.03
SHORTEST_TURN = 0.02


def arguments(description):
    """Parse the command line: ``--quick``, ``--main``, ``--without PEER`` and ``--save``."""
    parser = argument_parser(description)
    parser.add_argument("--quick", action="store_true", help="few rounds and small sizes")
    parser.add_argument("--main", action="store_true", help="the main size in float32 only")
    parser.add_argument("--without", action="append", default=[], help="a peer to leave out")
    return parser.parse_args()


def print_header(title):
    """Print title, machine and versions."""
    print(f"## {title}\n")
    print(f"{processor()}, {n_cores()} cores; Python {platform.python_version()}", end="")
    for package in PACKAGES:
        try:
            print(f", {package} {version(package)}", end="")
        except PackageNotFoundError:
            continue
    print("\n")


def installed_peers():
    """Packages of the peers that are installed."""
    return [package for package in sorted(set(NEEDS.values())) if find_spec(package)]


def processor():
    """The processor's name and the widest vectors that NumPy found."""
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as lines:
            information = dict(line.split(":", 1) for line in lines if ":" in line)
        keys = {key.strip(): value.strip() for key, value in information.items()}
        name = keys.get("model name", name)
        flags = keys.get("flags", "").split()
        name += next((f" ({f.upper()})" for f in ("avx512f", "avx2") if f in flags), "")
    return name


def n_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def installed(makers, without=()):
    """{name: what its maker makes} of the peers whose packages are there."""
    wanted = [name for name in makers if name not in without]
    return {name: makers[name]() for name in wanted if find_spec(NEEDS.get(name, "numpy"))}


def contender(function):
    """A contender whose turn needs no preparation."""
    return lambda: nullcontext(function)


def time_rounds(contenders, n_rounds, *, seed=0):
    """Seconds of a call: name -> array (n_rounds,).

    ``contenders`` maps names to functions that return a context manager, which
    hands out the function to call: what it does to enter and to leave (thread
    pools, limits of other libraries) is not measured.
    """
    random_state = np.random.RandomState(seed)
    seconds = {name: np.empty(n_rounds) for name in contenders}
    for turn in range(n_rounds):
        for name in random_state.permutation(list(contenders)):
            time.sleep(REST)
            with contenders[name]() as call:
                seconds[name][turn] = _time_turn(call)
    return seconds


def _time_turn(call):
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    n_calls = max(1, round(SHORTEST_TURN / max(once, 1e-6)))
    start = time.perf_counter()
    for _ in range(n_calls):
        call()
    return (time.perf_counter() - start) / n_calls


def ratio(seconds, peer, ours):
    """Median and quartiles over the rounds of ``peer`` / ``ours``."""
    return np.percentile(seconds[peer] / seconds[ours], [50, 25, 75])


def format_ratio(seconds, peer, ours):
    """``6.1 (5.9 to 6.4)``: how many times faster ours is, with quartiles."""
    if peer not in seconds:
        return "--"
    middle, low, high = ratio(seconds, peer, ours)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def format_time(seconds):
    """A time with three digits and its unit."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


class Hardware:
    """What the machine does at best: matrix products, and one tanh or exp, on all cores.

    ``product`` and ``elementwise`` are contenders, so that the limit is measured in
    the same rounds as what is compared with it.
    """

    side, n_values = 512, 16384

    def __init__(self, dtype):
        random_state = np.random.RandomState(0)
        shape = (self.side, self.side)
        self._matrices = [
            tuple(random_state.normal(size=shape).astype(dtype) for _ in range(3))
            for _ in range(n_cores())
        ]
        self._values = [
            tuple(random_state.normal(size=self.n_values).astype(dtype) for _ in range(2))
            for _ in range(n_cores())
        ]

    def contenders(self):
        """The names are those that ``limit`` reads."""

        def product(arrays):
            for _ in range(4):
                np.matmul(arrays[0], arrays[1], out=arrays[2])

        def elementwise(function):
            def repeat(arrays):
                for _ in range(100):
                    function(arrays[0], out=arrays[1])

            return repeat

        return {
            "product": self._on_all_cores(product, self._matrices),
            "tanh": self._on_all_cores(elementwise(np.tanh), self._values),
            "exp": self._on_all_cores(elementwise(np.exp), self._values),
        }

    def limit(self, seconds, n_multiply_adds, n_values):
        """Seconds (n_rounds,) of so many multiply-adds and tanh (or exp, if faster)."""
        product = seconds["product"] / (4 * n_cores() * self.side**3)
        elementwise = np.minimum(seconds["tanh"], seconds["exp"])
        elementwise = elementwise / (100 * n_cores() * self.n_values)
        return n_multiply_adds * product + n_values * elementwise

    @staticmethod
    def _on_all_cores(function, arrays):
        @contextmanager
        def turn():
            with (
                ThreadPoolExecutor(n_cores()) as pool,
                threadpool_limits(1, user_api="blas"),
            ):
                yield lambda: list(pool.map(function, arrays))

        return turn
