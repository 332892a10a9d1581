"""How often decisions are wrong, by simulation, and the number of seeds that would decide."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.stats import decisions, power
from bench.stats.decisions import (
    Decision,
    conjunction,
    equivalence,
    not_greater,
    ordering,
    ratio,
)
from bench.stats.estimates import Estimate, exact_estimate
from bench.stats.power import seeds_to_decide

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
OPPOSITE = {"yes": "no", "no": "yes", "undecided": "undecided"}


REPETITIONS = 2000
WRONG = 0.05 + 3 * math.sqrt(0.05 * 0.95 / REPETITIONS)  # 5% and three Monte-Carlo standard errors


def rates(decide) -> dict[str, float]:
    """Share of each outcome in seeded repetitions; `decide` takes a generator."""
    rng = np.random.default_rng(1987)
    with pytest.MonkeyPatch.context() as patch:  # the search for a number of seeds takes most of the time
        patch.setattr(decisions, "seeds_to_decide", lambda *_: None)
        outcomes = [decide(rng).outcome for _ in range(REPETITIONS)]
    return {outcome: outcomes.count(outcome) / REPETITIONS for outcome in OPPOSITE}


@pytest.mark.parametrize(("n", "spread"), [(3, 1.0), (5, 0.5), (10, 2.0)])
def test_simulated_orderings_are_rarely_wrong(n: int, spread: float):
    """Without a difference each direction is claimed at most 5% of the time, and for pairs not much less."""
    unpaired = rates(lambda rng: ordering(rng.normal(0, 1, n), rng.normal(0, spread, n), False, 1))
    paired = rates(lambda rng: ordering(rng.normal(0, 1, n), rng.normal(0, spread, n), True, 1))
    for outcome in ("yes", "no"):
        assert unpaired[outcome] <= WRONG
        assert 0.1 - WRONG <= paired[outcome] <= WRONG


@pytest.mark.parametrize("margin", [0.05, 1.5])
@pytest.mark.parametrize(("function", "paired"), [(equivalence, False), (equivalence, True), (not_greater, False)])
def test_simulated_equivalence_is_rarely_wrong(function, paired: bool, margin: float):
    """On the edge both answers are wrong: each at most 5%, even if the margin is a tenth of the standard error.

    There the interval alone would say no up to twice as often.
    """
    wrong = rates(lambda rng: function(rng.normal(margin, 1, 8), rng.normal(0, 1, 8), paired, margin))
    assert max(wrong["yes"], wrong["no"]) <= WRONG


def test_simulated_ratio_is_rarely_wrong():
    """True ratio 1.2 on the edge of 1 -+ .2, 5 seeds a side."""
    wrong = rates(lambda rng: ratio(rng.normal(1.2, 0.1, 5), rng.normal(1, 0.05, 5), 1, 0.2))
    assert max(wrong["yes"], wrong["no"]) <= WRONG


def test_simulated_conjunction_is_rarely_wrong():
    """Two comparisons, one without a difference: a wrong yes at most 5%; three on the edge: a wrong no at most 5%."""

    def paired(rng: np.random.Generator, effects: tuple[float, ...]) -> Decision:
        return conjunction([ordering(rng.normal(e, 1, 5), rng.normal(0, 1, 5), True, 1) for e in effects])

    assert rates(lambda rng: paired(rng, (9, 0)))["yes"] <= WRONG
    assert rates(lambda rng: paired(rng, (0, 0, 0)))["no"] <= WRONG


def test_seeds_to_decide_against_normal_theory():
    """Normal theory, 2 (1.645 + .842)^2 / d^2, plus the correction 1.645^2 / 4 for t (Guenther 1981), rounded up.

    d = .5: 49.5 + .7, 51. d = .8: 19.3 + .7, on the line between 20 and 21. d = 1: 12.4 + .7, 14. One sample of
    differences, d = .5: half of 49.5 and twice the correction, 24.7 + 1.4, 27. Equivalence at no difference, sd 1,
    margin 1, where each of the two tests may miss 10%: 2 (1.645 + 1.282)^2 + .7 = 17.8, 18.
    """
    sides = {effect: seeds_to_decide(Estimate(effect, (1, 1), (5, 5), 0), 0, math.inf) for effect in (0.5, 0.8, 1.0)}
    assert (sides[0.5], sides[0.8]) == (51, 21)
    assert sides[1.0] == 14
    assert seeds_to_decide(Estimate(0.5, (1,), (5,), 0), 0, math.inf) == 27
    assert seeds_to_decide(Estimate(0, (1, 1), (5, 5), 0), -1, 1) == 18


def test_seeds_to_decide_at_the_edges():
    """No number decides on an edge; 1000 are the most; exact values need 3; the sign of the effect does not matter."""
    assert seeds_to_decide(Estimate(0, (1, 1), (3, 3), 0), 0, math.inf) is None
    assert seeds_to_decide(Estimate(1, (1, 1), (3, 3), 0), -1, 1) is None
    assert seeds_to_decide(Estimate(0.01, (1, 1), (3, 3), 0), 0, math.inf) is None
    assert seeds_to_decide(exact_estimate(1, 3), 0, math.inf) == 3
    assert seeds_to_decide(exact_estimate(0, 3), 0, math.inf) is None
    for value in (-0.7, -3.0):
        mirrored = Estimate(-value, (1, 2), (3, 3), 0)
        assert seeds_to_decide(Estimate(value, (1, 2), (3, 3), 0), 0, math.inf) == seeds_to_decide(
            mirrored, 0, math.inf
        )
    outcome = ordering([1, 2, 3], [1, 2, 3], False, 0)
    assert (outcome.outcome, outcome.seeds_to_decide) == ("undecided", None)


def test_undecided_names_more_seeds_than_there_were():
    """Differences 1, 2, 3 unpaired: at least one more seed than the 3 that did not decide."""
    decision = ordering([2, 3, 4], [1, 2, 3], False, 0)
    assert decision.outcome == "undecided"
    assert decision.seeds_to_decide is not None
    assert decision.seeds_to_decide > 3


@given(st.floats(2, 2000), st.floats(40, 60), st.floats(1.64, 4.3))
@quick
def test_distant_centres_are_certain(df: float, centre: float, critical: float):
    """The noncentral t beyond 50 is cut off: before and after, scipy says 1."""
    assert stats.nct.sf(critical, df, centre) == pytest.approx(1, abs=1e-12)
    assert power._exceeds(critical, df, centre) == pytest.approx(1, abs=1e-12)


@given(st.floats(-3, 3), st.sampled_from([(0.0, math.inf), (-0.5, 0.5), (-2.0, 2.0), (-math.inf, 1.0)]))
@settings(quick, max_examples=30)
def test_the_number_named_is_the_first_with_enough_power(value: float, region: tuple[float, float]):
    """Power is below 80% at every smaller number tried, and not below at the number or a greater one."""
    estimate = Estimate(value, (1, 0.6), (5, 5), 0)
    named = seeds_to_decide(estimate, *region) or 1001
    for n in {*range(3, 20), *range(20, 1001, 98), *range(max(3, named - 2), min(1000, named + 2) + 1)}:
        assert (power._power(estimate, *region, n) >= 0.8) == (n >= named)


@pytest.mark.parametrize(
    ("estimate", "low", "high", "decide"),
    [
        (Estimate(1.0, (1, 0.5), (5, 5), 0), 0, math.inf, lambda a, b: ordering(a, b, False, 1)),
        (Estimate(1.0, (1,), (5,), 0), 0, math.inf, lambda a, b: ordering(a, b, True, 1)),
        (Estimate(-2.0, (1, 1), (5, 5), 0), 0, math.inf, lambda a, b: ordering(a, b, False, 1)),
        (Estimate(0.3, (1, 1), (5, 5), 0), -1.5, 1.5, lambda a, b: equivalence(a, b, False, 1.5)),
        (Estimate(1.3, (1, 1), (5, 5), 0), -0.05, 0.05, lambda a, b: equivalence(a, b, False, 0.05)),
        (Estimate(-1.0, (1, 1), (5, 5), 0), -math.inf, 0.2, lambda a, b: not_greater(a, b, False, 0.2)),
    ],
)
def test_simulated_power_at_the_named_number_of_seeds(estimate: Estimate, low: float, high: float, decide):
    """At least 75% at the number named for 80%, and less than 80% (and noise) at two thirds of it."""
    n = seeds_to_decide(estimate, low, high)
    assert n is not None
    outcome = "yes" if low < estimate.value < high else "no"
    sides = (*estimate.spreads, 1e-9)[:2]

    def draw(rng: np.random.Generator, count: int) -> Decision:
        return decide(rng.normal(estimate.value, sides[0], count), rng.normal(0, sides[1], count))

    assert rates(lambda rng: draw(rng, n))[outcome] >= 0.75
    assert rates(lambda rng: draw(rng, max(3, 2 * n // 3)))[outcome] < 0.8
