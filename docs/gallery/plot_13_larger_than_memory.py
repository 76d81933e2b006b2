"""
More rows than memory holds
===========================

A ``numpy.memmap`` is an array that lies in a file. ``fit`` reads it block
by block, so it may be larger than memory; a Dask array is read in the same
way, from many files or on a cluster.
"""

# %%
# A file, written piece by piece. (Its 100,000 rows are not many: change the
# number.)

import tempfile
from pathlib import Path

import numpy as np

folder = tempfile.TemporaryDirectory()
n_rows, n_columns = 100_000, 10
rng = np.random.default_rng(0)
file, shape = Path(folder.name) / "X.float32", (n_rows, n_columns)
X = np.memmap(file, np.float32, "w+", shape=shape)
for start in range(0, n_rows, 20_000):
    X[start : start + 20_000] = rng.uniform(size=(20_000, n_columns))


def truth(X):
    wave = np.sin(np.pi * X[:, 0] * X[:, 1])
    return 10 * wave + 20 * (X[:, 2] - 0.5) ** 2


y = (truth(X) + rng.normal(size=n_rows)).astype(np.float32)
X_test = rng.uniform(size=(5000, n_columns)).astype(np.float32)

# %%
# What are more rows worth? Fits of a narrow and of a wider network to the
# first rows of the file, and how far their predictions are from the truth.
# Only blocks are copied into memory.

from sklearn.metrics import root_mean_squared_error

from sklearn_twolayer import TwoLayerRegressor

sizes = [1_000, 3_000, 10_000, 30_000]
errors = {5: [], 15: []}
for n_hidden in errors:
    model = TwoLayerRegressor(n_hidden, alpha=1e-5, random_state=0)
    model.set_params(solver="lbfgs", tol=3e-4)
    for size in sizes:
        prediction = model.fit(X[:size], y[:size]).predict(X_test)
        error = root_mean_squared_error(truth(X_test), prediction)
        errors[n_hidden].append(error)

# %%
# The learning curves:

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
for (n_hidden, error), colour in zip(errors.items(), ("C1", "C0")):
    ax.loglog(sizes, error, "o-", color=colour)
    name = f" {n_hidden} hidden units"
    ax.text(sizes[2], 1.05 * error[2], name, color=colour)
ticks = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
ax.set_yticks(ticks, ticks)
ax.set(xlabel="rows", ylabel="RMSE against the truth")
plt.show()

# %%
# The same rows as a Dask array
# -----------------------------
# Dask splits them into partitions; they could come from Parquet, HDF5 or
# Zarr files. The fit is the same to rounding, and predictions are lazy.

import dask.array as da

rows = da.from_array(X[:10_000], chunks=(2_500, -1))
targets = da.from_array(y[:10_000], chunks=2_500)

model = TwoLayerRegressor(15, solver="lm", alpha=1e-5, random_state=0)
model.set_params(max_iter=50, tol=0.01)
of_file = model.fit(X[:10_000], y[:10_000]).loss_
of_dask = model.fit(rows, targets).loss_
print(f"loss: {of_file:.6f} from the memory map, {of_dask:.6f} from Dask")
print("chunks of the prediction:", model.predict(rows).chunks)

del X, rows  # before the file is deleted
folder.cleanup()

# %%
# What was seen
# -------------
# Five units are soon at the end of what they can learn; the wider network
# gains from every row. A learning curve like this one says whether more
# rows or more units are worth having.
