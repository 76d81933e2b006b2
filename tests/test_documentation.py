"""The documents run: their snippets, their quotations of code, their links, the quickstart."""

import ast
import contextlib
import importlib.util
import inspect
import io
import json
import re
import runpy
import sys
from itertools import cycle
from pathlib import Path
from pkgutil import resolve_name
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor

import sklearn_twolayer
from sklearn_twolayer import TwoLayerClassifier, TwoLayerRegressor
from sklearn_twolayer._fit.auto import Size, resolve
from sklearn_twolayer._fit.parameters import checked
from sklearn_twolayer._network.backprop import TwoLayerNetwork

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sklearn_twolayer"
README = ROOT / "README.md"
SOURCE_PAGE = ROOT / "docs" / "reading_the_source.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
#: Document -> what its snippets import beyond the dependencies: all in the test extra.
OPTIONAL = {
    "deployment.md": ["skl2onnx", "onnxruntime", "skops"],
    "features.md": ["matplotlib", "pandas", "rich", "sklearn.callback"],
    "messy_table.md": ["pandas"],
    "methods_by_example.md": ["matplotlib"],
    "scaling_out.md": ["dask.array", "distributed"],
}

#: Documents whose snippets take seconds, and run with every test.
QUICK = {"methods_by_example.md"}
#: Documents whose snippets build on those of the sections before.
ONE_TEXT = {"derivation.md", "messy_table.md"}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<!\w)-?\d+(?:\.\d+)?")
#: In a table: [`line of code`](../sklearn_twolayer/folder/file.py) |
QUOTATION = re.compile(r"\[`([^`]+)`\]\(\.\./sklearn_twolayer/(\S+\.py)\) \|$", re.MULTILINE)
#: A program that a page shows, and what it prints.
PROGRAM = re.compile(
    r"^\[\w+\.py\]\((examples/\w+\.py)\)\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
#: Not asked of docstrings: an extended summary and a See Also in each method, an example there (a
#: page may have it), a capital where a description begins with a name (lbfgs), and
#: ``self : object`` as scikit-learn writes it.
NUMPYDOC_EXEMPT = {"ES01", "SA01", "EX01", "PR08", "RT02", "RT04"}
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def _text(path):
    return path.read_text(encoding="utf-8")


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _assert_same_output(found, expected):
    """The same words, where ... stands for any; decimals within one unit of the last digit."""
    pieces = [" ".join(piece.split()) for piece in expected.split("...")]
    any_number = f"({NUMBER.pattern})"
    patterns = (any_number.join(map(re.escape, NUMBER.split(piece))) for piece in pieces)
    match = re.fullmatch(".*".join(patterns), " ".join(found.split()))
    assert match, f"the document shows\n{expected}but the snippet prints\n{found}"
    for a, b in zip(match.groups(), NUMBER.findall(" ".join(pieces))):
        decimals = len(b.partition(".")[2])
        allowed = 1.01 * 10**-decimals if decimals else 0
        assert abs(float(a) - float(b)) <= allowed, f"{a}, but the document shows {b}:\n{found}"


def _sections(text):
    """(start, end) of the text before the first heading, and of each section under one."""
    blank = FENCE.sub(lambda fence: " " * len(fence.group()), text)
    starts = [0, *(heading.start() for heading in re.finditer(r"^##+ ", blank, re.MULTILINE))]
    return list(zip(starts, [*starts[1:], len(text)]))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.name, marks=() if path.name in QUICK else pytest.mark.slow)
        for path in DOCUMENTS
    ],
)
def test_snippets_run_and_print_what_the_document_shows(path, tmp_path, monkeypatch):
    """Each section can be pasted alone, but for two documents that are one text each.

    The python blocks run in order, in one namespace and an empty folder. A text block that
    follows one directly is what it prints.
    """
    for package in OPTIONAL.get(path.name, []):
        reason = f"{path.name} needs {package}, which comes with the test extra"
        pytest.importorskip(package, reason=reason, exc_type=ModuleNotFoundError)
    monkeypatch.chdir(tmp_path)
    text = _text(path)
    for start, end in [(0, len(text))] if path.name in ONE_TEXT else _sections(text):
        _run_snippets(text, start, end, path)


