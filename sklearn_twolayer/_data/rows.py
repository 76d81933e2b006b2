"""Where rows come from: the one place that loops over the data.

``rows.sum(block_function)`` adds up a function of blocks of rows, to train;
``rows.map(block_function)`` collects one, to predict; ``rows.batches`` shuffles
them into mini-batches. A block is small enough for its hidden layer to stay in
cache, and is standardised there, as it is read.

Blocks belong to a fixed number of lanes, whatever the number of threads; a lane
adds its blocks in order and lanes are added in order, so the result is the same
bit for bit on 1 thread and on 16.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cached_property, partial
from itertools import pairwise
from math import ceil, log2
from operator import attrgetter
from threading import Lock

import numpy as np
from scipy import sparse
from threadpoolctl import ThreadpoolController

from sklearn_twolayer._network.products import BLOCK_BYTES, Workspace, dense

N_LANES = 16
#: Numbers of an only block that is kept once it is read; larger ones cost memory, and little time.
MAX_KEPT = 2**14
#: Large blocks have a multiple of so many rows, which suits vectors and matrix products.
ROWS_UNIT = 128


def block_size(width, dtype):
    """Rows of a block whose widest array has ``width`` columns: 128 to 32768."""
    n_rows = BLOCK_BYTES // (width * np.dtype(dtype).itemsize)
    return int(min(max(n_rows - n_rows % ROWS_UNIT, 128), 32768))


def add(total, parts):
    """``total + parts``, item by item, in float64; in place after the first."""
    if total is None:
        return list(map(_in_float64, parts))
    for sum_, part in zip(total, parts):
        sum_ += part
    return total


_in_float64 = partial(np.array, dtype=np.float64)


class SingleThreadedBLAS:
    """While blocks run on threads, BLAS has one thread in each (``with`` statement).

    The limit is one setting for the whole process, so the first to enter sets
    it and the last to leave restores it. ``n_threads`` is what BLAS had before.
    """

    def __init__(self):
        self.n_threads = 1
        self._lock = Lock()
        self._entered = 0
        self._controller = None  # finding the libraries takes a hundred times as long as a limit
        self._limiter = None

    def __enter__(self):
        with self._lock:
            if not self._entered:
                if self._controller is None:
                    self._controller = ThreadpoolController().select(user_api="blas")
                libraries = self._controller.lib_controllers
                self.n_threads = max(map(attrgetter("num_threads"), libraries), default=1)
                self._limiter = self._controller.limit(limits=1)
            self._entered += 1

    def __exit__(self, *exception):
        with self._lock:
            self._entered -= 1
            if not self._entered:
                self._limiter.restore_original_limits()


SINGLE_THREADED_BLAS = SingleThreadedBLAS()
_ONE_THREAD = ContextVar("one thread", default=False)


@contextmanager
def on_one_thread():
    """Rows that are entered inside start no threads: a scheduler has its own."""
    token = _ONE_THREAD.set(True)
    try:
        with SINGLE_THREADED_BLAS:
            yield
    finally:
        _ONE_THREAD.reset(token)


class Rows:
    """The rows of an in-memory table, in blocks, within a ``with`` statement.

    X (n, f) is an array or in CSR; y, (n, k) or class indices (n,), is standardised already, as it
    is small, and None to predict; a ``weight`` (n,) of None stands for ones. Blocks have about
    ``block_size`` rows, give or take a half, and are handed out and computed in ``dtype``, as
    [X 1], with a last column of ones for the biases. Dense ones are standardised as they are read,
    unless the standardization is None; sparse ones always come raw, and the objective transforms
    the first layer.

    Weights of blocks are in units of ``weight_unit``, and their sum is ``weight_of_blocks``: S, but
    for extreme weights. ``total_weight`` is S.
    """

    def __init__(self, X, y, weight, *, standardization, dtype, block_size):
        self.X, self.y, self._weight = X, y, weight
        self.standardization, self.dtype = standardization, np.dtype(dtype)
        self.block_size, self.n_rows, self.is_sparse = block_size, X.shape[0], sparse.issparse(X)
        self._update = None
        if standardization is not None and not self.is_sparse:
            self._update = standardization.update(self.dtype)
        self._workspace, self._only_block = Workspace(), None
        self._executor, self._n_workers = None, 1
        self.weigh_in(1.0 if weight is None else unit_of_weights(weight))

    def weigh_in(self, unit):
        """Hand weights out in another unit than that of the largest; before any block is read."""
        self.weight_unit, self.weight, self.weight_of_blocks = unit, None, float(self.n_rows)
        if self._weight is not None:
            self.weight = (self._weight / unit).astype(self.dtype)
            self.weight_of_blocks = float(self.weight.sum(dtype=np.float64))
        self.total_weight = self.weight_of_blocks * unit

    def first(self, name):
        """The first row of X (f,) or y (k,), in float64: to take moments around."""
        return np.asarray(dense(getattr(self, name)[:1])[0], np.float64)

    def __enter__(self):
        SINGLE_THREADED_BLAS.__enter__()
        if len(self._blocks) > 1 and not _ONE_THREAD.get():
            self._n_workers = min(SINGLE_THREADED_BLAS.n_threads, len(self._blocks), N_LANES)
            if self._n_workers > 1:
                self._executor = ThreadPoolExecutor(self._n_workers)
        return self

    def __exit__(self, *exception):
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None
        SINGLE_THREADED_BLAS.__exit__(*exception)

    def sum(self, block_function, merge=add):
        """Add up the tuples ``block_function(X, y, weight)`` of all blocks, in order.

        ``merge(total, parts)`` is the next total, of which the first is None.
        """
        blocks = self._blocks
        if len(blocks) == 1:
            rows = self._only_block or self._read(blocks[0])
            if self._only_block is None and self.n_rows * (self.X.shape[1] + 1) <= MAX_KEPT:
                X, y, weight = rows
                rows = self._only_block = X.copy(), y, weight  # X in memory of its own
            return merge(None, block_function(*rows))

        def total_of_lane(blocks):
            total = None
            for block in blocks:
                total = merge(total, block_function(*self._read(block)))
            return total

        n_lanes = min(N_LANES, len(blocks))
        bounds = (len(blocks) * lane // n_lanes for lane in range(n_lanes + 1))
        lanes = [blocks[start:stop] for start, stop in pairwise(bounds)]
        merged = _InOrder(merge)
        self._run(lambda lane: merged.take(lane, total_of_lane(lanes[lane])), range(n_lanes))
        return merged.total

    def map(self, block_function):
        """Stack the arrays ``block_function(X, y, weight)`` of all blocks, in order."""
        blocks = self._blocks
        first = np.asarray(block_function(*self._read(blocks[0])))
        result = np.empty((self.n_rows, *first.shape[1:]), first.dtype)
        result[blocks[0]] = first

        def fill(block):
            result[block] = block_function(*self._read(block))

        self._run(fill, blocks[1:])
        return result

    def n_batches(self, batch_size):
        """Return how many mini-batches ``batches`` yields."""
        return -(-self.n_rows // batch_size)

    def batches(self, batch_size, random_state=None):
        """Yield (X, y, weight) of mini-batches, in random order if there is a ``random_state``.

        Rows are gathered and standardised a block of whole batches at a time.
        """
        order = None if random_state is None else random_state.permutation(self.n_rows)
        step = max(self.block_size // batch_size, 1) * batch_size
        for start in range(0, self.n_rows, step):
            rows = slice(start, min(start + step, self.n_rows))
            X, y, weight = self._read(rows if order is None else order[rows])
            for begin in range(0, X.shape[0], batch_size):
                batch = slice(begin, begin + batch_size)
                yield X[batch], y[batch], None if weight is None else weight[batch]

    @cached_property
    def _blocks(self):
        """Blocks of about equal size: 1, 2, 4, 8 or a multiple of 16, as many for each thread."""
        n_blocks = self.n_rows / self.block_size
        if n_blocks <= 0.75:
            n_blocks = 1
        elif n_blocks <= 0.75 * N_LANES:  # few threads like few blocks
            n_blocks = 2 ** max(ceil(log2(n_blocks / 1.5)), 1)
        else:
            n_blocks = max(round(n_blocks / N_LANES), 1) * N_LANES
        size = -(-self.n_rows // n_blocks)
        if size > 8 * ROWS_UNIT:
            size += -size % ROWS_UNIT
        starts = range(0, self.n_rows, size)
        return list(map(slice, starts, [*starts[1:], self.n_rows]))

    def _run(self, function, arguments):
        """Call ``function(argument)`` for each, on this thread and on the pool's."""
        waiting = deque(arguments)

        def work():
            while waiting:
                try:
                    argument = waiting.popleft()
                except IndexError:  # another thread took the last one
                    return
                function(argument)

        others = []
        if self._executor is not None:
            n_others = range(self._n_workers - 1)
            others = [self._executor.submit(copy_context().run, work) for _ in n_others]
        try:
            work()
        finally:
            waiting.clear()
            for other in others:
                other.result()

    def _read(self, rows):
        X, y = _take(self.X, rows), _take(self.y, rows)
        weight = _take(self.weight, rows)
        if self.is_sparse:
            return _append_ones(X.astype(self.dtype, copy=False)), y, weight
        out = self._workspace("X", (X.shape[0], X.shape[1] + 1), self.dtype)
        out[:, :-1] = X
        out[:, -1] = 1
        if self._update is not None:
            self._update(out)
        return out, y, weight


