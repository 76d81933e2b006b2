"""ONNX export: what skl2onnx must know to convert the two estimators.

    A1 = g((X - m) W1 + (b1 + m' W1))        Z2 = A1 W2 + b2

is the network of ``coefs_`` and ``intercepts_`` with centred inputs, m the means of the
columns; what the weights alone determine is summed here, in float64. A float32 graph
keeps its digits so. X W1 would lose those of a column such as year, 2000 plus or minus
5. The units of a nearly linear network, 1/2 plus or minus 0.001, would lose theirs in
A1 W2: the logistic network is written in its tanh form, softplus computed in float64.

skl2onnx is imported when converters are registered, and not before.
"""

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_twolayer._base import BaseTwoLayer
from sklearn_twolayer._classifier import TwoLayerClassifier
from sklearn_twolayer._network.scale import TanhForm
from sklearn_twolayer._regressor import TwoLayerRegressor

#: Activation -> operator of ONNX.
OPERATORS = {
    "logistic": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "identity": "Identity",
    "softmax": "Softmax",
}
#: The integers that labels may be.
INTEGERS = np.iinfo(np.int64)
HIDDEN_LAYER = "SklearnTwoLayerHiddenLayer"
#: Operators of skl2onnx that hand an answer on to the user.
ANSWERS = {"SklearnZipMap", "SklearnZipMapColumns", "SklearnIdentity", "SklearnCast"}


def register_converters(*subclasses: type) -> None:
    """Teach skl2onnx to convert TwoLayerRegressor and TwoLayerClassifier.

    Afterwards ``skl2onnx.to_onnx`` and ``skl2onnx.convert_sklearn`` convert the fitted
    estimators, alone and as steps of a Pipeline, from the weights in ``coefs_`` and
    ``intercepts_``. Call it once in a process; calling it again does no harm.

    Parameters
    ----------
    *subclasses : type
        Classes of your own that inherit from one of them, and predict as it does: skl2onnx knows
        classes by their name, and what yours do differently is not exported.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    TypeError
        If a class inherits from neither, or if it is an estimator, not its class.

    Notes
    -----
    A float64 input has float64 outputs, any other float32 ones. A regressor has
    one output (n_samples, n_outputs). A classifier has labels, and probabilities as
    the options "zipmap", "nocl" and "output_class_labels" of skl2onnx want them, like
    scikit-learn's ``MLPClassifier``; multilabel targets have 0/1 indicators for labels. Labels
    are strings or integers of 64 bits, others are refused. With the
    option "raw_scores", which skl2onnx sets in a ``CalibratedClassifierCV`` or a stack of
    ``decision_function``, there is the raw prediction Z2 in the place of the probabilities; two
    classes have -Z2 and Z2.

    skl2onnx does not tell a step in the middle of a Pipeline from the last one. A
    network there, whose ``transform`` feeds the next step, needs the option "transform":
    ``to_onnx(pipeline, X, options={id(network): {"transform": True}})``; without it the
    conversion is refused.

    Examples
    --------
    >>> import skl2onnx
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_twolayer import TwoLayerRegressor
    >>> from sklearn_twolayer.onnx import register_converters
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = TwoLayerRegressor(5, alpha=0.01, random_state=0).fit(X, y)
    >>> register_converters()
    >>> graph = skl2onnx.to_onnx(model, X[:1])
    >>> [output.name for output in graph.graph.output]
    ['variable']
    """
    try:
        from skl2onnx import update_registered_converter as register
    except ImportError as error:
        raise ImportError(
            "register_converters needs skl2onnx. Install it with pip install skl2onnx onnx, or "
            "this package with the extra onnx."
        ) from error
    either = [False, True]
    classifier_options = {
        "transform": either,
        "zipmap": [True, False, "columns"],
        "nocl": either,
        "output_class_labels": either,
        "raw_scores": either,
    }
    of_regressors = _regressor_shapes, _convert_regressor, {"transform": either}
    of_classifiers = _classifier_shapes, _convert_classifier, classifier_options
    for kind in (TwoLayerRegressor, TwoLayerClassifier, *subclasses):
        if not isinstance(kind, type):
            raise TypeError(f"register_converters takes classes: pass type(model), not {kind!r}.")
        if not issubclass(kind, BaseTwoLayer):
            raise TypeError(f"{kind.__name__} is no TwoLayerRegressor and no TwoLayerClassifier.")
        is_regressor = issubclass(kind, TwoLayerRegressor)
        shapes, convert, options = of_regressors if is_regressor else of_classifiers
        alias = f"Sklearn{kind.__name__}"
        register(kind, alias, shapes, convert, parser=_parse, options=options)
    # What both share, under a name of its own, is the operator with ``transform`` for output.
    register(BaseTwoLayer, HIDDEN_LAYER, _hidden_layer_shapes, _convert_hidden_layer)


