"""The simulations at a small size: that they measure bench.stats, can fail, and wrote docs/statistics.md.

Axes: R repetition, S seed, K comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest

from bench.stats import decisions
from bench.stats.decisions import clearly_greater, conjunction, equivalence, not_greater, ordering, ratio
from bench.stats.estimates import paired_estimate
from bench.stats.families import Correction, corrected, majority
from bench.stats.intervals import difference_interval, mean_interval, prediction_interval
from bench.stats.power import seeds_to_decide
from bench.stats.published import UNKNOWN_SEEDS, Published, reaches, same_value
from bench.stats.retention import retention
from tests.coverage import intervals, looks, vectorised, verdicts
from tests.coverage.__main__ import DOCUMENT, document
from tests.coverage.rates import without_search
from tests.coverage.shapes import EVERY, NORMAL, Shape
from tests.coverage.verdicts import KINDS, MARGIN, Kind

CODES = {"yes": 1, "no": -1, "undecided": 0}
SAMPLES = 30  # of each shape and number of seeds
CORRECT: dict[Correction, Callable[[np.ndarray], np.ndarray]] = {
    "holm": vectorised.holm,
    "benjamini-hochberg": vectorised.benjamini_hochberg,
}


def code(decision: decisions.Decision) -> int:
    return CODES[decision.outcome]


@pytest.fixture(autouse=True)
def no_search() -> Iterator[None]:
    with without_search():
        yield


def sides(shape: Shape, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, m, EVERY.index(shape)])
    return shape.first(rng, 0.8, (SAMPLES, n)), shape.second(rng, 0.72, (SAMPLES, m))


@pytest.mark.parametrize("shape", EVERY, ids=lambda shape: shape.name)
@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 5), (10, 5)])
def test_the_vectorised_decisions_are_those_of_the_library(shape: Shape, n: int, m: int):
    """Every kind, sample by sample."""
    a, b = sides(shape, n, m)
    both, printed = vectorised.welch(a, b), b.mean(-1)
    tolerance = (math.log(0.8), math.log(1.2))
    cases = [
        (both.decide(0, math.inf), lambda x, y: ordering(x, y, False, MARGIN)),
        (both.decide(-math.inf, MARGIN), lambda x, y: not_greater(x, y, False, MARGIN)),
        (-both.decide(-math.inf, MARGIN), lambda x, y: clearly_greater(x, y, False, MARGIN)),
        (both.decide(-MARGIN, MARGIN), lambda x, y: equivalence(x, y, False, MARGIN)),
        (vectorised.log_ratio(a, b).decide(*tolerance), lambda x, y: ratio(x, y, 1, 0.2)),
        (both.decide(-MARGIN, MARGIN), lambda x, y: same_value(x, paper(y), MARGIN).decision),
        (both.decide(-MARGIN, math.inf), lambda x, y: reaches(x, paper(y), MARGIN).decision),
        (
            vectorised.equal_variance(a, printed, m).decide(-MARGIN, MARGIN),
            lambda x, y: same_value(x, Published(y.mean(), seeds=m), MARGIN).decision,
        ),
        (
            vectorised.agreed(a, printed, UNKNOWN_SEEDS, -MARGIN, MARGIN),
            lambda x, y: same_value(x, Published(y.mean()), MARGIN).decision,
        ),
    ]
    if n == m:
        cases.append((vectorised.student(a - b).decide(0, math.inf), lambda x, y: ordering(x, y, True, MARGIN)))
        pairs = vectorised.paired_log_ratio(a, b).decide(*tolerance)
        cases.append((pairs, lambda x, y: ratio(x, y, 1, 0.2, paired=True)))
    for found, decide in cases:
        assert found.tolist() == [code(decide(x, y)) for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize("shape", EVERY, ids=lambda shape: shape.name)
@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_retention_is_never_decided_otherwise_than_the_ratio(shape: Shape, n: int):
    """So it is wrong no more often. Scores are far from zero, and near it where the ratio is still decided."""
    a, b = sides(shape, n, n)
    found = [
        (code(retention(x, y, 1, 0.2)), code(ratio(x, y, 1, 0.2)))
        for shift in (0.0, 0.5)
        for x, y in zip(a - shift, b - shift, strict=True)
    ]
    assert all(ours in (0, theirs) for ours, theirs in found)
    assert any(ours for ours, _ in found)


def paper(seeds: np.ndarray) -> Published:
    return Published(float(seeds.mean()), float(seeds.std(ddof=1)), len(seeds))


def test_the_vectorised_intervals_are_those_of_the_library():
    """Student, Welch and prediction cover the same points."""
    a, b = sides(NORMAL, 5, 4)
    for x, y, student, welch, further in zip(
        a,
        b,
        vectorised.student(a).covers(0.75),
        vectorised.welch(a, b).covers(0.02),
        vectorised.equal_variance(a, b.mean(-1), 4).covers(0),
        strict=True,
    ):
        for interval, point, covered in (
            (mean_interval(x), 0.75, student),
            (difference_interval(x, y), 0.02, welch),
            (prediction_interval(x, 4), y.mean(), further),
        ):
            assert interval.low is not None
            assert interval.high is not None
            assert (interval.low <= point <= interval.high) == covered


def test_the_vectorised_families_are_those_of_the_library():
    """All, most, Holm and Benjamini-Hochberg over five orderings."""
    rng = np.random.default_rng(5)
    a, b = (
        rng.normal(0.85, 0.1, (SAMPLES, 5, 4)),
        rng.normal([[0.75], [0.7], [0.85], [0.8], [0.95]], 0.1, (SAMPLES, 5, 4)),
    )
    each = [vectorised.welch(a[:, k], b[:, k]).p_values(0, math.inf) for k in range(5)]
    p, against = (np.stack(values, axis=1) for values in zip(*each, strict=True))
    for r in range(SAMPLES):
        alone = [ordering(a[r, k], b[r, k], False, MARGIN) for k in range(5)]
        assert verdicts.outcomes_of_all(p, against)[r] == code(conjunction(alone))
        assert verdicts.outcomes_of_most(p, against)[r] == code(majority(alone))
        for name, correct in CORRECT.items():
            expected = vectorised.outcomes(correct(p), correct(against))[r]
            assert expected.tolist() == [code(one) for one in corrected(alone, name)]


@cache
def rows() -> list[verdicts.Row]:
    return verdicts.error_rates(verdicts.QUICK)


def test_verdicts_on_normal_seeds_are_rarely_wrong():
    """At most 5%, apart from four Monte-Carlo standard errors; n = 5 and 10, every kind and difference."""
    wrong = [(row.kind, row.difference, row.fails()) for row in rows() if row.shape == NORMAL.name]
    assert len(wrong) == len(KINDS) * len(verdicts.DIFFERENCES)
    assert not [one for one in wrong if set(one[2]) & {5, 10}]


def test_verdicts_are_mostly_right_where_the_difference_is_plain():
    """.3, ten normal seeds: a simulation that only answers "inconclusive" would pass the test above."""
    plain = {row.kind: row for row in rows() if row.shape == NORMAL.name and row.difference == 0.3}
    for kind in KINDS:
        right = plain[kind.name].yes if kind.yes_above else plain[kind.name].no
        assert right[10] > (0.5 if "mean only" in kind.name else 0.8)


def test_a_wrong_rule_is_caught():
    """The popular "95% intervals overlap" calls most true .3 failures of a noisy method reproduced."""

    def overlap(draw: verdicts.Draw, d: float, n: int) -> verdicts.Outcomes:
        a, b = vectorised.student(draw(True, 0.85, n)), vectorised.student(draw(False, 0.85 - d, n))
        apart = np.abs(a.value - b.value) > 4.303 * (a.error + b.error)
        return np.where(apart, -1, 1)

    found = verdicts.error_rates(verdicts.QUICK, (Kind("overlap", overlap, MARGIN),))
    failed = [row for row in found if row.shape == NORMAL.name and row.difference == 0.3 and 3 in row.fails()]
    assert failed
    assert failed[0].wrong[3] > 0.6


def test_coverage_is_measured_and_a_bad_interval_is_caught():
    """t intervals reach 95%; the percentile bootstrap of a cell's mean is far from it."""
    methods = {method.name: method for method in intervals.METHODS}
    good = ("Student t, a cell's mean", "Welch t, a difference", "log-delta t, ratio", "paired t, a difference")
    for row in intervals.coverage(intervals.QUICK, tuple(methods[name] for name in good)):
        if row.holds:
            assert not row.misses()
    bad = intervals.Size(many=1, each=1, bootstrapped=200, resamples=200)
    found = intervals.coverage(bad, (methods["a cell's mean, percentile bootstrap"],))
    assert 5 in next(row for row in found if row.shape == NORMAL.name).misses()