class _InOrder:
    """Sums of lanes, which may be large, merged in their order, each as soon as those before it."""

    def __init__(self, merge):
        self.total = None
        self._merge = merge
        self._lock = Lock()
        self._waiting = {}
        self._next = 0

    def take(self, lane, part):
        """Add the sum of a lane, or keep it until its turn."""
        with self._lock:
            self._waiting[lane] = part
            while self._next in self._waiting:
                self.total = self._merge(self.total, self._waiting.pop(self._next))
                self._next += 1


def _take(array, rows):
    """``array[rows]``: of None, of a sparse matrix, or of an array; rows: a slice or indices."""
    if array is None or isinstance(rows, slice) or sparse.issparse(array):
        return None if array is None else array[rows]
    return np.take(array, rows, axis=0)  # faster than indexing


def _append_ones(X):
    """[X 1] of a CSR block, without a conversion."""
    (n, f), ends = X.shape, X.indptr[1:]
    starts = X.indptr + np.arange(n + 1, dtype=X.indptr.dtype)
    ones_behind = np.insert(X.data, ends, 1), np.insert(X.indices, ends, f), starts
    return sparse.csr_array(ones_behind, shape=(n, f + 1))


def unit_of_weights(weight):
    """A power of two in which weights that float32 could not add up are handed out."""
    largest = np.max(weight)
    if not largest:
        return 1.0
    exponent = float(np.log2(largest))
    return 1.0 if abs(exponent) < 30 else 2.0 ** round(exponent)
