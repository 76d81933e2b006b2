"""
A saved ONNX model
==================

ONNX files run where there is no Python: in a browser, on a phone, in C++. A
whole Pipeline, preprocessing and network, becomes one file.
"""

# %%
# A Pipeline is trained as always: the 64 pixels of handwritten digits,
# compressed to 20 principal components.

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sklearn_twolayer import TwoLayerClassifier

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, random_state=0
)
network = TwoLayerClassifier(20, alpha=1e-3, random_state=0)
pipeline = make_pipeline(PCA(20), network)
pipeline.fit(X_train, y_train)
print(f"accuracy on new digits: {pipeline.score(X_test, y_test):.3f}")

# %%
# Save it
# -------
# ``register_converters`` teaches skl2onnx, once in a process, to convert
# the estimators. The file is to take float32, as most users of a file do.

import tempfile
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx

from sklearn_twolayer.onnx import register_converters

register_converters()
example = X_train[:1].astype(np.float32)
graph = to_onnx(pipeline, example, options={"zipmap": False})
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "digits.onnx"
file.write_bytes(graph.SerializeToString())
print(f"{file.name}: {file.stat().st_size / 1024:.0f} kB")

# %%
# Load it
# -------
# Any ONNX runtime will do; neither scikit-learn nor this package is needed.

from onnxruntime import InferenceSession

session = InferenceSession(file, providers=["CPUExecutionProvider"])
labels, probabilities = session.run(None, {"X": X_test.astype(np.float32)})
folder.cleanup()

# %%
# Is it the same model?

import matplotlib.pyplot as plt

difference = np.abs(probabilities - pipeline.predict_proba(X_test))
print("labels that differ:", np.sum(labels != pipeline.predict(X_test)))

precision = np.finfo(np.float32).eps
figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.hist(difference.max(axis=1), bins=np.logspace(-10, -5, 31), color="C0")
ax.axvline(precision, color="C1", lw=2)
top = ax.get_ylim()[1]
ax.text(1.3 * precision, 0.9 * top, "precision of float32", color="C1")
ax.set(xscale="log", ylabel="digits")
ax.set_xlabel("largest difference of a digit's probabilities")
plt.show()

# %%
# What was seen
# -------------
# The file gives the same labels, and the same probabilities to the
# precision of float32. Where that is not enough, show ``to_onnx`` an X in
# float64. Error bars are not part of the file.