def _run_snippets(text, start, end, path):
    namespace, printed, last = {}, "", start
    for fence in FENCE.finditer(text, start, end):
        language, body = fence.groups()
        if language == "text" and printed and not text[last : fence.start()].strip():
            _assert_same_output(printed, body)
        printed = ""
        if language == "python":
            lines_above = "\n" * text.count("\n", 0, fence.start(2))
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(lines_above + body, str(path), "exec"), namespace)
            printed, last = output.getvalue(), fence.end()


PROGRAMS = [
    pytest.param(ROOT / "docs" / program, output, id=f"{path.name}-{program}")
    for path in DOCUMENTS
    for program, output in PROGRAM.findall(_text(path))
]


@pytest.mark.parametrize(("program", "output"), PROGRAMS)
def test_programs_print_what_the_document_shows(program, output, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(program), run_name="__main__")
    _assert_same_output(capsys.readouterr().out, output)


def test_output_comparison_sees_a_difference():
    _assert_same_output("loss 0.123 after 7 steps\n", "loss  0.124 after ... steps")
    for wrong in ("loss 0.126", "lass 0.123", "loss 1.123", "loss 0.123 0.5", "loss -0.123"):
        with pytest.raises(AssertionError):
            _assert_same_output(wrong, "loss 0.123")
    for found, expected in [("7 steps", "8 steps"), ("from 1 to 3", "from ... to 4")]:
        with pytest.raises(AssertionError):
            _assert_same_output(found, expected)


def test_quoted_lines_of_code_exist():
    text = _text(ROOT / "docs" / "derivation.md")
    quotations = QUOTATION.findall(text)
    assert len(quotations) == text.count(".py) |\n") >= 15
    for line, target in quotations:
        lines = [source.strip() for source in _text(PACKAGE / target).splitlines()]
        assert line in lines, f"{target} has no line {line!r}"


def test_every_line_of_backward_stands_in_the_derivation():
    """What the code does beside fetching names and memory, in the order of the derivation."""
    quoted = [line for line, _ in QUOTATION.findall(_text(ROOT / "docs" / "derivation.md"))]
    lines = [line.strip() for line in inspect.getsource(TwoLayerNetwork.backward).splitlines()]
    computing = [line for line in lines if line.startswith(("product", "delta", "d1"))]
    assert len(computing) == 5
    assert [line for line in quoted if line in computing] == computing


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target, anchor in LINK.findall(FENCE.sub("", _text(path))):
        if target.startswith(("http://", "https://")):
            continue
        linked = (path.parent / target).resolve() if target else path
        assert linked.exists(), f"{path.name} links to {target}, which does not exist"
        if anchor:
            assert anchor in _anchors(linked), f"{path.name} links to #{anchor}, not a heading"


def _anchors(path):
    """The names by which the headings of a document can be linked."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", _text(path)), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("name", ["TwoLayerRegressor", "TwoLayerClassifier.predict_proba"])
def test_a_link_to_the_source_leads_to_an_anchor_on_its_page(name):
    """Sphinx itself notices no link whose page is there but whose line is not."""
    highlighting = pytest.importorskip("sphinx.highlighting", reason="needs the docs extra")
    pages = _module(ROOT / "docs" / "_source_pages.py")
    found = pages.linkcode_resolve("py", {"module": "sklearn_twolayer", "fullname": name})
    page, anchor = re.fullmatch(r"\.\./(.+)\.html#(.+)", found).groups()
    builder = SimpleNamespace(highlighter=highlighting.PygmentsBridge("html"))
    bodies = {
        path: context["body"]
        for path, context, _ in pages.collect_pages(SimpleNamespace(builder=builder))
    }
    lines = bodies[page].partition(f'id="{anchor}"')[2].splitlines()
    assert f">{name.rpartition('.')[2]}<" in "".join(lines[:2])  # a decorator stands above


def test_readme_begins_with_two_commands_of_one_line():
    start = _text(README).index("## Quick start")
    first, second = re.findall(r"```sh\n(.*?)```", _text(README)[start:], re.DOTALL)[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert first.rstrip().endswith("docs/examples/quickstart.py")
    assert "-m pytest" in second
    assert second.strip() in _text(ROOT / ".github" / "workflows" / "ci.yml")


def test_the_short_paths_are_named_where_a_reader_begins():
    """The quickstart and the rules by hand, in an environment: Debian's pip refuses any other."""
    for page in (README, ROOT / "docs" / "index.md"):
        for program in ("quickstart.py", "backprop_by_hand.py"):
            assert f".venv/bin/python docs/examples/{program}" in _text(page), page.name
    assert _text(README).index("## Quick start") < _text(README).index("\n|")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_install_into_an_environment(path):
    """A block of commands makes one or has one, but for CONTRIBUTING's release."""
    for language, body in FENCE.findall(_text(path)):
        if language == "sh" and "twine" not in body:
            assert not re.search(r"(?<!\.venv/bin/)\bpip install", body), body


