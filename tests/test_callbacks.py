"""scikit-learn's callbacks: what a fit tells them, and that it stays the same fit."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._bayes.choose_penalty import most_steps

callback = pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn 1.9")

X = np.random.RandomState(0).normal(size=(80, 3))
SIGNAL = np.sin(2 * X[:, 0]) + 0.4 * np.random.RandomState(1).normal(size=80)
THREE = np.array(["low", "middle", "high"])[np.digitize(SIGNAL, [-0.5, 0.5])]
WEIGHT = np.random.RandomState(2).randint(0, 3, size=80)
#: Solver and alpha of each way through the minimisers.
EVERY_WAY = pytest.mark.parametrize(
    ("solver", "alpha"),
    [
        ("gd", 0.01),
        ("sgd", 0.01),
        ("adam", 0.01),
        ("lbfgs", 0.01),
        ("lm", 0.01),
        ("lm", "evidence"),
        ("lm", "ard"),
        ("lm", "auto"),
    ],
)
CASES = pytest.mark.parametrize(
    ("Estimator", "y"), [(TwoLayerRegressor, SIGNAL), (TwoLayerClassifier, THREE)]
)
SCORE = {TwoLayerRegressor: "r2", TwoLayerClassifier: "accuracy"}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True)
def a_penalty_that_is_chosen_on_the_way(request):
    """A classifier with alpha="auto" chooses before it fits: tests/test_compared_penalties.py."""
    case = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if case.get("Estimator") is TwoLayerClassifier and case.get("alpha") == "auto":
        pytest.skip("the penalty is chosen before the fit")


class Recorder:
    """Notes each call; may stop the fit, or fail, at the end of iteration k."""

    def __init__(self, k=None, error=None, fail_at=""):
        self.k, self.error, self.fail_at = k, error, fail_at
        self.calls, self.tasks = [], []

    def note(self, hook, context):
        self.calls.append((hook, context.task_name))
        if hook == self.fail_at:
            raise RuntimeError(f"failed at {hook}")

    def setup(self, estimator, context):
        self.note("setup", context)

    def teardown(self, estimator, context):
        self.note("teardown", context)

    def on_fit_task_begin(self, estimator, context):
        self.note("begin", context)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.note("end", context)
        self.tasks.append((context, X, y, metadata, fitted_estimator))
        if context.task_name == "iteration" and self.k == self.count("iteration"):
            if self.error is not None:
                raise self.error
            return True
        return False

    def count(self, name):
        return sum(context.task_name == name for context, *_ in self.tasks)

    def iterations(self):
        """What was told at the end of each iteration."""
        return [task for task in self.tasks if task[0].task_name == "iteration"]


def network(Estimator=TwoLayerRegressor, **parameters):
    return Estimator(**{"n_hidden": 4, "random_state": 0, "max_iter": 8, **parameters})


def recorded(model, *arguments, recorder=None, **options):
    recorder = Recorder() if recorder is None else recorder
    model.set_callbacks(recorder).fit(*arguments, **options)
    return recorder


def same_fit(one, other):
    """Whether two fits are the same, bit for bit."""
    pairs = zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_)
    return one.loss_curve_ == other.loss_curve_ and all(np.array_equal(a, b) for a, b in pairs)


@EVERY_WAY
@CASES
def test_every_iteration_is_a_task_with_its_own_weights(Estimator, y, solver, alpha):
    model = network(Estimator, solver=solver, alpha=alpha)
    recorder = recorded(model, X, y)
    n_iterations = len(recorder.iterations())
    expected = [("setup", "fit"), ("begin", "fit")]
    expected += [("begin", "iteration"), ("end", "iteration")] * n_iterations
    expected += [("end", "fit"), ("teardown", "fit")]
    assert recorder.calls == expected
    assert [context.task_id for context, *_ in recorder.iterations()] == list(range(n_iterations))
    if not isinstance(alpha, str):
        assert n_iterations == model.n_iter_
        for loss, (*_, fitted) in zip(model.loss_curve_, recorder.iterations()):
            fitted.penalty_ = model.penalty_
            assert fitted.loss_and_gradient(X, y)[0] == pytest.approx(loss, rel=1e-5)
    context, *_, fitted = recorder.tasks[-1]
    assert np.array_equal(fitted.predict(X), model.predict(X))
    is_gaussian = Estimator is TwoLayerRegressor
    most = most_steps(alpha, 8, is_gaussian) if isinstance(alpha, str) else 8
    assert n_iterations <= context.max_subtasks == most


def test_callbacks_see_the_steps_of_all_starts():
    model = TwoLayerRegressor(4, alpha=0.01, tol=0, random_state=0)
    recorder = recorded(model, X, SIGNAL)
    context, *_, fitted = recorder.tasks[-1]
    assert model.n_iter_ < len(recorder.iterations()) <= context.max_subtasks
    assert context.max_subtasks == 5 * 20 + 2 * 180
    assert np.array_equal(fitted.predict(X), model.predict(X))


@EVERY_WAY
@CASES
def test_callbacks_do_not_change_the_fit(Estimator, y, solver, alpha):
    model = network(Estimator, solver=solver, alpha=alpha)
    alone = clone(model).fit(X, y, WEIGHT)
    recorded(model, X, y, WEIGHT)
    assert same_fit(model, alone)


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
@CASES
def test_callbacks_do_not_change_an_early_stop(Estimator, y, solver):
    model = network(Estimator, solver=solver, early_stopping=True)
    alone = clone(model).fit(X, y, WEIGHT)
    recorded(model, X, y, WEIGHT)
    assert same_fit(model, alone)


@pytest.mark.parametrize(
    ("solver", "alpha", "n_jobs"),
    [
        ("gd", 0.01, None),
        ("sgd", 0.01, None),
        ("adam", 0.01, None),
        ("adam", 0.01, 2),
        ("lbfgs", 0.01, None),
        ("lm", 0.01, None),
        ("lm", "evidence", None),
        ("lm", "auto", 2),
    ],
)
def test_a_scoring_monitor_scores_each_iteration_of_each_member(solver, alpha, n_jobs):
    monitor = callback.ScoringMonitor(scoring="r2")
    model = network(solver=solver, alpha=alpha, n_members=2, n_jobs=n_jobs)
    alone = clone(model).fit(X, SIGNAL)
    model.set_callbacks(monitor).fit(X, SIGNAL)
    assert same_fit(model, alone)
    rows = monitor.get_logs().data
    iterations = [row for row in rows if row["task_name"] == "iteration"]
    members = [row for row in rows if row["task_name"] == "member"]
    assert [row["task_id_path"] for row in members] == [(0, 0), (0, 1)]
    for row in members:
        own = [r["r2"] for r in iterations if r["parent_task_id_path"] == row["task_id_path"]]
        assert len(own) >= 8
        published = max(own) if solver in ("sgd", "adam") else own[-1]
        assert alpha == "auto" or row["r2"] == pytest.approx(published, rel=1e-9)
    (whole,) = [row["r2"] for row in rows if row["task_name"] == "fit"]
    assert whole == pytest.approx(model.score(X, SIGNAL), rel=1e-12)


@EVERY_WAY
def test_its_scores_are_those_of_the_weights_at_that_iteration(solver, alpha):
    monitor = callback.ScoringMonitor(scoring="r2")
    model = network(solver=solver, alpha=alpha).set_callbacks(monitor)
    model.fit(X, SIGNAL, X_val=X, y_val=SIGNAL)
    *found, last = [row["r2"] for row in sorted(monitor.get_logs().data, key=row_number)]
    if not isinstance(alpha, str):
        assert found == pytest.approx(model.validation_scores_, rel=1e-9)
    assert last == pytest.approx(model.score(X, SIGNAL), rel=1e-12)


def row_number(row):
    """Order of a task in time: iterations as they are numbered, then the fit."""
    return (row["task_name"] == "fit", row["task_id"])


@pytest.mark.parametrize("n_members", [1, 2])
def test_a_model_has_error_bars_at_the_end_of_the_fit_and_none_on_the_way(n_members):
    """Nor those of the fit before."""
    model = network(alpha=0.01, n_members=n_members).fit(X, SIGNAL)
    *on_the_way, (*_, whole) = recorded(model, X, SIGNAL).tasks
    for *_, fitted in on_the_way:
        with pytest.raises(ValueError, match=r"no error bars: .* this one has not ended"):
            fitted.predict(X, return_std=True)
    expected = model.predict(X, return_std=True)
    np.testing.assert_array_equal(whole.predict(X, return_std=True), expected)


class Vandal(Recorder):
    """Writes into the weights that it is shown."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        for array in fitted_estimator.coefs_ + fitted_estimator.intercepts_:
            array[:] = 0


