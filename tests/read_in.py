"""A tiny suite with readings, and synthetic runs of it: the student is ahead early and behind late."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.evidence.measures import Evidence
from bench.plan import Cell, Plan, Selection, make_plan
from bench.store import Store
from bench.suite import PRIMARY, Suite
from bench.suite.loading import parse
from bench.verdict import Verdict, judge
from tests.conftest import TINY
from tests.synthetic import fill

READINGS = """
[[reading]]
id = "wide"
says = "twice the width"
kind = "assumption"
methods.base = { hidden_width = { value = 16, source = "a guess", kind = "assumed" } }

[[reading]]
id = "code"
says = "as their code has it"
kind = "released"
methods.student = { alpha_end = { value = 0.5, source = "they/theirs@0123abc:learn.py:7", kind = "released" } }

[[reading]]
id = "early"
says = "the first half"
kind = "analysis"
measures = { overall = { window = [0.0, 0.5] } }

[[reading]]
id = "late"
says = "the second half"
kind = "analysis"
measures = { overall = { window = [0.5, 1.0] } }

[[reading]]
id = "grid"
says = "when"
kind = "analysis"
vary.reach = { smooth = [1, 2], hold = [1, 3] }

[[claim]]
id = "sooner"
where = "Sec. 2"
says = "the student is there sooner"
experiments = ["target"]
protocol = "training"
margin = { share_of_budget = 0.1 }
test = { kind = "ordering", greater = ["base:reach"], less = ["student:reach"] }
"""
SPREAD = {"base": (-0.1, 0.0, 0.1), "init": (-0.1, 0.0, 0.1), "student": (0.0, 0.1, -0.1)}  # what a seed adds
BASE = [-12.0, *[-8.0] * 7]  # the first point is before the first update
AHEAD = [-12.0, *[-4.0] * 7]
TURNING = [-12.0, *[-4.0] * 3, *[-9.0] * 4]  # overall 1 above the base; early 3 above it, late 1 below
OPEN = [-12.0, *[-5.0] * 3, *[-10.25] * 4]  # overall as the base; early above it, late below


def suite_of(more: str = "") -> Suite:
    return parse(f"{TINY}{READINGS}{more}".encode(), "tiny.toml")


def planned(suite: Suite, reading: str = PRIMARY) -> Plan:
    return make_plan(suite.under(reading), Selection(reading=reading))


def record(suite: Suite, folder: Path, student: Mapping[str, list[float]]) -> Store:
    """Runs of these readings. student: by reading, the curve of its student."""
    store = Store(folder)
    for reading, curve in student.items():

        def curves(cell: Cell, seed: int, curve: list[float] = curve) -> list[float]:
            own = curve if cell.method == "student" else BASE
            return [point + SPREAD[cell.method][seed % 3] for point in own]

        fill(store, planned(suite, reading), curves)
    return store


def judged(suite: Suite, folder: Path, student: Mapping[str, list[float]]) -> dict[str, Verdict]:
    """Verdicts of the primary reading by claim, on runs of these readings."""
    return {v.id: v for v in judge(Evidence(suite, Selection(), record(suite, folder, student)), suite.experiment)}