def _section(page, title):
    return _text(page).split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_tree_shows_each_module_once_in_its_folder():
    """Each is a link; those of a folder stand under its name; the numbers go from 1 to 8."""
    lines = [line for line in _section(SOURCE_PAGE, "The tree").splitlines() if "- " in line[:4]]
    listed, numbers, folder = [], [], ""
    for line in lines:
        if line.startswith("- "):
            folder = "".join(re.findall(r"^- `(\w+/)`", line))
            continue
        files = re.findall(r"\[`(\w+\.py)`\]\(\.\./sklearn_twolayer/([\w/]+\.py)\)", line)
        assert all(target == folder + file for file, target in files), line
        listed += [target for _, target in files]
        numbers += re.findall(r"\*\*(\d)\*\*", line)
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    assert sorted(listed) == sorted(name for name in modules if "/__init__" not in name)
    assert numbers == list("12345678")
    assert len(lines) <= 32


def _road(text):
    """(name, file) of each function of a road, where ``name`` (``file``) says where it stands."""
    return re.findall(r"`([\w.]+)` \(`([\w/]+\.py)`\)", text)


def _lines_of(name, file):
    """How many lines a function or method has, without its docstring."""
    body = ast.parse(_text(PACKAGE / file)).body
    for part in name.split("."):
        found = [node for node in body if getattr(node, "name", None) == part]
        assert len(found) == 1, f"{file} has no {name}"
        body = found[0].body
    has_docstring = ast.get_docstring(found[0]) is not None
    docstring = body[0].end_lineno - body[0].lineno + 1 if has_docstring else 0
    return found[0].end_lineno - found[0].lineno + 1 - docstring


def test_the_roads_of_the_source_page_name_functions_that_exist():
    for title, least in [("The walk of one fit", 12), ("The road of the penalties", 6)]:
        road = _road(_section(SOURCE_PAGE, title))
        assert len(road) >= least
        assert all(_lines_of(*function) for function in road)


def test_the_walk_is_as_long_as_the_source_page_says():
    """A dozen functions of the eight files and the loop over the rows, some 250 lines."""
    walk = _section(SOURCE_PAGE, "The walk of one fit")
    road = _road(walk.split("\nThe other solvers")[0])
    assert len(road) in range(11, 15)
    assert 200 < sum(_lines_of(*function) for function in road) < 275
    numbered = re.findall(r"\*\*\d\*\* .*?sklearn_twolayer/([\w/]+\.py)", _text(SOURCE_PAGE))
    assert {file for _, file in road} == {*numbered[:1], *numbered[3:], "_data/rows.py"}
    assert 900 < sum(len(_text(PACKAGE / file).splitlines()) for file in numbered[:4]) < 1000


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("solver", ["gd", "lbfgs", "adam", "sgd", "lm"])
def test_the_short_cut_of_one_output_is_where_the_source_page_says(solver, n_outputs, monkeypatch):
    """``backward`` runs by gd always, by the others of two outputs."""
    calls, backward = [], TwoLayerNetwork.backward
    monkeypatch.setattr(
        TwoLayerNetwork, "backward", lambda *arguments: calls.append(1) or backward(*arguments)
    )
    X = np.linspace(-1, 1, 30).reshape(-1, 1)
    y = np.hstack([X**2, X**3])[:, :n_outputs]
    model = TwoLayerRegressor(4, solver=solver, alpha=0.1, tol=1.0, random_state=0)
    model.fit(X, y if n_outputs > 1 else y.ravel())
    assert bool(calls) == (solver == "gd" or n_outputs == 2)


RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_say_how_they_were_made_and_are_shown(path):
    results = json.loads(_text(path))
    script = re.match(r"python (benchmarks/\w+\.py)", results["command"]).group(1)
    assert (ROOT / script).exists()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", results["date"])
    assert "Python 3" in results["environment"]
    for table in results["tables"]:
        assert {len(row) for row in table["rows"]} == {len(table["header"])}
    assert _text(path) == _module(ROOT / "benchmarks" / "_report.py").as_json(results)
    pages = "".join(map(_text, DOCUMENTS))
    link = rf"^\[(.+)\]\(\.\./benchmarks/results/{path.stem}\.json\)$"
    shown = re.findall(link, pages, re.MULTILINE)
    assert shown, "no page shows it"
    titles = {title.strip() for text in shown for title in text.split(";")}
    assert titles in ({"All tables"}, {table["title"] for table in results["tables"]})


def test_tables_of_the_benchmarks_are_those_of_saved_results():
    """But for that of the sections, and that of the tests, which no benchmark makes."""
    tables = re.findall(r"\n\n(\| .+)", _text(ROOT / "docs" / "benchmarks.md"))
    assert tables == [
        "| section | command | minutes |",
        "| products as on | NumPy without | threads | tests | failures |",
    ]


def test_the_main_size_is_one_command(tmp_path, monkeypatch, capsys):
    """Its tables are like the saved ones: with AVX-512 twice as wide; medians of the runs."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = _module(ROOT / "benchmarks" / "bench_main.py")
    monkeypatch.setattr(sys.modules["_report"], "TABLES", [])
    ours = cycle(["900 µs", "2 ms", "1.5 ms"])

    def run(name, options, environment):
        assert options == ["--main", "--without", "torch.compile", "--without", "PyTorch"]
        header = ["problem", "ours", "scikit-learn", "PyTorch", "torch.compile", "JAX scan"]
        ratio = "3.1 (2 to 4)" if environment else "5 (4.5 to 6)"
        return header, [name, next(ours), ratio, "--", "--", "1.25 (1 to 2)"]

    monkeypatch.setattr(script, "run_script", run)
    saved = tmp_path / "saved.json"
    for processor, like in [("Xeon (AVX512F)", "main_intel"), ("EPYC (AVX2)", "main_zen3")]:
        monkeypatch.setattr(script, "processor", lambda name=processor: name)
        command = f"script --repeat 3 --without PyTorch --save {saved}"
        monkeypatch.setattr(sys, "argv", command.split())
        script.main()
        (shown,) = json.loads(_text(ROOT / "benchmarks" / "results" / f"{like}.json"))["tables"]
        table = json.loads(_text(saved))["tables"][-1]
        assert (table["title"], table["header"]) == (shown["title"], shown["header"])
        assert [row[0] for row in table["rows"]] == [row[0] for row in shown["rows"]]
        cells = ["1.5 ms", "5", "--", "1.25", "1.5 ms", "3.1", "--", "1.25"]
        assert table["rows"][0][1:] == cells[: len(shown["header"]) - 1]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tables_and_programs_are_links_on_a_forge(path):
    """A forge shows the directives of both as they are written: nothing to look at."""
    assert not re.findall(r"^:+\{(?:results|literalinclude|include)\}.*", _text(path), re.MULTILINE)


def test_the_site_shows_what_a_link_alone_on_its_line_leads_to():
    show = _module(ROOT / "docs" / "_shown_files.py").show
    assert show("[All tables](../benchmarks/results/a.json)") == ":::{results} a\n:::"
    assert show("[An x; B](../benchmarks/results/a.json)") == (
        ":::{results} a\n:titles: An x; B\n:::"
    )
    assert show("[b.py](a/b.py)") == ":::{literalinclude} a/b.py\n:::"
    assert show("[b.py](b.py)") == ":::{literalinclude} b.py\n:::"
    assert ":pyobject: C.d\n" in show("[C.d](../a/b.py)")
    assert show("[B.md](../B.md)") == ":::{include} ../B.md\n:relative-docs: docs/\n:::"
    for other in ("See [b.py](a/b.py)", "| [`line`](a/b.py) |", "[page](b.md)"):
        assert show(other) == other


def test_a_page_that_fetches_anything_fails_the_build(tmp_path):
    pytest.importorskip("sphinx.errors", reason="needs the docs extra")
    offline = _module(ROOT / "docs" / "_offline.py")
    harmless = (
        '<a href="https://a.org/x.js">there</a> <link rel="canonical" href="https://a.org/">'
        '<script src="_static/a.js"></script> <link rel="stylesheet" href="a.css"/>'
    )
    assert offline.fetched(harmless) == []
    for tag in ("script src", "img src", 'link rel="stylesheet" href', "iframe src"):
        assert offline.fetched(f'{harmless}<{tag}="https://a.org/x">') == ["https://a.org/x"]
    app = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(format="html"))
    (tmp_path / "page.html").write_text(harmless)
    offline.refuse_what_is_fetched(app, None)
    (tmp_path / "page.html").write_text('<script src="//a.org/x.js"></script>')
    with pytest.raises(offline.SphinxError, match=r"page\.html would fetch //a\.org/x\.js"):
        offline.refuse_what_is_fetched(app, None)


def _saved(name):
    """The command of a saved run, and the rows of each of its tables, nothing in bold."""
    results = json.loads(_text(ROOT / "benchmarks" / "results" / f"{name}.json"))
    tables = [
        [[cell.replace("**", "") for cell in row] for row in table["rows"]]
        for table in results["tables"]
    ]
    return results["command"], *tables


def _classification():
    command, rows = _saved("r_classification")
    accuracy, log_loss = ({row[0]: row[column] for row in rows} for column in (1, 2))
    ours, linear, mlp = "TwoLayerClassifier", "LogisticRegression()", "MLPClassifier()"
    return (
        command,
        "accuracy on 81 small tables of R packages, everything default",
        f"{accuracy[ours]} %, log loss {log_loss[ours]}; on scaled X "
        f"`LogisticRegression(max_iter=1000)` {accuracy[linear]} %, {log_loss[linear]}, "
        f"`MLPClassifier()` {accuracy[mlp]} %, {log_loss[mlp]}",
    )


def _regression():
    command, sets, means = _saved("uci_regression_peers")
    ratio, inside = dict(means), [float(row[6]) for row in sets]
    assert sum(int(row[2].split(" x ")[0]) <= 2000 for row in sets) == 10
    of_ten = ratio["TwoLayerRegressor, sets of up to 2,000 rows"]
    process = ratio["GaussianProcessRegressor, the same sets"]
    trees, forest = ratio["HistGradientBoostingRegressor"], ratio["RandomForestRegressor"]
    return (
        command,
        "RMSE over that of the best of six regressors of scikit-learn, geometric mean of "
        f"{len(sets)} UCI sets, everything default",
        f"{ratio['TwoLayerRegressor']}; gradient boosting {trees}, random forest {forest}, "
        f"`MLPRegressor()` {ratio['MLPRegressor']}; on ten of up to 2,000 rows {of_ten}, a "
        f"Gaussian process {process}; 90 % intervals hold {min(inside)} to {max(inside)} % of new "
        "targets",
    )


def _speed():
    command, rows = _saved("main_intel")
    _, ours, mlp, _, jax, *_ = rows[0]
    return (
        command,
        "loss and gradient of 100,000 rows, 20 columns, 100 units",
        f"{ours}; scikit-learn's MLP takes {mlp} times as long, JAX {jax}",
    )


@pytest.mark.parametrize("row", [0, 1, 2], ids=["classification", "regression", "speed"])
def test_figures_of_the_readme_are_those_of_a_saved_run(row):
    """Each is beside its model what the run has there, and the command is the run's."""
    line = _text(README).split("| what was measured |")[1].split("\n\n")[0].splitlines()[2:][row]
    found = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    command, *cells = (_classification, _regression, _speed)[row]()
    assert found[:2] == cells
    assert found[2] == command


