"""What the runs show: a method from elsewhere against each method of a suite. No verdicts: nothing here is a claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bench.compare.findings import (
    Difference,
    Findings,
    OwnScore,
    Pair,
    family,
    over_scenarios,
    own_score,
    shortened,
    untrained,
)
from bench.compare.imported import against_imports
from bench.evidence.measures import Evidence
from bench.evidence.readings import one_number
from bench.evidence.values import NotRun, Values
from bench.guests.method import EARLY
from bench.guests.places import Contest, Entry, each_cell
from bench.plan import Cell, scored
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval
from bench.stats.retention import retention_interval
from bench.store import Record
from bench.suite import FirstReach, Place, Tuning, one_sided
from bench.verdict.about import About
from bench.verdict.looks import Planned
from bench.verdict.retention import final_pairs
from bench.verdict.transfer import TransferMetric, transfer_metric


@dataclass(frozen=True)
class Kept:
    """Performance retention: how much of its teacher's score an entrant keeps. If interval is None, remark says why."""

    experiment: str
    scenario: str
    interval: Interval | None
    remark: str


@dataclass(frozen=True)
class Cost:
    """What a run costs, on average over seeds. steps: environment steps of training, by its curves."""

    experiment: str
    training_set: str
    method: str
    seeds: int
    steps: float
    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Comparison(Findings):
    entry: Entry
    imported: tuple[Difference, ...]  # against results from elsewhere, a family of their own
    transfer: tuple[TransferMetric, ...]
    retention: tuple[Kept, ...]
    costs: tuple[Cost, ...]
    failures: tuple[str, ...]

    @property
    def tuned_on(self) -> tuple[int, ...]:
        """Seeds that the method was tuned on and that are compared here: its scores on them are too favourable."""
        seeds = {seed for contest in self.entry.contests for seed in contest.cell.seeds}
        return tuple(sorted(seeds & {*self.entry.method.declaration.tuning.seeds}))


def compared(evidence: Evidence, entry: Entry) -> Comparison:
    """Everything that the results show about an entrant."""
    lost: list[str] = []
    pairs = _pairs(evidence, entry, lost)
    over, transfer = over_scenarios(evidence, pairs, lost), _transfer(evidence, entry)
    lost += [f"{m.baseline} on {m.scenario}: {m.remark}" for m in transfer if m.student_mean is None]
    return Comparison(
        scores=tuple(_scores(evidence, entry)),
        differences=family(evidence.suite, pairs),
        over=tuple(over),
        lacking=tuple(dict.fromkeys(lost)),
        untrained=tuple(dict.fromkeys(name for pair in pairs for name in pair.untrained)),
        shortened=shortened(evidence, entry.contests),
        entry=entry,
        imported=family(evidence.suite, against_imports(evidence, entry.contests, _tuning(entry))),
        transfer=tuple(transfer),
        retention=tuple(_retention(evidence, entry)),
        costs=tuple(_costs(evidence, entry.contests)),
        failures=tuple(_failures(evidence, entry)),
    )


def _scores(evidence: Evidence, entry: Entry) -> Iterator[OwnScore]:
    """The scores of every cell in every scenario, once."""
    for contest in each_cell(entry.contests):
        for scenario in contest.cell.scenarios:
            try:
                finals = [*_finals(evidence, contest.cell, scenario).values()]
            except (NotRun, StatisticsError):
                finals = []
            place, asked = contest.place(scenario), len(contest.cell.seeds)
            yield own_score(evidence.suite, contest.experiment.id, place, finals, asked)


def _pairs(evidence: Evidence, entry: Entry, lost: list[str]) -> list[Pair]:
    """Every comparison of two cells in a scenario, once, even if several experiments hold it."""
    own_tuning = _tuning(entry)
    found: dict[tuple[str, str, str], Pair] = {}
    planned = Planned(evidence)
    for contest in entry.contests:
        own = contest.cell
        for scenario in own.scenarios:
            place = contest.place(scenario)
            for method in contest.against:
                cell = evidence.cell(contest.experiment, method, scenario, contest.group)
                try:
                    ours, theirs = _finals(evidence, own, scenario), _finals(evidence, cell, scenario)
                except (NotRun, StatisticsError) as reason:
                    lost.append(f"{method} on {place}: {reason}")
                else:
                    episodes = evidence.rate_episodes(scenario, (own, cell))
                    tuned = (*one_sided({**own_tuning, method: evidence.suite.tuning(method)}),)
                    where = contest.experiment.id, place, method, own.key
                    asked = planned.question(contest.experiment, About(((own, scenario), (cell, scenario))))
                    remarks = (*_early(evidence, own), *asked.tags, *tuned)
                    idle = untrained(evidence, {entry.method.name: own, method: cell})
                    pair = Pair(*where, ours, theirs, episodes, remarks=remarks, question=asked, untrained=idle)
                    found.setdefault((own.key, cell.key, scenario), pair)
    return list(found.values())


def _early(evidence: Evidence, cell: Cell) -> list[str]:
    """Remarks beside a finding: training functions that stopped before their budget was spent."""
    found = [[r for r in record.remarks if r.startswith(EARLY)] for record in evidence.finished(cell).values()]
    said = [*dict.fromkeys(remark for own in found for remark in own)]
    return said if len(said) < 2 else [f"{EARLY} less than its budget on {sum(map(bool, found))} of {len(found)} seeds"]


