"""Claim + statistics -> verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.measures import Evidence, NotRun
from bench.stats.decisions import Decision, conjunction, untested
from bench.stats.estimates import StatisticsError
from bench.stats.families import at_least
from bench.stats.multiplicity import most
from bench.suite import Change, Claim, Experiment, MeanOrdering, Place, Product, Ratio, Value, number, quantities, split
from bench.verdict.about import about
from bench.verdict.codes import OUTCOME, Verdict, code_of, forbids, with_decision
from bench.verdict.rules import decide, decide_means, require_on_runs


@dataclass(frozen=True)
class Case:
    """How a claim does in one place. missing: why it could not be looked at; such a one counts as not shown.

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


def judge_claim(evidence: Evidence, claim: Claim, experiment: Experiment) -> Verdict:
    """The verdict on a claim in one experiment."""
    suite = evidence.suite
    test = claim.test
    places = suite.places(claim, experiment)
    if isinstance(test, MeanOrdering):
        places = (Place(test.greater), Place(test.less))
    on = about(evidence, experiment, quantities(test), places, partial=True)
    verdict = Verdict(
        id=claim.id,
        kind=test.kind,
        where=claim.where,
        experiment=experiment.id,
        scenario=", ".join(suite.scope(claim, experiment)),
        method=_subject(claim, experiment),
        says=claim.says,
        printed=_printed(claim),
        seeds=on.seeds(evidence),
        deviations=on.notes,
        headline=claim.headline,
    )
    try:
        require_on_runs(test)
        if isinstance(test, MeanOrdering):
            verdict = with_decision(verdict, decide_means(evidence, claim, test, experiment))
        elif len(places) == 1:
            verdict = with_decision(verdict, decide(evidence, claim, experiment, places[0], named=True))
        else:
            verdict = _over_places(evidence, claim, experiment, places, verdict)
    except NotRun as missing:
        verdict = replace(verdict, reason=str(missing))
    except StatisticsError as undefined:
        verdict = replace(verdict, verdict=code_of("undecided", verdict.deviations), reason=f"undefined: {undefined}")
    return replace(verdict, reason="; ".join([verdict.reason, *evidence.losses(on.cells)]))


def _printed(claim: Claim) -> float | None:
    """The number that the claim's sentence prints, percent as a share; none where it prints no or several."""
    if isinstance(claim.test, Ratio):
        return claim.test.printed
    return float(number(claim.test.printed)[0]) if isinstance(claim.test, Value | Change | Product) else None


def _subject(claim: Claim, experiment: Experiment) -> str:
    """The method that a claim is about: the first that is not the experiment's baseline, else the baseline."""
    methods = [split(q)[0] for q in quantities(claim.test)]
    return next((m for m in methods if m != experiment.baseline), methods[0] if methods else "")


def _over_places(
    evidence: Evidence, claim: Claim, experiment: Experiment, places: Sequence[Place], verdict: Verdict
) -> Verdict:
    """The verdict on a claim that speaks of several places. Raises NotRun where what is missing could decide it."""
    cases = [_case(evidence, claim, experiment, place) for place in places]
    lines = [case.line for case in cases]
    missing = [case for case in cases if case.missing]
    if len(missing) == len(cases):
        raise NotRun("; ".join(dict.fromkeys(case.missing for case in cases)) or "it speaks of no scenario")
    needed = {"all": len(cases), "most": most(len(cases))}.get(str(claim.over)) or int(claim.over)
    found = _combined(cases, needed)
    if missing and found.outcome == "undecided":
        raise NotRun("; ".join([f"{len(missing)} of {len(cases)} places not run", *lines]))
    verdict = with_decision(verdict, replace(found, reason="; ".join([found.reason, *lines])))
    remarks = _without_forbidden(cases, needed) if verdict.verdict == "not_comparable" else []
    return replace(verdict, reason="; ".join([verdict.reason, *remarks]))


def _case(evidence: Evidence, claim: Claim, experiment: Experiment, place: Place) -> Case:
    """The comparison in one place, or why there is none."""
    missing = ""
    try:
        found = decide(evidence, claim, experiment, place, named=False)
    except NotRun as reason:
        found, missing = untested(str(reason)), str(reason)
    except StatisticsError as reason:
        found = untested(f"undefined: {reason}")
    notes = about(evidence, experiment, quantities(claim.test), [place], partial=True).notes
    return Case(place, found, missing, not forbids(notes))


def _combined(cases: Sequence[Case], needed: int) -> Decision:
    """Whether the claim holds in so many places; what could not be tested counts as not shown."""
    names, found = [str(case.place) for case in cases], [case.decision for case in cases]
    return conjunction(found, names) if needed == len(cases) else at_least(found, needed, names)


def _without_forbidden(cases: Sequence[Case], needed: int) -> list[str]:
    """What the places that allow a verdict decide by themselves, the others counted as not shown; often nothing."""
    others = [str(case.place) for case in cases if not case.comparable]
    if len(others) == len(cases):
        return []
    left = [
        case if case.comparable else replace(case, decision=untested("a deviation forbids a verdict")) for case in cases
    ]
    found = _combined(left, needed)
    says = "nothing is decided" if found.outcome == "undecided" else OUTCOME[found.outcome]
    return [f"without {', '.join(others)}: {says}"]