@pytest.mark.parametrize("n_members", [1, 2])
@CASES
def test_a_callback_has_weights_of_its_own(Estimator, y, n_members):
    model = network(Estimator, alpha=0.01, n_members=n_members)
    alone = clone(model).fit(X, y)
    recorded(model, X, y, recorder=Vandal())
    assert same_fit(model, alone)


def test_they_see_the_rows_that_are_learnt_and_their_own_weights():
    weight = np.linspace(1, 2, 80)
    model = network(
        TwoLayerClassifier,
        solver="lbfgs",
        class_weight="balanced",
        early_stopping=True,
        scoring="loss",
    )
    for _, rows, y, metadata, _ in recorded(model, X, THREE, weight).tasks:
        kept = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in rows]
        assert len(rows) == 72
        assert np.array_equal(y, THREE[kept])
        assert np.array_equal(metadata["sample_weight"], weight[kept])
    own = recorded(network(alpha=0.01), X, SIGNAL, X_val=X[:9], y_val=SIGNAL[:9])
    for _, rows, y, metadata, _ in own.tasks:
        assert np.array_equal(rows, X)
        assert np.array_equal(y, SIGNAL)
        assert metadata is None


@pytest.mark.parametrize("solver", ["gd", "sgd", "adam", "lbfgs", "lm"])
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_callback_may_end_the_fit(solver, n_members):
    model = network(solver=solver, alpha=0.01, n_members=n_members, max_iter=99, tol=0)
    recorder = recorded(model, X, SIGNAL, recorder=Recorder(k=3))
    assert recorder.calls[-1] == ("teardown", "fit")
    if n_members == 1:
        assert model.n_iter_ == 3


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_callback_may_end_the_choice_of_alpha():
    model = network(max_iter="auto")
    assert recorded(model, X, SIGNAL, recorder=Recorder(k=30)).count("iteration") == 30
    assert np.isfinite(model.log_marginal_likelihood_)


