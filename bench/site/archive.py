"""A results folder whose records are read once, however many suites and profiles ask for them."""

from __future__ import annotations

from functools import cached_property

from bench.store import Found, Record, Store, StoreError, read_record


class Archive(Store):
    """All sound records in memory, by cell and seed. What is written after the first question is not seen."""

    @cached_property
    def _everything(self) -> tuple[dict[str, dict[int, Record]], tuple[str, ...]]:
        records: dict[str, dict[int, Record]] = {}
        damaged = []
        for path in sorted((self.root / "records").glob("*.json")):
            try:
                record = read_record(path)
            except StoreError as error:
                damaged.append(str(error))
                continue
            records.setdefault(record.cell, {})[record.seed] = record
        return records, tuple(damaged)

    @property
    def size(self) -> int:
        """How many sound records there are."""
        return sum(len(seeds) for seeds in self._everything[0].values())

    @property
    def damaged(self) -> tuple[str, ...]:
        """Records that are not what was written, one line each; they count nowhere."""
        return self._everything[1]

    def cells(self, keys: set[str], seeds: tuple[int, ...] | None = None) -> dict[str, Found]:
        """As `Store.cells`; damaged files are named by their own name, wherever the folder lies."""
        records, damaged = self._everything
        return {
            key: Found({s: r for s, r in records.get(key, {}).items() if seeds is None or s in seeds}, damaged)
            for key in keys
        }
