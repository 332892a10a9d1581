"""Margins so wide, next to what a team can learn in a scenario, that a claim about nearness can hardly fail."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from bench.suite import Margin, Scenario, Suite
from bench.suite.claims import Ordering, by_margin

MOST_LEARNED = 0.5  # our choice: under a wider margin, a team that learned half counts the same as one that learned all


def wide_margins(suite: Suite) -> Iterator[str]:
    """One line for each claim or printed table, and scenario, whose margin is wider than half of what can be learned.

    What can be learned is the gain of the suite's pilots. Without pilots, it is the good script's gain over the random
    policy. Left out are: claims that are not about nearness, since an advantage by a wide margin is hard to reach;
    claims whose margin is a share of a mean or of the budget; printed values in another metric than their scenario's,
    such as a retention. Of several printed values the widest margin counts.
    """
    for claim in (c for c in suite.claim if by_margin(c.test) and not isinstance(c.test, Ordering)):
        experiments = (suite["experiment", e] for e in claim.experiments)
        for scope in dict.fromkeys(s for e in experiments for s in suite.scope(claim, e)):
            yield from _wide(suite, f"claim {claim.id}", scope, _margin(claim.margin, suite.scale(scope)))
    widest: dict[tuple[str, str], float] = {}
    for value in suite.printed:
        metrics = {suite["scenario", id_].metric for id_ in suite.members(value.scenario)}
        if value.value is not None and metrics == {value.metric}:
            at = value.table, value.scenario
            margin = _margin(value.margin, suite.scale(value.scenario), abs(float(value.exact)))
            widest[at] = max(widest.get(at, 0.0), margin or 0.0)
    for (table, scope), margin in widest.items():
        yield from _wide(suite, f"table {table}", scope, margin)


def _wide(suite: Suite, what: str, scope: str, margin: float | None) -> Iterator[str]:
    """The line for a margin that is too wide. scope: a scenario or a set."""
    learned = _learned([suite["scenario", id_] for id_ in suite.members(scope)])
    if margin is not None and learned is not None and margin > MOST_LEARNED * learned:
        share = f"{margin:.3g} is {margin / learned:.0%} of what can be learned there ({learned:.3g})"
        yield f"{what} on {scope}: its margin {share}; above {MOST_LEARNED:.0%} a team that learns little passes"


def _margin(declared: Margin | None, scale: float | None, printed: float | None = None) -> float | None:
    """The margin in the scenarios' metric; None if unknown. printed: the value that a relative margin is a share of."""
    if declared is None or declared.absolute is not None:
        return declared and declared.absolute
    share, of = (declared.relative, printed) if declared.relative is not None else (declared.share_of_scale, scale)
    return None if share is None or of is None else share * of


def _learned(scenarios: list[Scenario]) -> float | None:
    """The mean gain; None if it is unknown for one of the scenarios."""
    gains = [
        s.pilot.trained - s.pilot.untrained if s.pilot else s.anchors.good - s.anchors.random if s.anchors else None
        for s in scenarios
    ]
    known = [gain for gain in gains if gain is not None]
    return fmean(known) if known and len(known) == len(gains) else None
