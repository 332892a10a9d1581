"""Verdicts, their codes, and how they are counted. The rules stand in docs/verdicts.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from bench.plan import Note
from bench.stats.decisions import Decision, Outcome, untested
from bench.stats.intervals import Interval
from bench.stats.typical import Typical
from bench.suite import PRIMARY
from bench.verdict.about import Implementation
from bench.verdict.looks import Look

Code = Literal[
    "reproduced",
    "exceeds",
    "not_reproduced",
    "inconclusive",
    "depends_on_reading",
    "also_untrained",
    "undefined",
    "not_comparable",
    "not_run",
]
CODES: tuple[Code, ...] = get_args(Code)
# If several codes fit, the first of these counts; if none of these fits, the outcome's own code.
PRECEDENCE: tuple[Code, ...] = ("not_comparable", "not_run", "undefined", "also_untrained", "depends_on_reading")
COMPUTED = "computed"  # the count of verdicts that use no run, whatever their code
FORBIDDING = (
    "substitute",
    "reduced",
    "changed",
    "reading",
)  # deviation classes that allow no verdict, only a direction
DIRECTION = {"yes": "same_direction", "no": "opposite_direction", "undecided": "undecided"}
OUTCOME: dict[str, Code] = {"yes": "reproduced", "no": "not_reproduced", "undecided": "inconclusive"}


@dataclass(frozen=True)
class Placebo:
    """A claim judged again with a stand-in for the method: yes, no, undecided; None if it has no such number."""

    untrained: Outcome | None
    random: Outcome | None

    @property
    def passes(self) -> bool:
        """Whether either stand-in passes: both have learned nothing."""
        return "yes" in (self.untrained, self.random)


@dataclass(frozen=True)
class Under:
    """A claim under one reading. kind: primary, or the suite's own word. outcome: None if its runs are missing.

    estimate, low, high: the difference or ratio with its 90% interval. choices: what the reading changes, by the key in
    the file; for the primary reading, its own values for the keys that others vary. edges: what the estimate is
    compared with.
    """

    reading: str
    kind: str
    says: str
    outcome: Outcome | Literal["undefined"] | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """One claim or printed value in one experiment. found and interval: of the comparison that limits the outcome.

    kind: of the claim's test, or "published". p, p_against: of the findings reproduced and not_reproduced; None if
    nothing was tested. headline: a claim of the abstract or the conclusion. ours: our number beside a printed value,
    with its 95% interval. paired: whether seeds were compared one by one; r: their correlation. margin: the one judged
    by. typical: for an ordering, how often one side's seed is the better. compatible: whether seeds like ours could
    have given the printed value, as in `Decision`. tags: a few words each. placebo: how an untrained team and the
    random script fare in the method's place. computed: it uses no run's score. clearly: an ordering by at least the
    margin.
    direction: if not comparable and run. readings: for a claim, the primary one and each that changes what it is judged
    by. seeds: how many it rests on. declared: how many there are to be, at the look if there are looks. look: if seeds
    are added look by look, the one judged at; p is that of the look. implementation: whose code.
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
    paired: bool = False
    r: float | None = None
    margin: float | None = None
    typical: Typical | None = None
    compatible: bool | None = None
    tags: tuple[str, ...] = ()
    placebo: Placebo | None = None
    computed: bool = False
    clearly: bool = False
    direction: str = ""
    look: Look | None = None
    declared: int = 0
    readings: tuple[Under, ...] = ()
    implementation: Implementation = "ours"

    @property
    def ran(self) -> bool:
        """Whether there was anything to judge. A claim without runs may be not_comparable too; it has no direction."""
        return self.verdict != "not_run" and (self.verdict != "not_comparable" or bool(self.direction))

    @property
    def holds_in(self) -> tuple[int, int] | None:
        """In how many of the readings that were run it holds, and how many were run; None if no other changes it."""
        run = [one for one in self.readings if one.outcome is not None]
        return (sum(one.outcome == "yes" for one in run), len(run)) if self.readings else None

    @property
    def robust(self) -> Literal["yes", "no"] | None:
        """Its answer in every reading that was run, if at least two were; None if they differ or leave it open.

        A claim is not robust if its runs deviate from the paper, or if an untrained team passes as well.
        """
        run = [one.outcome for one in self.readings if one.outcome is not None]
        if len(run) < 2 or self.verdict in ("not_comparable", "also_untrained"):
            return None
        return "yes" if {*run} == {"yes"} else "no" if {*run} == {"no"} else None

    @property
    def turned(self) -> tuple[str, ...]:
        """Readings that contradict the primary one; if that is open, all that decide, if they contradict each other."""
        decided = {one.reading: one.outcome for one in self.readings if one.outcome in ("yes", "no")}
        if len({*decided.values()}) < 2:
            return ()
        own = decided.get(PRIMARY)
        return tuple(name for name, outcome in decided.items() if outcome != own)


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many verdicts of each code, computed ones apart; zeros are kept."""
    found = Counter(v.verdict for v in verdicts if not v.computed)
    return {code: found[code] for code in CODES} | {COMPUTED: sum(v.computed for v in verdicts)}


def with_decision(verdict: Verdict, decision: Decision) -> Verdict:
    """The verdict that a decision gives, under the deviations that stand beside it."""
    reason, direction = decision.reason, DIRECTION[_direction(verdict, decision)]
    code = word(verdict, decision)
    if code == "not_comparable":
        reason = f"{_because(verdict)}; direction: {direction} ({reason})"
    bounded = decision.low is not None and decision.high is not None
    return replace(
        verdict,
        found=decision.estimate,
        interval=(decision.low, decision.high) if bounded else None,
        verdict=code,
        reason=reason,
        direction=direction if code == "not_comparable" else "",
        seeds_to_decide=decision.seeds_to_decide if code == "inconclusive" else None,
        p=decision.p,
        p_against=decision.p_against,
        paired=decision.paired,
        r=decision.correlation,
        margin=decision.margin,
        typical=decision.typical,
        compatible=decision.compatible,
        tags=(*verdict.tags, *decision.tags),
    )


def _direction(verdict: Verdict, decision: Decision) -> Outcome:
    """Which way the runs point: an advantage below the claimed margin still points the claimed way."""
    if not verdict.clearly or decision.outcome == "yes" or decision.low is None or decision.high is None:
        return decision.outcome
    return "yes" if decision.low > 0 else "no" if decision.high < 0 else "undecided"


def without_runs(verdict: Verdict, why: str) -> Verdict:
    """The verdict on a claim or value without runs. why: what is missing."""
    code = word(verdict, None)
    return replace(verdict, verdict=code, reason=why if code == "not_run" else f"{_because(verdict)}; not run: {why}")


def undefined(verdict: Verdict, why: object) -> Verdict:
    """The verdict on a claim or value without an answer: no run reached a level, or a curve is not finite."""
    code = word(verdict, untested(f"undefined: {why}", undefined=True))
    direction = DIRECTION["undecided"] if code == "not_comparable" else ""
    return replace(verdict, verdict=code, reason=f"undefined: {why}", direction=direction)


def word(verdict: Verdict, decision: Decision | None) -> Code:
    """The one code of a decision, by PRECEDENCE. decision: None without runs.

    A refuted or open claim keeps its code if a placebo passes: only a claim that holds can hold for the wrong reason.
    """
    outcome = None if decision is None else decision.outcome
    fits: dict[Code, bool] = {
        "not_comparable": forbids(verdict.deviations),
        "not_run": decision is None,
        "undefined": decision is not None and decision.undefined,
        "also_untrained": outcome == "yes" and verdict.placebo is not None and verdict.placebo.passes,
        "depends_on_reading": decision is not None and decision.depends and outcome != "undecided",
    }
    first: list[Code] = [code for code in PRECEDENCE if fits[code]]
    return first[0] if first else OUTCOME[outcome or "undecided"]


def turned_by_readings(verdict: Verdict) -> Verdict:
    """A verdict that knows its readings; if these contradict each other, its code changes by PRECEDENCE."""
    over = PRECEDENCE[: PRECEDENCE.index("depends_on_reading")]
    fits = bool(verdict.turned) and verdict.verdict not in over
    return replace(verdict, verdict="depends_on_reading") if fits else verdict


def _because(verdict: Verdict) -> str:
    """The classes of deviations that forbid a verdict."""
    return ", ".join(sorted({note.class_ for note in verdict.deviations if note.class_ in FORBIDDING}))


def forbids(notes: Sequence[Note]) -> bool:
    """Whether a deviation leaves only a direction."""
    return any(note.class_ in FORBIDDING for note in notes)
