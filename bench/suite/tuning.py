"""How settings were chosen: a method whose settings were tried out has an advantage over one whose were not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field, model_validator

from bench.suite.base import Model, Source, Text

UNTUNED = "none"  # the word of a method whose settings were taken as they were
NOT_STATED = "not stated"  # of one of which the paper does not say


class Tuning(Model):
    """How a method's hyperparameters were chosen."""

    method: Text
    """How: "grid search over tau", say; "none" where nothing was tuned, "not stated" where that is not said."""
    trials: Annotated[int, Field(ge=0)] | None = None
    """Settings that were tried; left out where that is not stated."""
    selected_on: Text | None = None
    """Tasks and seeds that the choice was made on; left out where that is not stated."""
    source: Source

    @property
    def tuned(self) -> bool:
        """Whether anything was tried."""
        return self.stated and self.method != UNTUNED

    @property
    def stated(self) -> bool:
        """Whether it is known."""
        return self.method != NOT_STATED

    @model_validator(mode="after")
    def _tried(self) -> Tuning:
        if self.method in (UNTUNED, NOT_STATED) and (self.trials or self.selected_on):
            raise ValueError(f'method other than "{self.method}", or neither trials nor selected_on')
        return self

    def __str__(self) -> str:
        if not self.stated:
            return NOT_STATED
        trials = "of how many trials is not stated" if self.trials is None else f"{self.trials} trials"
        where = "on what is not stated" if self.selected_on is None else f"selected on {self.selected_on}"
        return f"{self.method}, {trials}, {where}"


def one_sided(methods: Mapping[str, Tuning | None]) -> Iterator[str]:
    """A line where some of the methods that are compared were tuned, and others were not or nothing is stated of them.

    methods: by name; None where nothing is stated.
    """
    tuned = [f"{name} ({own})" for name, own in methods.items() if own and own.tuned]
    not_tuned = [name for name, own in methods.items() if own and own.stated and not own.tuned]
    unknown = [name for name, own in methods.items() if own is None or not own.stated]
    if tuned and not_tuned:
        yield f"one side was tuned: {', '.join(tuned)}; not {', '.join(not_tuned)}"
    if tuned and unknown:
        yield f"tuning is stated of one side alone: {', '.join(tuned)}; not of {', '.join(unknown)}"
