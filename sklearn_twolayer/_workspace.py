"""Arrays that a thread uses again for block after block."""

import threading
from math import prod

import numpy as np


class Workspace(threading.local):
    """``workspace(name, shape, dtype)`` is ``np.empty``, without the allocation.

    The array keeps its memory until the same name is asked for again in the
    same thread, so a caller may use it until then and must not hand it on to
    someone who keeps it. A copy or a pickle of a workspace starts empty.
    """

    def __init__(self):
        self._memory = {}
        self._arrays = {}

    def __call__(self, name, shape, dtype):
        array = self._arrays.get((name, dtype))
        if array is None or array.shape != shape:
            array = self._arrays[name, dtype] = self._array(name, shape, dtype)
        return array

    def _array(self, name, shape, dtype):
        size = prod(shape)
        memory = self._memory.get((name, dtype))
        if memory is None or memory.size < size:
            memory = self._memory[name, dtype] = np.empty(size, dtype)
        return memory[:size].reshape(shape)

    def __reduce__(self):
        return Workspace, ()