@EVERY_WAY
def test_an_interrupt_in_a_callback_keeps_the_iterations_before(solver, alpha):
    model = network(solver=solver, alpha=alpha, max_iter=99, tol=0)
    with pytest.warns(ConvergenceWarning, match="Training interrupted"):
        recorder = recorded(model, X, SIGNAL, recorder=Recorder(k=4, error=KeyboardInterrupt()))
    assert model.n_iter_ == len(model.loss_curve_) == 3
    before = recorder.iterations()[2][-1]
    if solver not in ("sgd", "adam"):  # those keep the best epoch
        assert np.array_equal(model.predict(X), before.predict(X))
    assert recorder.calls[-1] == ("teardown", "fit")


@pytest.mark.parametrize("fail_at", ["setup", "begin", "end", "teardown"])
def test_a_callback_that_fails_leaves_the_estimator_as_it_was(fail_at):
    model = network(alpha=0.01).fit(X, SIGNAL)
    before, names = model.predict(X), set(vars(model))
    recorder = Recorder(fail_at=fail_at)
    with pytest.raises(RuntimeError, match=f"failed at {fail_at}"):
        recorded(model, X, -SIGNAL, recorder=recorder)
    assert recorder.calls[-1] == ("teardown", "fit")
    model.set_callbacks()
    assert np.array_equal(model.predict(X), before)
    assert set(vars(model)) == names


