"""Claim + statistics -> verdict. The rules stand in docs/verdicts.md."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.measures import Evidence, NotRun, Values
from bench.plan import Note
from bench.stats import decisions, transfer
from bench.stats.decisions import Decision
from bench.stats.estimates import StatisticsError
from bench.stats.intervals import Interval, difference_interval
from bench.suite import (
    Change,
    Claim,
    Equivalence,
    Experiment,
    NotGreater,
    Ordering,
    Product,
    Ratio,
    Untestable,
    Value,
    number,
    quantities,
    split,
)

Code = Literal["reproduced", "exceeds", "not_reproduced", "inconclusive", "not_comparable", "not_run"]
CODES: tuple[Code, ...] = ("reproduced", "exceeds", "not_reproduced", "inconclusive", "not_comparable", "not_run")
FORBIDDING = ("substitute", "reduced", "changed")  # deviation classes that allow no verdict, only a direction
ON_RUNS = (Ordering, NotGreater, Equivalence, Ratio)  # kinds of tests
DIRECTION = {"yes": "same_direction", "no": "opposite_direction", "undecided": "undecided"}
OUTCOME: dict[str, Code] = {"yes": "reproduced", "no": "not_reproduced", "undecided": "inconclusive"}


@dataclass(frozen=True)
class Verdict:
    """One claim in one experiment. found and interval: of the comparison that limits the outcome."""

    id: str
    kind: str
    where: str
    experiment: str
    scenario: str
    method: str
    says: str
    printed: float | None
    found: float | None
    interval: tuple[float, float] | None
    verdict: Code
    reason: str
    seeds: int
    seeds_to_decide: int | None
    deviations: tuple[Note, ...]


@dataclass(frozen=True)
class TransferMetric:
    """A student against the baseline. interval: of their difference or ratio, as `scale` says; None: undefined."""

    experiment: str
    metric: str
    method: str
    baseline: str
    student_mean: float | None
    baseline_mean: float | None
    scale: Literal["difference", "ratio"]
    interval: Interval | None
    remark: str


def judge(evidence: Evidence, experiments: Sequence[Experiment]) -> list[Verdict]:
    """A verdict on every claim about these experiments that can be tested at all, in the suite's order."""
    asked = {e.id for e in experiments}
    suite = evidence.suite
    return [
        judge_claim(evidence, claim, suite["experiment", id_])
        for claim in suite.claim
        for id_ in claim.experiments
        if id_ in asked and not isinstance(claim.test, Untestable)
    ]


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many of each code; zeros are counts too."""
    found = Counter(v.verdict for v in verdicts)
    return {code: found[code] for code in CODES}


def judge_claim(evidence: Evidence, claim: Claim, experiment: Experiment) -> Verdict:
    """The verdict on a claim in one experiment."""
    suite = evidence.suite
    read = dict.fromkeys(suite.place(q, experiment)[:2] for q in quantities(claim.test))
    cells = [
        evidence.cell(suite["experiment", e], m) for e, m in read if not suite.waits_for(suite["experiment", e], m)
    ]
    verdict = Verdict(
        id=claim.id,
        kind=claim.test.kind,
        where=claim.where,
        experiment=experiment.id,
        scenario=", ".join(evidence.suite.scope(claim, experiment)),
        method=_subject(claim, experiment),
        says=claim.says,
        printed=_printed(claim),
        found=None,
        interval=None,
        verdict="not_run",
        reason="",
        seeds=min((len(evidence.finished(cell)) for cell in cells), default=0),
        seeds_to_decide=None,
        deviations=tuple(dict.fromkeys(note for cell in cells for note in cell.notes)),
    )
    try:
        verdict = _with_decision(verdict, decide(evidence, claim, experiment))
    except NotRun as missing:
        verdict = replace(verdict, reason=str(missing))
    except StatisticsError as undefined:
        verdict = replace(verdict, verdict=_code("undecided", verdict.deviations), reason=f"undefined: {undefined}")
    return replace(verdict, reason="; ".join([verdict.reason, *evidence.losses(cells)]))


def _printed(claim: Claim) -> float | None:
    """The number that the claim's sentence prints, percent as a share; none where it prints no or several."""
    if isinstance(claim.test, Ratio):
        return claim.test.printed
    return float(number(claim.test.printed)[0]) if isinstance(claim.test, Value | Change | Product) else None


