"""What must be said about results from elsewhere before they are taken: a TOML file, by default beside the results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError, field_validator

from bench.exchange import ExchangeError
from bench.suite import METRICS, Id, Metric, Model, Text
from bench.suite.base import Count, Protocol
from bench.suite.explain import Problem, explain, unprintable
from bench.suite.foreign import read_bytes
from bench.suite.loading import MOST_BYTES, toml

Seed = Annotated[int, Field(ge=0)]
Given = Literal["method", "scenario", "seed"]  # what a file need not say
MOST_OPEN = 3  # with more, to match a path that does not fit may take for ever


class Declaration(Model):
    """The protocol of somebody else's runs. Every key without a default must be there.

    metric: of the suite. metric_in_file: what the file calls it. factor: what its values are multiplied by to be in the
    suite's metric (0.01 for percent). final: whether the final score is the file's own final evaluation or the last of
    its curve. final_is: what the file's own final value is, asked where it looks like the best single episode. steps:
    whether a step of the file is one of the environment or one of an agent. scenarios: by the file's names
    ("environment/task" in marl-eval's), the suite's; a file that uses the suite's names needs none. columns: of CSV
    logs, by our name the file's; a row without a mean is then passed over. fixed: what holds of all files and none
    says. path: of the files in a folder, e.g. "{method}/seed_{seed}/progress.csv"; what stands there goes before what
    the files say.
    """

    source: Text  # where the file is from: address, commit, paper
    environment: Text  # name and version of what it was run in
    metric: Metric
    metric_in_file: Text | None = None
    factor: Annotated[float, Field(gt=0)] = 1.0
    protocol: Protocol
    evaluation_episodes: Count
    final_evaluation_episodes: Count
    final: Literal["final", "last"]
    final_is: Literal["mean", "best_episode"] | None = None
    steps: Literal["environment", "agent"]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]  # of independent trainings
    scenarios: dict[str, Id] = Field(default={})
    columns: dict[Literal["method", "scenario", "seed", "point", "steps", "mean", "n"], Text] = Field(default={})
    fixed: dict[Given, Text] = Field(default={})
    path: Text | None = None

    @property
    def best_episode(self) -> bool:
        """Whether a final score is the best single episode, which is no mean of any."""
        return self.final == "final" and self.final_is == "best_episode"

    @property
    def column(self) -> str:
        """What the file calls the metric."""
        return self.metric_in_file or self.metric

    @field_validator("path")
    @classmethod
    def _with_known_names(cls, path: str | None) -> str | None:
        named = re.findall(r"\{(.*?)\}", path or "")
        if not {*named} <= {*get_args(Given)} or len({*named}) < len(named):
            raise ValueError("a path with {method}, {scenario} and {seed} in it, each once at most, and * for any text")
        parts = (path or "").split("/")
        if parts.count("**") > 1 or any(len(re.findall(r"\*|\{\w+\}", part)) > MOST_OPEN for part in parts):
            raise ValueError(
                f"a path with **/ once at most, and at most {MOST_OPEN} of * and {{names}} between slashes"
            )
        return path

    @field_validator("columns")
    @classmethod
    def _one_meaning(cls, columns: dict[str, str]) -> dict[str, str]:
        if len({*columns.values()}) < len(columns):
            raise ValueError("each column of the file under one name of ours")
        return columns

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len({*seeds}) < len(seeds):
            raise ValueError("each seed once")
        return seeds


def read_declaration(path: Path) -> Declaration:
    """Raises ExchangeError."""
    try:
        tables = toml(read_bytes(path, MOST_BYTES).decode("utf-8-sig"))
    except OSError as error:
        mend = "write it (docs/formats.md), or name it with --protocol FILE"
        allowed = "the protocol of the results, as TOML"
        raise ExchangeError(path, [Problem("(file)", error.strerror or str(error), allowed, mend)]) from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or numbers and nesting beyond measure
        raise ExchangeError(path, [Problem("(file)", str(error), "TOML 1.0", "correct that line")]) from None
    if problems := list(unprintable(tables)):
        raise ExchangeError(path, problems)
    try:
        return Declaration.model_validate(tables)
    except ValidationError as error:
        raise ExchangeError(path, explain(error, tables, {"": list(Declaration.model_fields)})) from None


def in_words(declared: Declaration) -> str:
    """One line, for people."""
    d = declared
    how = f"{d.protocol}, {d.evaluation_episodes} episodes an evaluation, {d.final_evaluation_episodes} at the end"
    how += ", of which the best single one is the final score" if d.best_episode else ""
    return f"{METRICS.get(d.metric, d.metric)}; {how}; {d.steps} steps; {d.environment}; from {d.source}"
