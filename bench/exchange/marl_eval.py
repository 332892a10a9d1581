"""marl-eval's JSON: {environment: {task: {algorithm: {run: {step: values}}}}}.

Source: README.md of instadeepai/marl-eval at 068d960, and the code of its release 0.0.4. A run has "step_0", "step_1",
... with "step_count" in environment steps and a list of values for each metric, and "absolute_metrics" with only the
lists. Within an environment, marl-eval's own tools need the same algorithms, runs, numbers of steps and metrics
everywhere, and they read steps in the file's order. We write no "elapsed_time": the absolute metrics lack it, so
marl-eval's check of the data would report unequal metrics. Its normalisation uses the least and the greatest value in
the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.exchange import ExchangeError
from bench.exchange.candidates import Candidate, Point, Refusal, Refused, number, place_of, whole
from bench.exchange.grid import Grid
from bench.plan import COMMAND_LINE
from bench.stats.estimates import StatisticsError
from bench.suite import Scenario
from bench.suite.explain import Problem, shown

ABSOLUTE = "absolute_metrics"
LEVELS = ("environments", "tasks", "algorithms", "runs", "steps")


class Doubled:
    """Replaces the value of a key that an object has twice: it is unclear which value is meant."""


def to_json(grid: Grid) -> dict[str, Any]:
    """A grid in marl-eval's layout: environments are families, tasks are scenarios. Raises ExchangeError.

    Every list has one element, the mean over the evaluation's episodes. The absolute metrics are the final evaluation.
    """
    _require_one_metric(grid.scenarios)
    _require_distinct("method", grid.methods)
    _require_distinct("scenario", [s.id for s in grid.scenarios])
    found: dict[str, Any] = {}
    lengths: dict[str, dict[int, str]] = {}
    for s in grid.scenarios:
        task = found.setdefault(s.family.lower(), {})[s.id.lower()] = {}
        for method in grid.methods:
            runs = {f"seed_{seed}": _run(grid, method, s, seed) for seed in grid.seeds}
            task[method.lower()] = runs
            for run in runs.values():
                lengths.setdefault(s.family, {})[len(run) - 1] = f"{method} on {s.id}"
    for family, found_lengths in lengths.items():
        if len(found_lengths) > 1:
            got = "; ".join(f"{count} in {place}" for count, place in found_lengths.items())
            mend = "name experiments of one budget with --only"
            problem = Problem(f"evaluations in {family}", got, "the same number in every run", mend)
            raise ExchangeError(COMMAND_LINE, [problem])
    return found


def _run(grid: Grid, method: str, scenario: Scenario, seed: int) -> dict[str, Any]:
    row = grid.rows[method, scenario.id, seed]
    curve = row.score.scores.curves.get("evaluation")
    try:
        _, means = row.score.series("evaluation")
        final = row.score.final
    except StatisticsError as undefined:
        problem = Problem(row.place, str(undefined), "finite evaluations", "exclude the seed with --seeds")
        raise ExchangeError(COMMAND_LINE, [problem]) from None
    steps = curve.steps if curve else ()
    points = {
        f"step_{i}": {"step_count": count, scenario.metric: [mean]}
        for i, (count, mean) in enumerate(zip(steps, means.tolist(), strict=True))
    }
    return points | {ABSOLUTE: {scenario.metric: [final]}}


def _require_one_metric(scenarios: Sequence[Scenario]) -> None:
    """Raise ExchangeError if a family has several metrics: marl-eval reads all tasks by the metrics of the first."""
    metrics: dict[str, dict[str, str]] = {}
    for s in scenarios:
        metrics.setdefault(s.family, {})[s.metric] = s.id
    for family, named in metrics.items():
        if len(named) > 1:
            got = "; ".join(f"{metric} in {id_}" for metric, id_ in named.items())
            mend = "name experiments of one metric with --only"
            raise ExchangeError(COMMAND_LINE, [Problem(f"metric in {family}", got, "one metric per family", mend)])


def _require_distinct(kind: str, names: Sequence[str]) -> None:
    counts = Counter(name.lower() for name in names)
    if doubled := [name for name in names if counts[name.lower()] > 1]:
        allowed = "names that differ in lower case, which marl-eval reads"
        problem = Problem(kind, ", ".join(doubled), allowed, "name experiments with --only that have one of them")
        raise ExchangeError(COMMAND_LINE, [problem])


def to_bytes(found: dict[str, Any]) -> bytes:
    """The JSON as bytes. Keys keep their order: step_10 comes after step_9."""
    return json.dumps(found, indent=1, allow_nan=False).encode() + b"\n"


def parse(content: bytes, source: str | Path, metric: str, final: bool = True) -> tuple[list[Candidate], list[Refused]]:
    """The runs of a marl-eval file, and its refused parts. Raises ExchangeError.

    metric: its name in the file. final: whether to read absolute metrics.
    """
    try:
        tree = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        problem = Problem("(file)", f"not JSON: {error}", "marl-eval's JSON", "name the right file, or write it again")
        raise ExchangeError(source, [problem]) from None
    if not isinstance(tree, Mapping):
        allowed = "an object of environments, tasks, algorithms, runs, steps"
        raise ExchangeError(source, [Problem("(file)", shown(tree), allowed, "name the right file")])
    candidates: list[Candidate] = []
    refused: list[Refused] = []
    for names, found in _leaves(tree):
        try:
            candidates.append(_candidate(names, found, metric, final))
        except Refusal as why:
            refused.append(Refused(place=place_of(names), why=str(why)))
    return candidates, refused


def _without_doubles(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    return {key: value if counts[key] == 1 else Doubled() for key, value in pairs}


def _leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Names and value of every run, and of anything else in the place of a table of runs."""
    for name, value in tree.items():
        names = (*above, name)
        if len(names) < 4 and isinstance(value, Mapping):
            yield from _leaves(value, names)
        else:
            yield names, value


def _candidate(names: tuple[str, ...], run: Any, metric: str, asked: bool) -> Candidate:
    if isinstance(run, Doubled):
        raise Refusal("the key occurs more than once: it is unclear which one is meant")
    if not isinstance(run, Mapping):
        raise Refusal(f"got {shown(run)}; allowed: an object of {LEVELS[len(names)]}")
    environment, task, method, seed = names
    points, final = [], None
    for step, values in run.items():
        if step == ABSOLUTE and not asked:
            continue
        if not isinstance(values, Mapping):
            doubled = "the key occurs more than once" if isinstance(values, Doubled) else f"got {shown(values)}"
            raise Refusal(f"{step}: {doubled}; allowed: one object of metrics")
        if step == ABSOLUTE:
            final = _values(step, values, metric)
        else:
            steps = whole(f"{step}: step_count", values.get("step_count"))
            points.append(Point(steps, _values(step, values, metric)))
    return Candidate(place_of(names), method, f"{environment}/{task}", seed, tuple(points), final)


def _values(step: str, values: Mapping[str, Any], metric: str) -> tuple[float, ...]:
    found = values.get(metric)
    if not isinstance(found, list) or not found:
        known = ", ".join(name for name in values if name not in ("step_count", "elapsed_time")) or "none"
        raise Refusal(f"{step}: {metric}: got {shown(found)}; allowed: a list of numbers; metrics there: {known:.80}")
    return tuple(number(f"{step}: {metric}", value) for value in found)
