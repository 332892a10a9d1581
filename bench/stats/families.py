"""Several decisions as one question, or as a table of questions. `decisions.conjunction` asks whether all hold.

A decision without a p-value (fewer than 3 seeds, an undefined ratio) counts with p = 1 in both directions and stays
undecided. StatisticsError for no decisions or, if names are given, another number of names.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from bench.stats.decisions import Decision, Outcome
from bench.stats.estimates import StatisticsError
from bench.stats.looks import ONCE, Asked
from bench.stats.multiplicity import benjamini_hochberg, holm, most, partial_conjunction

Correction = Literal["holm", "benjamini-hochberg"]
CORRECTIONS = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}


def _both(decisions: Sequence[Decision]) -> tuple[list[float], list[float]]:
    if not decisions:
        raise StatisticsError("decisions: got none; at least one is needed")
    p = [1.0 if decision.p is None else decision.p for decision in decisions]
    return p, [1.0 if decision.p_against is None else decision.p_against for decision in decisions]


def majority(decisions: Sequence[Decision], names: Sequence[str] | None = None) -> Decision:
    """Whether most of several decisions, r = floor(K / 2) + 1 of K, are yes: `at_least` with this r.

    Simulated errors: docs/statistics.md.
    """
    found = at_least(decisions, most(len(decisions)), names)
    return replace(found, reason=f"most means {found.reason}")


def at_least(
    decisions: Sequence[Decision], needed: int, names: Sequence[str] | None = None, asked: Asked = ONCE
) -> Decision:
    """Whether at least `needed` r of K decisions are yes: partial conjunction at 5%, over all looks if several.

    Benjamini & Heller (2008), as in `multiplicity.partial_conjunction`; r = K has the outcome of
    `decisions.conjunction`, which tells more.
    Yes if p = (K - r + 1) p_(r) < .05. No if at least K - r + 1 are shown to be no, by the same rule on their
    p_against: then r cannot hold. Whether the true count is at least r or below it, only one answer can be wrong, at
    most 5% of the time, under any dependence. The estimate is the share of comparisons that are yes each by itself; it
    has no interval. n: the seeds of the comparison with the fewest. r, margin and typical seed are those of the
    comparison with the r-th smallest p, which carries the outcome; tags are those of all. No number of seeds is given,
    because it is not known which comparison will carry the outcome. StatisticsError for r below 1 or above K.
    """
    p, against = _both(decisions)
    if names is not None and len(names) != len(p):
        raise StatisticsError(f"names: got {len(names)} for {len(p)} decisions")
    count = len(p)
    corrected = _partial(p, needed, asked)
    reverse = _partial(against, count - needed + 1, asked)
    outcome: Outcome = "yes" if corrected < asked.nominal else "no" if reverse < asked.nominal else "undecided"
    alone = [decision.outcome == "yes" for decision in decisions]
    reason = f"{needed} of {count}; {sum(alone)} hold each by itself"
    if names is not None and not all(alone):
        reason += f", not shown: {', '.join(name for name, holds in zip(names, alone, strict=True) if not holds)}"
    known = any(decision.p is not None for decision in decisions)
    carries = decisions[sorted(range(count), key=p.__getitem__)[needed - 1]]
    return replace(
        carries,
        outcome=outcome,
        estimate=sum(alone) / count,
        low=None,
        high=None,
        level=asked.level,
        p=corrected if known else None,
        n=min((decision.n for decision in decisions), key=min),
        reason=reason,
        seeds_to_decide=None,
        p_against=reverse if known else None,
        tags=tuple(dict.fromkeys(tag for decision in decisions for tag in decision.tags)),
        undefined=all(decision.undefined for decision in decisions),
        depends=False,
        compatible=None,
    )


def _partial(p: Sequence[float], needed: int, asked: Asked) -> float:
    """The partial conjunction's p-value at a look; for the multiplication p-values are taken over all looks."""
    return asked.at_a_look(partial_conjunction([asked.overall(one) for one in p], needed))


def corrected(
    decisions: Sequence[Decision], correction: Correction, asked: Sequence[Asked] | None = None
) -> tuple[Decision, ...]:
    """The same decisions as one family: p and p_against corrected, each direction over all of them.

    A yes or no whose corrected p is not below 5%, or its look's level, becomes undecided, and the reason says so;
    nothing becomes decided.
    With "holm" (headline claims) the chance of any wrong yes in the family is at most 5%, and so is that of any wrong
    no. With "benjamini-hochberg" (tables) the expected share of wrong ones among the yes is at most 5%, and so is that
    among the no. Holm (1979), Benjamini & Hochberg (1995).
    asked: how each was asked, if some are asked at several looks; p-values are corrected over all looks, and returned
    as those of the look.
    Estimates and intervals stay those of the single comparison. A yes that is lost has no number of seeds: the
    number that would survive depends on the rest of the family.
    """
    how = [ONCE] * len(decisions) if asked is None else [*asked]

    def over_all_looks(side: Sequence[float]) -> list[float]:
        overall = [own.overall(p) for own, p in zip(how, side, strict=True)]
        return [own.at_a_look(p) for own, p in zip(how, CORRECTIONS[correction](overall), strict=True)]

    p, against = _both(decisions)
    each = zip(decisions, over_all_looks(p), over_all_looks(against), how, strict=True)
    return tuple(_after(decision, p, against, own, correction) for decision, p, against, own in each)


def _after(decision: Decision, p: float, against: float, asked: Asked, correction: str) -> Decision:
    if decision.p is None:
        return decision
    level = asked.nominal
    lost = (decision.outcome == "yes" and p >= level) or (decision.outcome == "no" and against >= level)
    result = replace(decision, p=p, p_against=None if decision.p_against is None else against)
    if not lost:
        return result
    reason = f"{decision.outcome} alone, but not after the {correction} correction ({decision.reason})"
    return replace(result, outcome="undecided", reason=reason, seeds_to_decide=None)
