"""Our seeds against a printed value: reproduced, not reproduced or undecided, each error at most 5% for normal seeds.

Axes: S seed. `ours` [S], higher is better. `n` are our seeds, `m` the paper's, whose number we cannot raise.

What the paper prints decides the rule (`Rule`):
  spread and seeds  mean +- std of m seeds: Welch's t with the paper's spread and n - 1, m - 1 degrees of freedom.
  seeds             mean of m seeds: the paper's spread is taken to be ours, the only estimate of it: standard error
                    s sqrt(1 / n + 1 / m) on n - 1 degrees of freedom. Tag `assumes equal variance`.
  mean              mean alone, or a spread of unknown m: m = 1, 3, 5 and infinity as above; there is a verdict only if
                    all agree.
Each rule asks whether the difference ours - printed lies in a region, as in `bench.stats.decisions`: two one-sided
tests at 5%, and 90% intervals. A spread's ddof is seldom stated: 1 is taken, 0 is shown as sensitivity.

StatisticsError for NaN, infinity, a negative spread, a spread of one seed, fewer than one seed, or a bad margin. With
n < 3, or m < 3 if the paper's own spread is used, the outcome is undecided.

Against a paper of 5 seeds at most 5% of answers are wrong, by every rule, for normal seeds of equal spread; for other
seeds this does not hold (docs/statistics.md). Bimodal seeds make a spread look small, since few of them often show only
one mode.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.stats.decisions import Decision, Outcome, decide, explained, require_margin
from bench.stats.estimates import (
    MINIMUM_SEEDS,
    ROUNDING,
    Estimate,
    Seeds,
    StatisticsError,
    finite,
    further_seeds_estimate,
    mean_estimate,
)
from bench.stats.intervals import Interval, prediction_interval
from bench.stats.looks import ONCE, Asked
from bench.stats.power import MOST_SEEDS, POWER, power
from bench.stats.rates import Rate, Signed

Rule = Literal["spread and seeds", "seeds", "mean"]
UNKNOWN_SEEDS = (1, 3, 5, math.inf)  # numbers that papers of this field report, and a value without any error
BEYOND = 1e9  # seeds: as good as infinitely many
EQUAL_VARIANCE, UNKNOWN = "assumes equal variance", "the paper's seeds are unknown"


@dataclass(frozen=True)
class Published:
    """A printed value. spread: standard deviation of single seeds, with `ddof`. seeds: the paper's m."""

    mean: float
    spread: float | None = None
    seeds: int | None = None
    ddof: Literal[0, 1] = 1

    def __post_init__(self) -> None:
        """Check."""
        finite([self.mean], "published mean")
        if self.seeds is not None and self.seeds < 1:
            raise StatisticsError(f"published seeds: got {self.seeds}; at least 1 is needed")
        if self.spread is not None:
            finite([self.spread], "published spread")
            if self.spread < 0:
                raise StatisticsError(f"published spread: got {self.spread}; it cannot be negative")
            if self.seeds == 1:
                raise StatisticsError("published spread: one seed has none; is it the spread of episodes?")

    @property
    def rule(self) -> Rule:
        """The rule to compare by."""
        return "mean" if self.seeds is None else "seeds" if self.spread is None else "spread and seeds"


@dataclass(frozen=True)
class Comparison:
    """A decision against a printed value, with its remarks.

    compatible: whether the printed mean lies in `prediction`, the 95% interval for the mean of m seeds like ours; None
    if there is none, or if the values assumed for an unknown m disagree. It is never the verdict. exceeds: a target is
    passed by more than the margin. sensitivity: the outcome under other readings of the paper, by name.
    decision.seeds_to_decide: seeds of ours that would decide, the paper's held fixed.
    """

    decision: Decision
    rule: Rule
    tags: tuple[str, ...]
    prediction: Interval | None
    compatible: bool | None
    exceeds: bool
    sensitivity: tuple[tuple[str, Outcome], ...]


