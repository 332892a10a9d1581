"""Adds up the results of the attempts, over all workers, and prints them at the end."""

from __future__ import annotations

import collections
from collections.abc import Iterator

import pytest

from tests.attempts import SHARES, TALLY


@pytest.fixture(autouse=True)
def _tallied(record_property) -> Iterator[None]:
    """A test's own attempts become properties of its report, which workers send."""
    before = TALLY.copy()
    yield
    for (kind, outcome), count in (TALLY - before).items():
        record_property(f"{kind}/{outcome}", count)


def pytest_terminal_summary(terminalreporter) -> None:
    found: collections.Counter[str] = collections.Counter()
    for report in terminalreporter.stats.get("", ()):  # of tests' ends, where the properties are whole
        found.update(
            {name: count for name, count in report.user_properties if "/" in name and report.when == "teardown"}
        )
    for kind in SHARES:
        taken, refused = found[f"{kind}/taken"], found[f"{kind}/refused"]
        terminalreporter.write_line(f"{kind}: {taken + refused:,} draws, {refused:,} refused, {taken:,} taken")
    terminalreporter.write_line(f"{sum(found.values()):,} draws in all")
