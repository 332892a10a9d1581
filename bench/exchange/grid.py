"""The exported runs: every finished run of a selection, and the full grid that matrices need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.evidence.measures import Evidence
from bench.evidence.readings import Score
from bench.evidence.values import NotRun
from bench.exchange import ExchangeError
from bench.plan import COMMAND_LINE, Cell, selected
from bench.suite import Scenario, Suite
from bench.suite.explain import Problem

SHOWN = 5  # cells with gaps named in an error


@dataclass(frozen=True)
class Row:
    """A finished run in one scenario that it is scored on."""

    experiment: str
    training_set: str
    method: str
    scenario: Scenario
    cell: str
    seed: int
    score: Score

    @property
    def place(self) -> str:
        return f"{self.method} on {self.training_set} in {self.experiment}, scored on {self.scenario.id}"


@dataclass(frozen=True)
class Grid:
    """Methods x scenarios x seeds without gaps. rows: by these names."""

    suite: Suite
    profile: str
    methods: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]
    rows: dict[tuple[str, str, int], Row]


@dataclass(frozen=True)
class Placed:
    """A cell in an experiment and on a training set, with its method's name."""

    experiment: str
    training_set: str
    method: str
    cell: Cell


def finished_rows(evidence: Evidence, elsewhere: Sequence[Placed] = ()) -> Iterator[Row]:
    """Every finished run, once for each experiment and scenario that it is scored in, in the suite's order.

    Runs of methods from elsewhere come last.
    """
    for experiment in selected(evidence.suite, evidence.selection.only):
        for method in experiment.methods:
            for t in experiment.training_sets:
                for id_ in t.scored:
                    try:
                        cell = evidence.cell(experiment, method, id_, t.id)
                    except NotRun:
                        continue
                    yield from _rows(evidence, Placed(experiment.id, t.id, method, cell), id_)
    for place in elsewhere:
        for id_ in place.cell.scenarios:
            yield from _rows(evidence, place, id_)


def _rows(evidence: Evidence, place: Placed, id_: str) -> Iterator[Row]:
    """The rows of a cell in one of its scenarios; none if no seed has finished."""
    scenario: Scenario = evidence.suite["scenario", id_]
    try:
        scores = evidence.scores(place.cell, id_)
    except NotRun:
        return
    for seed, score in scores.items():
        yield Row(place.experiment, place.training_set, place.method, scenario, place.cell.key, seed, score)


def full_grid(evidence: Evidence, elsewhere: Sequence[Placed] = ()) -> Grid:
    """The rows as a grid. Raises ExchangeError if a run is missing, or if a place has two cells."""
    rows: dict[tuple[str, str, int], Row] = {}
    for row in finished_rows(evidence, elsewhere):
        taken = rows.setdefault((row.method, row.scenario.id, row.seed), row)
        if taken.cell != row.cell:
            mend = "name experiments with --only in which each method has one"
            got = f"{taken.place}; and {row.place}"
            raise ExchangeError(COMMAND_LINE, [Problem("selection", got, "one cell per method and scenario", mend)])
    methods = tuple(dict.fromkeys(method for method, _, _ in rows))
    scenarios = tuple({row.scenario.id: row.scenario for row in rows.values()}.values())
    seeds = tuple(sorted({seed for _, _, seed in rows}))
    if gaps := [(m, s.id, k) for m in methods for s in scenarios for k in seeds if (m, s.id, k) not in rows]:
        raise ExchangeError(COMMAND_LINE, [_missing(gaps, methods, scenarios, seeds)])
    return Grid(evidence.suite, evidence.selection.profile, methods, scenarios, seeds, rows)


def left_out(evidence: Evidence) -> list[str]:
    """Why cells of the selection have no finished run: a line for each reason, with its cells."""
    reasons: dict[str, dict[str, None]] = {}
    suite = evidence.suite
    for experiment in selected(suite, evidence.selection.only):
        for method in experiment.methods:
            for t in experiment.training_sets:
                if waits := suite.waits_for(experiment, method, t):
                    why = f"cannot run yet, {waits}"
                elif not evidence.finished(evidence.cell(experiment, method, t.scored[0], t.id)):
                    why = "no finished run"
                else:
                    continue
                reasons.setdefault(why, {})[f"{method} on {t.id}"] = None
    return [f"{why}: {', '.join(cells)}" for why, cells in reasons.items()]


def _missing(
    gaps: Sequence[tuple[str, str, int]], methods: Sequence[str], scenarios: Sequence[Scenario], seeds: Sequence[int]
) -> Problem:
    """The gaps of a grid, and how to choose a part without gaps."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for method, scenario, seed in gaps:
        lacking.setdefault((method, scenario), []).append(str(seed))
    named = [f"{m} on {s} (seeds {', '.join(own)})" for (m, s), own in lacking.items()]
    more = [f"{len(named) - SHOWN} more"] if len(named) > SHOWN else []
    common = [str(seed) for seed in seeds if not any(str(seed) in own for own in lacking.values())]
    choose = f"--seeds {','.join(common)}{',' * (len(common) == 1)} (finished in every cell)"
    mend = f"choose {choose}" if common else "name experiments with --only that share methods, or run what is missing"
    allowed = f"every run of {len(methods)} methods x {len(scenarios)} scenarios x {len(seeds)} seeds"
    return Problem("selection", f"no finished run of {'; '.join([*named[:SHOWN], *more])}", allowed, mend)
