"""Several decisions together: Holm's correction, and all of them against hand-worked numbers."""

from dataclasses import replace

import pytest

from bench.stats.decisions import (
    Decision,
    conjunction,
    equivalence,
    holm,
    not_greater,
    ordering,
    ratio,
)
from bench.stats.estimates import StatisticsError
from bench.stats.families import at_least

LOW, HIGH = [1.0, 2.0, 3.0], [11.0, 12.0, 13.0]


def made(p: float | None, p_against: float | None, seeds: int | None = None, estimate: float = 0.0) -> Decision:
    """A decision with these p-values."""
    outcome = (
        "undecided"
        if p is None or p_against is None
        else "yes"
        if p < 0.05
        else "no"
        if p_against < 0.05
        else "undecided"
    )
    return Decision(outcome, estimate, None, None, 0.9, p, (5, 5), "made", seeds, p_against)


def test_holm_by_hand():
    """.01, .04, .03: 3 * .01 = .03, then 2 * .03 = .06, then max(.06, .04) = .06."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.5]) == (1.0, 1.0)
    assert holm([0.2]) == (0.2,)


def test_all_of_them_need_no_correction_for_yes():
    """Three p of .04 are a yes, with p .04; one of .06 is not, and is named as the limit."""
    yes = conjunction([made(0.04, 0.96, estimate=1.0), made(0.01, 0.99), made(0.03, 0.97)])
    assert (yes.outcome, yes.p, yes.estimate, yes.n) == ("yes", 0.04, 1.0, (5, 5))
    assert yes.reason == "all 3 hold; limited by comparison 1 of 3: p = 0.04"
    limited = conjunction([made(0.04, 0.96), made(0.06, 0.94, 11, estimate=2.0)], names=["push", "adversary"])
    assert (limited.outcome, limited.estimate, limited.seeds_to_decide) == ("undecided", 2.0, 11)
    assert limited.reason == "limited by adversary: p = 0.06"


def test_a_reversal_must_survive_holm():
    """A p against of .02 among 2: .04, a no. Among 3: .06, undecided, and no number of seeds is given."""
    reversal = made(0.98, 0.02, estimate=-3.0)
    no = conjunction([made(0.01, 0.99), reversal], names=["push", "adversary"])
    assert (no.outcome, no.p_against, no.estimate) == ("no", 0.04, -3.0)
    assert no.reason == "reversed after Holm's correction: adversary"
    weak = conjunction([made(0.01, 0.99), reversal, made(0.2, 0.8, 30)])
    assert (weak.outcome, weak.p_against, weak.seeds_to_decide) == ("undecided", pytest.approx(0.06), None)
    both = conjunction([made(0.99, 0.01), made(0.98, 0.02)])
    assert both.reason.endswith("comparison 1 of 2, comparison 2 of 2")


def test_untested_comparisons_limit_all_of_them():
    """Fewer than 3 seeds somewhere: never a yes, but a reversal elsewhere still stands, corrected over all."""
    untested = ordering([1, 2], [3, 4], False, 0)
    limited = conjunction([made(0.01, 0.99), untested])
    assert (limited.outcome, limited.reason, limited.n) == ("undecided", "untested: comparison 2 of 2", (2, 2))
    assert limited.seeds_to_decide is None
    assert conjunction([made(0.99, 0.01), untested]).outcome == "no"
    nothing = conjunction([untested])
    assert (nothing.outcome, nothing.p, nothing.p_against) == ("undecided", None, None)


def test_seeds_of_all_is_the_greatest():
    """The hardest of the undecided, None where one cannot be decided."""
    several = [made(0.2, 0.8, 7), made(0.01, 0.99), made(0.3, 0.7, 40)]
    assert conjunction(several).seeds_to_decide == 40
    assert conjunction([*several, made(0.5, 0.5, None)]).seeds_to_decide is None


def test_one_decision_is_its_own_conjunction():
    """For each kind and outcome: same outcome, p and interval."""
    a, b = [3.0, 4, 5], [1.0, 2, 3]
    kinds = [
        *(
            function(x, y, False, 2)
            for function in (ordering, equivalence, not_greater)
            for x, y in ((a, b), (LOW, HIGH))
        ),
        equivalence(a, b, False, 0.2),
        ratio(a, b, 2, 0.5),
    ]
    for decision in kinds:
        alone = conjunction([decision])
        assert replace(alone, reason="") == replace(decision, reason="")
    with pytest.raises(StatisticsError, match="none"):
        conjunction([])
    with pytest.raises(StatisticsError, match="got 1 for 2"):
        conjunction(kinds[:2], names=["one"])


def test_most_of_several_show_the_typical_seed_of_the_one_that_carries_it():
    """Two of three orderings must hold: the second smallest p is that of the pair with a collapse."""
    plain = ordering([5.0, 5.1, 5.2, 5.3, 5.4], [1.0, 1.2, 1.1, 1.3, 1.2], True, 0.0)
    collapse = ordering([2.0, 2.1, 2.2, 2.1, -90.0], [1.0, 1.0, 1.1, 1.2, 1.0], True, 0.0)
    worse = ordering(LOW, HIGH, True, 0.0)
    found = at_least([plain, collapse, worse], 2)
    assert found.typical == collapse.typical
    assert (found.paired, found.correlation) == (True, collapse.correlation)
    tagged = at_least([replace(plain, tags=("a",)), replace(worse, tags=("b",))], 1)
    assert tagged.tags == ("a", "b")
