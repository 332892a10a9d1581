"""Performance retention (PRR): how much of its teacher's final score a student of a suite keeps, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.plan import Cell
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval
from bench.stats.retention import retention_interval
from bench.suite import Experiment, Place, Retention
from bench.suite.claims import quantities


@dataclass(frozen=True)
class Retained:
    """A student beside its teacher in one scenario that both are scored on, on the seeds that both have.

    as_printed: S / T, as papers print it. above_random: (S - R) / (T - R), where R is the random policy's score, an
    anchor. Their intervals have 95%. If one is None, remark says why.
    """

    experiment: str
    scenario: str
    student: str
    teacher: str
    seeds: int
    as_printed: Interval | None
    above_random: Interval | None
    remark: str


def retentions(evidence: Evidence, experiment: Experiment) -> list[Retained]:
    """Every student that has run, if its teacher is scored where it is; also pairs that a claim's measure names."""
    found: dict[tuple[str, str, str], Retained] = {}
    for scenario in experiment.scenarios:
        for place in experiment.places(scenario):
            for student, teacher in _taught(evidence, experiment, place):
                kept = _kept(evidence, experiment.id, place, student, teacher)
                found.setdefault((str(place), student.key, teacher.key), kept)
    return list(found.values())


def final_pairs(evidence: Evidence, student: Cell, teacher: Cell, scenario: str) -> tuple[list[float], list[float]]:
    """Final scores of both, on the seeds that both have: seed k learned from teacher k. Raises NotRun."""
    ours, theirs = (evidence.scores(cell, scenario) for cell in (student, teacher))
    seeds = [seed for seed in ours if seed in theirs]
    return [ours[seed].final for seed in seeds], [theirs[seed].final for seed in seeds]


def _taught(evidence: Evidence, experiment: Experiment, place: Place) -> Iterator[tuple[Cell, Cell]]:
    """Students and their teachers, both scored in the place."""
    cells: dict[str, Cell] = {}
    for method in experiment.methods:
        if not evidence.suite.waits_for(experiment, method):
            try:
                cell = evidence.cell(experiment, method, *place)
                evidence.scores(cell, place.scenario)
            except NotRun:
                continue
            cells[method] = cell
    by_key = {cell.key: cell for cell in evidence.plan.cells}
    for cell in cells.values():
        teacher = by_key.get(_teacher(cell, place.scenario) or "")
        if teacher is not None and place.scenario in teacher.scenarios:
            yield cell, teacher
    measures = [m for m in evidence.suite.measure if isinstance(m, Retention)]
    named = {q for claim in evidence.suite.claim for q in quantities(claim.test)}
    for measure in measures:
        for method, cell in cells.items():
            if f"{method}:{measure.id}" in named and measure.teacher in cells and not cell.teachers:
                yield cell, cells[measure.teacher]


def _teacher(cell: Cell, scenario: str) -> str | None:
    """The key of the cell that taught it what it plays in a scenario."""
    own = cell.scored[cell.scenarios.index(scenario)]
    return own.teacher if own.trained else cell.scored[own.plays_as or 0].teacher


def _kept(evidence: Evidence, experiment: str, place: Place, student: Cell, teacher: Cell) -> Retained:
    anchors = evidence.suite["scenario", place.scenario].anchors

    def row(seeds: int, printed: Interval | None, above: Interval | None, remark: str) -> Retained:
        return Retained(experiment, str(place), student.method, teacher.method, seeds, printed, above, remark)

    try:
        both = final_pairs(evidence, student, teacher, place.scenario)
    except NotRun as reason:
        return row(0, None, None, str(reason))
    seeds = len(both[0])
    try:
        printed = retention_interval(*both, paired=True)
        above = retention_interval(*both, anchors.random, paired=True) if anchors else None
    except StatisticsError as reason:
        return row(seeds, None, None, str(reason))
    remarks = {"PRR": printed.reason, "above random": above.reason if above else "the scenario has no anchors"}
    told = [f"{form}: {why}" for form, why in remarks.items() if why]
    same = len({*remarks.values()}) == 1
    return row(seeds, printed, above, printed.reason if same else "; ".join(told))
