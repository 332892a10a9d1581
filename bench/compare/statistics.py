"""What the runs show: a method from elsewhere against each method of a suite. No verdicts: nothing here is a claim.

Axes: S seed, T task. A score is the mean of a run's final greedy evaluation, in the scenario's metric, higher is
better. Normalised it is (x - random) / (good - random), by the scenario's anchors, never by what happens to be here.
Seeds train independently, so differences are Welch's; Holm's correction is over all differences of a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.compare.places import Contest, Entry
from bench.exchange.imported import imports
from bench.measures import Evidence, NotRun, Values, one_number
from bench.plan import Cell, scored
from bench.stats import decisions
from bench.stats.aggregates import IQM, optimality_gap
from bench.stats.bootstrap import Band, Draws, improvement_interval, profile_band, stratified_interval
from bench.stats.decisions import Decision
from bench.stats.estimates import StatisticsError
from bench.stats.families import corrected
from bench.stats.intervals import Interval, mean_interval
from bench.stats.retention import retention_interval
from bench.store import Record
from bench.suite import FirstReach, Place
from bench.verdict.transfer import TransferMetric, transfer_metric

Floats = NDArray[np.float64]
RESAMPLING = 0  # seed of each bootstrap: the same results give the same comparison
THRESHOLDS = np.linspace(0.0, 1.0, 21)  # of the performance profile, in normalised scores
SMALL = 0.1  # of a scenario's scale: the margin below which an advantage is called small


@dataclass(frozen=True)
class Difference:
    """The entrant less another method in one scenario. decision: of "the entrant's score is higher", corrected."""

    experiment: str
    scenario: str
    against: str
    ours: Interval
    theirs: Interval
    decision: Decision

    @property
    def finding(self) -> str:
        return {"yes": "higher", "no": "lower", "undecided": "undecided"}[self.decision.outcome]


@dataclass(frozen=True)
class Over:
    """Entrant and another method over the tasks that both have run, normalised. improvement: P(entrant > other).

    rliable: IQM of both, gap of both and improvement again, with n draws, as rliable 1.2.0 computes them.
    """

    against: str
    tasks: tuple[str, ...]
    seeds: tuple[int, int]
    iqm: tuple[Interval, Interval]
    gap: tuple[Interval, Interval]
    improvement: Interval
    profiles: tuple[Band, Band]
    rliable: tuple[Interval, Interval, Interval, Interval, Interval]


@dataclass(frozen=True)
class Kept:
    """Performance retention: what of its teacher's score the entrant keeps. interval None: why stands in the remark."""

    experiment: str
    scenario: str
    interval: Interval | None
    remark: str


@dataclass(frozen=True)
class Cost:
    """What a run took, on average over seeds. steps: environment steps of training, by its curves."""

    experiment: str
    method: str
    seeds: int
    steps: float
    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Comparison:
    entry: Entry
    differences: tuple[Difference, ...]
    imported: tuple[Difference, ...]  # against results from elsewhere, a family of their own
    over: tuple[Over, ...]
    transfer: tuple[TransferMetric, ...]
    retention: tuple[Kept, ...]
    costs: tuple[Cost, ...]
    failures: tuple[str, ...]
    lacking: tuple[str, ...]  # comparisons that could not be made, and why

    @property
    def tuned_on(self) -> tuple[int, ...]:
        """Seeds that the method was tuned on and that are compared here: its scores on them are flattered."""
        seeds = {seed for contest in self.entry.contests for seed in contest.cell.seeds}
        return tuple(sorted(seeds & {*self.entry.method.declaration.tuning.seeds}))


def compared(evidence: Evidence, entry: Entry) -> Comparison:
    """Everything that the results show of an entrant."""
    lost: list[str] = []
    pairs = _pairs(evidence, entry.contests, lost)
    return Comparison(
        entry=entry,
        differences=_family([_difference(evidence, pair) for pair in pairs]),
        imported=_family([_difference(evidence, pair) for pair in _imported(evidence, entry.contests)]),
        over=tuple(_over(evidence, pairs, lost)),
        transfer=tuple(_transfer(evidence, entry)),
        retention=tuple(_retention(evidence, entry)),
        costs=tuple(_costs(evidence, entry.contests)),
        failures=tuple(_failures(evidence, entry)),
        lacking=tuple(dict.fromkeys(lost)),
    )


