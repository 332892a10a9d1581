"""The head of a method's file says where each equation of its paper is: the names in its table exist.

A name is of the file itself or of another file of baselines/: `td_loss`, `qmix.ValueDecomposition.learn`.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "baselines"
FILES = {path.stem: path for path in sorted(ROOT.rglob("*.py")) if path.parent.name != "specs"}
METHODS = ["knowru", "maddpg", "maddpg_epsilon_greedy", "dvm", "qmix", "qmix_multi", "mkt_marl", "dec_hdrqn", "sac"]
METHODS += ["ensemble_sac", "cikd", "masac", "ptde", "ptde_distill", "ptde_mappo", "csrl", "qplex", "ctds"]
METHODS += ["maac", "knowru_maac"]


@cache
def parsed(file: str) -> ast.Module:
    return ast.parse(FILES[file].read_text())


@cache
def defined(file: str) -> frozenset[str]:
    """Functions, classes and their methods, as `Class.method`."""
    found: set[str] = set()
    for node in parsed(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{own.name}" for own in node.body if isinstance(own, ast.FunctionDef)}
    return frozenset(found)


def named(file: str) -> list[tuple[str, str]]:
    """File and name of everything in the second column of the head's table."""
    table = [line.split("|")[2] for line in (ast.get_docstring(parsed(file)) or "").splitlines() if line[:1] == "|"]
    names = [name for cell in table[2:] for name in re.findall(r"`([\w.]+)`", cell)]
    assert names, f"{file}: its head has no table"
    return [place(file, name) for name in names]


def place(file: str, name: str) -> tuple[str, str]:
    other, _, rest = name.partition(".")
    return (other, rest) if rest and other in FILES else (file, name)


@pytest.mark.parametrize("file", METHODS)
def test_what_a_head_names_is_there(file: str) -> None:
    missing = [f"{other}.{name}" for other, name in named(file) if name not in defined(other)]
    assert not missing, f"baselines/{file}.py names in its head what is not there: {missing}"


@pytest.mark.parametrize(
    ("file", "beside"),
    [("knowru", "maddpg"), ("mkt_marl", "qmix"), ("dec_hdrqn", "mkt_marl"), ("qmix", "mixers"), ("maddpg", "nn")],
)
def test_a_paper_is_checked_with_one_other_file_open(file: str, beside: str) -> None:
    assert {other for other, _ in named(file)} == {file, beside}
