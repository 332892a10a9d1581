"""Two runs compared setting by setting and number by number."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench.store import Curve, Record, Scores, Store, StoreError, numbers_hash, read_record

ABSENT = None  # a setting that one side does not have


@dataclass(frozen=True)
class Row:
    """One value of both sides, None if a side lacks it. part: run, settings, packages, environment or provenance."""

    part: str
    key: str
    a: Any
    b: Any

    @property
    def same(self) -> bool:
        return self.a == self.b


@dataclass(frozen=True)
class CurveRow:
    """A curve of both sides. If there are several scenarios, its name begins with "<scenario's number>/".

    first: the episodes at the first point that differs; None if all points are the same.
    """

    name: str
    points: tuple[int, int]
    first: int | None
    a: float | None  # the means at that point
    b: float | None


@dataclass(frozen=True)
class Difference:
    runs: tuple[str, str]
    rows: tuple[Row, ...]
    curves: tuple[CurveRow, ...]
    finals: tuple[tuple[float | None, float | None], ...]  # for each scenario
    numbers_hash: tuple[str, str]

    @property
    def same_numbers(self) -> bool:
        return self.numbers_hash[0] == self.numbers_hash[1]


def find(store: Store, name: str) -> Record:
    """A record, by its file's path, or by its run's id or the beginning of the id. Raises StoreError."""
    if name.endswith(".json"):
        if not os.path.isfile(name):
            raise StoreError(f"{name}: no such file; name a record's file, or a run's id")
        return read_record(Path(name))
    folder = store.root / "records"
    ids = sorted(path.stem for path in folder.glob("[!.]*.json"))
    matches = [id_ for id_ in ids if id_.startswith(name)]
    if len(matches) != 1:
        got = f"{len(matches)} of {len(ids)} runs start with" if matches else f"none of {len(ids)} runs starts with"
        mend = f"give more digits: {', '.join(matches[:5])}" if matches else "bench plan SUITE --json lists ids"
        raise StoreError(f'{folder}: {got} "{name}"; {mend}')
    return read_record(store.record_path(matches[0]))


def difference(a: Record, b: Record) -> Difference:
    """Everything that two records can be compared in, including equal values."""
    sides = [*zip_longest(a.numbers.scores, b.numbers.scores)]
    return Difference(
        runs=(a.run, b.run),
        rows=tuple(_rows(a, b)),
        curves=tuple(curve for i in range(len(sides)) for curve in _scenario_curves(sides, i)),
        finals=tuple((x.final if x else None, y.final if y else None) for x, y in sides),
        numbers_hash=(numbers_hash(a), numbers_hash(b)),
    )


def _scenario_curves(sides: Sequence[tuple[Scores | None, Scores | None]], i: int) -> Iterator[CurveRow]:
    first, second = ((side.curves if side else {}) for side in sides[i])
    yield from _curves(first, second, f"{i}/" if len(sides) > 1 else "")


def _rows(a: Record, b: Record) -> Iterator[Row]:
    for key in ("run", "cell", "suite", "suite_version", "experiment", "method", "training_set", "profile", "seed"):
        yield Row("run", key, getattr(a, key), getattr(b, key))
    for key in ("status", "reason", "remarks"):
        yield Row("run", key, getattr(a, key), getattr(b, key))
    for i, pair in enumerate(zip_longest(a.teachers, b.teachers)):
        for key in ("run", "weights"):
            yield Row("run", f"teachers[{i}].{key}", *(getattr(t, key) if t else ABSENT for t in pair))
    yield from _paired("settings", _flat(a.settings), _flat(b.settings))
    yield from _paired("packages", a.provenance.packages, b.provenance.packages)
    yield from _paired("environment", a.provenance.environment, b.provenance.environment)
    left, right = (r.provenance.model_dump(mode="json", exclude={"packages", "environment"}) for r in (a, b))
    yield from _paired("provenance", left, right)


def _paired(part: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Row]:
    for key in sorted({*a, *b}):
        yield Row(part, key, a.get(key, ABSENT), b.get(key, ABSENT))


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, list):
            value = {str(i): entry for i, entry in enumerate(value)}
        flat |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return flat


def _curves(a: Mapping[str, Curve], b: Mapping[str, Curve], before: str) -> Iterator[CurveRow]:
    for name in dict.fromkeys([*a, *b]):
        sides = [[*zip(c.episodes, c.mean, c.sd, c.n, strict=True)] if c else [] for c in (a.get(name), b.get(name))]
        left, right = sides
        shorter = min(len(left), len(right))
        at = next((i for i in range(shorter) if left[i] != right[i]), shorter)
        rest = [side[at] if at < len(side) else None for side in sides]
        first = next((point[0] for point in rest if point is not None), None)
        means = [point[1] if point is not None else None for point in rest]
        yield CurveRow(f"{before}{name}", (len(left), len(right)), first, means[0], means[1])
