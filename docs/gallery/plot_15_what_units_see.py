"""
What the hidden units see
=========================

The weights of a hidden unit have the shape of a row of X. Where a row is a
picture, they are a picture too: of what makes the unit answer.
"""

# %%
# Handwritten digits of 8 by 8 pixels, and a network of twelve hidden units.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_twolayer import TwoLayerClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = TwoLayerClassifier(12, alpha=0.003, random_state=0)
model.set_params(standardize=False)  # pixels have a unit in common
model.fit(X_train / 16, y_train)
print(f"accuracy on new digits: {model.score(X_test / 16, y_test):.3f}")

# %%
# ``coefs_`` is [W1, W2]; column j of W1 belongs to unit j. Orange pixels
# push the unit up, purple ones push it down.

import matplotlib.pyplot as plt
import numpy as np

W1 = model.coefs_[0]
limit = np.abs(W1).max()

figure, axes = plt.subplots(3, 4, figsize=(5, 4.2), layout="constrained")
for unit, ax in enumerate(axes.flat):
    picture = W1[:, unit].reshape(8, 8)
    image = ax.imshow(picture, cmap="PuOr_r", vmin=-limit, vmax=limit)
    ax.set_title(f"unit {unit}", fontsize=10)
    ax.axis("off")
figure.colorbar(image, ax=axes, label="weight")
plt.show()

# %%
# ``transform`` returns the activation of the units, the features that the
# network has learned. The mean of each over the new digits of a class shows
# who answers to what.

hidden = model.set_output(transform="pandas").transform(X_test / 16)
answers = hidden.groupby(y_test).mean()

figure, ax = plt.subplots(figsize=(5, 3.8), layout="constrained")
image = ax.imshow(answers, cmap="viridis", vmin=0, vmax=1)
ax.set_xticks(range(12))
ax.set_yticks(range(10))
ax.set(xlabel="hidden unit", ylabel="digit")
figure.colorbar(image, label="mean activation")
plt.show()

# %%
# What was seen
# -------------
# No unit stands for a digit: each looks for strokes in some places and for
# their absence in others, and a digit is the pattern of units that answer.
# Unit numbers mean nothing, and another ``random_state`` finds other units
# that do as well.
