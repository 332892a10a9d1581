"""The tests of claims on runs, in one place. A place is a scenario, or a set that is averaged."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun, Values
from bench.stats import decisions, stated
from bench.stats.decisions import Decision
from bench.stats.estimates import StatisticsError
from bench.stats.published import Published, same_value
from bench.suite import (
    BOUNDED,
    Between,
    Change,
    Claim,
    Difference,
    Equivalence,
    Experiment,
    Final,
    FirstReach,
    Margin,
    MeanOrdering,
    MemberMeasure,
    NotGreater,
    Ordering,
    Place,
    Ratio,
    RelativeTime,
    Seeds,
    Test,
    TimeOfBest,
    Untrained,
    Value,
    Window,
    number,
    quantities,
    split,
)

Read = Callable[..., Values]  # experiment, quantity, scenario, training set -> values; Evidence.values, or a placebo's
Compared = Ordering | NotGreater | Equivalence  # each pair of quantities by one rule
ON_RUNS = (Ordering, NotGreater, Equivalence, Ratio, Between, Value, Difference, Change, MeanOrdering)


def require_on_runs(test: Test) -> None:
    """Raises NotRun for a test that no run can answer."""
    if not isinstance(test, ON_RUNS):
        raise NotRun(f"a test of kind {test.kind} is only about printed numbers: see bench audit")
    if isinstance(test, Change) and len(quantities(test)) < 2:
        raise NotRun("a change between numbers of the text is only about printed numbers: see bench audit")


def decide(evidence: Evidence, claim: Claim, experiment: Experiment, place: Place, named: bool, read: Read) -> Decision:
    """The statistics of a claim in one place. named: the reason says what was compared. read: gives the values.

    Raises NotRun, StatisticsError.
    """
    test = claim.test
    values = {q: read(experiment, q, *place) for q in quantities(test)}
    if not isinstance(test, Compared | Between) and not any(one.reached.any() for one in values.values()):
        raise StatisticsError("no run reached the threshold within the budget")
    if isinstance(test, Compared):
        return _pairs(evidence, claim, test, experiment, place, values, named)
    if isinstance(test, Ratio):
        above, below = values[test.numerator], values[test.denominator]
        both, episodes = above.against(below), fewest_episodes(above, below)
        return decisions.ratio(both.a, both.b, test.printed, test.tolerance, both.paired, episodes, evidence.asked)
    if isinstance(test, Between):
        bounds = _bounds(evidence, test, experiment, place)
        return stated.between(values[test.quantity].estimate, *bounds, asked=evidence.asked)
    if isinstance(test, Value):
        ours, printed = values[test.quantity].estimate, float(number(test.printed)[0])
        margin = _margin(evidence, claim, experiment, place, printed)
        papers = experiment.seeds
        seeds = papers.value if isinstance(papers, Seeds) and papers.kind == "stated" else None
        found = same_value(ours, Published(printed, seeds=seeds), margin, evidence.asked)
        return replace(found.decision, tags=found.tags, compatible=found.compatible)
    if isinstance(test, Difference):
        of, minus = values[test.of], values[test.minus]
        printed = float(number(test.printed[evidence.suite.scope(claim, experiment).index(place.scenario)])[0])
        margin = _margin(evidence, claim, experiment, place, float(minus.values.mean()))
        both = of.against(minus)
        episodes = fewest_episodes(of, minus)
        return stated.difference(both.a, both.b, both.paired, printed, margin, episodes, evidence.asked)
    if isinstance(test, Change):
        start, end = values[test.from_], values[test.to]
        size = abs(float(start.values.mean()))
        if size == 0:
            raise StatisticsError("a change from 0 has no size")
        printed = float(number(test.printed)[0]) * (1 if test.direction == "up" else -1)
        margin = _margin(evidence, claim, experiment, place, size) / size
        both, episodes = start.against(end), fewest_episodes(start, end)
        return stated.change(both.a, both.b, printed, margin, both.paired, episodes, evidence.asked)
    raise TypeError(f"claim {claim.id}: no rule for {test.kind}")


def decide_means(evidence: Evidence, claim: Claim, test: MeanOrdering, experiment: Experiment, read: Read) -> Decision:
    """Each seed's mean over one set against its mean over another. Raises NotRun, StatisticsError."""
    greater, less = (read(experiment, test.quantity, set_) for set_ in (test.greater, test.less))
    margin = evidence.margin(experiment, claim.margin, float(less.values.mean()), test.less)
    both = greater.against(less)
    return decisions.ordering(both.a, both.b, both.paired, margin, fewest_episodes(greater, less), evidence.asked)