def test_the_command_of_the_readme_makes_the_tables_that_it_names(tmp_path, monkeypatch):
    """``--peers`` alone is three splits of each set but gas, in tables as those that are saved."""
    rng = np.random.default_rng(0)
    (tmp_path / "uci_regression").mkdir()
    for name, n in [("small", 20), ("gas", 21), ("other", 22)]:
        X = rng.normal(size=(n, 2))
        splits = np.tile(np.arange(8), (4, 1))
        np.savez(tmp_path / "uci_regression" / name, X=X, y=X[:, 0], test_index=splits)
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    script = _module(ROOT / "benchmarks" / "bench_uci_regression.py")
    peers = ["GaussianProcessRegressor", "MLPRegressor", "RidgeCV"]
    models = {peer: lambda f, seed: script.scaled(RidgeCV()) for peer in peers}
    monkeypatch.setattr(script, "PEERS", models)
    fits = []
    monkeypatch.setattr(script, "our_model", lambda f, seed: fits.append(seed) or RidgeCV())
    saved = tmp_path / "saved.json"
    monkeypatch.setattr(sys, "argv", f"script {tmp_path} --peers --save {saved}".split())
    script.main()
    assert fits == [0, 1, 2] * 2
    sets, means = json.loads(_text(saved))["tables"]
    assert [row[:2] for row in sets["rows"]] == [["chosen", "small"], ["chosen", "other"]]
    of_readme = json.loads(_text(ROOT / "benchmarks" / "results" / "uci_regression_peers.json"))
    for table, shown in zip((sets, means), of_readme["tables"], strict=True):
        assert (table["title"], table["header"]) == (shown["title"], shown["header"])
    labels = {row[0] for row in of_readme["tables"][1]["rows"]}
    assert {row[0] for row in means["rows"]} <= labels


