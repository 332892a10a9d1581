"""How numbers are written in every report."""

from __future__ import annotations

import math

from bench.verdict import TransferMetric, Verdict

METRICS = {
    "jump_start": "jump start",
    "time_to_threshold": "episodes to threshold",
    "asymptote": "asymptotic performance",
    "area": "area under the curve",
}


def number(value: float | None) -> str:
    """Three significant digits, whole numbers from a thousand on, a dash for nothing."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{number(low)}, {number(high)}]"


def found(verdict: Verdict) -> str:
    low, high = verdict.interval or (None, None)
    return number(verdict.found) + interval(low, high)


def effect(metric: TransferMetric) -> str:
    """The difference or ratio with its interval."""
    if metric.interval is None:
        return "-"
    sign = "x " if metric.scale == "ratio" else ""
    return sign + number(metric.interval.estimate) + interval(metric.interval.low, metric.interval.high)


def classes(verdict: Verdict) -> str:
    """The deviation classes beside a verdict, with how many of each."""
    names = [note.class_ for note in verdict.deviations]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))


def seeds_to_decide(verdict: Verdict) -> str:
    if verdict.verdict != "inconclusive":
        return ""
    return str(verdict.seeds_to_decide or "none")
