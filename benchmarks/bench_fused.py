r"""What bounds a gradient in NumPy, and what a compiled kernel would bring: CPU time, one thread.

    OMP_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_multi_thread_eigen=false \
        python benchmarks/bench_fused.py [--quick]

Compiles ``fused_kernel.c`` with the C compiler ``cc`` for the vectors that NumPy uses here, and
takes it, ours and the installed peers through the same loss and gradient: 20 columns, one
output, float32. CPU time of one thread is hardly disturbed by what else the machine does.
The parts are what the NumPy calls of one gradient take by themselves. Without AVX-512:

    NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR" OPENBLAS_CORETYPE=Haswell \
        ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=1 \
        XLA_FLAGS="--xla_cpu_max_isa=AVX2 --xla_cpu_multi_thread_eigen=false" \
        python benchmarks/bench_fused.py
"""

import ctypes
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from _report import print_table, save_tables
from _side_by_side import arguments, format_time, installed, installed_peers, print_header
from bench_gradient import Problem, jax_jit, our_objective, pytorch, scikit_learn
from threadpoolctl import threadpool_limits

from sklearn_twolayer._network.activations import TANH_IS_FAST
from sklearn_twolayer._network.products import product, product_over_rows

KERNEL = Path(__file__).with_name("fused_kernel.c")
N_HIDDEN = 96  # a multiple of what the kernel takes at once


def compile_kernel(folder):
    """``loss_and_gradient`` of the kernel, compiled for the vectors that NumPy uses."""
    vectors = ["-march=native", "-mprefer-vector-width=512"] if TANH_IS_FAST else ["-march=haswell"]
    library = Path(folder) / "fused_kernel.so"
    options = ["-O3", "-ffast-math", "-shared", "-fPIC", *vectors]
    subprocess.run(["cc", *options, "-o", library, KERNEL], check=True)
    function = ctypes.CDLL(str(library)).loss_and_gradient
    function.restype = ctypes.c_double
    return function


def fused(function, problem):
    """A gradient by the kernel."""
    weights = [np.ascontiguousarray(weight) for weight in problem.weights]
    gradient = [np.empty_like(weight) for weight in weights]
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in weights[:3]]
    out = [array.ctypes.data_as(ctypes.c_void_p) for array in gradient]
    rows = [array.ctypes.data_as(ctypes.c_void_p) for array in (problem.X, problem.y)]
    n, shape = problem.n_rows, (problem.n_features, problem.n_hidden)
    b2 = ctypes.c_float(float(weights[3][0]))

    def loss_and_gradient():
        loss = function(*rows, ctypes.c_long(n), *shape, *pointers, b2, *out)
        return loss / n, [part / n for part in gradient]

    return loss_and_gradient


def parts(objective, params):
    """{name: function} of the NumPy calls of one block of the gradient, by themselves."""
    network, rows = objective.mean_loss.network, objective.mean_loss.rows
    block = rows._blocks[0]
    X, y, _ = rows._read(block)
    params = params.astype(X.dtype)
    A1 = np.empty((len(X), network.n_hidden), X.dtype)
    Z1 = product(X, network.first_layer(params), out=A1.copy())
    first = network.first_layer(np.empty_like(params))
    weighted, workspace = X * y, network.workspace
    return {
        "X W1": lambda: product(X, network.first_layer(params), out=A1),
        "exp": lambda: np.exp(Z1, out=A1),
        "1 / (1 + .)": lambda: np.divide(1, np.add(Z1, 1, out=A1), out=A1),
        "A1 - A1^2": lambda: np.subtract(Z1, Z1 * Z1, out=A1),
        "X' d1": lambda: product_over_rows(weighted, Z1, first, workspace),
    }, len(X)


def cpu_times(functions, n_rounds, n_calls):
    """{name: median CPU seconds of a call}, the functions in turn."""
    seconds = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(n_rounds):
        for name, function in functions.items():
            start = time.process_time()
            for _ in range(n_calls):
                function()
            seconds[name].append((time.process_time() - start) / n_calls)
    return {name: float(np.median(taken)) for name, taken in seconds.items()}


def compare(function, n_rows, n_rounds):
    """Print CPU times of a gradient, and of its parts."""
    problem = Problem(n_rows, 20, N_HIDDEN, 1, 0, np.float32)
    objective, params = our_objective(problem)
    makers = {
        "scikit-learn": lambda: scikit_learn(problem)[0],
        "PyTorch": partial(pytorch, problem, compiled=False),
        "JAX": partial(jax_jit, problem),
    }
    n_calls = max(1, 20_000 // n_rows)
    with objective.mean_loss.rows:
        ours = partial(objective.value_and_gradient, params)
        kernel = fused(function, problem)
        (value, gradient), (other_value, others) = ours(), kernel()
        np.testing.assert_allclose(other_value, value, rtol=1e-4)
        for part, other in zip(objective.mean_loss.network.unpack(gradient), others):
            np.testing.assert_allclose(other, part, rtol=1e-2, atol=1e-4 * np.abs(gradient).max())
        functions = {"ours": ours, "compiled kernel": kernel, **installed(makers)}
        seconds = cpu_times(functions, n_rounds, n_calls)
        pieces, size = parts(objective, params)
        of_block = cpu_times(pieces, n_rounds, max(1, 20_000 // size))
    rows = [
        (name, format_time(taken), f"{taken / seconds['ours']:.2f}")
        for name, taken in seconds.items()
    ]
    rows += [
        (f"NumPy: {name}", format_time(taken * n_rows / size), "")
        for name, taken in of_block.items()
    ]
    title = f"{n_rows:,} rows, {N_HIDDEN} units"
    print_table(title, ("a gradient by", "CPU time", "over ours"), rows)


def main():
    """Print the tables."""
    options = arguments(__doc__)
    print_header("Compiled kernel, one thread")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        function = compile_kernel(folder)
        for n_rows in (200, 100_000):
            compare(function, n_rows, 5 if options.quick else 15)
    save_tables(options.save, *installed_peers())


if __name__ == "__main__":
    main()
