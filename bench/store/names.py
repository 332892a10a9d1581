"""Whether a record's method fits its settings: a record may carry another method's name.

Names are not part of a run's id, so no hash shows it. The suite does: it says which method has which settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from baselines.specs import ALGORITHMS
from bench.output.escaping import visible
from bench.plan import guest, hashed_hyperparameters
from bench.store.records import Record
from bench.suite import PRIMARY, Suite
from bench.suite.loading import load
from bench.suite.shipped import available

Settings = Mapping[str, Any]  # hyperparameters by name


@dataclass(frozen=True)
class Names:
    """The names of a suite's methods. primary: the suite under its primary reading, which decides the settings."""

    suite: Suite
    primary: bool = True
    _told: dict[tuple[Any, ...], str] = field(default_factory=dict)  # by all that the answer depends on

    def wrong(self, record: Record) -> str:
        """Why a record cannot be a run of the method that it names; "" if it can, or if this suite cannot tell.

        Not checked are runs of other suites, since two suites may share a run; settings that `--set` changed; and names
        that an earlier version of the suite may have had.
        """
        if record.suite != self.suite.id:
            return ""
        changed = any(note.class_ == "changed" for note in record.notes)
        key = record.cell, record.method, record.suite_version, changed
        if key not in self._told:
            why = self._wrong(record.method, record.settings, record.suite_version, changed)
            self._told[key] = why and f"method: got {visible(record.method)}; {why}"
        return self._told[key]

    def _wrong(self, method: str, settings: Mapping[str, Any], version: int, changed: bool) -> str:
        known = {m.id: m.algorithm for m in self.suite.method}
        algorithm = settings.get("algorithm")
        if not isinstance(algorithm, dict):
            return ""
        if guest(settings):
            return (
                "its settings are those of a method from elsewhere, but the suite has a method of that name"
                if method in known
                else ""
            )
        if method not in known:
            if version != self.suite.version:
                return ""
            return f"allowed: a method of the suite {self.suite.id}, version {version}"
        if known[method] != (name := algorithm.get("name")):
            return f"its settings are of the algorithm {visible(str(name))}; allowed: {known[method]}, as in the suite"
        own = settings.get("hyperparameters")
        if changed or not self.primary or self._has(method, own):
            return ""
        owners = [id_ for id_, of in known.items() if of == name and self._has(id_, own)]
        return f"its settings are those of {', '.join(owners)}" if owners else ""

    def _has(self, method: str, hyperparameters: Any) -> bool:
        """Whether the suite gives a method these hyperparameters under any reading."""
        return any(own == hyperparameters for own in self._of(method))

    def _of(self, method: str) -> Iterator[Settings]:
        """A method's hyperparameters as they stand in settings, under each reading and on each scenario."""
        for reading in (PRIMARY, *(r.id for r in self.suite.reading if r.methods)):
            suite = self.suite.under(reading)
            algorithm = ALGORITHMS.get(suite["method", method].algorithm)
            if algorithm is None:
                continue
            for settings in suite.variants(method).values():
                try:
                    stated = {name: setting.value for name, setting in settings.items()}
                    yield hashed_hyperparameters(algorithm.hyperparameters, stated)
                except ValidationError:  # a method that waits for something
                    continue


def of_shipped() -> Callable[[Record], str]:
    """`Names.wrong` for all suites that come with the package. Each is read when a record first names it."""
    known: dict[str, Names] = {}

    def wrong(record: Record) -> str:
        if record.suite not in known and record.suite in available():
            known[record.suite] = Names(load(record.suite))
        return known[record.suite].wrong(record) if record.suite in known else ""

    return wrong
