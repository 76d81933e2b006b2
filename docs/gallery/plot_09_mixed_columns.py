"""
A messy table: a Pipeline with a grid search
============================================

Numbers with holes, categories, a skewed column: a ``ColumnTransformer``
brings the table into shape, the network follows as the last step, and
``GridSearchCV`` searches over both.
"""

# %%
# A table of used cars. The price falls with age, less for some makers than
# for others; a tenth of the mileages is missing.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n = 400
cars = pd.DataFrame(
    {
        "maker": rng.choice(["Astra", "Boreas", "Ceres"], n),
        "fuel": rng.choice(["petrol", "diesel", "electric"], n),
        "age": rng.uniform(0, 15, n),
        "mileage": rng.lognormal(11, 0.6, n),
    }
)
half_life = cars["maker"].map({"Astra": 3.0, "Boreas": 5.0, "Ceres": 9.0})
price = 30 * 0.5 ** (cars["age"] / half_life) - 2e-5 * cars["mileage"]
price += 4 * (cars["fuel"] == "electric") + rng.normal(0, 1, n)
cars.loc[rng.random(n) < 0.1, "mileage"] = np.nan

# %%
# One step for each kind of column. There is no scaler: the network
# standardises inside. The logarithm tames the long tail of the mileage;
# ``add_indicator`` tells the network where it was missing.

from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from sklearn_twolayer import TwoLayerRegressor

skewed = make_pipeline(
    FunctionTransformer(np.log), SimpleImputer(add_indicator=True)
)
columns = make_column_transformer(
    (OneHotEncoder(), ["maker", "fuel"]),
    (skewed, ["mileage"]),
    ("passthrough", ["age"]),
)
pipeline = make_pipeline(columns, TwoLayerRegressor(random_state=0))

# %%
# With a float ``alpha`` a fit takes a fraction of a second, so a grid is
# cheap. Search in steps of a factor of about three.

grid = {
    "twolayerregressor__n_hidden": [2, 5, 15],
    "twolayerregressor__alpha": [0.0003, 0.001, 0.003, 0.01],
}
X_train, X_test, y_train, y_test = train_test_split(
    cars, price, random_state=0
)
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
print(search.best_params_)
print(f"R² of left-out cars {search.best_score_:.3f}")
print(f"R² of new cars      {search.score(X_test, y_test):.3f}")

# %%
# All of the grid:

import matplotlib.pyplot as plt

scores = pd.DataFrame(search.cv_results_).pivot_table(
    index="param_twolayerregressor__n_hidden",
    columns="param_twolayerregressor__alpha",
    values="mean_test_score",
)
figure, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
image = ax.imshow(scores, cmap="viridis", aspect="auto")
style = {"ha": "center", "va": "center", "bbox": {"color": "w", "pad": 2}}
for (row, column), score in np.ndenumerate(scores):
    ax.text(column, row, f"{score:.3f}", **style)
ax.set_xticks(range(4), [f"{alpha:g}" for alpha in scores.columns])
ax.set_yticks(range(3), scores.index)
ax.set(xlabel="alpha", ylabel="n_hidden", title="R² of left-out cars")
plt.show()

# %%
# What the best model has learned: the price over the years, with bands for
# 90 % of the cars. ``best_estimator_`` is the Pipeline, which hands
# ``return_std`` on to its last step.

ages = np.linspace(0, 15, 100)
figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
new = pd.DataFrame({"age": ages, "fuel": "petrol", "mileage": 60_000})
for maker, colour in zip(("Ceres", "Boreas", "Astra"), ("C0", "C1", "0.3")):
    car = new.assign(maker=maker)
    mean, std = search.best_estimator_.predict(car, return_std=True)
    low, high = mean - 1.645 * std, mean + 1.645 * std
    ax.fill_between(ages, low, high, color=colour, alpha=0.2, lw=0)
    ax.plot(ages, mean, color=colour, lw=2)
    ax.text(9, mean[60] + 0.5, maker, color=colour)
ax.set(xlabel="age (years)", ylabel="price (thousands)", xlim=(0, 15))
plt.show()

# %%
# What was seen
# -------------
# The network found that the makers age differently, an interaction that a
# linear model would have to be told. The grid is flat around its best cell:
# that is usual, and no reason for a finer one.
