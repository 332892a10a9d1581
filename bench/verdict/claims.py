"""Claim + statistics -> verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.stats.decisions import Decision, conjunction, untested
from bench.stats.estimates import StatisticsError
from bench.stats.families import at_least
from bench.stats.looks import Asked
from bench.stats.multiplicity import most
from bench.suite import (
    Change,
    Claim,
    Experiment,
    MeanOrdering,
    Ordering,
    Place,
    Product,
    Ratio,
    Suite,
    Value,
    number,
    one_sided,
    quantities,
    split,
)
from bench.verdict.about import About, about
from bench.verdict.codes import OUTCOME, Verdict, forbids, undefined, with_decision, without_runs
from bench.verdict.looks import Planned
from bench.verdict.placebo import placebo, subject
from bench.verdict.rules import Read, decide, decide_means, require_on_runs


@dataclass(frozen=True)
class Case:
    """How a claim fares in one place. missing: why it could not be tested; such a case counts as not shown.

    comparable: no deviation forbids a verdict there.
    """

    place: Place
    decision: Decision
    missing: str
    comparable: bool

    @property
    def line(self) -> str:
        d = self.decision
        if self.missing or d.p is None:
            return f"{self.place}: {self.missing or d.reason}"
        bounds = "" if d.low is None or d.high is None else f" [{d.low:.3g}, {d.high:.3g}]"
        return f"{self.place}: {d.reason}: {d.estimate:.3g}{bounds}"


def claim_about(evidence: Evidence, claim: Claim, experiment: Experiment) -> About:
    """What a claim rests on, as far as it can run."""
    places = places_of(evidence.suite, claim, experiment)
    return about(evidence, experiment, quantities(claim.test), places, partial=True)


def judge_claim(evidence: Evidence, claim: Claim, experiment: Experiment, planned: Planned | None = None) -> Verdict:
    """The verdict on a claim in one experiment. planned: of this evidence, made once for many."""
    suite, planned = evidence.suite, planned or Planned(evidence)
    test = claim.test
    places = places_of(suite, claim, experiment)
    on = claim_about(evidence, claim, experiment)
    question = planned.question(experiment, on)
    evidence = question.evidence.by(claim.protocol)
    verdict = Verdict(
        id=claim.id,
        kind=test.kind,
        where=claim.where,
        experiment=experiment.id,
        scenario=", ".join(suite.scope(claim, experiment)),
        method=subject(claim, experiment),
        says=claim.says,
        printed=_printed(claim),
        seeds=on.seeds(evidence),
        deviations=on.notes,
        implementation=on.implementation,
        headline=claim.headline,
        clearly=isinstance(test, Ordering) and test.clearly,
        tags=question.tags,
        look=question.look,
        declared=question.declared,
    )
    try:
        require_on_runs(test)
        if too_early := question.undecided(on):
            decision, cases = too_early, []
        else:
            decision, cases = decision_of(evidence, claim, experiment, places, evidence.values)
            stood_in = placebo(
                evidence, claim, experiment, lambda read: decision_of(evidence, claim, experiment, places, read)[0]
            )
            verdict = replace(verdict, placebo=stood_in)
        verdict = with_decision(verdict, decision)
        verdict = replace(verdict, tags=(*verdict.tags, *(_tuned(evidence, claim) if on.of_play else ())))
        verdict = replace(verdict, tags=(*verdict.tags, *_of_the_elected(evidence, claim, experiment, places)))
        if verdict.verdict == "not_comparable" and cases:
            remarks = _without_forbidden(cases, _needed(claim, cases), evidence.asked)
            verdict = replace(verdict, reason="; ".join([verdict.reason, *remarks]))
    except NotRun as missing:
        verdict = without_runs(verdict, question.missing(str(missing)))
    except StatisticsError as why:
        verdict = undefined(verdict, why)
    if not on.of_play:
        assumed = ", ".join(n.id for n in on.notes if n.class_ == "assumed" and n.says.startswith(f"{n.id} = "))
        basis = f"computed, under what is assumed: {assumed}" if assumed else "computed from what the paper states"
        verdict = replace(verdict, computed=verdict.ran, tags=(*verdict.tags, basis))
    return replace(verdict, reason="; ".join([verdict.reason, *evidence.losses(on.cells)]))


def places_of(suite: Suite, claim: Claim, experiment: Experiment) -> tuple[Place, ...]:
    """The places where a claim is tested in an experiment."""
    if isinstance(claim.test, MeanOrdering):
        return Place(claim.test.greater), Place(claim.test.less)
    return suite.places(claim, experiment)


def decision_of(
    evidence: Evidence, claim: Claim, experiment: Experiment, places: Sequence[Place], read: Read
) -> tuple[Decision, list[Case]]:
    """The decision from the values that are read, with each place's own case if the claim speaks of several.

    Raises NotRun if something missing could decide it, and StatisticsError.
    """
    if isinstance(claim.test, MeanOrdering):
        return decide_means(evidence, claim, claim.test, experiment, read), []
    if len(places) == 1:
        return decide(evidence, claim, experiment, places[0], named=True, read=read), []
    cases = [_case(evidence, claim, experiment, place, read) for place in places]
    lines, missing = [case.line for case in cases], [case for case in cases if case.missing]
    if len(missing) == len(cases):
        raise NotRun("; ".join(dict.fromkeys(case.missing for case in cases)) or "it speaks of no scenario")
    found = _combined(cases, _needed(claim, cases), evidence.asked)
    if missing and found.outcome == "undecided":
        raise NotRun("; ".join([f"{len(missing)} of {len(cases)} places not run", *lines]))
    return replace(found, reason="; ".join([found.reason, *lines])), cases


def _of_the_elected(evidence: Evidence, claim: Claim, experiment: Experiment, places: Sequence[Place]) -> Iterator[str]:
    """The outcome of a claim about the best member by the elected one's own scores: the best of several is favoured."""
    methods = {split(q)[0] for q in quantities(claim.test)}
    if claim.protocol != "best_member" or not any("ensemble_size" in evidence.suite.settings(m) for m in methods):
        return
    elected = evidence.by("greedy")
    try:
        found, _ = decision_of(elected, claim, experiment, places, elected.values)
        yield f"by the elected member's own score: {OUTCOME.get(found.outcome, found.outcome)}"
    except (NotRun, StatisticsError) as why:
        yield f"by the elected member's own score: {why}"


