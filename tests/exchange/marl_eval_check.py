"""marl-eval's requirements on a file, from its documentation: README.md and docs/json_tooling_usage.md of
instadeepai/marl-eval at 068d960 and 14d6ef3, and what its release 0.0.4 was seen to refuse or misread.

Its package does not install on Python 3.11.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

Runs = dict[str, dict[str, dict[str, Any]]]


def problems(tree: dict[str, Any]) -> list[str]:
    """Everything that its data processing would stumble over."""
    found = [f"key {key!r} is not lower case" for key in _keys(tree) if key != key.lower()]
    for environment, tasks in tree.items():
        found += [f"{environment}: {problem}" for problem in _environment(tasks)]
    return found


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from _keys(value)


def _environment(tasks: dict[str, dict[str, Runs]]) -> Iterator[str]:
    """Algorithms, runs, steps and metrics must be the same everywhere; absolute metrics come last."""
    algorithms = {tuple(own) for own in tasks.values()}
    if len(algorithms) > 1:
        yield "tasks differ in algorithms"
    if any("," in algorithm for own in algorithms for algorithm in own):
        yield "a comma in an algorithm's name"
    every = [runs for own in tasks.values() for runs in own.values()]
    if len({tuple(runs) for runs in every}) > 1:
        yield "algorithms differ in runs"
    if len({tuple(steps) for runs in every for steps in runs.values()}) > 1:
        yield "runs differ in steps"
    metrics = set()
    for runs in every:
        for steps in runs.values():
            yield from _run(steps)
            metrics |= {tuple(key for key in step if key != "step_count") for step in steps.values()}
    if len(metrics) > 1:
        yield f"steps differ in metrics: {sorted(metrics)}"


def _run(steps: dict[str, dict[str, Any]]) -> Iterator[str]:
    names = list(steps)
    if len(names) < 2 or names[-1] != "absolute_metrics" or "absolute_metrics" in names[:-1]:
        yield "a run is its steps, then absolute_metrics"
    if names[:-1] != [f"step_{i}" for i in range(len(names) - 1)]:
        yield "steps are step_0, step_1, ... in that order"
    counts = [steps[name].get("step_count") for name in names[:-1]]
    whole = [count for count in counts if type(count) is int]
    if whole != counts or whole != sorted({*whole}):
        yield f"step_count must be whole numbers that rise: {counts}"
    for step in steps.values():
        for metric, values in step.items():
            if metric != "step_count" and not (
                isinstance(values, list) and values and all(math.isfinite(v) for v in values)
            ):
                yield f"{metric}: a list of numbers, got {values!r}"


def absolute_matrices(tree: dict[str, Any], environment: str, metric: str) -> dict[str, np.ndarray]:
    """The matrices [run, task] of mean absolute metrics that it hands to rliable, by algorithm."""
    tasks = tree[environment]
    first = next(iter(tasks.values()))
    return {
        algorithm: np.array(
            [[np.mean(task[algorithm][run]["absolute_metrics"][metric]) for task in tasks.values()] for run in runs]
        )
        for algorithm, runs in first.items()
    }
