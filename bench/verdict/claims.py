"""Claim + statistics -> verdict."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace

from bench.measures import Evidence, NotRun, Values
from bench.plan import Cell
from bench.stats import decisions
from bench.stats.decisions import Decision
from bench.stats.estimates import StatisticsError
from bench.suite import (
    Change,
    Claim,
    Equivalence,
    Experiment,
    NotGreater,
    Ordering,
    Product,
    Ratio,
    Value,
    number,
    quantities,
    split,
)
from bench.verdict.codes import Verdict, code_of, with_decision

ON_RUNS = (Ordering, NotGreater, Equivalence, Ratio)  # kinds of tests


def judge_claim(evidence: Evidence, claim: Claim, experiment: Experiment) -> Verdict:
    """The verdict on a claim in one experiment."""
    cells = _cells(evidence, claim, experiment)
    verdict = Verdict(
        id=claim.id,
        kind=claim.test.kind,
        where=claim.where,
        experiment=experiment.id,
        scenario=", ".join(evidence.suite.scope(claim, experiment)),
        method=_subject(claim, experiment),
        says=claim.says,
        printed=_printed(claim),
        seeds=min((len(evidence.finished(cell)) for cell in cells), default=0),
        deviations=tuple(dict.fromkeys(note for cell in cells for note in cell.notes)),
        headline=claim.headline,
    )
    try:
        verdict = with_decision(verdict, decide(evidence, claim, experiment))
    except NotRun as missing:
        verdict = replace(verdict, reason=str(missing))
    except StatisticsError as undefined:
        verdict = replace(verdict, verdict=code_of("undecided", verdict.deviations), reason=f"undefined: {undefined}")
    return replace(verdict, reason="; ".join([verdict.reason, *evidence.losses(cells)]))


def _cells(evidence: Evidence, claim: Claim, experiment: Experiment) -> list[Cell]:
    """The cells that a claim is about, those that can run."""
    suite, found = evidence.suite, {}
    for home, method, _ in (suite.place(q, experiment) for q in quantities(claim.test)):
        for scenario in (s for id_ in suite.scope(claim, experiment) for s in suite.members(id_)):
            with contextlib.suppress(NotRun):
                cell = evidence.cell(suite["experiment", home], method, scenario)
                found[cell.key] = cell
    return list(found.values())


def _printed(claim: Claim) -> float | None:
    """The number that the claim's sentence prints, percent as a share; none where it prints no or several."""
    if isinstance(claim.test, Ratio):
        return claim.test.printed
    return float(number(claim.test.printed)[0]) if isinstance(claim.test, Value | Change | Product) else None


def _subject(claim: Claim, experiment: Experiment) -> str:
    """The method that a claim is about: the first that is not the experiment's baseline, else the baseline."""
    methods = [split(q)[0] for q in quantities(claim.test)]
    return next((m for m in methods if m != experiment.baseline), methods[0] if methods else "")


def decide(evidence: Evidence, claim: Claim, experiment: Experiment) -> Decision:
    """The statistics of a claim. Raises NotRun, StatisticsError."""
    test = claim.test
    if not isinstance(test, ON_RUNS):
        raise NotRun(f"a test of kind {test.kind} is not judged on runs yet")
    scope = evidence.suite.scope(claim, experiment)
    if len(scope) != 1:
        raise NotRun("claims about several scenarios are not judged on runs yet")
    (scenario,) = scope
    values = {q: evidence.values(experiment, q, scenario) for q in quantities(test)}
    if isinstance(test, Ratio):
        above, below = values[test.numerator], values[test.denominator]
        return decisions.ratio(above.values, below.values, test.printed, test.tolerance)
    pairs = (
        list(itertools.combinations(test.same, 2))
        if isinstance(test, Equivalence)
        else list(itertools.product(test.greater, test.less))
    )
    found = [_compare(evidence, claim, experiment, scenario, values[a], values[b]) for a, b in pairs]
    names = [f"{a} against {b}" for a, b in pairs]
    if len(found) == 1:
        return replace(found[0], reason=f"{names[0]}: {found[0].reason}")
    return decisions.conjunction(found, names)


def _compare(evidence: Evidence, claim: Claim, experiment: Experiment, scenario: str, a: Values, b: Values) -> Decision:
    """One pair of quantities: paired where both are read off the same runs, else independent."""
    if not (a.reached.any() or b.reached.any()):
        raise StatisticsError("no run of either method reached the threshold within the budget")
    paired = a.cell.key == b.cell.key
    margin = evidence.margin(experiment, claim.margin, float(b.values.mean()), scenario)
    clearly = isinstance(claim.test, Ordering) and claim.test.clearly
    rule = {
        Ordering: decisions.clearly_greater if clearly else decisions.ordering,
        NotGreater: decisions.not_greater,
        Equivalence: decisions.equivalence,
    }[type(claim.test)]
    return rule(a.values, b.values, paired, margin)
