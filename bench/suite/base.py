"""Building blocks of every part of a suite file: the strict model, and the types of its keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.suite.explain import Problem, told
from bench.suite.patterns import CODE_PLACE, ID, TEXT
from bench.suite.patterns import QUANTITY as QUANTITY_WHOLE

Id = Annotated[str, Field(pattern=ID, max_length=100)]
QUANTITY = QUANTITY_WHOLE.strip("^$")
Quantity = Annotated[str, Field(pattern=QUANTITY_WHOLE)]
MOST = 1000  # entries of a list
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
LARGEST_COUNT = 2**53 - 1  # the largest whole number of JSON that every reader reads exactly
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
Text = Annotated[str, Field(min_length=1, pattern=TEXT)]
Ids = Annotated[tuple[Id, ...], Field(max_length=MOST, strict=False)]
SomeIds = Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST, strict=False)]
Name = Annotated[Id, Field(description="Its name, by which other entries refer to it.")]
Where = Annotated[Text, Field(description="Where it stands in the paper: section, table, figure.")]
Says = Annotated[Text, Field(description="What it is, in our own words.")]
Source = Annotated[Text, Field(description="Place in the paper, repository with commit, or why it is assumed.")]
Waits = Annotated[Text | None, Field(description="What is missing before it can run here.")]
Kind = Annotated[
    Literal["stated", "released", "inherited", "assumed"],
    Field(
        description="stated: the paper prints it; released: its authors' code has it; inherited: from code that "
        "the paper builds on; assumed: ours."
    ),
]
Protocol = Literal["training", "greedy", "best_member"]
Scalar = str | bool | int | float


class SuiteError(Exception):
    """A mistake in a suite file, or in a request about one. One message for all problems of a file."""

    def __init__(self, source: str | Path, problems: list[Problem]):
        self.source, self.problems = str(source), problems
        super().__init__(told(source, problems))


class Derived(BaseModel):
    """A model that caches values derived from its fields."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, but the copy starts without cached values."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del vars(copied)[name]
        return copied


class Model(Derived):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    example: ClassVar[str] = ""
    """An example of its table, if the required keys alone are not enough to write one."""


class Sourced(Model):
    """A model with a `source` and a `kind`."""

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if getattr(self, "kind", "") == "released" and not re.match(CODE_PLACE, getattr(self, "source", "")):
            raise ValueError("source that begins with OWNER/NAME@COMMIT:PATH:LINE, where kind is released")
        return self


def form(model: type[Model]) -> str:
    """How a model's table looks: its example, else its required keys."""
    required = {field.alias or name: field for name, field in model.model_fields.items() if field.is_required()}
    text = {name: '"..."' if field.annotation is str else "..." for name, field in required.items()}
    shown = [f"{name} = {value}" for name, value in text.items()]
    return model.example or f"{{ {', '.join(shown)} }}"


def forms() -> dict[str, str]:
    """How each model's table looks, by the model's name."""
    return {model.__name__: form(model) for model in (*Model.__subclasses__(), *Sourced.__subclasses__())}
