"""What is known of a method before it runs: its kind, its code's hash, what it declares."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.outside.method import MethodRefused, Outside
from bench.outside.process import Limits, describe
from tests.compare.conftest import EXAMPLES

Described = Callable[[str], Outside]
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
        ("made", "", "module:attribute, or an entry point of marl_distill_bench.methods"),
        ("made:tr ain", "", "module:function or module:Class"),
        ("absent:train", "", "ModuleNotFoundError: No module named 'absent'"),
        ("made:train", "", "AttributeError: module 'made' has no attribute 'train'"),
        ("made:train", "1 / 0", "ZeroDivisionError: division by zero (made.py, line 1)"),
        ("made:train", "train = 5", "made:train, which is of type int"),
        ("made:train", "def train(task): ...", "add DECLARATION = {...}: docs/bring-your-method.md shows one"),
        ("made:train", "DECLARATION = 5\ndef train(task): ...", "DECLARATION"),
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
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{EXAMPLES.parent}")
    with pytest.raises(MethodRefused) as refused:
        describe(name, Limits())
    assert message in str(refused.value)
