"""Margins so wide that a claim about nearness can hardly fail: compared with what a team can learn in a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from bench.suite import Claim, Scenario, Suite
from bench.suite.claims import Ordering, by_margin

MOST_LEARNED = 0.5  # ours: a wider margin calls a team that learned half the same as one that learned all


def wide_margins(suite: Suite) -> Iterator[str]:
    """One line for each claim and scenario whose margin is wider than half of what can be learned there.

    What can be learned is the gain of the suite's pilots where it declares them, else the good script's above the
    random policy. Claims that are not about nearness are left out, for an advantage by a wide margin is hard to have;
    so are margins that are a share of a mean or of the budget.
    """
    for claim in (c for c in suite.claim if by_margin(c.test) and not isinstance(c.test, Ordering)):
        experiments = (suite["experiment", e] for e in claim.experiments)
        for scope in dict.fromkeys(s for e in experiments for s in suite.scope(claim, e)):
            own = [suite["scenario", id_] for id_ in suite.members(scope)]
            margin, learned = _margin(claim, suite.scale(scope)), _learned(own)
            if margin is not None and learned is not None and margin > MOST_LEARNED * learned:
                share = f"{margin:.3g} is {margin / learned:.0%} of what can be learned there ({learned:.3g})"
                says = f"above {MOST_LEARNED:.0%} a team that learns little passes"
                yield f"claim {claim.id} on {scope}: its margin {share}; {says}"


def _margin(claim: Claim, scale: float | None) -> float | None:
    """In the scenarios' metric, None where it is no share of the scale."""
    declared = claim.margin
    if declared is None or declared.absolute is not None:
        return declared and declared.absolute
    return None if declared.share_of_scale is None or scale is None else declared.share_of_scale * scale


def _learned(scenarios: list[Scenario]) -> float | None:
    """The mean gain, None where one scenario tells none."""
    gains = [
        s.pilot.trained - s.pilot.untrained if s.pilot else s.anchors.good - s.anchors.random if s.anchors else None
        for s in scenarios
    ]
    known = [gain for gain in gains if gain is not None]
    return fmean(known) if known and len(known) == len(gains) else None