@dataclass(frozen=True)
class _Pair:
    contest: Contest
    scenario: str
    against: str
    ours: dict[int, float]  # by seed
    theirs: dict[int, float]


def _pairs(evidence: Evidence, contests: Sequence[Contest], lost: list[str]) -> list[_Pair]:
    """Every comparison of two cells in a scenario, once, though several experiments may hold it."""
    found: dict[tuple[str, str, str], _Pair] = {}
    for contest in contests:
        for scenario in contest.cell.scenarios:
            for method in contest.against:
                cell = evidence.cell(contest.experiment, method, scenario, contest.group)
                key = contest.cell.key, cell.key, scenario
                try:
                    ours, theirs = _finals(evidence, contest.cell, scenario), _finals(evidence, cell, scenario)
                except (NotRun, StatisticsError) as reason:
                    lost.append(f"{method} on {scenario}: {reason}")
                else:
                    found.setdefault(key, _Pair(contest, scenario, method, ours, theirs))
    return list(found.values())


def _finals(evidence: Evidence, cell: Cell, scenario: str) -> dict[int, float]:
    return {seed: score.final for seed, score in evidence.scores(cell, scenario).items()}


def _imported(evidence: Evidence, contests: Sequence[Contest]) -> list[_Pair]:
    """Every imported method against the entrant, wherever both have scores."""
    found = []
    for contest in {contest.cell.key: contest for contest in contests}.values():
        for scenario in contest.cell.scenarios if evidence.finished(contest.cell) else ():
            for own in imports(evidence.store.root).of_suite(evidence.suite.id):
                for method in own.methods:
                    if theirs := own.final_scores(method, scenario):
                        ours = _finals(evidence, contest.cell, scenario)
                        found.append(_Pair(contest, scenario, own.label(method), ours, theirs))
    return found


def _family(found: Sequence[Difference]) -> tuple[Difference, ...]:
    """After Holm's correction."""
    outcomes = corrected([d.decision for d in found], "holm") if found else ()
    return tuple(replace(d, decision=outcome) for d, outcome in zip(found, outcomes, strict=True))


def _difference(evidence: Evidence, pair: _Pair) -> Difference:
    ours, theirs = ([*side.values()] for side in (pair.ours, pair.theirs))
    anchors = evidence.suite["scenario", pair.scenario].anchors
    margin = SMALL * (anchors.good - anchors.no_information) if anchors else 0.0
    decision = decisions.ordering(ours, theirs, paired=False, margin=margin)
    sides = mean_interval(ours), mean_interval(theirs)
    return Difference(pair.contest.experiment.id, pair.scenario, pair.against, *sides, decision)


def _over(evidence: Evidence, pairs: Sequence[_Pair], lost: list[str]) -> list[Over]:
    """One for each other method, over the scenarios with a scale; a scenario counts once."""
    found = []
    for against in dict.fromkeys(pair.against for pair in pairs):
        tasks: dict[tuple[str, str], _Pair] = {}
        for pair in pairs:
            if pair.against == against and evidence.suite["scenario", pair.scenario].anchors is not None:
                tasks.setdefault((pair.scenario, pair.contest.cell.key), pair)
        if not tasks:
            lost.append(f"{against} over scenarios: none of them has anchors")
            continue
        ours = _normalised(evidence, [(pair.scenario, pair.ours) for pair in tasks.values()])
        theirs = _normalised(evidence, [(pair.scenario, pair.theirs) for pair in tasks.values()])
        if not (len(ours) and len(theirs)):
            lost.append(f"{against} over scenarios: no seed finished all of them")
            continue
        found.append(_aggregated(against, tuple(pair.scenario for pair in tasks.values()), ours, theirs))
    return found


def _normalised(evidence: Evidence, tasks: Sequence[tuple[str, dict[int, float]]]) -> Floats:
    """[S, T], of the seeds that finished every task."""
    seeds = [seed for seed in tasks[0][1] if all(seed in own for _, own in tasks)]
    rows = []
    for scenario, own in tasks:
        anchors = evidence.suite["scenario", scenario].anchors
        rows.append([(own[seed] - anchors.random) / (anchors.good - anchors.random) for seed in seeds])
    return np.array(rows).reshape(len(tasks), len(seeds)).T


