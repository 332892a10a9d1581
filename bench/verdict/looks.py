"""Which seeds a question is judged on, by what the suite declared before any run.

With a fixed number of seeds: the seeds from 0 on, up to the first that is not settled yet. With declared looks: the
seeds of the last look whose seeds are all settled, judged at its nominal level; before the first look nothing is
decided. Seeds beyond the declared ones, or behind a gap, are `unplanned` and count nowhere here. Nights have seeds of
their own and are exempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.evidence.measures import Evidence
from bench.plan import Cell, make_plan
from bench.stats.decisions import Decision, untested
from bench.stats.looks import Asked, asked_at
from bench.suite import NIGHTLY, Experiment, Schedule
from bench.verdict.about import About

UNPLANNED = "unplanned:"  # how the tag of seeds that count nowhere begins


@dataclass(frozen=True)
class Look:
    """How far a question with declared looks has come.

    number: of the look, from 1; 0 before the first. of: how many looks there are. seeds: at this look. nominal: the
    one-sided level of each. looks: seeds at each. next: seeds at the next one; None after the last. waiting: further
    settled seeds that wait for the next look.
    """

    number: int
    of: int
    seeds: int
    nominal: float
    looks: tuple[int, ...]
    next: int | None
    waiting: int

    @property
    def asked(self) -> Asked:
        return Asked(self.nominal, self.looks)

    def __str__(self) -> str:
        return f"look {self.number} of {self.of} ({self.seeds} seeds)"


@dataclass(frozen=True)
class Question:
    """What is judged, and on which seeds. evidence: of those seeds alone. look: None if their number is fixed."""

    evidence: Evidence
    look: Look | None = None
    tags: tuple[str, ...] = ()
    declared: int = 0  # how many seeds there are to be: in all, or at this look, or the first
    early: str = ""  # why nothing is decided yet

    def missing(self, why: str) -> str:
        """Why there is nothing to judge. If there are runs that count nowhere, that is the reason."""
        return next((f"no seed of it counts, {tag}" for tag in self.tags if tag.startswith(UNPLANNED)), why)

    def undecided(self, on: About) -> Decision | None:
        """That it is too early, if there are runs and no look yet. None if it can be judged, or was not run."""
        ran = self.early and any(self.evidence.finished(cell) for cell in on.cells)
        return untested(self.early) if ran else None


class Planned:
    """Evidence as verdicts may use it: only seeds that the suite declares."""

    def __init__(self, evidence: Evidence):
        self.every = evidence
        self.exempt = evidence.selection.profile == NIGHTLY
        self._at: dict[tuple[int, Schedule], Evidence] = {}
        self._prefixes: dict[str, int] = {}

    def question(self, experiment: Experiment, on: About) -> Question:
        """How a question about an experiment is judged."""
        if self.exempt or not on.of_play or not on.cells:
            return Question(self.every)
        schedule = self.schedule(experiment)
        return self._looked_at(schedule, on.cells) if schedule.often else self._fixed(on.cells)

    def schedule(self, experiment: Experiment) -> Schedule:
        suite, selection = self.every.suite, self.every.selection
        return experiment.schedule(suite.profile[selection.profile])

    def prefix(self, cell: Cell) -> int:
        """How many seeds of a cell are settled, from 0 on without a gap."""
        if cell.key not in self._prefixes:
            settled = self.every.settled(cell)
            self._prefixes[cell.key] = next(n for n in range(len(settled) + 1) if n not in settled)
        return self._prefixes[cell.key]

    def counted(self, cell: Cell) -> range:
        """The declared seeds of a cell that are settled."""
        return range(min(self.prefix(cell), self._declared(cell)))

    def _declared(self, cell: Cell) -> int:
        return self.schedule(self.every.suite["experiment", cell.experiment]).most

    @cached_property
    def _all(self) -> Evidence:
        return self.every.within(self.counted)

    def _fixed(self, cells: Sequence[Cell]) -> Question:
        there = [(len(self._all.finished(cell)), self._declared(cell)) for cell in cells]
        k, n = min(there, key=lambda pair: pair[0] / pair[1])
        return Question(self._all, None, (*_short(k, n), *self._outside(cells)), n)

    def _looked_at(self, schedule: Schedule, cells: Sequence[Cell]) -> Question:
        asked, there = asked_at(schedule.looks, schedule.nominal), min(map(self.prefix, cells))
        reached = [look for look in schedule.looks if look <= there]
        number, of = len(reached), len(schedule.looks)
        seeds, following = (reached[-1] if reached else 0), (schedule.looks[number] if number < of else None)
        waiting = min(there, schedule.most) - seeds
        look = Look(number, of, seeds, asked.nominal, schedule.looks, following, waiting)
        tags = self._outside(cells)
        if not reached:
            first = schedule.looks[0]
            early = f"the first of {of} looks is at {first} seeds, and nothing is judged before"
            return Question(self.every, look, (*_short(there, first), *tags), first, early)
        wait = [f"{waiting} seed{'s wait' if waiting > 1 else ' waits'} for the look at {following}"] * (waiting > 0)
        evidence = self._within(seeds, schedule, asked)
        short = _short(min(len(evidence.finished(cell)) for cell in cells), seeds)  # the others failed
        return Question(evidence, look, (str(look), *short, *wait, *tags), seeds)

    def _within(self, seeds: int, schedule: Schedule, asked: Asked) -> Evidence:
        key = seeds, schedule
        if key not in self._at:
            self._at[key] = self.every.within(lambda _: range(seeds), asked)
        return self._at[key]

    def _outside(self, cells: Iterable[Cell]) -> list[str]:
        """One tag for all seeds of these cells that count nowhere."""
        seeds = {seed for cell in cells for seed in self.unplanned(cell)}
        return [f"{UNPLANNED} {ranges(seeds)}"] if seeds else []

    def unplanned(self, cell: Cell) -> list[int]:
        """The finished seeds of a cell that are beyond the declared ones, or behind a gap."""
        own, declared, planned = self.counted(cell), self._declared(cell), self._plan_seeds.get(cell.key, ())
        finished = self.every.finished(cell)
        return [s for s in finished if s not in own and (s < declared or s not in planned)]

    @cached_property
    def _plan_seeds(self) -> dict[str, tuple[int, ...]]:
        """The seeds that the suite plans for each cell, by its key: a teacher also has its students' seeds."""
        selection = self.every.selection.model_copy(update={"seeds": None})
        plan = make_plan(self.every.suite, selection) if self.every.selection.seeds else self.every.plan
        return {cell.key: cell.seeds for cell in plan.cells}

    def lines(self, cells: Iterable[Cell]) -> list[str]:
        """The unplanned seeds in words, one line per cell."""
        found = [(cell, self.unplanned(cell)) for cell in cells if not self.exempt]
        return [
            f"seed{'s' * (len(seeds) > 1)} {ranges(seeds)} of {cell.label} in {cell.experiment}: outside verdicts, "
            f"because {self._why(cell, seeds)}"
            for cell, seeds in found
            if seeds
        ]

    def _why(self, cell: Cell, seeds: Sequence[int]) -> str:
        declared, gap = self._declared(cell), self.prefix(cell)
        if seeds[0] < declared:
            return f"seed {gap} is missing, and seeds count from 0 on"
        return f"the suite declares {declared} seeds, 0 to {declared - 1}"


def _short(there: int, declared: int) -> list[str]:
    """The tag of a question with only some of its seeds."""
    return [f"{there} of {declared}"] * (0 < there < declared)


def ranges(seeds: Iterable[int]) -> str:
    """`0-2, 5`: whole numbers in order; a run of them is shown by its ends."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
