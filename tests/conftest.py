"""What tests of several files stand on."""

import os

import pytest
from hypothesis import HealthCheck, settings

#: The same cases every time, so that no test fails by luck; and as many new ones as are asked for.
slow = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("suite", max_examples=40, derandomize=True, database=None, **slow)
settings.register_profile("hunt", max_examples=2000, **slow)
settings.load_profile("suite")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers with several threads each would wait for one another. Where the number of threads
    # matters, tests set it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster: two workers of one thread, as threads of this process."""
    distributed = pytest.importorskip("distributed", reason="the dask extra is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@pytest.fixture
def set_threads(monkeypatch):
    """``set_threads(n)``: as on a machine where BLAS would use n threads."""
    blas = "sklearn_twolayer._data.rows.SingleThreadedBLAS.n_threads"
    return lambda n: monkeypatch.setattr(
        blas, property(lambda self: n, lambda self, found: None), raising=False
    )


@pytest.fixture
def small_blocks(monkeypatch):
    """Rows come in blocks of the fewest that there are: 128."""
    monkeypatch.setattr("sklearn_twolayer._data.rows.BLOCK_BYTES", 0)


@pytest.fixture
def dual_form(monkeypatch):
    """Networks of any size take the dual form, wherever there are fewer residuals than weights."""
    monkeypatch.setattr("sklearn_twolayer._network.objective.SMALL_MATRIX", 0)
    monkeypatch.setattr("sklearn_twolayer._network.objective.FEW_RESIDUALS", 1)


@pytest.fixture
def pyplot():
    """matplotlib.pyplot without a screen; figures are closed at the end."""
    matplotlib = pytest.importorskip("matplotlib", reason="pictures need the plot extra")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")