def _parse(scope, model, inputs, custom_parsers=None):
    """The outputs of an estimator: its hidden layer, or what skl2onnx expects of its type."""
    from skl2onnx._parse import _parse_sklearn_classifier, _parse_sklearn_simple_model
    from skl2onnx.common.data_types import guess_tensor_type

    check_is_fitted(model)
    if scope.get_options(model, {"transform": False})["transform"]:
        operator = scope.declare_local_operator(HIDDEN_LAYER, model)
        operator.inputs = inputs
        output_type = guess_tensor_type(inputs[0].type)
        operator.outputs.append(scope.declare_local_variable("hidden", output_type))
        return operator.outputs
    if not is_classifier(model):
        return _parse_sklearn_simple_model(scope, model, inputs)
    if not scope.get_options(model, {"nocl": False})["nocl"]:
        _check_labels(model.classes_)
    return _parse_sklearn_classifier(scope, model, inputs)


def _check_labels(classes):
    """Refuse labels that are neither strings nor integers of 64 bits: ONNX has no others."""
    is_number, is_string = classes.dtype.kind in "biuf", classes.dtype.kind in "OU"
    least, greatest = INTEGERS.min, INTEGERS.max
    if is_string or (is_number and all(least <= int(label) <= greatest for label in classes)):
        return
    raise ValueError(
        f"ONNX has labels that are strings, or integers from {least} to {greatest}, but classes_ "
        f"has dtype {classes.dtype} and ends with {classes[-1]}. Fit to such labels, for instance "
        'to y.astype(str), or pass the option {"nocl": True} for indices into classes_.'
    )


def _hidden_layer_shapes(operator):
    operator.outputs[0].type.shape = [_n_rows(operator), operator.raw_operator.coefs_[0].shape[1]]


def _regressor_shapes(operator):
    operator.outputs[0].type.shape = [_n_rows(operator), operator.raw_operator.n_outputs_]


def _classifier_shapes(operator):
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    calculate_linear_classifier_output_shapes(operator)
    model = operator.raw_operator
    if model._learned_.targets.is_multilabel:
        operator.outputs[0].type.shape = [_n_rows(operator), model.n_outputs_]


def _n_rows(operator):
    return operator.inputs[0].get_first_dimension()


def _convert_hidden_layer(scope, operator, container):
    _check_is_meant(scope, operator)
    graph, model = Graph(scope, operator, container), operator.raw_operator
    (W1, _), (b1, _) = model.coefs_, model.intercepts_
    A1 = _hidden_layer(graph, model, W1, b1, activation=model._learned_.activation)
    graph.output(0, graph.cast(A1, graph.output_dtype))


def _convert_regressor(scope, operator, container):
    _check_is_answer(scope, operator)
    graph, model = Graph(scope, operator, container), operator.raw_operator
    A2 = graph(OPERATORS[model.out_activation_], _raw_prediction(graph, model))
    graph.output(0, graph.cast(A2, graph.output_dtype))


def _convert_classifier(scope, operator, container):
    """Labels, and probabilities or the raw prediction Z2 itself; two classes have -Z2 and Z2."""
    _check_is_answer(scope, operator)
    graph, model = Graph(scope, operator, container), operator.raw_operator
    Z2 = _raw_prediction(graph, model)
    if model._learned_.targets.is_binary:
        Z2 = graph("Concat", graph("Neg", Z2), Z2, axis=1)
    if model._learned_.targets.is_multilabel:
        labels = graph.cast(graph("Greater", Z2, np.zeros(1, graph.dtype)), np.int64)
    else:
        classes = _exported_classes(scope, model)
        labels = graph("Gather", classes, graph("ArgMax", Z2, axis=1, keepdims=0))
    softmax = {"axis": 1} if model.out_activation_ == "softmax" else {}
    is_raw = _is_asked_for_raw_scores(scope, container, model)
    A2 = Z2 if is_raw else graph(OPERATORS[model.out_activation_], Z2, **softmax)
    graph.output(0, labels)
    graph.output(1, graph.cast(A2, graph.output_dtype))


def _is_asked_for_raw_scores(scope, container, model):
    """Whether a calibration or a stack asks a classifier, or a Pipeline that ends with it, for Z2.

    skl2onnx tells a Pipeline so, which does not tell its last step.
    """
    models = (operator.raw_operator for operator in scope.operators.values())
    asked = [model, *(each for each in models if each is not model and _last_step(each) is model)]
    options = (container.get_options(each, {"raw_scores": False}) for each in asked)
    return any(option["raw_scores"] for option in options)


def _last_step(model):
    return _last_step(model.steps[-1][1]) if isinstance(model, Pipeline) else model


