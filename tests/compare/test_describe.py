"""Facts about a method before it runs: its kind, its code's hash, its declaration."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from baselines.learner import Learner
from baselines.specs import ALGORITHMS
from bench.guests.child import LEARNER, fault_of, packages
from bench.guests.method import GROUP, Guest, MethodRefused
from bench.guests.process import describe
from bench.processes.landlock import version
from bench.run.job import Limits
from bench.store import Store
from bench.suite.explain import Problem
from tests.compare.conftest import EXAMPLES, HERE
from tests.compare.learners import Twin
from tests.conftest import Bench

Described = Callable[[str], Guest]
DECLARED = '{"says": "x", "tuning": {"runs": 0, "steps": 0, "seeds": [], "says": "none"}}'


def test_a_function_with_what_it_declares(described: Described) -> None:
    found = described("methods:leans")
    assert (found.kind, found.target, len(found.source)) == ("function", "methods:leans", 64)
    assert found.declaration.tuning.seeds == (0, 7)
    assert found.declaration.teacher


def test_the_hash_is_of_the_code_and_of_what_lies_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{EXAMPLES.parent}")
    package = tmp_path / "my_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "method.py").write_text(f"import beside\nDECLARATION = {DECLARED}\ndef train(task): ...\n")
    (package / "unused.py").write_text("")
    (tmp_path / "beside.py").write_text("x = 1\n")
    (tmp_path / "stranger.py").write_text("")

    def source() -> str:
        return describe("my_pkg.method:train", Limits()).source

    hashes = [source()]
    (tmp_path / "stranger.py").write_text("x = 1")
    assert source() == hashes[0]
    for path in (package / "unused.py", tmp_path / "beside.py", package / "method.py"):
        path.write_text(path.read_text() + "# changed\n")
        hashes.append(source())
    assert len(set(hashes)) == 4
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("my_pkg", "beside.py"):
        shutil.move(tmp_path / name, moved / name)
    monkeypatch.setenv("PYTHONPATH", f"{moved}:{EXAMPLES.parent}")
    assert source() == hashes[-1]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("made", "", "no installed package has methods; name it module:attribute"),
        ("made:tr ain", "", "module:function or module:Class"),
        ("absent:train", "", "ModuleNotFoundError: No module named 'absent'"),
        ("made:train", "", "AttributeError: module 'made' has no attribute 'train'"),
        ("made:train", "1 / 0", "ZeroDivisionError: division by zero (made.py, line 1)"),
        ("made:train", "train = 5", "made:train, which is of type int"),
        ("made:train", "def train(task): ...", "write DECLARATION = {...}: docs/bring-your-method.md shows one"),
        ("made:train", "DECLARATION = 5\ndef train(task): ...", "made.DECLARATION\n    got      a value of type int"),
        ("made:train", "def train(): ...", "which takes (), not (task): too many positional arguments"),
        ("made:train", "def train(task, seed): ...", "which takes (task, seed), not (task): missing a required"),
        ("made:train", "def train(*, task): ...", "which takes (*, task), not (task): too many positional"),
        ("made:train", "class train: ...", "a class without exploring, greedy, learn, policy, state, load_state"),
        (
            "made:Mine",
            "import learners\nclass Mine(learners.Twin):\n    def __init__(self, tasks): ...",
            "which takes (tasks), not (tasks, hyperparameters, streams, device): too many positional arguments",
        ),
        ("made:train", 'DECLARATION = {"says": "x"}\ndef train(task): ...', 'the key "tuning" with a value'),
        (
            "made:train",
            f"DECLARATION = {DECLARED} | {{'score': 1}}\ndef train(task): ...",
            'the unknown key "score"',
        ),
        ("made:train", "import os; os._exit(9)", "the process ended with code 9"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    name: str, code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{HERE}:{EXAMPLES.parent}")
    with pytest.raises(MethodRefused) as refused:
        describe(name, Limits())
    assert message in str(refused.value)


def test_a_declaration_is_told_everything_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = '{"says": "", "tuning": {"runs": -1, "steps": 0, "seeds": []}, "teacher": "yes", "scroe": 1}'
    (tmp_path / "made.py").write_text(f"DECLARATION = {wrong}\ndef train(task): ...\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{EXAMPLES.parent}")
    with pytest.raises(MethodRefused) as refused:
        describe("made:train", Limits())
    keys = {problem.key for problem in refused.value.problems}
    assert keys == {f"made.DECLARATION: {k}" for k in ("says", "tuning.runs", "tuning.says", "teacher", "scroe")}


def test_a_value_of_another_type_is_one_problem_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not JSON, which carries it, has the type."""
    values = '{"layers": [64, 64], "net": {"wide": 3}, "none": None, "lr": float("nan"), "what": object(), "raw": b"x"}'
    (tmp_path / "made.py").write_text(
        f"DECLARATION = {DECLARED} | {{'hyperparameters': {values}}}\ndef train(task): ..."
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{EXAMPLES.parent}")
    with pytest.raises(MethodRefused) as refused:
        describe("made:train", Limits())
    got = {
        problem.key.removeprefix("made.DECLARATION: hyperparameters."): problem for problem in refused.value.problems
    }
    assert list(got) == ["layers", "net", "none", "lr", "what", "raw"]
    assert len(refused.value.problems) == 6
    assert {p.allowed for p in got.values()} == {"true or false, a whole number, a finite number or text"}
    assert (got["layers"].got, got["what"].got) == ("[64, 64]", "{'of type': 'object'}")


def test_a_learner_is_asked_for_what_the_protocol_has() -> None:
    methods = {name for name, own in vars(Learner).items() if callable(own) and not name.startswith("_")}
    assert set(LEARNER) == methods
    assert fault_of(Twin) == ""


def test_every_learner_of_the_suites_would_pass() -> None:
    for algorithm in ALGORITHMS.values():
        module, _, name = algorithm.learner.partition(":")
        assert fault_of(getattr(importlib.import_module(module), name)) == ""


def installed(folder: Path, entry_points: str) -> None:
    """An installed package by its metadata alone, with a method beside it."""
    info = folder / "their_methods-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-methods\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry_points}\n")
    (folder / "their_module.py").write_text(f"DECLARATION = {DECLARED}\ndef train(task): ...\n")


