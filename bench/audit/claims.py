"""What a paper says, against what its tables print."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from bench.audit.findings import Finding, Holds, compared, shown
from bench.audit.rounding import Rounded, change, difference, mean, negative, product, ratio, rounded, stated
from bench.audit.tables import averaged_from
from bench.suite import (
    Averaged,
    Between,
    Change,
    Claim,
    Difference,
    Equivalence,
    Experiment,
    Final,
    Margin,
    MeanOrdering,
    NotGreater,
    Ordering,
    Printed,
    Product,
    Ratio,
    Retained,
    Retention,
    Suite,
    Untestable,
    Value,
    by_margin,
    quantities,
    split,
)


@dataclass(frozen=True)
class Case:
    """One scenario, in one group of a table, and how the claim fares there. line: the numbers that show it."""

    holds: Holds
    line: str
    recomputed: str | None = None
    from_digits: bool | None = None


def claims(suite: Suite) -> Iterator[Finding]:
    """Each claim in each of its experiments; arithmetic inside the text once."""
    for claim in suite.claim:
        experiments = claim.experiments[:1] if isinstance(claim.test, Product) else claim.experiments
        for id_ in experiments:
            found, many = _finding(suite, claim, suite["experiment", id_]), len(experiments) > 1
            remarks = [id_] * many + [_margin(claim.margin)] * by_margin(claim.test)
            says = f"{claim.says} ({'; '.join(remarks)})" if remarks else claim.says
            yield replace(found, id=f"{claim.id}/{id_}" if many else claim.id, says=says)


def _finding(suite: Suite, claim: Claim, experiment: Experiment) -> Finding:
    empty = Finding(
        suite=suite.id,
        where=claim.where,
        id=claim.id,
        says=claim.says,
        printed=_printed(claim),
        recomputed=None,
        holds="not_checkable",
        from_digits=None,
        cells=(),
    )
    if why := _unprinted(suite, claim, experiment):
        return replace(empty, cells=(why,))
    if isinstance(claim.test, Averaged):
        cases = list(_averages(suite, claim.test))
    elif isinstance(claim.test, MeanOrdering):
        cases = list(_set_means(suite, claim.test, experiment))
    elif isinstance(claim.test, Product):
        cases = [_number(claim.test.printed, product(stated(t) for t in claim.test.of), " x ".join(claim.test.of))]
    else:
        cases = [_case(suite, claim, values, i) for i, values in _values(suite, claim, experiment)]
    if all(case.holds == "not_checkable" for case in cases):
        return replace(empty, cells=("no table prints these values",))
    return _summed(empty, claim, cases)


def _summed(empty: Finding, claim: Claim, cases: Sequence[Case]) -> Finding:
    """The finding from all cases: how many must hold, and how many do."""
    count = {holds: sum(c.holds == holds for c in cases) for holds in ("yes", "tie", "undefined", "not_checkable")}
    needed = {"all": len(cases), "most": len(cases) // 2 + 1}.get(str(claim.over), claim.over)
    holds: Holds = "no"
    reached = 0
    levels: tuple[Holds, ...] = ("yes", "tie", "undefined", "not_checkable")
    for level in levels:
        reached += count[level]
        if reached >= int(needed):
            holds = level
            break
    alone = cases[0] if len(cases) == 1 else None
    recomputed = alone.recomputed if alone and alone.recomputed else f"{count['yes']} of {len(cases)}"
    if len(cases) > 1 and (numbers := [c.recomputed for c in cases if c.recomputed]):
        recomputed = ", ".join(numbers)
    digits = [c.from_digits for c in cases if c.from_digits is not None]
    telling = [c for c in cases if c.holds != "yes"] or ([alone] if alone else [])
    return replace(
        empty,
        recomputed=recomputed,
        holds=holds,
        from_digits=all(digits) if digits else None,
        cells=tuple(c.line for c in telling),
    )


def _printed(claim: Claim) -> str | None:
    match claim.test:
        case Value() | Change() | Product():
            return claim.test.printed
        case Difference():
            return ", ".join(claim.test.printed)
        case Between():
            about = f" +- {claim.test.tolerance:g}" if claim.test.tolerance else ""
            return f"{claim.test.low} to {claim.test.high}{about}"
        case Ratio():
            return f"{claim.test.printed:g} +- {claim.test.tolerance:g}"
        case _:
            return None


def _margin(margin: Margin | None) -> str:
    """A margin in words. It is ours, never the paper's."""
    sizes = margin.model_dump(exclude_unset=True).items() if margin else ()
    return ", ".join(f"{scale.replace('_', ' ')} margin {size:g}, ours" for scale, size in sizes)


def _unprinted(suite: Suite, claim: Claim, experiment: Experiment) -> str:
    """Why print cannot tell; "" if it can."""
    if isinstance(claim.test, Untestable):
        return claim.test.because
    for quantity in quantities(claim.test):
        measure = suite["measure", split(quantity)[2]]
        if not isinstance(measure, Final | Retention):
            return f"{quantity} is in no table: {measure.says}"
    margin, scope = claim.margin, suite.scope(claim, experiment)
    scaled = margin and margin.share_of_scale and all(suite.scale(scenario) for scenario in scope)
    if by_margin(claim.test) and margin and not (margin.absolute or margin.relative or scaled):
        return "its margin is a share of a scale that is not measured yet"
    return ""


def _set_means(suite: Suite, test: MeanOrdering, experiment: Experiment) -> Iterator[Case]:
    """The means over both sets, if every scenario of them is printed. A tie if rounding hides their order."""
    own, sets = suite.printed_in(experiment.id), [suite.members(id_) for id_ in (test.greater, test.less)]
    values = [[_value(suite, test.quantity, experiment, s, own) for s in scenarios] for scenarios in sets]
    known = [[rounded(v) for v in side if v is not None and v.value is not None] for side in values]
    if all(len(side) == len(scenarios) > 0 for side, scenarios in zip(known, sets, strict=True)):
        greater, less = (mean(side) for side in known)
        apart = difference(greater, less)
        clear = (apart.low or 0) > 0 or (apart.high or 0) < 0
        means = f"{test.quantity}: {test.greater} {float(greater.value):.4f}, {test.less} {float(less.value):.4f}"
        yield Case(("yes" if apart.value > 0 else "no") if clear else "tie", means)


def _averages(suite: Suite, test: Averaged) -> Iterator[Case]:
    """Each average of a table whose row is printed in full elsewhere."""
    rule = suite["published", test.table].derived
    for value in (v for v in suite.printed if v.table == test.table and v.value is not None):
        inputs = averaged_from(suite, rule, value)
        if inputs and all(v.value is not None for v in inputs):
            average = mean([rounded(v) for v in inputs])
            holds, from_digits = compared(rounded(value), average)
            line = f"{value.name}; mean of the {len(inputs)} printed: {shown(average.value, value.text)}"
            yield Case(holds, line, from_digits=from_digits)


Values = dict[str, Printed]  # by quantity


def _values(suite: Suite, claim: Claim, experiment: Experiment) -> Iterator[tuple[int, Values | str]]:
    """The printed values of a claim's quantities, scenario by scenario, group by group, with the scenario's place.

    If one is not printed, a text on what is missing stands for the values.
    """
    named = quantities(claim.test)
    if not named:  # a change between two numbers of the text
        yield 0, {}
        return
    own = suite.printed_in(experiment.id)
    for place, scenario in enumerate(suite.scope(claim, experiment)):
        groups = dict.fromkeys(v.group for v in own if v.scenario == scenario) or {None: None}
        for group in (g for g in groups if claim.groups is None or g in claim.groups):
            here = [v for v in own if (v.scenario, v.group) == (scenario, group)]
            found = {q: v for q in named if (v := _value(suite, q, experiment, scenario, here))}
            missing = [q for q in named if q not in found]
            yield place, f"{scenario}: {', '.join(missing)} not printed" if missing else found


def _value(
    suite: Suite, quantity: str, experiment: Experiment, scenario: str, here: Sequence[Printed]
) -> Printed | None:
    """A quantity's value in one case: among the values printed here, else in the experiment that it is read off.

    A quantity that names another experiment is read only there.
    """
    home, method, name = suite.place(quantity, experiment)
    measure, named = suite["measure", name], split(quantity)[1]
    teacher = measure.teacher if isinstance(measure, Retention) else None
    elsewhere = suite.printed_in(home) if home != experiment.id else []
    for value in elsewhere if named not in (None, experiment.id) else (*here, *elsewhere):
        rule = suite["published", value.table].derived
        retained = rule.teacher if isinstance(rule, Retained) else None
        if (value.method, value.scenario, retained) == (method, scenario, teacher):
            return value
    return None


def _case(suite: Suite, claim: Claim, values: Values | str, place: int) -> Case:
    """How a claim fares in one case. place: the place of its scenario among the claim's."""
    if isinstance(values, str):
        return Case("not_checkable", values)
    test = claim.test
    if any(v.value is None for v in values.values()):
        return Case("undefined", "; ".join(v.name for v in values.values()))
    match test:
        case Ordering():
            pairs = itertools.product(test.greater, test.less)
            if test.clearly:
                return _worst(_clearly(suite, values[a], values[b], claim.margin) for a, b in pairs)
            return _worst(_ordered(values[a], values[b]) for a, b in pairs)
        case NotGreater():
            pairs = itertools.product(test.greater, test.less)
            return _worst(_within(suite, values[a], values[b], claim.margin, both=False) for a, b in pairs)
        case Equivalence():
            pairs = itertools.combinations(test.same, 2)
            return _worst(_within(suite, values[a], values[b], claim.margin, both=True) for a, b in pairs)
        case Between():
            value = values[test.quantity]
            about = Fraction(str(test.tolerance or 0))
            bounds = Rounded(Fraction(0), stated(test.low).value - about, stated(test.high).value + about)
            return Case("yes" if bounds.meets(rounded(value)) else "no", value.name)
        case Value():
            value = values[test.quantity]
            return _number(test.printed, rounded(value), value.name)
        case Difference():
            of, minus = values[test.of], values[test.minus]
            return _number(test.printed[place], difference(rounded(of), rounded(minus)), _both(of, minus))
        case Ratio():
            above, below = values[test.numerator], values[test.denominator]
            return _near(test, ratio(rounded(above), rounded(below)), _both(above, below))
        case Change():
            start, end = _operand(test.from_, values), _operand(test.to, values)
            found = change(start, end)
            line = "; ".join(v.name for v in values.values()) or f"from {test.from_} to {test.to}"
            if found is None:
                return Case("undefined", line)
            return _number(test.printed, found if test.direction == "up" else negative(found), line)
        case _:
            raise TypeError(f"claim {claim.id}: no rule for {test.kind}")


def _operand(text: str, values: Values) -> Rounded:
    """A number of the text stands for itself: a change between two of them is taken from their digits."""
    if text in values:
        return rounded(values[text])
    value = stated(text).value
    return Rounded(value, value, value)


def _number(printed: str, found: Rounded, line: str) -> Case:
    holds, from_digits = compared(stated(printed), found)
    return Case(holds, line, shown(found.value, printed), from_digits)


def _near(test: Ratio, found: Rounded | None, line: str) -> Case:
    if found is None:
        return Case("undefined", line)
    least, most = test.printed - test.tolerance, test.printed + test.tolerance
    low, high = (float(found.value if end is None else end) for end in (found.low, found.high))
    return Case("yes" if low <= most and high >= least else "no", line, f"{float(found.value):.4f}")


def _ordered(greater: Printed, less: Printed) -> Case:
    """Which of two values is greater; a tie if rounding hides it."""
    apart = greater.exact - less.exact
    holds: Holds = "tie" if abs(apart) < greater.half_unit + less.half_unit else ("yes" if apart > 0 else "no")
    return Case(holds, _both(greater, less))


def _clearly(suite: Suite, greater: Printed, less: Printed, margin: Margin | None) -> Case:
    """greater - less at least the margin, for some true values that round to the printed ones."""
    apart = difference(rounded(greater), rounded(less))
    size = _size(suite, margin, greater, less) - 1e-12
    return Case("yes" if float(apart.high or 0) >= size else "no", _both(greater, less))


def _within(suite: Suite, a: Printed, b: Printed, margin: Margin | None, both: bool) -> Case:
    """a - b at most the margin, and where `both` at least its negative, for some true values behind the printed."""
    apart, size = difference(rounded(a), rounded(b)), _size(suite, margin, a, b) + 1e-12
    within = float(apart.low or 0) <= size and (not both or float(apart.high or 0) >= -size)
    return Case("yes" if within else "no", _both(a, b))


def _size(suite: Suite, margin: Margin | None, a: Printed, b: Printed) -> float:
    """A margin as a number; 0 without one."""
    if margin and margin.relative:
        return margin.relative * float(min(abs(a.exact), abs(b.exact)))
    if margin and margin.share_of_scale:
        return margin.share_of_scale * (suite.scale(a.scenario) or 0.0)
    return (margin.absolute or 0.0) if margin else 0.0


ORDER: tuple[Holds, ...] = ("no", "undefined", "tie", "yes")


def _worst(cases: Iterator[Case]) -> Case:
    """The case that decides: a reversal before a tie. The lines of equally bad cases are joined."""
    found = list(cases)
    worst: Holds = next(holds for holds in ORDER if any(c.holds == holds for c in found))
    return Case(worst, "; ".join(c.line for c in found if c.holds == worst))


def _both(a: Printed, b: Printed) -> str:
    """Two values in one line; their place stands once if it is the same."""
    if (a.where, a.group, a.scenario) != (b.where, b.group, b.scenario):
        return f"{a.name}; {b.name}"
    group = f", {a.group}" if a.group else ""
    return f"{a.where}{group}: {a.scenario}: {a.method} {a.text}, {b.method} {b.text}"
