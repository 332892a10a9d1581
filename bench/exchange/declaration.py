"""The declaration that results from elsewhere need: a TOML file, by default beside the results."""

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
Given = Literal["method", "scenario", "seed"]  # a file need not state these
MOST_OPEN = 3  # with more, matching a path that does not fit may take for ever


class Declaration(Model):
    """The protocol of somebody else's runs. Every key without a default must be there.

    metric: the suite's. metric_in_file: the file's name for it. factor: turns the file's values into the suite's metric
    (0.01 for percent). final: whether the final score is the file's own final evaluation or its curve's last point.
    final_is: what the file's own final value is; asked if it looks like the best single episode. steps: whether a step
    of the file is one of the environment or one of an agent. scenarios: the suite's name for each of the file's names
    ("environment/task" in marl-eval's files); not needed if the file uses the suite's names. columns: of CSV logs, the
    file's name for each of our names; a row without a mean is then skipped. fixed: values that hold for all files but
    are not in them. path: pattern of the files in a folder, e.g. "{method}/seed_{seed}/progress.csv"; values in the
    path take precedence over those in the files.
    """

    source: Text  # where the file is from: address, commit, paper
    environment: Text  # its name and version
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
        """Whether a final score is the best single episode, not a mean."""
        return self.final == "final" and self.final_is == "best_episode"

    @property
    def column(self) -> str:
        """The file's name for the metric."""
        return self.metric_in_file or self.metric

    @field_validator("path")
    @classmethod
    def _with_known_names(cls, path: str | None) -> str | None:
        named = re.findall(r"\{(.*?)\}", path or "")
        if not {*named} <= {*get_args(Given)} or len({*named}) < len(named):
            raise ValueError("a path with {method}, {scenario} and {seed}, each at most once, and * for any text")
        parts = (path or "").split("/")
        if parts.count("**") > 1 or any(len(re.findall(r"\*|\{\w+\}", part)) > MOST_OPEN for part in parts):
            raise ValueError(
                f"a path with **/ at most once, and at most {MOST_OPEN} of * and {{names}} between slashes"
            )
        return path

    @field_validator("columns")
    @classmethod
    def _one_meaning(cls, columns: dict[str, str]) -> dict[str, str]:
        if len({*columns.values()}) < len(columns):
            raise ValueError("each column of the file under only one of our names")
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
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or huge numbers or nesting
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
    how = f"{d.protocol}, {d.evaluation_episodes} episodes per evaluation, {d.final_evaluation_episodes} at the end"
    how += ", the final score being the best single one" if d.best_episode else ""
    return f"{METRICS.get(d.metric, d.metric)}; {how}; {d.steps} steps; {d.environment}; from {d.source}"
