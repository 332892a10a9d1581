"""How a claim fares under each reading that its suite declares. Only the primary one has a verdict.

Readings share seeds, and often runs. So the number of readings in which a claim holds is a count and no probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.evidence.measures import Evidence
from bench.evidence.values import NotRun
from bench.plan.sides import one_run, read_alike
from bench.stats.decisions import Decision
from bench.stats.estimates import StatisticsError
from bench.suite import (
    PRIMARY,
    Between,
    Change,
    Claim,
    Equivalence,
    Experiment,
    FirstReach,
    MeanOrdering,
    NotGreater,
    Ordering,
    Place,
    Ratio,
    Reading,
    RelativeTime,
    Suite,
    Test,
    Value,
    number,
    own_choices,
    quantities,
    split,
)
from bench.verdict.claims import claim_about, decision_of, places_of
from bench.verdict.codes import Under, Verdict, turned_by_readings
from bench.verdict.looks import Planned
from bench.verdict.rules import require_on_runs


def across(evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of the primary reading, each claim's with its outcomes under the others. Others' stay as they are.

    A reading that changes nothing that a claim is judged by is not listed for that claim.
    """
    if evidence.selection.reading != PRIMARY:
        return [*verdicts]
    primary = Planned(evidence)
    others = [Planned(evidence.under(one)) for one in evidence.suite.readings.values()]
    return [v if v.kind == "published" or v.computed else _with_readings(primary, others, v) for v in verdicts]


def _with_readings(primary: Planned, others: Sequence[Planned], verdict: Verdict) -> Verdict:
    own = _basis(primary.every, verdict)
    found = [_under(primary, verdict, "primary")]
    for other in others:
        if _basis(other.every, verdict) != own:
            reading = other.every.suite.readings[other.every.selection.reading]
            found.append(_under(other, verdict, reading.kind, reading))
    if len(found) == 1:
        return verdict
    found[0] = replace(found[0], choices=own_choices(primary.every.suite.measure, [one.choices for one in found]))
    return turned_by_readings(replace(verdict, readings=tuple(found)))


def _under(planned: Planned, verdict: Verdict, kind: str, reading: Reading | None = None) -> Under:
    """The decision of a claim in one reading, on the seeds that count there."""
    suite = planned.every.suite
    claim, experiment = _of(suite, verdict)
    blank = (
        Under(PRIMARY, kind, "as declared")
        if reading is None
        else Under(reading.id, kind, reading.says, choices=tuple(reading.choices.items()))
    )
    try:
        require_on_runs(claim.test)
        if pair := one_run(claim.test, lambda q: _rests_on(planned.every, claim, experiment, q)):
            raise NotRun(f"{pair[0]} and {pair[1]} are the same run in this reading")
        on = claim_about(planned.every, claim, experiment)
        question = planned.question(experiment, on)
        evidence, places = question.evidence, places_of(suite, claim, experiment)
        found = question.undecided(on) or decision_of(evidence, claim, experiment, places, evidence.values)[0]
    except NotRun as missing:
        return replace(blank, reason=str(missing))
    except StatisticsError as why:
        return replace(blank, outcome="undefined", reason=str(why))
    outcome = "undefined" if found.undefined else found.outcome
    return replace(
        blank,
        outcome=outcome,
        estimate=found.estimate,
        low=found.low,
        high=found.high,
        reason=found.reason,
        edges=_edges(claim.test, found),
    )


def _edges(test: Test, found: Decision) -> tuple[float, ...]:
    """The values that an estimate would have to cross for another outcome; none for a stated difference."""
    if isinstance(test, MeanOrdering) or (isinstance(test, Ordering) and not test.clearly):
        return (0.0,)
    if isinstance(test, Between):
        tolerance = test.tolerance or 0.0
        return float(number(test.low)[0]) - tolerance, float(number(test.high)[0]) + tolerance
    margin = found.margin
    if margin is None:
        return ()
    if isinstance(test, Ordering | NotGreater):
        return (margin,)
    if isinstance(test, Equivalence | Value):
        return -margin, margin
    if isinstance(test, Ratio):
        return test.printed - margin, test.printed + margin
    if isinstance(test, Change):
        printed = float(number(test.printed)[0]) * (1 if test.direction == "up" else -1)
        return printed - margin, printed + margin
    return ()


def _of(suite: Suite, verdict: Verdict) -> tuple[Claim, Experiment]:
    return suite["claim", verdict.id], suite["experiment", verdict.experiment]


def _basis(evidence: Evidence, verdict: Verdict) -> tuple[object, ...]:
    """All that a claim is judged by: cells, measures, margin."""
    suite = evidence.suite
    claim, experiment = _of(suite, verdict)
    asked = [*_read(suite, quantities(claim.test))]
    measures = tuple(suite["measure", split(q)[2]] for q in asked)
    places = places_of(suite, claim, experiment)
    cells = tuple(_cells(evidence, experiment, q, place) for q in asked for place in places)
    return measures, claim.margin, cells


def _rests_on(evidence: Evidence, claim: Claim, experiment: Experiment, quantity: str) -> object:
    """The runs that a quantity is read off, and how; None if there are none."""
    suite = evidence.suite
    cells = [_cells(evidence, experiment, quantity, place) for place in places_of(suite, claim, experiment)]
    if any(isinstance(own, str) for own in cells):
        return None
    return tuple(cells), read_alike(suite["measure", split(quantity)[2]])


def _read(suite: Suite, asked: Sequence[str]) -> Iterator[str]:
    """Quantities, and those whose levels they reach."""
    for quantity in asked:
        yield quantity
        measure = suite["measure", split(quantity)[2]]
        if isinstance(measure, FirstReach):
            yield from measure.quantities
        if isinstance(measure, RelativeTime):
            yield from measure.levels


def _cells(evidence: Evidence, experiment: Experiment, quantity: str, place: Place) -> tuple[str, ...] | str:
    """Keys of the cells that a quantity is read off in a place, or why there are none."""
    try:
        return tuple(cell.key for cell, _ in evidence.parts(experiment, quantity, place))
    except NotRun as missing:
        return str(missing)