def test_every_parameter_of_the_mlp_is_translated():
    """Each stands in the first column of the table, and ours in the second exist."""
    table = _text(ROOT / "docs" / "coming_from_mlp.md").split("## Parameters")[1].split("\n\n")[1]
    theirs, ours = set(), set()
    for line in table.splitlines()[2:]:
        first, second = (re.findall(r"`(\w+)", cell) for cell in line.split("|")[1:3])
        theirs, ours = theirs | set(first), ours | set(second)
    known = {**MLPRegressor().get_params(), **MLPClassifier().get_params()}
    assert theirs >= known.keys()
    assert ours <= TwoLayerRegressor().get_params().keys()


def test_the_table_of_solvers_is_what_auto_chooses():
    table = _text(ROOT / "docs" / "user_guide.md").split("For a regression of 20 columns")[1]
    rows = [line.strip("| ").split(" | ") for line in table.split("\n\n")[1].splitlines()]
    widths = [int(cell.removesuffix(" units")) for cell in rows[0][1:]]
    assert len(widths) == 3 and len(rows) == 8
    for n_rows, *solvers in rows[2:]:
        size = Size(int(n_rows.replace(",", "")), n_features=20, n_outputs=1)
        models = [TwoLayerRegressor(n_hidden) for n_hidden in widths]
        settings = [checked(vars(model), "TwoLayerRegressor") for model in models]
        assert solvers == [resolve(each, size).solver for each in settings], n_rows


def test_no_page_for_users_imports_private_modules():
    """The derivation and the source page show them, deployment names them to skops."""
    for path in DOCUMENTS:
        if path.name not in ("derivation.md", "reading_the_source.md"):
            code = "".join(body for _, body in FENCE.findall(_text(path)))
            assert not re.search(r"(?:from|import) sklearn_twolayer\._", code), path.name


def test_the_reference_has_all_public_names():
    listed = re.findall(
        r"^   (?:onnx\.)?(\w+)$", _text(ROOT / "docs" / "reference.md"), re.MULTILINE
    )
    public = {*sklearn_twolayer.__all__, "register_converters"} - {"__version__"}
    assert sorted(listed) == sorted(public)


def _public_names():
    """The public classes, the public methods that the package defines, the ONNX converters."""
    yield "sklearn_twolayer.onnx.register_converters"
    for name, public in inspect.getmembers(sklearn_twolayer, inspect.isclass):
        yield f"sklearn_twolayer.{name}"
        for method, function in inspect.getmembers(public, inspect.isroutine):
            module = getattr(function, "__module__", None) or ""
            if module.startswith("sklearn_twolayer") and not method.startswith("_"):
                yield f"sklearn_twolayer.{name}.{method}"


@pytest.mark.parametrize("name", list(_public_names()))
def test_public_docstrings_follow_numpydoc(name):
    validation = pytest.importorskip(
        "numpydoc.validate", reason="numpydoc comes with the dev extra", exc_type=ImportError
    )
    errors = dict(validation.validate(name)["errors"])
    assert not {code: errors[code] for code in errors.keys() - NUMPYDOC_EXEMPT}


