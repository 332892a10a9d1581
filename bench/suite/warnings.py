"""What a suite file may say and had better say otherwise: lines that `bench validate` shows beside a sound file."""

from __future__ import annotations

from collections.abc import Iterator

from bench.suite import Suite
from bench.suite.margins import wide_margins
from bench.suite.tuning import NOT_STATED


def warnings(suite: Suite) -> Iterator[str]:
    """Margins as wide as what can be learned, and methods of which nobody says how they were tuned."""
    yield from wide_margins(suite)
    yield from unsaid_tuning(suite)


def unsaid_tuning(suite: Suite) -> Iterator[str]:
    """One line for the methods that say nothing of their tuning, and extend none that does."""
    unsaid = [method.id for method in suite.method if suite.tuning(method.id) is None]
    if unsaid:
        others = f" and {len(unsaid) - 3} more" if len(unsaid) > 3 else ""
        mend = f'add tuning = {{ method = ..., source = ... }}, "{NOT_STATED}" where the paper does not say'
        yield f"how the settings of {', '.join(unsaid[:3])}{others} were chosen is not said: {mend}"
