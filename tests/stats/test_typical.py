"""The typical seed: pairs by the sign test, independent sides show no more than their pairs could."""

import numpy as np
import pytest
from scipy import stats

from bench.stats.decisions import MEAN_AND_SEED, ordering
from bench.stats.estimates import StatisticsError
from bench.stats.pairs import matched
from bench.stats.typical import typical


@pytest.mark.parametrize(("wins", "n"), [(5, 5), (9, 10), (8, 10), (0, 10), (3, 3), (4, 4)])
def test_pairs_are_the_sign_test(wins: int, n: int):
    """Clopper and Pearson's interval; yes exactly where scipy's binomial test has p < .05."""
    found = typical([1.0] * wins + [-1.0] * (n - wins), [0.0] * n, paired=True)
    expected = stats.binomtest(wins, n).proportion_ci(0.9, "exact")
    assert (found.probability, found.n) == (wins / n, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    greater, less = (stats.binomtest(wins, n, alternative=side).pvalue < 0.05 for side in ("greater", "less"))
    assert found.outcome == ("yes" if greater else "no" if less else "undecided")


def test_ties_count_half_and_decide_nothing():
    assert typical([1.0] * 20, [1.0] * 20, paired=True).probability == 0.5
    assert typical([1.0] * 20, [1.0] * 20, paired=True).outcome == "undecided"


def test_independent_sides_are_mann_whitneys():
    a, b = [3.0, 4, 5, 6, 9], [1.0, 2, 3.5, 3, 2, 0]
    found = typical(a, b, paired=False)
    assert found.probability == pytest.approx(stats.mannwhitneyu(a, b).statistic / 30)
    assert found.n == 5
    assert typical([5.0] * 5, [1.0] * 9, paired=False).outcome == "yes"
    assert typical([5.0] * 4, [1.0] * 9, paired=False).outcome == "undecided"


def test_too_few_and_unequal():
    assert typical([1.0, 2], [0.0, 0], paired=True).low is None
    with pytest.raises(StatisticsError, match="same seeds"):
        typical([1.0, 2, 3], [0.0, 0], paired=True)


def test_a_tag_where_mean_and_typical_seed_disagree():
    """Nine seeds of ten gain a little and one loses much: the typical seed is better, the mean is worse."""
    rng = np.random.default_rng(1)
    base = rng.normal(0, 0.01, 30)
    gain = np.where(np.arange(30) % 6 == 0, -3.0, 0.05) + rng.normal(0, 0.01, 30)
    found = ordering(base + gain, base, True, 0)
    assert found.typical is not None
    assert (found.outcome, found.typical.outcome) == ("no", "yes")
    assert found.tags == (MEAN_AND_SEED,)
    assert ordering(base + 1, base + rng.normal(0, 0.1, 30), True, 0).tags == ()


def test_pairs_are_the_seeds_on_both_sides():
    """Other seeds do not count; without a shared seed the sides are independent."""
    found = matched({3: 1.0, 0: 2.0, 7: 3.0}, {7: 5.0, 3: 4.0, 9: 6.0})
    assert (found.a.tolist(), found.b.tolist(), found.paired) == ([1.0, 3.0], [4.0, 5.0], True)
    apart = matched({1: 1.0, 0: 2.0}, {5: 5.0})
    assert (apart.a.tolist(), apart.b.tolist(), apart.paired) == ([2.0, 1.0], [5.0], False)