def _with_decision(verdict: Verdict, decision: Decision) -> Verdict:
    code = _code(decision.outcome, verdict.deviations)
    reason = decision.reason
    if code == "not_comparable":
        because = ", ".join(sorted({n.class_ for n in verdict.deviations if n.class_ in FORBIDDING}))
        reason = f"{because}; direction: {DIRECTION[decision.outcome]} ({reason})"
    bounded = decision.low is not None and decision.high is not None
    return replace(
        verdict,
        found=decision.estimate,
        interval=(decision.low, decision.high) if bounded else None,
        verdict=code,
        reason=reason,
        seeds_to_decide=decision.seeds_to_decide if code == "inconclusive" else None,
    )


def _code(outcome: str, notes: Sequence[Note]) -> Code:
    return "not_comparable" if any(n.class_ in FORBIDDING for n in notes) else OUTCOME[outcome]


def _subject(claim: Claim, experiment: Experiment) -> str:
    """The method that a claim is about: the first that is not the experiment's baseline, else the baseline."""
    methods = [split(q)[0] for q in quantities(claim.test)]
    return next((m for m in methods if m != experiment.baseline), methods[0] if methods else "")


def decide(evidence: Evidence, claim: Claim, experiment: Experiment) -> Decision:
    """The statistics of a claim. Raises NotRun, StatisticsError."""
    test = claim.test
    if not isinstance(test, ON_RUNS):
        raise NotRun(f"a test of kind {test.kind} is not judged on runs yet")
    values = {q: evidence.values(experiment, q) for q in quantities(test)}
    if isinstance(test, Ratio):
        above, below = values[test.numerator], values[test.denominator]
        return decisions.ratio(above.values, below.values, test.printed, test.tolerance)
    pairs = (
        list(itertools.combinations(test.same, 2))
        if isinstance(test, Equivalence)
        else list(itertools.product(test.greater, test.less))
    )
    found = [_compare(evidence, claim, experiment, values[a], values[b]) for a, b in pairs]
    names = [f"{a} against {b}" for a, b in pairs]
    if len(found) == 1:
        return replace(found[0], reason=f"{names[0]}: {found[0].reason}")
    return decisions.conjunction(found, names)


def _compare(evidence: Evidence, claim: Claim, experiment: Experiment, a: Values, b: Values) -> Decision:
    """One pair of quantities: paired where both are read off the same runs, else independent."""
    if not (a.reached.any() or b.reached.any()):
        raise StatisticsError("no run of either method reached the threshold within the budget")
    paired = a.cell.key == b.cell.key
    margin = evidence.margin(experiment, claim.margin, smaller=float(b.values.mean()))
    rule = {
        Ordering: decisions.ordering,
        NotGreater: decisions.not_greater,
        Equivalence: decisions.equivalence,
    }[type(claim.test)]
    return rule(a.values, b.values, paired, margin)


def transfer_metrics(evidence: Evidence, experiment: Experiment) -> list[TransferMetric]:
    """Jump start, time to threshold, asymptote and area of every method against the experiment's baseline."""
    named = evidence.suite.transfer
    if named is None or experiment.baseline is None:
        return []
    return [
        _metric(evidence, experiment, metric, measure, method)
        for method in experiment.methods
        if method != experiment.baseline and not evidence.suite.waits_for(experiment, method)
        for metric, measure in named
    ]


def _metric(evidence: Evidence, experiment: Experiment, metric: str, measure: str, method: str) -> TransferMetric:
    baseline = experiment.baseline or ""
    scale: Literal["difference", "ratio"] = "ratio" if metric in ("time_to_threshold", "area") else "difference"
    empty = TransferMetric(experiment.id, metric, method, baseline, None, None, scale, None, "")
    try:
        ours, theirs = (evidence.values(experiment, f"{m}:{measure}") for m in (method, baseline))
    except (NotRun, StatisticsError) as reason:
        return replace(empty, remark=str(reason))
    row = replace(empty, student_mean=float(ours.values.mean()), baseline_mean=float(theirs.values.mean()))
    if metric == "time_to_threshold":
        budget = ours.cell.settings["budget"]["episodes"]
        interval = transfer.time_ratio(ours.times, theirs.times, budget)
        shares = f"reached by {ours.reached.mean():.0%} and {theirs.reached.mean():.0%} of seeds"
        return replace(row, interval=interval, remark="; ".join(filter(None, (shares, interval.reason))))
    if metric == "area":
        anchors = evidence.suite["scenario", experiment.training_set.scenarios[0]].anchors
        if anchors is None:
            return replace(row, remark="the scenario has no anchors")
        interval = transfer.area_ratio(ours.values, theirs.values, anchors.random)
        return replace(
            row, interval=interval, remark=interval.reason or f"above the random policy's {anchors.random:g}"
        )
    interval = difference_interval(ours.values, theirs.values)
    return replace(row, interval=interval, remark=interval.reason)
