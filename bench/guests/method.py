"""A method from elsewhere, for plans: where its code is, a hash of that code, and its author's declaration."""

from __future__ import annotations

import math
from importlib import metadata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bench.plan import Entrant
from bench.suite import Tuning as Tuned
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.tuning import UNTUNED

GROUP = "marl_distill_bench.methods"  # entry points
EARLY = "stopped early: used"  # beginning of the remark on a training function that did not use its whole budget
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Whole = Annotated[int, Field(ge=0)]


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("true or false, a whole number, a finite number or text")


Value = Annotated[bool | int | float | str, BeforeValidator(_scalar)]  # one message instead of one for each type


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Tuning(Strict):
    """The cost of choosing the method's settings, and the seeds used for it. Zeros if nothing was tuned.

    steps: environment steps of all tuning runs together.
    """

    runs: Whole
    steps: Whole
    seeds: Annotated[tuple[Whole, ...], Field(strict=False)]
    says: Text

    @property
    def of_a_suite(self) -> Tuned:
        """The same in the form that a suite uses for its own methods."""
        source = "its author's declaration"
        if not self.runs:
            return Tuned(method=UNTUNED, source=source)
        seeds = f"seeds {', '.join(map(str, self.seeds))}" if self.seeds else None
        return Tuned(method=self.says, trials=self.runs, selected_on=seeds, source=source)


class Declaration(Strict):
    """The table DECLARATION of a method's module. teacher: whether it learns from the suite's teachers, if any."""

    says: Text
    tuning: Tuning
    teacher: bool = False
    hyperparameters: dict[str, Value] = Field(default={})


class Guest(Strict):
    """A method from elsewhere.

    kind: "function" for `train(task)`, "learner" for a class of the learner protocol. source: SHA-256 of its code.
    """

    name: str
    target: str
    kind: Literal["function", "learner"]
    source: str
    declaration: Declaration

    @property
    def entrant(self) -> Entrant:
        """Its form in a plan."""
        declared = self.declaration.model_dump(mode="json", include={"says", "tuning"})
        return Entrant(
            name=self.name,
            algorithm={"name": self.target, "version": 1, "kind": self.kind, "source": self.source, **declared},
            hyperparameters=self.declaration.hyperparameters,
            teacher=self.declaration.teacher,
        )


class MethodRefused(Exception):
    """A method that cannot be compared: it or its declaration is missing or wrong, or its code does not load."""

    def __init__(self, *problems: Problem):
        self.problems = list(problems)
        super().__init__("\n".join(map(str, problems)))


def target_of(name: str) -> str:
    """`module:attribute`, or the name of an entry point of the group -> `module:attribute`. Raises MethodRefused."""
    module, colon, attribute = name.partition(":")
    if colon:
        if all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")]):
            return name
        mend = "e.g. my_pkg.my_method:train"
        raise MethodRefused(Problem("METHOD", shown(name), "module:function or module:Class", mend))
    known = {entry.name: entry.value for entry in metadata.entry_points(group=GROUP)}
    if name not in known:
        allowed = f"module:attribute, or an entry point of {GROUP}: {listed(known)}; or imported:NAME"
        mend = f"name one of them{nearest(name, known)}"
        if not known:
            allowed, mend = (
                "module:attribute, or imported:NAME",
                "no installed package has methods; name it module:attribute",
            )
        raise MethodRefused(Problem("METHOD", shown(name), allowed, mend))
    return known[name]