def _needed(claim: Claim, cases: Sequence[Case]) -> int:
    """In how many of its places a claim must hold."""
    return {"all": len(cases), "most": most(len(cases))}.get(str(claim.over)) or int(claim.over)


def _tuned(evidence: Evidence, claim: Claim) -> Iterator[str]:
    """A tag if some of the compared methods were tuned and others were not, or if nothing is known of some."""
    methods = dict.fromkeys(split(q)[0] for q in quantities(claim.test))
    yield from one_sided({method: evidence.suite.tuning(method) for method in methods})


def _printed(claim: Claim) -> float | None:
    """The number that the claim's sentence prints, percent as a share; None if it prints none or several."""
    if isinstance(claim.test, Ratio):
        return claim.test.printed
    return float(number(claim.test.printed)[0]) if isinstance(claim.test, Value | Change | Product) else None


def _case(evidence: Evidence, claim: Claim, experiment: Experiment, place: Place, read: Read) -> Case:
    """The comparison in one place, or why there is none."""
    missing = ""
    try:
        found = decide(evidence, claim, experiment, place, named=False, read=read)
    except NotRun as reason:
        found, missing = untested(str(reason)), str(reason)
    except StatisticsError as reason:
        found = untested(f"undefined: {reason}", undefined=True)
    notes = about(evidence, experiment, quantities(claim.test), [place], partial=True).notes
    return Case(place, found, missing, not forbids(notes))


def _combined(cases: Sequence[Case], needed: int, asked: Asked) -> Decision:
    """Whether the claim holds in `needed` places; a case that could not be tested counts as not shown."""
    names, found = [str(case.place) for case in cases], [case.decision for case in cases]
    return conjunction(found, names, asked) if needed == len(cases) else at_least(found, needed, names, asked)


def _without_forbidden(cases: Sequence[Case], needed: int, asked: Asked) -> list[str]:
    """What the places that allow a verdict decide alone, with the others counted as not shown; often nothing."""
    others = [str(case.place) for case in cases if not case.comparable]
    if len(others) == len(cases):
        return []
    left = [
        case if case.comparable else replace(case, decision=untested("a deviation forbids a verdict")) for case in cases
    ]
    found = _combined(left, needed, asked)
    says = "nothing is decided" if found.outcome == "undecided" else OUTCOME[found.outcome]
    return [f"without {', '.join(others)}: {says}"]
