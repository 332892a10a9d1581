"""The teachers' scores, for charts of students that count updates."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.plan import Cell


def teacher_levels(evidence: Evidence, cells: Iterable[Cell], scenario: str) -> dict[str, float]:
    """Mean final score in a scenario of the teams that taught these cells, over their finished seeds, by name.

    Only for students whose budget counts updates (PTDE's Fig. 7: the line of stage 1). Students that count episodes or
    steps share an axis with their teachers, whose curves say more. A team with no finished run has no level.
    """
    taught = [cell for cell in cells if cell.unit == "updates"]
    teachers = [evidence.plan.cell(key) for key in dict.fromkeys(key for cell in taught for key in cell.teachers)]
    found: dict[str, float] = {}
    for teacher in teachers:
        if scenario not in teacher.scenarios:
            continue
        try:
            finals = [score.final for score in evidence.scores(teacher, scenario).values()]
        except NotRun:
            continue
        found[f"{teacher.method}, the teacher"] = statistics.mean(finals)
    return found
