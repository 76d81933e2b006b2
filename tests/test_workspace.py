"""Arrays that a thread uses again."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sklearn_twolayer._workspace import Workspace


def test_memory_is_used_again():
    workspace = Workspace()
    first = workspace("A1", (4, 3), np.float64)
    second = workspace("A1", (2, 5), np.float64)
    assert first.shape == (4, 3)
    assert second.shape == (2, 5)
    assert first.dtype == second.dtype == np.float64
    assert np.shares_memory(first, second)


def test_memory_grows():
    workspace = Workspace()
    small = workspace("A1", (2, 2), np.float64)
    large = workspace("A1", (5, 5), np.float64)
    assert large.shape == (5, 5)
    assert not np.shares_memory(small, large)
    assert np.shares_memory(large, workspace("A1", (2, 2), np.float64))


def test_names_and_dtypes_are_apart():
    workspace = Workspace()
    array = workspace("A1", (4, 3), np.float64)
    assert not np.shares_memory(array, workspace("d1", (4, 3), np.float64))
    single = workspace("A1", (4, 3), np.float32)
    assert single.dtype == np.float32
    assert not np.shares_memory(array, single)


def test_threads_are_apart():
    workspace = Workspace()
    here = workspace("A1", (4, 3), np.float64)
    with ThreadPoolExecutor(1) as executor:
        there = executor.submit(workspace, "A1", (4, 3), np.float64).result()
    assert not np.shares_memory(here, there)


def test_copies_start_empty():
    workspace = Workspace()
    array = workspace("A1", (100, 100), np.float64)
    assert len(pickle.dumps(workspace)) < 200
    for twin in (pickle.loads(pickle.dumps(workspace)), copy.deepcopy(workspace)):
        assert not np.shares_memory(array, twin("A1", (100, 100), np.float64))
