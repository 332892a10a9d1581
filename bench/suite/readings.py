"""Readings: the same paper under another assumption, and where a paper and its authors' code contradict each other.

A suite as its file has it is the primary reading. It takes what the paper states; where the paper is silent, what its
authors' code does; then what it builds on; then an assumption. Every other reading is that suite with some changes.
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
MOST_ANALYSES = 1000  # that one entry may stand for


class Reading(Model):
    """What changes under it. An analysis changes how the primary reading's runs are read, and needs no run."""

    id: Name
    says: Says
    kind: ReadingKind
    """released: as the authors' code has it; assumption: one that could be made instead; analysis: of the same runs."""
    methods: dict[str, dict[str, Setting]] = Field(default={})
    """By method, hyperparameters with value and source; heirs have them too, unless they state them."""
    scenarios: dict[str, dict[str, Scalar]] = Field(default={})
    """By scenario, params."""
    metrics: dict[str, Metric] = Field(default={}, exclude_if=lambda value: not value)
    """By scenario, what else it is scored in."""
    anchors: dict[str, Anchors] = Field(default={})
    """By scenario, the scale that it has under these params, in that metric."""
    budget: dict[str, BudgetChange] = Field(default={})
    """By experiment, budget and recording."""
    measures: dict[str, dict[str, Any]] = Field(default={})
    """By measure, any of its keys: windows, levels, smoothing, holds."""
    margins: dict[str, Margin] = Field(default={})
    """By claim, another margin."""
    pinned: bool = False
    """Whether canaries and nights go on under it, whose numbers were stored before the primary reading changed."""
    vary: dict[str, dict[str, Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]]] = Field(default={})
    """By measure, lists of values for its keys: one analysis for each combination."""

    @model_validator(mode="after")
    def _changes(self) -> Reading:
        if self.id == PRIMARY:
            raise ValueError(f'id other than "{PRIMARY}", which is the file as it stands')
        runs = bool(self.methods or self.scenarios or self.metrics or self.budget)
        if not (runs or self.measures or self.margins or self.vary):
            raise ValueError("at least one of methods, scenarios, metrics, budget, measures, margins, vary")
        if runs and self.kind == "analysis":
            raise ValueError("analysis: measures, margins and vary alone; what needs other runs is no analysis")
        if unmoved := [id_ for id_ in self.anchors if id_ not in {**self.scenarios, **self.metrics}]:
            raise ValueError(
                f"anchors: of scenarios whose params or metric it changes; {', '.join(unmoved)} has those of the file"
            )
        if self.pinned and not runs:
            raise ValueError("pinned: a reading with runs of its own")
        if self.vary and self.kind != "analysis":
            raise ValueError("vary: allowed for an analysis alone")
        if self.count > MOST_ANALYSES:
            raise ValueError(f"vary: at most {MOST_ANALYSES} combinations")
        return self

    @property
    def count(self) -> int:
        """How many readings it stands for."""
        total = 1
        for _, _, values in self._varied():
            total *= len(values)
        return total

    def each(self) -> Iterator[Reading]:
        """The readings that it stands for: itself, or one for each combination of what varies."""
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
        """What it changes, by the key in the file, as text."""
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
    """Where the paper says one thing and its authors' code does another. The paper's is primary."""

    id: Name
    where: Where
    code: Annotated[Text, Field(pattern=CODE_PLACE)]
    """Repository, commit, path and line: OWNER/NAME@COMMIT:PATH:LINE."""
    says: Says
    keys: Ids = ()
    """What it is about in this file: methods, scenarios, experiments, claims."""


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_told(own)}" for key, own in value.items())
    if isinstance(value, list | tuple):
        return " to ".join(map(_told, value))
    return str(value)


def own_choices(
    measures: Iterable[Measure], others: Iterable[Iterable[tuple[str, str]]]
) -> tuple[tuple[str, str], ...]:
    """What a suite itself has for each key of its measures for which its readings choose different values.

    others: the choices of each reading, keys as `Reading.choices` has them.
    """
    values: dict[str, set[str]] = {}
    for key, value in itertools.chain.from_iterable(others):
        values.setdefault(key, set()).add(value)
    own = {m.id: m.model_dump(exclude_none=True) for m in measures}
    parts = {key: key.rpartition(".") for key, found in values.items() if len(found) > 1}
    return tuple((key, _told(own[id_][name])) for key, (id_, _, name) in parts.items() if name in own.get(id_, {}))
