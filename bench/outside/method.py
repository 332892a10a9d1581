"""A method from elsewhere, as a plan knows it: where its code is, a hash of that code, and what its author declares."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.explain import Problem, listed, nearest, shown

GROUP = "marl_distill_bench.methods"  # entry points
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Whole = Annotated[int, Field(ge=0)]
Value = bool | int | float | str


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Tuning(Strict):
    """What choosing the method's settings cost, and on which of these seeds it was done. Zeros where nothing was tuned.

    steps: environment steps of all tuning runs together.
    """

    runs: Whole
    steps: Whole
    seeds: Annotated[tuple[Whole, ...], Field(strict=False)]
    says: Text


class Declaration(Strict):
    """The table DECLARATION of a method's module. teacher: it learns from the suite's teachers, where there are any."""

    says: Text
    tuning: Tuning
    teacher: bool = False
    hyperparameters: dict[str, Value] = Field(default={})


class Outside(Strict):
    """A method from elsewhere.

    kind: "function" is `train(task)`, "learner" a class of the learner protocol. source: SHA-256 of its code.
    """

    name: str
    target: str
    kind: Literal["function", "learner"]
    source: str
    declaration: Declaration

    @property
    def algorithm(self) -> dict[str, Any]:
        """What of it stands in a cell's settings beside its hyperparameters."""
        declared = self.declaration.model_dump(mode="json", include={"says", "tuning"})
        return {"name": self.target, "version": 1, "kind": self.kind, "source": self.source, **declared}


class MethodRefused(Exception):
    """A method that cannot be compared: it is not there, declares nothing, or its code does not load."""

    def __init__(self, key: str, got: str, allowed: str, mend: str):
        self.problem = Problem(key, got, allowed, mend)
        super().__init__(str(self.problem))


def target_of(name: str) -> str:
    """`module:attribute`, or the name of an entry point of the group -> `module:attribute`. Raises MethodRefused."""
    module, colon, attribute = name.partition(":")
    if colon:
        if all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")]):
            return name
        raise MethodRefused("METHOD", shown(name), "module:function or module:Class", "e.g. my_pkg.my_method:train")
    known = {entry.name: entry.value for entry in metadata.entry_points(group=GROUP)}
    if name not in known:
        allowed = f"module:attribute, or an entry point of {GROUP}: {listed(known)}"
        raise MethodRefused("METHOD", shown(name), allowed, f"name one of them{nearest(name, known)}")
    return known[name]
