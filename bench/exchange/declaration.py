"""What must be said about results from elsewhere before they are taken: a TOML file, by default beside the results."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from bench.exchange import ExchangeError
from bench.explain import Problem, explain
from bench.suite import METRICS, Id, Model, Text
from bench.suite.base import Count, Protocol

Seed = Annotated[int, Field(ge=0)]


class Declaration(Model):
    """The protocol of somebody else's runs. Every key without a default must be there.

    metric: of the suite. metric_in_file: what the file calls it. factor: what its values are multiplied by to be in the
    suite's metric (0.01 for percent). final: whether the final score is the file's own final evaluation or the last of
    its curve. steps: whether a step of the file is one of the environment or one of an agent. scenarios: by the file's
    names ("environment/task" in marl-eval's), the suite's; a file that uses the suite's names needs none.
    """

    source: Text  # where the file is from: address, commit, paper
    environment: Text  # name and version of what it was run in
    metric: Literal["step_reward", "return", "return_sum", "win_rate", "ndcg"]
    metric_in_file: Text | None = None
    factor: Annotated[float, Field(gt=0)] = 1.0
    protocol: Protocol
    evaluation_episodes: Count
    final_evaluation_episodes: Count
    final: Literal["final", "last"]
    steps: Literal["environment", "agent"]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, strict=False)]  # of independent trainings
    scenarios: dict[str, Id] = Field(default={})

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len({*seeds}) < len(seeds):
            raise ValueError("each seed once")
        return seeds


def read_declaration(path: Path) -> Declaration:
    """Raises ExchangeError."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        mend = "write it (docs/formats.md), or name it with --protocol FILE"
        allowed = "the protocol of the results, as TOML"
        raise ExchangeError(path, [Problem("(file)", error.strerror or str(error), allowed, mend)]) from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or numbers and nesting beyond measure
        raise ExchangeError(path, [Problem("(file)", str(error), "TOML 1.0", "correct that line")]) from None
    try:
        return Declaration.model_validate(tables)
    except ValidationError as error:
        raise ExchangeError(path, explain(error, tables, {"": list(Declaration.model_fields)})) from None


def in_words(declared: Declaration) -> str:
    """One line, for people."""
    d = declared
    how = f"{d.protocol}, {d.evaluation_episodes} episodes an evaluation, {d.final_evaluation_episodes} at the end"
    return f"{METRICS[d.metric]}; {how}; {d.steps} steps; {d.environment}; from {d.source}"
