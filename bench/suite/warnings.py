"""Warnings that `bench validate` shows for a valid suite file."""

from __future__ import annotations

from collections.abc import Iterator

from bench.suite import Suite
from bench.suite.margins import wide_margins
from bench.suite.tuning import NOT_STATED


def warnings(suite: Suite) -> Iterator[str]:
    """Margins too wide next to what can be learned, and methods whose tuning is not stated."""
    yield from wide_margins(suite)
    yield from unsaid_tuning(suite)


def unsaid_tuning(suite: Suite) -> Iterator[str]:
    """One line for the methods that state no tuning and extend no method that does."""
    unsaid = [method.id for method in suite.method if suite.tuning(method.id) is None]
    if unsaid:
        others = f" and {len(unsaid) - 3} more" if len(unsaid) > 3 else ""
        mend = f'add tuning = {{ method = ..., source = ... }}, "{NOT_STATED}" where the paper does not say'
        yield f"{', '.join(unsaid[:3])}{others}: the file does not say how the settings were chosen; {mend}"
