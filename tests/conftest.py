"""What tests of several files stand on."""

import pytest

from sklearn_twolayer._data import rows


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster: two workers of one thread, as threads of this process."""
    distributed = pytest.importorskip("distributed", reason="the dask extra is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@pytest.fixture
def small_blocks(monkeypatch):
    """Rows come in blocks of the fewest that there are: 128."""
    monkeypatch.setattr(rows, "BLOCK_BYTES", 0)