def _check_is_answer(scope, operator):
    """Raise ValueError if the prediction goes into another step, where ``transform`` should."""
    if _feeds_a_step(scope, operator.outputs):
        name = type(operator.raw_operator).__name__
        raise ValueError(
            f"A {name} feeds another step, which in scikit-learn is its transform and not its "
            'prediction: pass options={id(step): {"transform": True}} to skl2onnx, where step is '
            f"this {name}."
        )


def _check_is_meant(scope, operator):
    """Raise ValueError if an option for a class makes hidden layers of too many networks."""
    model, operators = operator.raw_operator, scope.operators.values()
    is_named = id(model) in scope.options
    is_alone = sum(each.type == HIDDEN_LAYER for each in operators) == 1
    if not (is_named or is_alone or _feeds_a_step(scope, operator.outputs)):
        name = type(model).__name__
        raise ValueError(
            f'options={{{name}: {{"transform": True}}}} makes a hidden layer of the last {name} as '
            'well as of those that feed another step. Pass {id(step): {"transform": True}} for '
            "each that is meant."
        )


def _feeds_a_step(scope, variables):
    names = {variable.full_name for variable in variables}
    return any(
        operator.type not in ANSWERS or _feeds_a_step(scope, operator.outputs)
        for operator in scope.operators.values()
        if names & {variable.full_name for variable in operator.inputs}
    )


def _raw_prediction(graph, model):
    """Z2 = A1 W2 + b2, with tanh in the place of logistic."""
    network = model._learned_.network(model.coefs_)
    params, activation = network.pack(model.coefs_, model.intercepts_, float), network.activation
    if activation == "logistic":
        params, activation = TanhForm(network).apply(params), "tanh"
    W1, b1, W2, b2 = network.unpack(params)
    A1 = _hidden_layer(graph, model, W1, b1, activation=activation)
    W2, b2 = graph.rounded(W2, b2)
    return graph("Add", graph("MatMul", A1, W2), b2)


def _hidden_layer(graph, model, W1, b1, *, activation):
    """A1 = g((X - m) W1 + (b1 + m' W1))."""
    W1, b1 = W1.astype(np.float64), b1.astype(np.float64)
    (m,) = graph.rounded(model._learned_.scale.mean)
    W1, b1 = graph.rounded(W1, b1 + m @ W1)
    Z1 = graph("Add", graph("MatMul", graph("Sub", graph.X, m), W1), b1)
    return _activate(graph, Z1, activation)


def _activate(graph, Z, activation):
    """g(Z); softplus as max(z, 0) + ln(1 + exp(-|z|)), which onnxruntime has in float64."""
    if activation != "softplus":
        return graph(OPERATORS[activation], Z)
    exponential = graph("Exp", graph("Neg", graph("Abs", Z)))
    logarithm = graph("Log", graph("Add", exponential, np.ones(1, graph.dtype)))
    return graph("Add", graph("Relu", Z), logarithm)


def _exported_classes(scope, model):
    """The classes as ONNX can have them: integers, or strings."""
    from skl2onnx.common.utils_classifier import get_label_classes

    classes = get_label_classes(scope, model)
    return classes.astype(np.int64 if classes.dtype.kind in "biuf" else object)


class Graph:
    """The nodes of one operator, written as functions: ``graph("MatMul", A1, W2)``.

    Inputs are names of earlier results, which is what it returns, or arrays; ``X`` is the input.
    The outputs are float64 for a float64 input, float32 for all others; ``dtype`` is the precision
    of the computation.
    """

    def __init__(self, scope, operator, container):
        from skl2onnx.common.data_types import DoubleTensorType

        self._scope = scope
        self._outputs = operator.outputs
        self._container = container
        X = operator.inputs[0]
        self.output_dtype = np.float64 if isinstance(X.type, DoubleTensorType) else np.float32
        is_softplus = operator.raw_operator._learned_.activation == "softplus"
        self.dtype = np.float64 if is_softplus else self.output_dtype
        self.X = self.cast(X.full_name, self.dtype)

    def __call__(self, operation, *inputs, **attributes):
        """Add a node and return the name of its result."""
        inputs = [self._constant(x) if isinstance(x, np.ndarray) else x for x in inputs]
        result = self._scope.get_unique_variable_name(operation)
        self._container.add_node(operation, inputs, result, **attributes)
        return result

    def rounded(self, *arrays):
        """The arrays in the precision of the computation."""
        return [array.astype(self.dtype) for array in arrays]

    def cast(self, name, dtype):
        """The result in another data type."""
        return self("Cast", name, to=_onnx_type(np.dtype(dtype)))

    def output(self, index, name):
        """Declare a result as the output of the operator with this index."""
        self._container.add_node("Identity", name, self._outputs[index].full_name)

    def _constant(self, array):
        name = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, _onnx_type(array.dtype), array.shape, array.ravel())
        return name


def _onnx_type(dtype):
    from onnx.helper import np_dtype_to_tensor_dtype

    return int(np_dtype_to_tensor_dtype(dtype))
