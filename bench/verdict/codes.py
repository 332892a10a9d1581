"""What a verdict is, its codes, and how they are counted. The rules stand in docs/verdicts.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.plan import Note
from bench.stats.decisions import Decision
from bench.stats.intervals import Interval

Code = Literal["reproduced", "exceeds", "not_reproduced", "inconclusive", "not_comparable", "not_run"]
CODES: tuple[Code, ...] = ("reproduced", "exceeds", "not_reproduced", "inconclusive", "not_comparable", "not_run")
FORBIDDING = ("substitute", "reduced", "changed")  # deviation classes that allow no verdict, only a direction
DIRECTION = {"yes": "same_direction", "no": "opposite_direction", "undecided": "undecided"}
OUTCOME: dict[str, Code] = {"yes": "reproduced", "no": "not_reproduced", "undecided": "inconclusive"}


@dataclass(frozen=True)
class Verdict:
    """One claim or printed value in one experiment. found and interval: of the comparison that limits the outcome.

    kind: of the claim's test, or "published". p, p_against: of the findings reproduced and not_reproduced, None where
    nothing was tested. headline: a claim of the abstract or the conclusion. ours: of a printed value, what we got, with
    its 95% interval.
    """

    id: str
    kind: str
    where: str
    experiment: str
    scenario: str
    method: str
    says: str
    printed: float | None
    found: float | None = None
    interval: tuple[float, float] | None = None
    verdict: Code = "not_run"
    reason: str = ""
    seeds: int = 0
    seeds_to_decide: int | None = None
    deviations: tuple[Note, ...] = ()
    ours: Interval | None = None
    p: float | None = None
    p_against: float | None = None
    headline: bool = False


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many of each code; zeros are counts too."""
    found = Counter(v.verdict for v in verdicts)
    return {code: found[code] for code in CODES}


def with_decision(verdict: Verdict, decision: Decision) -> Verdict:
    """The verdict that a decision gives, under the deviations that stand beside it."""
    code = code_of(decision.outcome, verdict.deviations)
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
        p=decision.p,
        p_against=decision.p_against,
    )


def code_of(outcome: str, notes: Sequence[Note]) -> Code:
    """An outcome as a code; a forbidding deviation leaves no verdict."""
    return "not_comparable" if forbids(notes) else OUTCOME[outcome]


def forbids(notes: Sequence[Note]) -> bool:
    """Whether a deviation leaves a direction only."""
    return any(note.class_ in FORBIDDING for note in notes)