def same_value(ours: Seeds, published: Published, margin: float, asked: Asked = ONCE) -> Comparison:
    """Whether |mean(ours) - printed| < margin: the two one-sided tests (Schuirmann 1987) of `decisions.equivalence`.

    ours [S]. Standard errors: Welch (1947) with a spread and seeds, else that of a prediction (Hahn & Meeker 1991).
    Simulated errors: docs/statistics.md.
    """
    require_margin(margin, positive=True)
    words: dict[Outcome, str] = {
        "yes": f"within {margin:g} of the printed {published.mean:g}",
        "no": f"differs from the printed {published.mean:g} by more than {margin:g}",
        "undecided": f"neither within {margin:g} of the printed {published.mean:g} nor different by more",
    }
    return _compared(ours, published, -margin, margin, words, asked)


def reaches(ours: Seeds, published: Published, margin: float) -> Comparison:
    """Whether mean(ours) > printed - margin: "reaches X". One one-sided 5% test each for yes and no.

    ours [S]. Non-inferiority to the printed value, by the t tests of `same_value` at one edge.
    exceeds: besides yes, the one-sided 95% lower bound lies above printed + margin.
    Simulated errors: docs/statistics.md.
    """
    require_margin(margin, positive=False)
    words: dict[Outcome, str] = {
        "yes": f"reaches the printed {published.mean:g} minus {margin:g}",
        "no": f"stays below the printed {published.mean:g} by more than {margin:g}",
        "undecided": f"neither reaches the printed {published.mean:g} minus {margin:g} nor stays below it",
    }
    found = _compared(ours, published, -margin, math.inf, words, ONCE)
    passed = found.decision.outcome == "yes" and found.decision.low is not None and found.decision.low > margin
    if not passed:
        return found
    reason = f"{found.decision.reason}; exceeds it by more than {margin:g}"
    return replace(found, decision=replace(found.decision, reason=reason), exceeds=True)


def _compared(
    values: Seeds, published: Published, low: float, high: float, words: dict[Outcome, str], asked: Asked
) -> Comparison:
    ours, rule, known = mean_estimate(values), published.rule, published.seeds or 1
    prediction = prediction_interval(ours, known)
    question = _with_spread(ours, published) if rule == "spread and seeds" else _equal_variance(ours, published, known)
    decision, tags = question.decide(low, high, asked), (EQUAL_VARIANCE,)
    sensitivity: tuple[tuple[str, Outcome], ...] = ()
    compatible = _inside(prediction, published.mean)
    if rule == "spread and seeds":
        tags, other = (), replace(published, ddof=1 - published.ddof)
        sensitivity = ((f"ddof {other.ddof}", _with_spread(ours, other).decide(low, high, asked).outcome),)
        decision = replace(decision, depends=sensitivity[0][1] != decision.outcome)
    elif rule == "mean":
        tags = (EQUAL_VARIANCE, UNKNOWN)
        each = [_equal_variance(ours, published, m).decide(low, high, asked) for m in UNKNOWN_SEEDS]
        decision = _agreed(each)
        sensitivity = tuple((f"m = {m:g}", one.outcome) for m, one in zip(UNKNOWN_SEEDS, each, strict=True))
        answers = {_inside(prediction_interval(ours, m), published.mean) for m in UNKNOWN_SEEDS}
        compatible = answers.pop() if len(answers) == 1 else None
    decision = explained(replace(decision, margin=high if math.isfinite(high) else -low), words)
    open_ = decision.p is not None and decision.outcome == "undecided" and not asked.often
    if open_ and decision.seeds_to_decide is None:
        decision = replace(decision, reason=f"{decision.reason}; {question.limit(low, high, published)}")
    bounded = prediction if prediction.low is not None else None
    return Comparison(decision, rule, tags, bounded, compatible, False, sensitivity)


@dataclass(frozen=True)
class _Question:
    """ours - printed, and its standard error and degrees of freedom as functions of our n."""

    estimate: Estimate
    planned: Callable[[float], tuple[float, float]]
    seeds: tuple[int, ...]  # n and, if known, m

    def decide(self, low: float, high: float, asked: Asked = ONCE) -> Decision:
        decision = decide(self.estimate, low, high, lambda *_: _our_seeds(self, low, high), asked)
        return replace(decision, n=self.seeds)

    def power(self, n: float, low: float, high: float) -> float:
        error, df = self.planned(n)
        return power(self.estimate.value, error, df, low, high)

    def limit(self, low: float, high: float, published: Published) -> str:
        """Why no number of our seeds up to 1000 decides."""
        if not self.estimate.equal and self.power(BEYOND, low, high) >= POWER:
            return f"seeds to decide: more than {MOST_SEEDS}"
        m = "1 seed, assumed" if published.seeds is None else f"{published.seeds} seed{'s'[: published.seeds - 1]}"
        return f"seeds to decide: none: limited by the paper's {m}"