def _aggregated(against: str, tasks: tuple[str, ...], ours: Floats, theirs: Floats) -> Over:
    def both(statistic, draws: Draws = "n-1") -> tuple[Interval, Interval]:
        left, right = (stratified_interval(s, statistic, _generator(draws), draws=draws) for s in (ours, theirs))
        return left, right

    def improvement(draws: Draws) -> Interval:
        return improvement_interval(ours, theirs, _generator(draws), draws=draws)

    bands = tuple(profile_band(scores, THRESHOLDS, _generator("n-1")) for scores in (ours, theirs))
    return Over(
        against=against,
        tasks=tasks,
        seeds=(len(ours), len(theirs)),
        iqm=both(IQM),
        gap=both(optimality_gap()),
        improvement=improvement("n-1"),
        profiles=(bands[0], bands[1]),
        rliable=(*both(IQM, "n"), *both(optimality_gap(), "n"), improvement("n")),
    )


def _generator(draws: Draws) -> np.random.Generator | np.random.RandomState:
    """For n draws the generator that rliable draws from."""
    return np.random.RandomState(RESAMPLING) if draws == "n" else np.random.default_rng(RESAMPLING)


def _transfer(evidence: Evidence, entry: Entry) -> list[TransferMetric]:
    """Against each experiment's baseline. The first update of an entrant is not known: windows count from the start."""
    suite = evidence.suite
    found: dict[tuple[str, str, str], TransferMetric] = {}
    for contest in entry.contests:
        experiment, cell = contest.experiment, contest.cell
        if suite.transfer is None or experiment.baseline is None:
            continue
        for scenario in cell.scenarios:
            place = Place(scenario, contest.group if len(experiment.sets_of(scenario)) > 1 else None)
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
    """PRR above the random policy, by seed: seed k learned from teacher k. Nothing where there is no teacher."""
    found: list[Kept] = []
    contests = {contest.cell.key: contest for contest in entry.contests}.values()
    taught = [(c, *pair) for c in contests for pair in zip(c.cell.scored, c.cell.scenarios, strict=True)]
    for contest, task, scenario in taught:
        if task.teacher is None:
            continue
        place, anchors = contest.experiment.id, evidence.suite["scenario", scenario].anchors
        teacher = entry.plan.cell(task.teacher)
        if scenario not in teacher.scenarios:
            why = f"its teacher is trained on {teacher.training_set}, another scenario: there is no ratio of the two"
            found.append(Kept(place, scenario, None, why))
        elif anchors is None:
            found.append(Kept(place, scenario, None, "the scenario has no anchors"))
        else:
            found.append(_kept(evidence, contest, scenario, teacher, anchors.random))
    return found


def _kept(evidence: Evidence, contest: Contest, scenario: str, teacher: Cell, floor: float) -> Kept:
    place = contest.experiment.id
    try:
        students, teachers = _finals(evidence, contest.cell, scenario), _finals(evidence, teacher, scenario)
        seeds = [seed for seed in students if seed in teachers]
        sides = [students[seed] for seed in seeds], [teachers[seed] for seed in seeds]
        interval = retention_interval(*sides, floor, paired=True)
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
                row = Cost(contest.experiment.id, method, len(records), steps, cpu_s, wall_s)
                found.setdefault(cell.key, row)
    return list(found.values())


def _steps(record: Record) -> int:
    """Environment steps of training, in all tasks, up to the last point of a curve."""
    trained = (own for own, place in zip(record.numbers.scores, scored(record.settings), strict=True) if place.trained)
    return sum(max((curve.steps[-1] for curve in own.curves.values()), default=0) for own in trained)


def _failures(evidence: Evidence, entry: Entry) -> list[str]:
    """The entrant's runs that failed, one line each."""
    cells = {contest.cell.key: contest.cell for contest in entry.contests}
    return [
        f"seed {seed} on {cell.training_set}: {record.reason} (run {record.run})"
        for cell in cells.values()
        for seed, record in sorted(evidence.found(cell).records.items())
        if record.status == "failed"
    ]
