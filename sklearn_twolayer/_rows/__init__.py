"""Where rows come from: memory and memory maps (``_memory``), Dask collections (``_dask``)."""

from sklearn_twolayer._rows._dask import DaskRows, Partitions, blocks_of, is_collection, whole_rows
from sklearn_twolayer._rows._memory import (
    SINGLE_THREADED_BLAS,
    Rows,
    SingleThreadedBLAS,
    block_size,
    on_one_thread,
    unit_of_weights,
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