def test_a_fit_that_is_refused_is_torn_down_too():
    recorder = Recorder()
    model = network(solver="gd", alpha=0.01, learning_rate=1e3, max_iter=99)
    with pytest.raises(ValueError, match="diverged"):
        recorded(model, X, SIGNAL, recorder=recorder)
    assert recorder.calls[-1] == ("teardown", "fit")
    assert not hasattr(model, "coefs_")


@CASES
def test_frames_raise_no_warning_of_names(Estimator, y):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abc"))
    monitor = callback.ScoringMonitor(scoring=SCORE[Estimator])
    model = network(Estimator, alpha=0.01).set_callbacks(monitor).fit(frame, y)
    model.fit(frame, y)  # from a fitted one
    assert model.feature_names_in_.tolist() == list("abc")
    assert monitor.get_logs().data[-1][SCORE[Estimator]] == pytest.approx(model.score(frame, y))


def test_callbacks_are_kept_by_clone_fit_and_pickle():
    monitor = callback.ScoringMonitor(scoring="r2")
    model = clone(network(alpha=0.01).set_callbacks(monitor)).fit(X, SIGNAL)
    model.fit(X, SIGNAL)
    assert len(monitor.get_logs(select="all")) == 2
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))


def test_anything_but_a_callback_is_refused():
    with pytest.raises(TypeError, match="FitCallback"):
        network().set_callbacks(print)


def test_partial_fit_tells_nothing():
    recorder = Recorder()
    network(solver="adam").set_callbacks(recorder).partial_fit(X, SIGNAL)
    assert recorder.calls == []


# Pipelines and searches


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_monitor_of_the_network_in_a_pipeline_in_a_search(n_jobs):
    table, kind = load_breast_cancer(return_X_y=True)
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    classifier = network(TwoLayerClassifier, solver="lbfgs").set_callbacks(monitor)
    pipeline = make_pipeline(StandardScaler(), classifier)
    grid = {"twolayerclassifier__alpha": [1e-3, 1e-1]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise")
    search.fit(table, kind)
    log = monitor.get_logs()
    assert log.estimator_name == "GridSearchCV"
    own = [row for row in log.data if row["estimator_name"] == "TwoLayerClassifier"]
    n_networks = len({row["parent_task_id_path"] for row in own if row["task_name"] == "iteration"})
    assert n_networks == 2 * 2 + 1
    assert sum(row["task_name"] == "iteration" for row in own) == 5 * 8
    alone = clone(search)
    alone.estimator[-1].set_callbacks()
    assert same_fit(alone.fit(table, kind).best_estimator_[-1], search.best_estimator_[-1])


@pytest.mark.parametrize("n_members", [1, 2])
def test_a_progress_bar_has_a_line_for_each_task_that_has_iterations(n_members, capsys):
    pytest.importorskip("rich", reason="ProgressBar needs rich")
    model = network(solver="lbfgs", n_members=n_members)
    model.set_callbacks(callback.ProgressBar()).fit(X, SIGNAL)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(lines) == (1 if n_members == 1 else 3)
    assert lines[0].startswith("TwoLayerRegressor - fit")
    assert all("100%" in line for line in lines)
    assert [line.split()[2] for line in lines[1:]] == ["member"] * (len(lines) - 1)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_progress_bar_of_a_search_reaches_the_network(n_jobs, capsys):
    pytest.importorskip("rich", reason="ProgressBar needs rich")
    table, target = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), network(solver="lbfgs"))
    search = GridSearchCV(
        pipeline, {"twolayerregressor__alpha": [0.1, 1]}, cv=2, n_jobs=n_jobs, error_score="raise"
    )
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(table, target)
    lines = capsys.readouterr().out.splitlines()
    assert sum("TwoLayerRegressor - fit" in line for line in lines) == 5
