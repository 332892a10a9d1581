"""What every part of a suite file is made of: the strict model, and the types of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from bench.explain import Problem

_ID = r"[A-Za-z0-9][A-Za-z0-9_./-]*"
Id = Annotated[str, Field(pattern=rf"^{_ID}$")]
QUANTITY = rf"{_ID}(@{_ID})?:[A-Za-z0-9_]+"  # "method:measure", or "method@experiment:measure" of another experiment
Quantity = Annotated[str, Field(pattern=rf"^{QUANTITY}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Ids = Annotated[tuple[Id, ...], Field(strict=False)]
SomeIds = Annotated[tuple[Id, ...], Field(min_length=1, strict=False)]
Name = Annotated[Id, Field(description="Its name, by which other entries refer to it.")]
Where = Annotated[Text, Field(description="Where it stands in the paper: section, table, figure.")]
Says = Annotated[Text, Field(description="What it is, in our own words.")]
Source = Annotated[Text, Field(description="Place in the paper, repository with commit, or why it is assumed.")]
Waits = Annotated[Text | None, Field(description="What is missing before it can run here.")]
Kind = Annotated[
    Literal["stated", "inherited", "assumed"],
    Field(description="stated: the paper prints it; inherited: from the code it builds on; assumed: ours."),
]
Protocol = Literal["training", "greedy", "best_member"]
Scalar = str | bool | int | float


class SuiteError(Exception):
    """A suite file, or a request about one, that cannot be meant. One message for all problems of a file."""

    def __init__(self, source: str | Path, problems: list[Problem]):
        self.source, self.problems = str(source), problems
        super().__init__("\n".join([f"{source}: {len(problems)} problem(s)", *map(str, problems)]))


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, but what was derived from the fields and kept is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del vars(copied)[name]
        return copied