def test_a_package_names_its_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "theirs = their_module:train")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{EXAMPLES.parent}")
    found = describe("theirs", Limits())
    assert (found.name, found.target, found.kind) == ("theirs", "their_module:train", "function")
    with pytest.raises(MethodRefused) as refused:
        describe("thiers", Limits())
    (problem,) = refused.value.problems
    assert problem.allowed == f'module:attribute, or an entry point of {GROUP}: "theirs"; or imported:NAME'
    assert problem.mend == 'name one of them; did you mean "theirs"?'


def test_an_unusable_method_is_refused_before_any_run(bench_here: Bench, tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(f"DECLARATION = {DECLARED}\ndef train(task, seed): ...\n")
    done = bench_here("compare", "made:train", "--suite", "knowru", "--profile", "smoke")
    assert done.returncode == 2
    assert "which takes (task, seed), not (task)" in done.stderr
    assert not list((tmp_path / "runs" / "records").iterdir())


@pytest.mark.skipif(not version(), reason="this kernel has no Landlock")
def test_a_method_writes_nothing_while_it_is_loaded(bench_here: Bench, tmp_path: Path) -> None:
    forged = tmp_path / "runs" / "records" / "f.json"
    (tmp_path / "made.py").write_text(f"open({str(forged)!r}, 'w').write('{{}}')\n")
    done = bench_here("compare", "made:train", "--suite", "knowru", "--profile", "smoke")
    assert done.returncode == 2
    assert "PermissionError" in done.stderr
    assert not list((tmp_path / "runs" / "records").iterdir())


def test_what_appears_while_a_method_is_loaded_is_set_aside(
    bench_here: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nothing keeps it from writing."""

    def loaded(name: str, limits: Limits) -> Guest:
        (tmp_path / "runs" / "records" / "f.json").write_text("{}")
        raise MethodRefused(Problem("METHOD", name, "another", "none"))

    monkeypatch.setattr("bench.commands.comparing.describe", loaded)
    done = bench_here("compare", "made:train", "--suite", "knowru", "--profile", "smoke")
    assert done.returncode == 2
    assert "f.json is set aside: no command of ours wrote it, and it appeared beside job loading" in done.stderr
    assert not list((tmp_path / "runs" / "records").iterdir())
    assert not Store(tmp_path / "runs").ledger.watching


def test_commas_alone_name_no_method(bench_here: Bench, tmp_path: Path) -> None:
    """They are not taken for all methods."""
    (tmp_path / "made.py").write_text(f"DECLARATION = {DECLARED}\ndef train(task): ...\n")
    done = bench_here("compare", "made:train", "--suite", "knowru", "--profile", "smoke", "--against", " ,")
    assert (done.returncode, '--against\n    got      " ,"' in done.stderr) == (2, True)


def test_packages_are_those_that_the_standard_library_finds() -> None:
    """The standard library takes longer."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    names = {name for top, own in metadata.packages_distributions().items() if top in loaded for name in own}
    assert packages() == {name: metadata.version(name) for name in names}
