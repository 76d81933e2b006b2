"""A fitted network as an MLP of scikit-learn."""

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from sklearn.preprocessing import LabelBinarizer

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

#: As type checkers see it: the import is slow, and seldom needed.
SklearnMLP: TypeAlias = "MLPRegressor | MLPClassifier"

#: What a fit sets that an MLP has too.
MLP_ATTRIBUTES = (
    "n_outputs_",
    "out_activation_",
    "n_iter_",
    "t_",
    "loss_",
    "classes_",
    "n_features_in_",
    "feature_names_in_",
)


def as_sklearn_mlp(model, learned):
    """The MLP with the weights of a fitted estimator; ValueError if no MLP has such a network.

    Of the estimator it reads public attributes; ``learned`` is what its fit has left behind.
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # slow, and seldom needed

    targets, activation = learned.targets, learned.activation
    MLP = MLPRegressor if targets.is_numeric else MLPClassifier
    has_logistic_output = targets.is_numeric and model.out_activation_ == "logistic"
    if activation == "softplus" or has_logistic_output:
        what = "activation='softplus'" if activation == "softplus" else "logistic output"
        raise ValueError(
            f"{MLP.__name__} has no {what}. Fit without it, or store this network as ONNX."
        )
    W1, W2, b1, b2 = map(np.copy, (*model.coefs_, *model.intercepts_))
    solver = "lbfgs" if model.solver_ in ("lm", "gd") else model.solver_
    mlp = MLP(
        hidden_layer_sizes=(len(b1),),
        activation=activation,
        solver=solver,
        random_state=model.random_state,
    )
    for name in filter(partial(hasattr, model), MLP_ATTRIBUTES):
        setattr(mlp, name, getattr(model, name))
    mlp.n_layers_, mlp.loss_curve_, mlp.best_loss_ = 3, [*model.loss_curve_], np.inf
    mlp.validation_scores_ = mlp.best_validation_score_ = None
    if not targets.is_numeric:
        classes = model.classes_
        labels = np.eye(len(b2), dtype=int) if targets.is_multilabel else classes
        mlp._label_binarizer = LabelBinarizer().fit(labels)
        if len(classes) == 1:  # the output is the probability of another one
            mlp.out_activation_, W2[:], b2[:] = "logistic", 0, np.log(np.finfo(b2.dtype).tiny)
    mlp.coefs_, mlp.intercepts_ = [W1, W2], [b1, b2]
    return mlp