def _pairs(
    evidence: Evidence,
    claim: Claim,
    test: Compared,
    experiment: Experiment,
    place: Place,
    values: dict[str, Values],
    named: bool,
) -> Decision:
    """All pairs of a test's quantities must hold."""
    pairs = (
        list(itertools.combinations(test.same, 2))
        if isinstance(test, Equivalence)
        else list(itertools.product(test.greater, test.less))
    )
    found = [_compare(evidence, claim.margin, test, experiment, place, values[a], values[b]) for a, b in pairs]
    names = [f"{a} against {b}" for a, b in pairs]
    if len(found) > 1:
        return decisions.conjunction(found, names, evidence.asked)
    return replace(found[0], reason=f"{names[0]}: {found[0].reason}") if named else found[0]


def _compare(
    evidence: Evidence,
    margin: Margin | None,
    test: Compared,
    experiment: Experiment,
    place: Place,
    a: Values,
    b: Values,
) -> Decision:
    """One pair of quantities, seed by seed if they share seeds; computed quantities are compared as they are."""
    if not (a.reached.any() or b.reached.any()):
        raise StatisticsError("no run of either method reached the threshold within the budget")
    size = evidence.margin(experiment, margin, float(b.values.mean()), *place)
    clearly = isinstance(test, Ordering) and test.clearly
    rule = {
        Ordering: decisions.clearly_greater if clearly else decisions.ordering,
        NotGreater: decisions.not_greater,
        Equivalence: decisions.equivalence,
    }[type(test)]
    if a.exact and b.exact:
        return rule(a.estimate, b.estimate, False, size, asked=evidence.asked)
    both = a.against(b)
    return rule(both.a, both.b, both.paired, size, fewest_episodes(a, b), evidence.asked)


def fewest_episodes(a: Values, b: Values) -> int | None:
    """The episodes behind each seed's success rate, the fewer of both sides; None if one is no success rate."""
    return None if a.episodes is None or b.episodes is None else min(a.episodes, b.episodes)


def _margin(evidence: Evidence, claim: Claim, experiment: Experiment, place: Place, smaller: float) -> float:
    """The claim's margin as a number. Raises NotRun if it declares none."""
    if claim.margin is None:
        raise NotRun("its claim declares no margin, so it is not known how near is near enough")
    return evidence.margin(experiment, claim.margin, smaller, *place)


def _bounds(evidence: Evidence, test: Between, experiment: Experiment, place: Place) -> tuple[float, float]:
    """The printed bounds with their tolerance. A bound that the quantity cannot pass, such as a time of 0, is none."""
    tolerance = test.tolerance or 0.0
    low, high = float(number(test.low)[0]) - tolerance, float(number(test.high)[0]) + tolerance
    measure = evidence.suite["measure", split(test.quantity)[2]]
    metrics = {evidence.suite["scenario", id_].metric for id_ in evidence.suite.members(place.scenario)}
    if isinstance(measure, FirstReach | TimeOfBest):
        least, highest = 0.0, float(evidence.budget(experiment, *place))
    elif isinstance(measure, RelativeTime):
        least, highest = 0.0, float("inf")
    elif isinstance(measure, MemberMeasure) or (
        isinstance(measure, Final | Window | Untrained) and metrics <= {*BOUNDED} and _scores(measure)
    ):
        least, highest = 0.0, 1.0
    else:
        return low, high
    return (low if low > least else -float("inf")), (high if high < highest else float("inf"))


def _scores(measure: Final | Window | Untrained) -> bool:
    """Whether a measure is in the scenario's metric."""
    return isinstance(measure, Final) or not measure.series.startswith("loss/")