def _with_spread(mean: Estimate, published: Published) -> _Question:
    m = published.seeds or 1
    spread = (published.spread or 0.0) * (math.sqrt(m / (m - 1)) if published.ddof == 0 else 1.0)
    resolution = mean.resolution + ROUNDING * abs(published.mean)
    difference = Estimate(
        mean.value - published.mean,
        (*mean.spreads, spread),
        (*mean.n, m),
        resolution,
        rates=_rates(mean, published, m),
        noise=(*mean.noise, spread) if mean.noise else (),
    )

    def planned(n: float) -> tuple[float, float]:
        parts = (mean.spreads[0] ** 2 / n, spread**2 / m)
        weights = sum(part**2 / (count - 1) for part, count in zip(parts, (n, m), strict=True))
        return math.sqrt(sum(parts)), sum(parts) ** 2 / weights if weights > 0 else BEYOND

    return _Question(difference, planned, difference.n)


def _equal_variance(mean: Estimate, published: Published, m: float) -> _Question:
    widened = further_seeds_estimate(mean, m)
    resolution = mean.resolution + ROUNDING * abs(published.mean)
    difference = replace(
        widened, value=mean.value - published.mean, resolution=resolution, rates=_rates(mean, published, m)
    )
    seeds = mean.n if published.seeds is None else (*mean.n, published.seeds)
    return _Question(difference, lambda n: (mean.spreads[0] * math.sqrt(1 / n + 1 / m), n - 1), seeds)


def _rates(mean: Estimate, published: Published, m: float) -> tuple[Signed, ...]:
    """Our rates, and the paper's of m seeds with as many episodes as ours, since its own are unknown.

    The rate of infinitely many seeds is exact and left out.
    """
    theirs = [(-1.0, Rate(published.mean, round(m), rate.episodes)) for _, rate in mean.rates if math.isfinite(m)]
    return (*mean.rates, *theirs)


def _our_seeds(question: _Question, low: float, high: float) -> int | None:
    """Smallest n of ours, 3 to 1000, that decides with 80% power while the paper's m stays. None if none does.

    Power may fall as n grows (Satterthwaite's degrees of freedom fall towards m - 1). So a grid is searched first, then
    the gap below its first success.
    """

    def enough(n: int) -> bool:
        return question.power(n, low, high) >= POWER

    grid = sorted({*range(MINIMUM_SEEDS, 12), *(round(12 * 1.25**step) for step in range(20)), MOST_SEEDS})
    grid = [n for n in grid if n <= MOST_SEEDS]
    first = next((index for index, n in enumerate(grid) if enough(n)), None)
    if first is None:
        return None
    if first == 0:
        return grid[0]
    lacking, enough_n = grid[first - 1], grid[first]
    while enough_n - lacking > 1:
        middle = (lacking + enough_n) // 2
        lacking, enough_n = (lacking, middle) if enough(middle) else (middle, enough_n)
    return enough_n


def _agreed(decisions: Sequence[Decision]) -> Decision:
    """Decisions on the same seeds under several m as one: the shared outcome, the widest interval, the greatest p."""
    widest = decisions[0]  # m = 1
    if widest.p is None:
        return widest
    outcomes = {decision.outcome for decision in decisions}
    outcome: Outcome = widest.outcome if len(outcomes) == 1 else "undecided"
    return replace(
        widest,
        outcome=outcome,
        p=max(decision.p for decision in decisions if decision.p is not None),
        p_against=max(decision.p_against for decision in decisions if decision.p_against is not None),
        seeds_to_decide=widest.seeds_to_decide if outcome == "undecided" else None,
    )


def _inside(interval: Interval, value: float) -> bool | None:
    if interval.low is None or interval.high is None:
        return None
    slack = ROUNDING * max(abs(value), abs(interval.estimate))  # a constant score that equals the printed one
    return interval.low - slack <= value <= interval.high + slack
