"""A results folder whose records are read once, however many suites and profiles ask for them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from bench.store import Contents, Store
from bench.store.names import Names
from bench.suite import Suite


class Archive(Store):
    """All sound records in memory, by cell and seed. Records written after the first question are not seen.

    suites: they tell which method's settings a record has.
    """

    def __init__(self, root: Path | str, suites: Iterable[Suite] = ()):
        super().__init__(root)
        self._names = [Names(suite) for suite in suites]

    @cached_property
    def _everything(self) -> Contents:
        found = super().contents()
        for own in self._names:
            found = found.without(self, own.wrong)
        return found

    @property
    def size(self) -> int:
        """How many sound records there are."""
        return sum(len(seeds) for seeds in self._everything.cells.values())

    @property
    def damaged(self) -> tuple[str, ...]:
        """Records that are not what was written, one line each; they count nowhere."""
        return self._everything.damaged

    def contents(self, seeds: tuple[int, ...] | None = None) -> Contents:
        """Like `Store.contents`, but reads nothing again."""
        if seeds is None:
            return self._everything
        chosen = {
            key: {seed: record for seed, record in found.items() if seed in seeds}
            for key, found in self._everything.cells.items()
        }
        return Contents(chosen, self.damaged)