@pytest.mark.parametrize("name", list(_public_names()))
def test_everything_public_has_an_example(name):
    """In its docstring, or of methods on the page from which the site takes it."""
    examples = _module(ROOT / "docs" / "_method_examples.py")
    docstring = inspect.getdoc(resolve_name(name))
    assert ("\nExamples\n--------\n" in docstring) != (examples.example_of(name) is not None)


def test_no_example_is_of_a_method_that_is_not_there():
    examples = _module(ROOT / "docs" / "_method_examples.py")
    of_both = {"TwoLayerRegressor", "TwoLayerClassifier"}
    public = {name.removeprefix("sklearn_twolayer.") for name in _public_names()}
    for name in examples.examples():
        names = {name} if "." in name else {f"{estimator}.{name}" for estimator in of_both}
        assert names <= public, name


def test_the_site_shows_the_example_of_a_method_below_it():
    examples = _module(ROOT / "docs" / "_method_examples.py")
    app = SimpleNamespace(env=SimpleNamespace(note_dependency=lambda path: None))
    for name in ("TwoLayerRegressor.predict", "TwoLayerClassifier.fit"):
        lines = ["What it does."]
        examples.add_example(app, "method", f"sklearn_twolayer.{name}", None, {}, lines)
        assert lines[:3] == ["What it does.", "", ".. rubric:: Examples"]
        assert lines.count(".. code-block:: python") == lines.count(".. code-block:: text") == 1
    lines = ["What it does."]
    examples.add_example(
        app, "method", "sklearn_twolayer.TwoLayerRegressor.set_params", 0, {}, lines
    )
    examples.add_example(app, "class", "sklearn_twolayer.TwoLayerRegressor", None, {}, lines)
    assert lines == ["What it does."]


@pytest.mark.parametrize("Estimator", [TwoLayerRegressor, TwoLayerClassifier])
def test_docstrings_of_the_estimators_group_their_parameters(Estimator):
    """The first parameter of each group carries its name; numpydoc checks order and signature."""
    groups = {
        "Network": "n_hidden",
        "Penalty": "alpha",
        "Training": "solver",
        "Stopping": "max_iter",
        "The rest": "warm_start",
    }
    found = re.findall(r"^ +(\w+) : .*\n +\*\*(.+)\.\*\*", Estimator.__doc__, re.MULTILINE)
    assert [(label, name) for name, label in found] == list(groups.items())


@pytest.fixture
def quickstart():
    return _module(ROOT / "docs" / "examples" / "quickstart.py")


#: StandardScaler(), TwoLayerRegressor(...) or a name that stands for ours.
SCALED_TWICE = re.compile(r"StandardScaler\(\)\W+(?:\w+\W+)?(?:TwoLayer\w+|network|regressor)\b")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_snippet_scales_what_is_scaled_inside(path):
    """Pages tell to drop a StandardScaler in front of our estimators: none shows one."""
    for _, body in FENCE.findall(_text(path)):
        assert not SCALED_TWICE.search(body), f"{path.name} scales what is scaled inside:\n{body}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_snippet_rounds_what_it_tells_to_one_decimal(path):
    """An R^2 of 0.96 is no 1.0, four losses of 0.49 to 0.494 are not the same 0.5."""
    for _, body in FENCE.findall(_text(path)):
        assert ":.1f}" not in body, f"{path.name} prints one decimal:\n{body}"


def test_quickstart_scales_for_the_others_alone(quickstart):
    for name, model, _ in (*quickstart.REGRESSORS, *quickstart.CLASSIFIERS):
        assert ("StandardScaler" in repr(model)) == (not name.startswith("TwoLayer")), name


@pytest.mark.slow
def test_quickstart_draws_a_picture(quickstart, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    monkeypatch.setattr(quickstart, "SOLVERS", {"lm": "#D55E00"})
    quickstart.draw_loss_curves(tmp_path / "loss_curves.png")
    assert (tmp_path / "loss_curves.png").read_bytes().startswith(b"\x89PNG")


def test_quickstart_runs_without_matplotlib(quickstart, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    quickstart.draw_loss_curves(tmp_path / "loss_curves.png")
    assert 'pip install ".[plot]"' in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
