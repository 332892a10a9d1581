"""Readings: the same paper under another assumption. Conflicts: where a paper and its authors' code disagree.

The suite as it stands in its file is the primary reading. It follows the paper. Where the paper is silent, it follows
the authors' code; then the code that the paper builds on; then an assumption. Every other reading is that suite with
some changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from bench.suite.base import CODE_PLACE, Ids, Model, Name, Says, Scalar, Text, Where
from bench.suite.budgets import BudgetChange
from bench.suite.measures import Margin, Measure
from bench.suite.metrics import Metric
from bench.suite.parts import Anchors, Setting

PRIMARY = "primary"
ReadingKind = Literal["released", "assumption", "analysis"]
MOST_ANALYSES = 1000  # from one entry


class Reading(Model):
    """A change of the primary reading. An analysis only reads the primary reading's runs in another way."""

    id: Name
    says: Says
    kind: ReadingKind
    """released: what the authors' code does; assumption: another possible one; analysis: reads the same runs."""
    methods: dict[str, dict[str, Setting]] = Field(default={})
    """By method, hyperparameters with value and source. Methods that extend it inherit them unless they state them."""
    scenarios: dict[str, dict[str, Scalar]] = Field(default={})
    """By scenario, params."""
    metrics: dict[str, Metric] = Field(default={}, exclude_if=lambda value: not value)
    """By scenario, another metric."""
    anchors: dict[str, Anchors] = Field(default={})
    """By scenario, its scale under these params and in that metric."""
    budget: dict[str, BudgetChange] = Field(default={})
    """By experiment, budget and recording."""
    measures: dict[str, dict[str, Any]] = Field(default={})
    """By measure, any of its keys: windows, levels, smoothing, holds."""
    margins: dict[str, Margin] = Field(default={})
    """By claim, another margin."""
    pinned: bool = False
    """Whether canaries and nightly runs use it, since their numbers were stored before the primary reading changed."""
    vary: dict[str, dict[str, Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]]] = Field(default={})
    """By measure, lists of values for its keys: one analysis for each combination."""

    @model_validator(mode="after")
    def _changes(self) -> Reading:
        if self.id == PRIMARY:
            raise ValueError(f'an id other than "{PRIMARY}", which means the file as it stands')
        runs = bool(self.methods or self.scenarios or self.metrics or self.budget)
        if not (runs or self.measures or self.margins or self.vary):
            raise ValueError("at least one of methods, scenarios, metrics, budget, measures, margins, vary")
        if runs and self.kind == "analysis":
            raise ValueError("analysis: only measures, margins and vary; a reading with other runs is not an analysis")
        if unmoved := [id_ for id_ in self.anchors if id_ not in {**self.scenarios, **self.metrics}]:
            raise ValueError(
                f"anchors: only for scenarios whose params or metric it changes; {', '.join(unmoved)} keeps the file's"
            )
        if self.pinned and not runs:
            raise ValueError("pinned: a reading with runs of its own")
        if self.vary and self.kind != "analysis":
            raise ValueError("vary: only for an analysis")
        if self.count > MOST_ANALYSES:
            raise ValueError(f"vary: at most {MOST_ANALYSES} combinations")
        return self

    @property
    def count(self) -> int:
        """How many readings it expands to."""
        total = 1
        for _, _, values in self._varied():
            total *= len(values)
        return total

    def each(self) -> Iterator[Reading]:
        """The readings that it expands to: itself, or one for each combination of the values in `vary`."""
        if not self.vary:
            yield self
            return
        varied = [*self._varied()]
        for number, combination in enumerate(itertools.product(*(values for *_, values in varied)), start=1):
            measures = {id_: dict(own) for id_, own in self.measures.items()}
            for (measure, key, _), value in zip(varied, combination, strict=True):
                measures.setdefault(measure, {})[key] = value
            chosen = ", ".join(f"{key} {_told(v)}" for (_, key, _), v in zip(varied, combination, strict=True))
            yield self.model_copy(
                update={"id": f"{self.id}/{number}", "says": f"{self.says}: {chosen}", "measures": measures, "vary": {}}
            )

    @property
    def choices(self) -> dict[str, str]:
        """The values that it changes, as text, by their key in the file."""
        settings = {f"{m}.{key}": _told(s.value) for m, own in self.methods.items() for key, s in own.items()}
        params = {f"{s}.{key}": _told(value) for s, own in self.scenarios.items() for key, value in own.items()}
        budgets = {
            f"{e}.{key}": _told(value)
            for e, own in self.budget.items()
            for key, value in own.model_dump(exclude_none=True).items()
        }
        measures = {f"{m}.{key}": _told(value) for m, own in self.measures.items() for key, value in own.items()}
        margins = {f"{c}.margin": _told(own.model_dump(exclude_none=True)) for c, own in self.margins.items()}
        scored = {f"{s}.metric": metric for s, metric in self.metrics.items()}
        return settings | params | scored | budgets | measures | margins

    def _varied(self) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
        for measure, own in self.vary.items():
            for key, values in own.items():
                yield measure, key, values


class Conflict(Model):
    """A place where the paper says one thing and its authors' code does another. The paper's version is primary."""

    id: Name
    where: Where
    code: Annotated[Text, Field(pattern=CODE_PLACE)]
    """Repository, commit, path and line: OWNER/NAME@COMMIT:PATH:LINE."""
    says: Says
    keys: Ids = ()
    """The methods, scenarios, experiments and claims of this file that it concerns."""


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_told(own)}" for key, own in value.items())
    if isinstance(value, list | tuple):
        return " to ".join(map(_told, value))
    return str(value)


def own_choices(
    measures: Iterable[Measure], others: Iterable[Iterable[tuple[str, str]]]
) -> tuple[tuple[str, str], ...]:
    """The suite's own value for each key of a measure that its readings vary.

    others: the choices of each reading, by the keys of `Reading.choices`.
    """
    values: dict[str, set[str]] = {}
    for key, value in itertools.chain.from_iterable(others):
        values.setdefault(key, set()).add(value)
    own = {m.id: m.model_dump(exclude_none=True) for m in measures}
    parts = {key: key.rpartition(".") for key, found in values.items() if len(found) > 1}
    return tuple((key, _told(own[id_][name])) for key, (id_, _, name) in parts.items() if name in own.get(id_, {}))
