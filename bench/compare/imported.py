"""Imported results beside what was run here: against a method from elsewhere, and against the suite's own.

They are comparable if they are of the same kind as our final scores: greedy, after the budget's environment steps.
Anything else is shown and not tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.compare.findings import (
    Findings,
    Origin,
    OwnScore,
    Pair,
    family,
    over_scenarios,
    own_score,
    shortened,
    untrained,
)
from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.exchange.imported import Import, Imports, imports
from bench.guests.places import Contest, Rivals, each_cell, rivals
from bench.plan import COMMAND_LINE, Cell
from bench.stats.estimates import StatisticsError
from bench.suite import Place, SuiteError, Tuning, one_sided
from bench.suite.explain import Problem, listed, nearest, shown
from bench.verdict.about import About
from bench.verdict.looks import Planned

PREFIX = "imported:"
FINAL_PROTOCOL = "greedy"  # the protocol of our final scores


@dataclass(frozen=True)
class Entered:
    """An imported method, and the methods of the suite that it is compared with wherever both have scores."""

    own: Import
    method: str
    rivals: tuple[Rivals, ...]


@dataclass(frozen=True)
class ImportedComparison(Findings):
    entered: Entered


def entered(evidence: Evidence, name: str, against: Sequence[str]) -> Entered:
    """name: `imported:NAME`, or `imported:NAME/METHOD` if an import holds several. Raises SuiteError."""
    own, method = _named(imports(evidence.store.root), evidence, name)
    there = {run.scenario for run in own.runs if run.method == method}
    places = rivals(evidence.suite, evidence.selection, against)
    return Entered(own, method, tuple(place for place in places if there & {*place.training_set.scored}))


def _named(found: Imports, evidence: Evidence, name: str) -> tuple[Import, str]:
    import_, slash, method = name.removeprefix(PREFIX).partition("/")
    damaged = {path.stem: why for path, why in found.damaged.items()}
    known = {own.name: own for own in found.of_suite(evidence.suite.id)}
    if import_ in damaged:
        raise _refused(name, f"an import that can be read: {damaged[import_]}", "delete it, and import its file again")
    if import_ not in known:
        root = evidence.store.root
        allowed = listed(f"{PREFIX}{own}" for own in known)
        mend = f"name one of them{nearest(import_, known)}"
        if not known:
            allowed = f"a name of imported results of the suite {evidence.suite.id}; there are none in {root}"
            mend = f"import them there (bench import ... --results {root}), or name their folder with --results"
        elsewhere = [f"; {own.name} is of the suite {own.suite}" for own in found.sound if own.name == import_]
        raise _refused(name, f"{allowed}{''.join(elsewhere)}", mend)
    methods = known[import_].methods
    if not slash and len(methods) == 1:
        return known[import_], methods[0]
    if method not in methods:
        allowed = listed(f"{PREFIX}{import_}/{own}" for own in methods)
        raise _refused(name, allowed, f"name one of them{nearest(method, methods)}")
    return known[import_], method


def _refused(name: str, allowed: str, mend: str) -> SuiteError:
    return SuiteError(COMMAND_LINE, [Problem("METHOD", shown(name), allowed, mend)])


def imported_comparison(evidence: Evidence, entered: Entered) -> ImportedComparison:
    """Everything that the results show about an imported method."""
    lost: list[str] = []
    pairs = _pairs(evidence, entered, lost)
    return ImportedComparison(
        scores=tuple(_scores(evidence, entered)),
        differences=family(evidence.suite, pairs),
        over=tuple(over_scenarios(evidence, pairs, lost)),
        lacking=tuple(dict.fromkeys(lost)),
        untrained=tuple(dict.fromkeys(name for pair in pairs for name in pair.untrained)),
        shortened=shortened(evidence, entered.rivals),
        entered=entered,
    )


def worth_running(evidence: Evidence, entered: Entered) -> list[Rivals]:
    """The methods of the suite that an import can be compared with, wherever it can, once they have runs."""
    found = []
    for venue in entered.rivals:
        made = {s: origin(entered.own, entered.method, s) for s in venue.training_set.scored if _holds(entered, s)}

        def comparable(method: str, venue: Rivals = venue, made: Mapping[str, Origin] = made) -> bool:
            cells = ((evidence.cell(venue.experiment, method, s, venue.group), s) for s in made)
            return any(not incomparable(made[s], cell, s) for cell, s in cells)

        if against := tuple(method for method in venue.against if comparable(method)):
            found.append(replace(venue, against=against))
    return found


def _holds(entered: Entered, scenario: str) -> bool:
    return bool(entered.own.final_scores(entered.method, scenario))


def _pairs(evidence: Evidence, entered: Entered, lost: list[str]) -> list[Pair]:
    """Every comparison with a cell in a scenario, once, even if several experiments hold it."""
    own, found, planned = entered.own, {}, Planned(evidence)
    for venue in entered.rivals:
        for scenario in venue.training_set.scored:
            ours, place = own.final_scores(entered.method, scenario), venue.place(scenario)
            for method in venue.against if ours else ():
                cell = evidence.cell(venue.experiment, method, scenario, venue.group)
                made = origin(own, entered.method, scenario)
                why = incomparable(made, cell, scenario)  # known before anything has run
                try:
                    theirs = _finals(evidence, cell, scenario)
                except (NotRun, StatisticsError) as reason:
                    lost.append(f"{method} on {place}: {f'not comparable: {why}' if why else reason}")
                else:
                    episodes = evidence.rate_episodes(scenario, (cell,)) and made.episodes
                    asked = planned.question(venue.experiment, About(((cell, scenario),)))
                    tuned = one_sided({own.name: None, method: evidence.suite.tuning(method)})
                    pair = Pair(
                        *(venue.experiment.id, place, method, own.name, ours, theirs, episodes, made, why),
                        remarks=(*asked.tags, *tuned),
                        question=asked,
                        imported="ours",
                        untrained=untrained(evidence, {method: cell}),
                    )
                    found.setdefault((cell.key, scenario), pair)
    return list(found.values())


def _finals(evidence: Evidence, cell: Cell, scenario: str) -> dict[int, float]:
    return {seed: score.final for seed, score in evidence.scores(cell, scenario).items()}


def _scores(evidence: Evidence, entered: Entered) -> Iterator[OwnScore]:
    own, known = entered.own, {s.id for s in evidence.suite.scenario}
    for scenario in (s for s in own.scenarios if s in known):
        if finals := [*own.final_scores(entered.method, scenario).values()]:
            yield own_score(evidence.suite, "", Place(scenario), finals, len(own.protocol.seeds))


def against_imports(evidence: Evidence, contests: Sequence[Contest], tuning: Mapping[str, Tuning]) -> list[Pair]:
    """Every imported method against an entrant, wherever both have scores. tuning: the entrant's, by its name."""
    there, planned = imports(evidence.store.root).of_suite(evidence.suite.id), Planned(evidence)
    return [
        _against(evidence, planned, contest, scenario, own, method, tuning)
        for contest in each_cell(contests)
        for scenario in (contest.cell.scenarios if evidence.finished(contest.cell) else ())
        for own in there
        for method in own.methods
        if own.final_scores(method, scenario)
    ]


