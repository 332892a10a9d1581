"""How numbers are written in every report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # numpy comes with them
    from bench.stats.decisions import Decision
    from bench.stats.intervals import Interval
    from bench.stats.typical import Typical
    from bench.verdict import Aggregate, TransferMetric, Verdict
    from bench.verdict.retention import Retained

METRICS = {
    "jump_start": "jump start",
    "time_to_threshold": "episodes to threshold",
    "asymptote": "asymptotic performance",
    "area": "area under the curve",
}


def number(value: float | None) -> str:
    """Three significant digits, whole numbers from a thousand on, a dash for nothing, inf for no bound."""
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def counted(n: int, what: str) -> str:
    """A number and what it counts: 1 run, 2 runs."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{number(low)}, {number(high)}]"


def found(verdict: Verdict) -> str:
    low, high = verdict.interval or (None, None)
    level = f" at {level_of(verdict)}" if verdict.look and verdict.interval else ""
    return number(verdict.found) + interval(low, high) + level


def level_of(verdict: Verdict) -> str:
    """The level of the interval that decides: 90%, or at a look the one that belongs to its nominal level."""
    return "90%" if verdict.look is None else f"{verdict.look.asked.level:.1%}"


def seeds_judged(verdict: Verdict) -> str:
    """How many seeds a verdict rests on, of how many declared if not all, and at which look."""
    seeds = f"{verdict.seeds} of {verdict.declared}" if 0 < verdict.seeds < verdict.declared else str(verdict.seeds)
    return f"{seeds}, look {verdict.look.number} of {verdict.look.of}" if verdict.look else seeds


def estimate(found: Interval | None) -> str:
    """An estimate with its interval; a dash for nothing."""
    return "-" if found is None else number(found.estimate) + interval(found.low, found.high)


def ours(verdict: Verdict) -> str:
    """Our own number beside a printed value."""
    return estimate(verdict.ours)


def improvements(aggregate: Aggregate) -> str:
    """The probability of improvement on each other method."""
    return "; ".join(f"{other}: {estimate(found)}" for other, found in aggregate.better_than)


def seeds_compared(decision: Decision) -> str:
    """The seeds of both sides, or the pairs with their correlation."""
    if not decision.paired:
        return " and ".join(map(str, decision.n))
    return f"{decision.n[0]} pairs{correlation(decision.correlation)}"


def correlation(r: float | None) -> str:
    """The correlation of pairs, to follow their number; "" if a side does not vary."""
    return "" if r is None else f", r = {r:.2f}"


def typical_seed(found: Typical | None) -> str:
    """How often one side's seed is the better one, with its interval."""
    return "-" if found is None else f"{found.probability:.0%}{_shares(found.low, found.high)}"


def _shares(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{low:.0%}, {high:.0%}]"


def several_scenarios(rows: Sequence[Verdict] | Sequence[TransferMetric] | Sequence[Retained]) -> bool:
    """Whether some experiment's rows are about more than one scenario. If so, each row must name its own."""
    named: dict[str, set[str]] = {}
    for row in rows:
        named.setdefault(row.experiment, set()).update(row.scenario.split(", "))
    return any(len(scenarios) > 1 for scenarios in named.values())


def effect(metric: TransferMetric) -> str:
    """The difference or ratio with its interval; the bound of a ratio that is only bounded; a dash for nothing."""
    if metric.interval is None or not math.isfinite(metric.interval.estimate):
        return "-"
    sign = "x " if metric.scale == "ratio" else ""
    if metric.bound:
        return f"{metric.bound} {sign}{number(metric.interval.estimate)}"
    return sign + estimate(metric.interval)


def classes(verdict: Verdict) -> str:
    """The deviation classes beside a verdict, with how many of each."""
    names = [note.class_ for note in verdict.deviations]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))


def compatible(verdict: Verdict) -> str:
    """Whether seeds like ours could have given the printed value: yes, no, or "" if unknown."""
    return "" if verdict.compatible is None else "yes" if verdict.compatible else "no"


def compatible_known(verdicts: Sequence[Verdict]) -> bool:
    """Whether a table of these verdicts has a column for `compatible`."""
    return any(v.compatible is not None for v in verdicts)


def seeds_to_decide(verdict: Verdict) -> str:
    if verdict.verdict != "inconclusive":
        return ""
    return str(verdict.seeds_to_decide or "none")


def retention_columns(found: Sequence[Retained]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of a table of students beside their teachers."""
    several = several_scenarios(found)
    head = ("in", *["scenario"] * several, "student", "teacher", "seeds", "PRR", "PRR above random", "remark")
    rows = []
    for kept in found:
        place, both = (kept.experiment, *[kept.scenario] * several), (kept.as_printed, kept.above_random)
        rows.append((*place, kept.student, kept.teacher, str(kept.seeds), *map(estimate, both), kept.remark))
    return head, rows
