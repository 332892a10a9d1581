"""Tables against themselves: derived values, values printed twice, bold marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from bench.audit.findings import Finding, Holds, compared, shown
from bench.audit.rounding import mean, ratio, rounded
from bench.suite import Mean, Printed, Retained, Suite


def derived_values(suite: Suite) -> Iterator[Finding]:
    """Each derived value against what it follows from."""
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
    """In each table with bold marks, whether they mark the best of each scenario."""
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
                says="bold marks the best value of each scenario, all of them where several are equal",
                printed=None,
                recomputed=f"{len(scenarios) - len(wrong)} of {len(scenarios)} scenarios",
                holds="no" if wrong else "yes",
                from_digits=None,
                cells=tuple(wrong),
            )


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
    """Where it is not known what is averaged, the mean of everything in those tables is shown, and decides nothing."""
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
    """What the rule averages for a value's row: printed values of its scenarios, of all where it names none."""
    source = rule.of.get(value.method)
    return [
        v
        for table in rule.from_
        for v in _of(suite, table)
        if v.method == source and (not rule.scenarios or v.scenario in rule.scenarios)
    ]


def _agree(values: list[Printed]) -> Holds:
    """Whether all could be one true value, rounded. Equal digits where as many are printed."""
    known = [v for v in values if v.value is not None]
    if len(known) < len(values):
        return "undefined"
    apart = any(abs(a.exact - b.exact) >= a.half_unit + b.half_unit for a in known for b in known if a is not b)
    return "no" if apart else "yes"


def _wrong_bold(values: Iterable[Printed]) -> Iterator[str]:
    """A line where the bold values of one scenario are not its best."""
    known = [v for v in values if v.value is not None]
    best: Fraction | None = max((v.exact for v in known), default=None)
    bold, highest = [v for v in known if v.bold], [v for v in known if v.exact == best]
    if bold != highest:
        marked = ", ".join(f"{v.method} {v.text}" for v in bold) or "none"
        right = ", ".join(f"{v.method} {v.text}" for v in highest)
        yield f"{known[0].where}: {known[0].scenario}: bold {marked}; best {right}"
