"""The parts of a plan whose environments this machine lacks."""

from __future__ import annotations

from collections.abc import Container, Mapping

from bench.envs import lacking
from bench.plan.cells import Cell, Plan


def absent(plan: Plan, cell: Cell) -> str:
    """How to install what the environments of a cell and its teachers lack here; "" if they lack nothing."""
    own = (lacking(place.family) for place in cell.scored)
    return next(filter(None, (*own, *(absent(plan, plan.cell(key)) for key in cell.teachers))), "")


def without(plan: Plan, keys: Container[str]) -> Plan:
    """The plan without these cells."""
    cells = tuple(cell for cell in plan.cells if cell.key not in keys)
    return plan.model_copy(update={"cells": cells, "runs": tuple(run for run in plan.runs if run.cell not in keys)})


def playable(plan: Plan) -> tuple[Plan, Mapping[str, int]]:
    """The plan without cells that cannot be played here, and the number of runs left out, by family."""
    lost = {cell.key for cell in plan.cells if absent(plan, cell)}
    left: dict[str, int] = {}
    for run in (run for run in plan.runs if run.cell in lost):
        for family in sorted({place.family for place in plan.cell(run.cell).scored if lacking(place.family)}):
            left[family] = left.get(family, 0) + 1
    return without(plan, lost), left
