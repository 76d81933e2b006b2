"""FittedNetwork: what a fitted network can do without knowing y, and how it is stored."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_twolayer._data.dask_table import map_collection
from sklearn_twolayer._data.table import is_collection
from sklearn_twolayer._version import DOCUMENTATION, __version__, check_version

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

#: Rows of inputs; data frames and Dask collections pass for arrays.
Matrix = ArrayLike | sparse.sparray | sparse.spmatrix
MaybeArray = ArrayLike | None
Method = TypeVar("Method", bound=Callable)
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
#: In what X is computed: float32 stays.
FLOATS = (np.float64, np.float32)


def over_collections(method: Method) -> Method:
    """Decorate a method of X: of a Dask collection it returns a Dask array, not yet computed.

    Workers get what a fit has left behind, the error bars included, and no parameter.
    """

    @wraps(method)
    def of_array_or_collection(self, X, *args, **kwargs):
        if not is_collection(X):
            return method(self, X, *args, **kwargs)
        check_is_fitted(self)
        model = type(self).__new__(type(self))
        vars(model).update({name: vars(self)[name] for name in vars(self) if name.endswith("_")})
        model._learned_ = self._learned_.for_workers()
        return map_collection(X, lambda X: method(model, X, *args, **kwargs), self.n_features_in_)

    return of_array_or_collection


class FittedNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """The weights of a fit, and what can be computed of them for rows X.

    A fit sets public attributes, and ``_learned_`` for everything else; both end in an
    underscore, by which the next fit knows what to forget.
    """

    # Where the picture of an estimator in a notebook links to.
    _doc_link_module = "sklearn_twolayer"
    _doc_link_template = DOCUMENTATION + "/reference/{estimator_module}.{estimator_name}.html"

    coefs_: list[np.ndarray]
    intercepts_: list[np.ndarray]
    n_iter_: int
    loss_: float
    loss_curve_: list[float]
    penalty_: np.ndarray
    feature_relevance_: np.ndarray
    feature_importances_: np.ndarray
    prior_precision_: np.ndarray
    n_effective_params_: float
    curvature_rows_: int
    log_marginal_likelihood_: float
    best_loss_: float | None
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None
    t_: int
    solver_: str
    n_hidden_: int
    n_features_in_: int
    feature_names_in_: np.ndarray
    n_outputs_: int
    out_activation_: str

    @over_collections
    def transform(self, X: Matrix) -> np.ndarray:
        """Return the hidden layer A1 = g(X W1 + b1): the features that the network has learned.

        In a Pipeline a network is thus a feature map, fitted with y, for the step
        behind it. The columns are named by ``get_feature_names_out``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        A1 : ndarray of shape (n_samples, n_hidden)
            Of all members side by side for a committee.
        """
        inputs = self._inputs(X)
        return self._learned_.hidden_layer(*inputs)

    @over_collections
    def input_gradient(self, X: Matrix) -> np.ndarray:
        """Return d prediction / d X: how each input moves the prediction, row by row.

        For a regressor the prediction is ``predict``, for a classifier the raw
        prediction Z2 of ``decision_function``, whose gradient does not vanish where
        the probability is near 0 or 1. By the chain rule it is
        (W2 * g'(Z1)) W1' times the slope of the output activation.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_features) or \
(n_samples, n_outputs, n_features)
            In the units of y over the units of X; dense also for sparse X. With several
            outputs, labels or more than two classes there is one gradient for each.
        """
        inputs = self._inputs(X)
        gradients = self._learned_.input_gradient(*inputs)
        return gradients[:, 0] if self.n_outputs_ == 1 else gradients

    def to_sklearn_mlp(self) -> "MLPRegressor | MLPClassifier":
        """Return this network as a fitted MLP of scikit-learn, with the same predictions.

        The door to tools that know ``MLPRegressor`` and ``MLPClassifier`` by name. The weights
        are copied and in the units of X and y, so that there is nothing to standardise; a
        committee is one network. Its solver is that of this fit, or "lbfgs" for lm and gd, and
        its other parameters have their defaults. Losses are those of this fit, but for
        ``best_loss_``: the MLP measures its own in other units, and has had none yet.

        Returns
        -------
        mlp : MLPRegressor or MLPClassifier
            Its predictions of a y of one column have shape (n_samples,); probabilities of a
            single class have a second column, of zeros, as after its own fit.

        Raises
        ------
        ValueError
            If it has no such activation: for softplus units, and for a regressor with
            logistic output.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_twolayer import TwoLayerClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = TwoLayerClassifier(5, alpha=0.01, random_state=0).fit(X, y)
        >>> mlp = model.to_sklearn_mlp()
        >>> mlp
        MLPClassifier(activation='logistic', hidden_layer_sizes=(5,), random_state=0,
                      solver='lbfgs')
        >>> bool((mlp.predict(X) == model.predict(X)).all())
        True
        """
        from sklearn.neural_network import MLPClassifier, MLPRegressor  # slow, and seldom needed

        check_is_fitted(self)
        targets, activation = self._learned_.targets, self._learned_.activation
        MLP = MLPRegressor if targets.is_numeric else MLPClassifier
        if activation == "softplus" or (targets.is_numeric and self.out_activation_ == "logistic"):
            what = "activation='softplus'" if activation == "softplus" else "logistic output"
            raise ValueError(
                f"{MLP.__name__} has no {what}. Fit without it, or store this network as ONNX."
            )
        W1, W2, b1, b2 = map(np.copy, (*self.coefs_, *self.intercepts_))
        solver = "lbfgs" if self.solver_ in ("lm", "gd") else self.solver_
        settings = {"activation": activation, "solver": solver, "random_state": self.random_state}
        mlp = MLP(hidden_layer_sizes=(len(b1),), **settings)
        for name in filter(vars(self).__contains__, MLP_ATTRIBUTES):
            setattr(mlp, name, vars(self)[name])
        mlp.n_layers_, mlp.loss_curve_, mlp.best_loss_ = 3, [*self.loss_curve_], np.inf
        mlp.validation_scores_ = mlp.best_validation_score_ = None
        if not targets.is_numeric:
            labels = np.eye(len(b2), dtype=int) if targets.is_multilabel else self.classes_
            mlp._label_binarizer = LabelBinarizer().fit(labels)
            if len(self.classes_) == 1:  # the output is the probability of another one
                mlp.out_activation_, W2[:], b2[:] = "logistic", 0, np.log(np.finfo(b2.dtype).tiny)
        mlp.coefs_, mlp.intercepts_ = [W1, W2], [b1, b2]
        return mlp

    def _inputs(self, X, dtype=FLOATS):
        """``coefs_``, ``intercepts_`` and X: what a prediction is made of."""
        check_is_fitted(self, "coefs_")
        X = validate_data(self, X, accept_sparse="csr", dtype=dtype, reset=False)
        return self.coefs_, self.intercepts_, X

    def _raw_prediction(self, X):
        inputs = self._inputs(X)
        return self._learned_.raw_prediction(*inputs)

    @property
    def _n_features_out(self):
        """Columns of ``transform``, for their names."""
        return self.coefs_[0].shape[1]

    def __getstate__(self):
        return {**super().__getstate__(), "_version": __version__}

    def __setstate__(self, state):
        check_version(type(self).__name__, state.pop("_version", None))
        super().__setstate__(state)
