"""Tables of measured figures, printed when all tests are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

Table = Callable[[str, Sequence[str], Sequence[Sequence[str]]], None]
LINES = pytest.StashKey[list[str]]()


def markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["", f"{title}:", "", *(f"| {' | '.join(line)} |" for line in lines)]


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """Keeps a table (title, column names and rows) for the end."""
    kept = request.config.stash.setdefault(LINES, [])
    return lambda title, columns, rows: kept.extend(markdown(title, columns, rows))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in terminalreporter.config.stash.get(LINES, []):
        terminalreporter.write_line(line)
