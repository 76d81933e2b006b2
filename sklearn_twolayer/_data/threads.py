"""Threads of a process: how many there are for the blocks, and one of them for BLAS."""

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from threadpoolctl import ThreadpoolController


class SingleThreadedBLAS:
    """While blocks run on threads, BLAS has one thread in each (``with`` statement).

    The limit is one setting for the whole process, so the first to enter sets
    it and the last to leave restores it. ``n_threads`` is what BLAS would use.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._entered = 0
        self._limiter = None
        self._n_threads = 1

    @staticmethod
    @cache
    def _controller():
        return ThreadpoolController().select(user_api="blas")

    @property
    def n_threads(self):
        with self._lock:
            return self._n_threads if self._entered else self._current()

    def _current(self):
        libraries = self._controller().lib_controllers
        return max([1, *(library.num_threads for library in libraries)])

    def __enter__(self):
        with self._lock:
            if not self._entered:
                self._n_threads = self._current()
                self._limiter = self._controller().limit(limits=1)
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


def may_start_threads():
    """Whether rows have the threads of the process to themselves."""
    return not _ONE_THREAD.get()
