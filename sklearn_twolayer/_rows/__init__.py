"""Where rows come from: memory and memory maps (``_memory``), Dask collections (``_dask``)."""

from sklearn_twolayer._rows._dask import DaskRows
from sklearn_twolayer._rows._memory import Rows, block_size, unit_of_weights
from sklearn_twolayer._rows._partitions import Partitions, blocks_of, is_collection, whole_rows
from sklearn_twolayer._rows._threads import (
    SINGLE_THREADED_BLAS,
    SingleThreadedBLAS,
    on_one_thread,
)

__all__ = [
    "SINGLE_THREADED_BLAS",
    "DaskRows",
    "Partitions",
    "Rows",
    "SingleThreadedBLAS",
    "block_size",
    "blocks_of",
    "is_collection",
    "on_one_thread",
    "unit_of_weights",
    "whole_rows",
]
