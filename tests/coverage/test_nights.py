"""The simulated nights use a nightly check's tests, and their figures can fail."""

from __future__ import annotations

import numpy as np
import pytest

from bench.nightly.references import FALSE_ALARM, KEPT, WINDOW
from bench.stats.rank_sums import least_p, rank_sum, shared_level
from tests.coverage import nights
from tests.coverage.nights import SETTINGS, Setting
from tests.coverage.shapes import NORMAL


@pytest.mark.parametrize(("n", "m"), [(1, 4), (3, 10), (5, 5), (10, 30)])
def test_the_vectorised_p_is_the_librarys(n: int, m: int) -> None:
    rng = np.random.default_rng([n, m])
    recent, known = rng.normal(0.5, 1, (40, n)), rng.normal(0, 1, (40, m))
    expected = [min(1.0, 2 * min(rank_sum(a, b))) for a, b in zip(recent, known, strict=True)]
    np.testing.assert_allclose(nights.p_of(recent, known), expected, rtol=1e-9)


def test_an_alarm_is_the_smallest_p_of_all_cells_and_both_references() -> None:
    setting, rng = Setting(3, 4, 12, 10), np.random.default_rng(4)
    accepted, pinned, fresh = (rng.normal(0, 1, (5, 3, n)) for n in (12, 10, 20))
    fresh[2, 1] += 4.0
    found = nights.alarms(setting, accepted, pinned, fresh)
    for h in range(5):
        for night in range(5):
            recent = fresh[h, :, : 4 * (night + 1)][:, -WINDOW:]
            sides = [(cell, known[h, i]) for i, cell in enumerate(recent) for known in (accepted, pinned)]
            level = shared_level([least_p(len(a), len(b)) for a, b in sides], FALSE_ALARM)
            assert found[h, night] == any(2 * min(rank_sum(a, b)) <= level for a, b in sides)
    assert found[2, 4]


def test_an_uncorrected_level_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If every test had the night's whole 1%, the bound would be broken at once."""
    monkeypatch.setattr(nights, "level", lambda *_: FALSE_ALARM)
    assert nights._clean(SETTINGS[1], NORMAL, 20).mean() > 3 * nights.ASKED


def test_larger_shifts_are_seen_and_smaller_ones_are_not() -> None:
    few, many = (nights.smallest_shift(s, WINDOW, 400) for s in (SETTINGS[0], Setting(4, 5, KEPT, 10)))
    assert few is not None
    assert many is not None
    assert 1.0 < many < few < 3.5
    assert nights.smallest_shift(SETTINGS[0], 3, 400) is None


def test_the_pin_sees_a_drift_that_the_moving_baseline_hides() -> None:
    steps = {(d.step, d.against): d.seen for d in nights.drifts(60)}
    assert steps[0.05, "pinned"] > 0.8 > 0.4 > steps[0.05, "accepted"]
