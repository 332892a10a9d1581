"""How settings were chosen: a method with tuned settings has an advantage over one without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field, model_validator

from bench.suite.base import Model, Source, Text

UNTUNED = "none"  # nothing was tuned
NOT_STATED = "not stated"  # the paper does not say


class Tuning(Model):
    """How a method's hyperparameters were chosen."""

    method: Text
    """E.g. "grid search over tau"; "none" if nothing was tuned, "not stated" if the paper does not say."""
    trials: Annotated[int, Field(ge=0)] | None = None
    """The number of settings that were tried; left out if not stated."""
    selected_on: Text | None = None
    """The tasks and seeds that the choice was made on; left out if not stated."""
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
            raise ValueError(f'a method other than "{self.method}", or neither trials nor selected_on')
        return self

    def __str__(self) -> str:
        if not self.stated:
            return NOT_STATED
        trials = "number of trials not stated" if self.trials is None else f"{self.trials} trials"
        where = "selected on: not stated" if self.selected_on is None else f"selected on {self.selected_on}"
        return f"{self.method}, {trials}, {where}"


def one_sided(methods: Mapping[str, Tuning | None]) -> Iterator[str]:
    """A line if some of the compared methods were tuned while others were not; one if nothing is stated of others.

    methods: by name; None if nothing is stated.
    """
    tuned = [f"{name} ({own})" for name, own in methods.items() if own and own.tuned]
    not_tuned = [name for name, own in methods.items() if own and own.stated and not own.tuned]
    unknown = [name for name, own in methods.items() if own is None or not own.stated]
    if tuned and not_tuned:
        yield f"one side was tuned: {', '.join(tuned)}; not {', '.join(not_tuned)}"
    if tuned and unknown:
        yield f"tuning is stated for one side only: {', '.join(tuned)}; not for {', '.join(unknown)}"