def test_following_the_advised_seeds_errs_and_declared_looks_do_not():
    """17% of equal means are called apart by pairs that are added from 5 to 100 as advised; 5% a side at the looks."""
    found = looks.peeked("pairs", 5, 4000)
    assert found.followed == pytest.approx(0.171, abs=0.02)
    assert found.one_more == pytest.approx(0.087, abs=0.015)
    by_name = {kind.name: looks.declared(kind, NORMAL, 4000) for kind in looks.KINDS}
    assert not [row for row in by_name.values() if row.over(4000)]
    assert min(by_name["ordering of pairs, equal means"].yes, by_name["ordering, equal means"].no) > 0.035
    power = by_name["ordering, 1 sd"]
    assert (power.yes, power.seeds) == (pytest.approx(0.87, abs=0.03), pytest.approx(12.4, abs=0.5))


def test_the_advised_seeds_are_those_of_the_product():
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.normal(0.1, 0.1, 5), rng.normal(0, 0.1, 5)
        if a.mean() < b.mean():  # the other order is then asked for
            a, b = b, a
        expected = seeds_to_decide(paired_estimate(a, b), 0, math.inf)
        ours = looks.advised(vectorised.student((a - b)[None]), np.array([5]), 1)[0]
        assert min(expected or 101, 101) == ours


def test_a_level_for_one_look_is_caught_at_several():
    """5% at each of four looks errs 12%; the simulation of the declared looks would show it."""
    wrong = looks.declared(looks.KINDS[1], NORMAL, 4000, nominal=0.05)
    assert wrong.over(4000)
    assert wrong.yes == pytest.approx(0.12, abs=0.02)


def skeleton(text: str) -> list[str]:
    """Headings, tables' headers, and the words of their rows, without figures."""
    kept = []
    for line in text.splitlines():
        if line.startswith("#"):
            kept.append(line)
        elif line.startswith("|"):
            cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
            kept.append(" | ".join(cell for cell in cells if not cell or not set(cell) <= set("0123456789./ ")))
    return kept


def test_the_document_is_what_the_command_writes():
    """Same headings, tables and rows: a method added here without `tox run -e coverage` fails."""
    tiny = intervals.Size(many=20, each=2, bootstrapped=2, resamples=100)
    assert skeleton(DOCUMENT.read_text()) == skeleton(document(tiny, 20, 2))
