"""What any two sides' final scores show: each alone, their difference in a scenario, and both over scenarios.

Axes: S seed, T task. A score is the mean of a run's final evaluation, in the scenario's metric; higher is better. A
normalised score is (x - random) / (good - random), by the scenario's anchors, never by the results at hand. Seeds that
ran on both sides are compared as pairs, because they share streams and teachers. Imported runs share nothing with ours
and are independent samples. Holm's correction is over all differences that are tested. If the suite declares looks, a
difference is judged at the last look that is reached, as claims are. If not, the seeds that were asked for count, and a
remark tells if they are not those that the suite declares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.evidence.measures import Evidence
from bench.guests.places import Rivals
from bench.plan import Cell
from bench.stats import decisions
from bench.stats.aggregates import IQM, optimality_gap
from bench.stats.bootstrap import Band, Draws, improvement_interval, profile_band, stratified_interval
from bench.stats.decisions import Decision
from bench.stats.families import corrected
from bench.stats.intervals import Interval, mean_interval
from bench.stats.looks import ONCE
from bench.stats.pairs import Matched, matched
from bench.suite import Place, Scenario, Suite
from bench.verdict.looks import Look, Question

Floats = NDArray[np.float64]
RESAMPLING = 0  # seed of each bootstrap: the same results give the same comparison
THRESHOLDS = np.linspace(0.0, 1.0, 21)  # of the performance profile, in normalised scores
SMALL = 0.1  # of a scenario's scale: the margin below which an advantage is called small


@dataclass(frozen=True)
class Origin:
    """How imported runs of a scenario were made, as declared.

    episodes: of the evaluation that gives the final score. steps: of training, fewest and most over the runs, in the
    unit `counts`; None if the file does not tell.
    """

    protocol: str
    episodes: int
    steps: tuple[int, int] | None
    counts: str
    environment: str
    source: str


@dataclass(frozen=True)
class OwnScore:
    """A method's score by itself. finished: how many of the seeds asked for have a score. mean: None without a seed.

    normalised: None without a seed or without anchors.
    """

    experiment: str
    scenario: str
    finished: int
    asked: int
    mean: Interval | None
    normalised: Interval | None


@dataclass(frozen=True)
class Pair:
    """Final scores of two sides in a place, by seed. own: the cell or import that this side's scores come from.

    episodes: of each seed, if the scores are success rates. origin: of the imported side. incomparable: why the two
    scores are of different kinds; then nothing is tested. remarks: what stands beside the finding. question: how it is
    asked, if seeds are added look by look. untrained: which of the two methods were never updated.
    """

    experiment: str
    place: Place
    against: str
    own: str
    ours: dict[int, float]
    theirs: dict[int, float]
    episodes: int | None = None
    origin: Origin | None = None
    incomparable: str = ""
    remarks: tuple[str, ...] = ()
    question: Question | None = None
    imported: Literal["ours", "theirs"] | None = None
    untrained: tuple[str, ...] = ()

    @property
    def look(self) -> Look | None:
        return self.question and self.question.look

    @property
    def judged(self) -> tuple[dict[int, float], dict[int, float]]:
        """The scores of both sides that count: at a look those of its seeds; all of an import."""
        if self.look is None:
            return self.ours, self.theirs
        seeds = self.look.seeds
        ours, theirs = (
            side if self.imported == name else {seed: score for seed, score in side.items() if seed < seeds}
            for name, side in (("ours", self.ours), ("theirs", self.theirs))
        )
        return ours, theirs

    @property
    def matched(self) -> Matched:
        """Both sides as they are compared. An import's seeds only number another machine's runs: they make no pairs."""
        sides = self.judged
        if self.imported is None:
            return matched(*sides)
        ours, theirs = (np.array([*side.values()], dtype=np.float64) for side in sides)
        return Matched(ours, theirs, paired=False)


@dataclass(frozen=True)
class Difference:
    """The method minus another in one scenario. decision: on "its score is higher", corrected. look: where judged."""

    experiment: str
    scenario: str
    against: str
    ours: Interval
    theirs: Interval
    decision: Decision
    origin: Origin | None = None
    incomparable: str = ""
    look: Look | None = None
    untrained: tuple[str, ...] = ()

    @property
    def finding(self) -> str:
        if self.incomparable:
            return "not comparable"
        return {"yes": "higher", "no": "lower", "undecided": "undecided"}[self.decision.outcome]


@dataclass(frozen=True)
class Over:
    """The method and another over the tasks that both have run, normalised. improvement: P(method > other).

    rliable: the IQM of both, the gap of both and the improvement again, with n draws, as rliable 1.2.0 computes them.
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
class Findings:
    """lacking: comparisons that could not be made, and why. untrained: methods that were never updated. shortened: how
    much of the budgets the profile leaves, if not all.
    """

    scores: tuple[OwnScore, ...]
    differences: tuple[Difference, ...]
    over: tuple[Over, ...]
    lacking: tuple[str, ...]
    untrained: tuple[str, ...]
    shortened: tuple[str, ...]


def own_score(suite: Suite, experiment: str, place: Place, finals: Sequence[float], asked: int) -> OwnScore:
    """finals: [S], of the seeds that finished."""
    if not finals:
        return OwnScore(experiment, str(place), 0, asked, None, None)
    scaled = normalised(suite["scenario", place.scenario], finals)
    mean, on_scale = mean_interval(finals), None if scaled is None else mean_interval(scaled)
    return OwnScore(experiment, str(place), len(finals), asked, mean, on_scale)


def normalised(scenario: Scenario, scores: Sequence[float]) -> Floats | None:
    """Normalised scores [S]; None if the scenario has no anchors."""
    if scenario.anchors is None:
        return None
    return (np.array(scores) - scenario.anchors.random) / (scenario.anchors.good - scenario.anchors.random)


def untrained(evidence: Evidence, cells: Mapping[str, Cell]) -> tuple[str, ...]:
    """The names of methods whose finished runs had no update within their budget."""
    return tuple(name for name, cell in cells.items() if _learns(cell) and _no_update(evidence, cell))


def _learns(cell: Cell) -> bool:
    """Whether a method reports its first update: a training function does not."""
    return not cell.guest or cell.settings["algorithm"].get("kind") == "learner"


def _no_update(evidence: Evidence, cell: Cell) -> bool:
    records = evidence.finished(cell).values()
    return bool(records) and all(record.numbers.first_update is None for record in records)


def shortened(evidence: Evidence, places: Sequence[Rivals]) -> tuple[str, ...]:
    """What the profile leaves of each shortened budget, one line each: such runs give no verdicts."""
    cells = (evidence.cell(p.experiment, m, p.training_set.scored[0], p.group) for p in places for m in p.against)
    notes = (note for cell in cells for note in cell.notes)
    return tuple(dict.fromkeys(note.says for note in notes if note.id == "profile"))


def family(suite: Suite, pairs: Sequence[Pair]) -> tuple[Difference, ...]:
    """The differences of these pairs, after Holm's correction over all comparable ones."""
    found = [_difference(suite, pair) for pair in pairs]
    tested = [d.decision for d in found if not d.incomparable]
    asked = [d.look.asked if d.look else ONCE for d in found if not d.incomparable]
    outcomes = iter(corrected(tested, "holm", asked) if tested else ())
    return tuple(d if d.incomparable else replace(d, decision=next(outcomes)) for d in found)


def _difference(suite: Suite, pair: Pair) -> Difference:
    counted = pair.judged if pair.look and pair.look.number else (pair.ours, pair.theirs)
    ours, theirs = ([*side.values()] for side in counted)
    early = pair.question.early if pair.question else ""
    if pair.incomparable or early:
        decision = replace(decisions.untested(pair.incomparable or early), n=(len(ours), len(theirs)))
        decision = decision if pair.incomparable else replace(decision, tags=pair.remarks)
    else:
        anchors = suite["scenario", pair.place.scenario].anchors
        margin = SMALL * (anchors.good - anchors.no_information) if anchors else 0.0
        both = pair.matched
        asked = pair.look.asked if pair.look else ONCE
        decision = decisions.ordering(both.a, both.b, both.paired, margin, pair.episodes, asked)
        decision = replace(decision, tags=(*decision.tags, *pair.remarks))
    if pair.untrained and not pair.incomparable:
        tags = tuple(tag for tag in decision.tags if tag != decisions.MEAN_AND_SEED)
        teams = f"{' and '.join(pair.untrained)}: an untrained team"
        decision = replace(decision, typical=None, seeds_to_decide=None, tags=(teams, *tags))
    sides = mean_interval(ours), mean_interval(theirs)
    where = pair.experiment, str(pair.place), pair.against
    return Difference(*where, *sides, decision, pair.origin, pair.incomparable, pair.look, pair.untrained)


def over_scenarios(evidence: Evidence, pairs: Sequence[Pair], lost: list[str]) -> list[Over]:
    """One result for each other method, over the comparable scenarios with a scale; a scenario counts once."""
    found = []
    for against in dict.fromkeys(pair.against for pair in pairs):
        tasks: dict[tuple[str, str], Pair] = {}
        own = [pair for pair in pairs if pair.against == against]
        comparable = [pair for pair in own if not (pair.incomparable or pair.untrained)]
        for pair in comparable:
            if evidence.suite["scenario", pair.place.scenario].anchors is not None:
                tasks.setdefault((pair.place.scenario, pair.own), pair)
        if not tasks:
            idle = any(pair.untrained and not pair.incomparable for pair in own)
            why = "has anchors" if comparable else "has two trained teams" if idle else "is comparable"
            lost.append(f"{against} over scenarios: none of them {why}")
            continue
        ours = _matrix(evidence.suite, [(pair.place.scenario, pair.ours) for pair in tasks.values()])
        theirs = _matrix(evidence.suite, [(pair.place.scenario, pair.theirs) for pair in tasks.values()])
        if not (len(ours) and len(theirs)):
            lost.append(f"{against} over scenarios: no seed finished all of them")
            continue
        found.append(_aggregated(against, tuple(str(pair.place) for pair in tasks.values()), ours, theirs))
    return found


def _matrix(suite: Suite, tasks: Sequence[tuple[str, dict[int, float]]]) -> Floats:
    """Normalised scores [S, T], of the seeds that finished every task."""
    seeds = [seed for seed in tasks[0][1] if all(seed in own for _, own in tasks)]
    rows = [normalised(suite["scenario", scenario], [own[seed] for seed in seeds]) for scenario, own in tasks]
    return np.array(rows, dtype=np.float64).reshape(len(tasks), len(seeds)).T


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