def _against(
    evidence: Evidence,
    planned: Planned,
    contest: Contest,
    scenario: str,
    own: Import,
    method: str,
    tuning: Mapping[str, Tuning],
) -> Pair:
    cell, made = contest.cell, origin(own, method, scenario)
    asked = planned.question(contest.experiment, About(((cell, scenario),)))
    return Pair(
        experiment=contest.experiment.id,
        place=contest.place(scenario),
        against=own.label(method),
        own=cell.key,
        ours=_finals(evidence, cell, scenario),
        theirs=own.final_scores(method, scenario),
        episodes=evidence.rate_episodes(scenario, (cell,)) and made.episodes,
        origin=made,
        incomparable=incomparable(made, cell, scenario),
        remarks=(*asked.tags, *one_sided({**tuning, own.label(method): None})),
        question=asked,
        imported="theirs",
    )


def origin(own: Import, method: str, scenario: str) -> Origin:
    declared = own.protocol
    trained = [run.trained for run in own.of(method, scenario).values()]
    known = [steps for steps in trained if steps is not None]
    return Origin(
        protocol=f"{declared.protocol}, best single episode" if declared.best_episode else declared.protocol,
        episodes=declared.final_evaluation_episodes if declared.final == "final" else declared.evaluation_episodes,
        steps=(min(known), max(known)) if known and len(known) == len(trained) else None,
        counts=f"{declared.steps} steps",
        environment=declared.environment,
        source=declared.source,
    )


def incomparable(made: Origin, cell: Cell, scenario: str) -> str:
    """Why imported final scores are of another kind than a cell's; "" if they are of the same kind.

    Steps may differ by less than an episode: some trainers end with the episode in which their budget is spent.
    """
    if made.protocol != FINAL_PROTOCOL:
        return f"its protocol is {made.protocol}, ours {FINAL_PROTOCOL}"
    limit = cell.scored[cell.scenarios.index(scenario)].episode_limit
    if cell.unit == "updates":
        return f"its training steps cannot be compared with ours, which are {cell.whole:,} updates"
    budget = cell.whole * limit if cell.unit == "episodes" else cell.whole
    if made.steps is None:
        return f"its training steps are not known; ours are {budget:,}"
    if made.counts != "environment steps":
        return f"its steps are counted by agent; ours are {budget:,} of the environment"
    if any(abs(steps - budget) >= limit for steps in made.steps):
        return f"it was trained for {between(made.steps)} environment steps; ours for {budget:,}"
    return ""


def between(steps: tuple[int, int]) -> str:
    low, high = steps
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
