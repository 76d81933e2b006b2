"""What tests of several files stand on."""

import pytest


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster: two workers of one thread, as threads of this process."""
    distributed = pytest.importorskip("distributed", reason="the dask extra is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster
