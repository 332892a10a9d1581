"""Tables against themselves: derived values, values printed twice, bold marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from bench.audit.findings import Finding, Holds, compared, shown
from bench.audit.rounding import mean, ratio, rounded
from bench.suite import BOUNDED, Mean, Printed, Retained, Suite


def derived_values(suite: Suite) -> Iterator[Finding]:
    """Each derived value against the values that it follows from."""
    for table in suite.published:
        for value in _of(suite, table.id):
            if isinstance(table.derived, Retained):
                yield _retained(suite, table.derived, value)
            elif isinstance(table.derived, Mean):
                yield _averaged(suite, table.derived, value)


def repeated_values(suite: Suite) -> Iterator[Finding]:
    """Each value that tables print more than once."""
    for repeat in suite.repeat:
        everything = [v for t in repeat.tables for v in _of(suite, t) if v.method in repeat.methods]
        for key in dict.fromkeys((v.method, v.scenario, v.metric) for v in everything):
            same = [v for v in everything if (v.method, v.scenario, v.metric) == key]
            if len(same) > 1:
                method, scenario, _ = key
                yield Finding(
                    suite=suite.id,
                    where=repeat.where,
                    id=f"{repeat.id}/{scenario}/{method}",
                    says=repeat.says,
                    printed=same[0].text,
                    recomputed=", ".join(v.text for v in same[1:]),
                    holds=_agree(same),
                    from_digits=None,
                    cells=tuple(v.name for v in same),
                )


def bold_marks(suite: Suite) -> Iterator[Finding]:
    """In each table with bold marks, whether they mark the best value of each scenario."""
    for table in suite.published:
        if table.bold:
            scenarios = dict.fromkeys(v.scenario for v in _of(suite, table.id))
            wrong = [
                line for s in scenarios for line in _wrong_bold(v for v in _of(suite, table.id) if v.scenario == s)
            ]
            yield Finding(
                suite=suite.id,
                where=table.where,
                id=f"{table.id}/bold",
                says="bold marks the best value of each scenario, and all of them if several are equal",
                printed=None,
                recomputed=f"{len(scenarios) - len(wrong)} of {len(scenarios)} scenarios",
                holds="no" if wrong else "yes",
                from_digits=None,
                cells=tuple(wrong),
            )


def possible_spreads(suite: Suite) -> Iterator[Finding]:
    """In each table of shares with standard deviations, whether m values between 0 and 1 can have them.

    m values of a given mean vary most if as many as fit are 1, one has the rest and the others are 0. ddof 1 divides
    their squares by m - 1, ddof 0 by m.
    """
    for table in suite.published:
        values = [v for v in _of(suite, table.id) if v.spread is not None and v.value is not None and v.seeds]
        if table.metric in BOUNDED and table.spread == "std" and values:
            too_wide = [v for v in values if not _can_vary(v, ddof=1)]
            only_by_ddof_1 = [v for v in values if v not in too_wide and not _can_vary(v, ddof=0)]
            yield Finding(
                suite=suite.id,
                where=table.where,
                id=f"{table.id}/spreads",
                says="so many values between 0 and 1 can have every printed spread (standard deviation, ddof 1)",
                printed=None,
                recomputed=f"{len(values) - len(too_wide)} of {len(values)}; "
                f"{len(values) - len(too_wide) - len(only_by_ddof_1)} with ddof 0",
                holds="no" if too_wide else "yes",
                from_digits=None,
                cells=tuple(
                    f"{v.name}: more than ddof {ddof} allows"
                    for ddof, wide in ((1, too_wide), (0, only_by_ddof_1))
                    for v in wide
                ),
            )


def _can_vary(value: Printed, ddof: int) -> bool:
    """Whether the spread is possible for some mean and spread that round to the printed ones."""
    m, near = value.seeds or 1, rounded(value)
    ends = [near.value if end is None else end for end in (near.low, near.high)]
    means = [*ends, *(p for k in range(m + 1) if ends[0] <= (p := Fraction(k, m)) <= ends[1])]
    least = Fraction(value.spread or 0) / value.share - value.half_unit
    return least <= 0 or (m > ddof and least**2 <= max(_most_variance(p, m) for p in means) * m / (m - ddof))


def _most_variance(p: Fraction, m: int) -> Fraction:
    """The greatest mean square from p of m values between 0 and 1 whose mean is p."""
    ones = int(m * p)
    return (ones + (m * p - ones) ** 2) / m - p**2


def _of(suite: Suite, table: str) -> list[Printed]:
    return [value for value in suite.printed if value.table == table]


def _finding(suite: Suite, value: Printed, says: str, holds: Holds, cells: Iterable[str], **more) -> Finding:
    found = {"printed": value.text, "recomputed": None, "from_digits": None} | more
    return Finding(suite=suite.id, where=value.where, id=value.id, says=says, holds=holds, cells=tuple(cells), **found)


def _retained(suite: Suite, rule: Retained, value: Printed) -> Finding:
    says = f"{value.metric} of {value.scenario}: {rule.student} / {rule.teacher}"
    inputs = {v.method: v for v in _of(suite, rule.from_) if v.scenario == value.scenario and v.value is not None}
    if rule.student not in inputs or rule.teacher not in inputs:
        return _finding(suite, value, says, "not_checkable", ["its student or teacher is not printed there"])
    student, teacher = inputs[rule.student], inputs[rule.teacher]
    cells = [student.name, teacher.name]
    quotient = ratio(rounded(student), rounded(teacher))
    if quotient is None:
        return _finding(suite, value, says, "undefined", cells, recomputed=f"{student.text}/{teacher.text}")
    recomputed = shown(quotient.value, value.text if value.value is not None else "0.000")
    if value.value is None:
        return _finding(suite, value, says, "no", cells, recomputed=recomputed)
    holds, from_digits = compared(rounded(value), quotient)
    return _finding(suite, value, says, holds, cells, recomputed=recomputed, from_digits=from_digits)


def _averaged(suite: Suite, rule: Mean, value: Printed) -> Finding:
    """If it is not known what is averaged, the mean of everything in those tables is shown, but decides nothing."""
    inputs = averaged_from(suite, rule, value)
    says = f"mean over {value.scenario} of {rule.of.get(value.method, value.method)}"
    unprinted = {*rule.scenarios} - {v.scenario for v in inputs}
    if not inputs or unprinted or value.value is None or any(v.value is None for v in inputs):
        return _finding(suite, value, says, "not_checkable", [rule.because or "what is averaged is not printed"])
    average = mean([rounded(v) for v in inputs])
    holds, from_digits = compared(rounded(value), average)
    recomputed, cells = shown(average.value, value.text), [v.name for v in inputs]
    if rule.because:
        reason = f"{rule.because}; shown: the mean of all {len(inputs)} values printed there"
        return _finding(suite, value, says, "not_checkable", [reason], recomputed=recomputed)
    return _finding(suite, value, says, holds, cells, recomputed=recomputed, from_digits=from_digits)


def averaged_from(suite: Suite, rule: Mean, value: Printed) -> list[Printed]:
    """What the rule averages for a value's row: printed values of its scenarios, or of all if it names none."""
    source = rule.of.get(value.method)
    return [
        v
        for table in rule.from_
        for v in _of(suite, table)
        if v.method == source and (not rule.scenarios or v.scenario in rule.scenarios)
    ]


def _agree(values: list[Printed]) -> Holds:
    """Whether all could be one true value, rounded: equal digits if the same number of digits is printed."""
    known = [v for v in values if v.value is not None]
    if len(known) < len(values):
        return "undefined"
    apart = any(abs(a.exact - b.exact) >= a.half_unit + b.half_unit for a in known for b in known if a is not b)
    return "no" if apart else "yes"


def _wrong_bold(values: Iterable[Printed]) -> Iterator[str]:
    """A line if the bold values of one scenario are not its best."""
    known = [v for v in values if v.value is not None]
    best: Fraction | None = max((v.exact for v in known), default=None)
    bold, highest = [v for v in known if v.bold], [v for v in known if v.exact == best]
    if bold != highest:
        marked = ", ".join(f"{v.method} {v.text}" for v in bold) or "none"
        right = ", ".join(f"{v.method} {v.text}" for v in highest)
        yield f"{known[0].where}: {known[0].scenario}: bold {marked}; best {right}"
