"""A thousand simulated workers lose nothing; the dispatcher's own cost per run does not grow with the plan."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.cluster.simulated import MEMORY, simulate


def test_ten_thousand_runs_on_a_thousand_workers() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        small, large = (simulate(n, n // 10, Path(folder) / str(n)) for n in (1_000, 10_000))
    for found, runs in ((small, 1_000), (large, 10_000)):
        assert len(found.outcome.finished) >= runs
        assert not found.outcome.failed
        assert found.lost > 0
        assert found.wall_s < 1.5 * found.bound_s
    assert large.own_s / len(large.outcome.finished) < 3 * small.own_s / len(small.outcome.finished)