def _tuning(entry: Entry) -> dict[str, Tuning]:
    """The entrant's tuning, by its name."""
    return {entry.method.name: entry.method.declaration.tuning.of_a_suite}


def _finals(evidence: Evidence, cell: Cell, scenario: str) -> dict[int, float]:
    return {seed: score.final for seed, score in evidence.scores(cell, scenario).items()}


def _transfer(evidence: Evidence, entry: Entry) -> list[TransferMetric]:
    """Against each experiment's baseline. If an entrant's first update is not known, windows count from the start."""
    suite = evidence.suite
    found: dict[tuple[str, str, str], TransferMetric] = {}
    for contest in entry.contests:
        experiment, cell = contest.experiment, contest.cell
        if suite.transfer is None or experiment.baseline is None:
            continue
        for scenario in cell.scenarios:
            place = contest.place(scenario)
            for metric, measure in suite.transfer:
                values = partial(_both, evidence, contest, measure, place)
                row = transfer_metric(evidence, experiment, metric, entry.method.name, place, values)
                found.setdefault((cell.key, scenario, metric), row)
    return list(found.values())


def _both(evidence: Evidence, contest: Contest, measure: str, place: Place) -> tuple[Values, Values]:
    """A measure of the entrant and of the experiment's baseline. Raises NotRun, StatisticsError."""
    theirs = evidence.values(contest.experiment, f"{contest.experiment.baseline}:{measure}", *place)
    return measured(evidence, contest, measure, place), theirs


def measured(evidence: Evidence, contest: Contest, measure_id: str, place: Place) -> Values:
    """A measure of every finished seed of an entrant. Raises NotRun, StatisticsError."""
    measure = evidence.suite["measure", measure_id]
    scores = {
        seed: score if score.first_update is not None else replace(score, first_update=0)
        for seed, score in evidence.scores(contest.cell, place.scenario).items()
    }
    if isinstance(measure, FirstReach):
        times = evidence.first_reach(contest.experiment, measure, place.scenario, place.group, scores.values())
        return Values(tuple(scores), times.values, times.reached, (contest.cell,))
    values = np.array([one_number(measure, score) for score in scores.values()])
    return Values(tuple(scores), values, np.ones(len(values), dtype=np.bool_), (contest.cell,))


def _retention(evidence: Evidence, entry: Entry) -> list[Kept]:
    """PRR above the random policy, by seed: seed k learned from teacher k. Nothing if there is no teacher."""
    found: list[Kept] = []
    taught = [
        (c, *pair) for c in each_cell(entry.contests) for pair in zip(c.cell.scored, c.cell.scenarios, strict=True)
    ]
    for contest, task, scenario in taught:
        if task.teacher is None:
            continue
        place, anchors = contest.experiment.id, evidence.suite["scenario", scenario].anchors
        teacher = entry.plan.cell(task.teacher)
        if scenario not in teacher.scenarios:
            why = f"its teacher is trained on {teacher.training_set}, another scenario, so the two have no ratio"
            found.append(Kept(place, scenario, None, why))
        elif anchors is None:
            found.append(Kept(place, scenario, None, "the scenario has no anchors"))
        else:
            found.append(_kept(evidence, contest, scenario, teacher, anchors.random))
    return found


def _kept(evidence: Evidence, contest: Contest, scenario: str, teacher: Cell, floor: float) -> Kept:
    place = contest.experiment.id
    try:
        interval = retention_interval(*final_pairs(evidence, contest.cell, teacher, scenario), floor, paired=True)
    except (NotRun, StatisticsError) as reason:
        return Kept(place, scenario, None, str(reason))
    return Kept(place, scenario, interval, interval.reason or f"above the random policy's {floor:g}")


def _costs(evidence: Evidence, contests: Sequence[Contest]) -> list[Cost]:
    found: dict[str, Cost] = {}
    for contest in contests:
        own = [(contest.cell.method, contest.cell)]
        for method in contest.against:
            cell = evidence.cell(contest.experiment, method, contest.cell.scenarios[0], contest.group)
            own.append((method, cell))
        for method, cell in own:
            records = list(evidence.finished(cell).values())
            if records:
                steps = float(np.mean([_steps(record) for record in records]))
                taken = np.array([[r.provenance.cpu_s, r.provenance.wall_s / r.provenance.lanes] for r in records])
                cpu_s, wall_s = taken.mean(axis=0).tolist()
                row = Cost(contest.experiment.id, contest.group, method, len(records), steps, cpu_s, wall_s)
                found.setdefault(cell.key, row)
    return list(found.values())


def _steps(record: Record) -> int:
    """Environment steps of training, in all tasks, up to the last point of a curve."""
    trained = (own for own, place in zip(record.numbers.scores, scored(record.settings), strict=True) if place.trained)
    return sum(max((curve.steps[-1] for curve in own.curves.values()), default=0) for own in trained)


def _log(evidence: Evidence, run: str) -> str:
    """Where a run's output is kept, with its traceback."""
    path = evidence.store.root / "logs" / f"{run}.log"
    return f"; its output: {path}" if path.exists() else ""


def _failures(evidence: Evidence, entry: Entry) -> list[str]:
    """The entrant's runs that failed, one line each."""
    return [
        f"seed {seed} on {cell.training_set}: {record.reason} (run {record.run}{_log(evidence, record.run)})"
        for cell in (contest.cell for contest in each_cell(entry.contests))
        for seed, record in sorted(evidence.found(cell).records.items())
        if record.status == "failed"
    ]
