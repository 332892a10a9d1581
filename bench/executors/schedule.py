"""The order in which a plan's runs get to processes, for the executor and for estimates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from bench.executors.model import model_s
from bench.plan import Plan, Run

Shard = tuple[Run, ...]  # runs of one cell that train together in one process


def shards(plan: Plan, settled: set[str], jobs: int, lanes: int) -> list[Shard]:
    """Runs that are not settled, split over processes.

    lanes: seeds of a shard; 0: the cell's seeds split evenly over `jobs`.
    """
    left: dict[str, list[Run]] = {cell.key: [] for cell in plan.cells}
    for run in plan.runs:
        if run.id not in settled:
            left[run.cell].append(run)
    whole = [shard for cell in plan.cells for shard in _shards(left[cell.key], jobs, lanes)]
    students: Counter[str] = Counter(teacher for run in plan.runs for teacher in set(run.teachers))
    seconds = {cell.key: model_s(cell.settings) for cell in plan.cells if left[cell.key]}

    def urgency(shard: Shard) -> tuple[int, float]:
        """Teachers first, those of many students before those of few. Then the longest, so no long shard runs last."""
        return sum(students[run.id] for run in shard), len(shard) * seconds[shard[0].cell]

    return sorted(whole, key=urgency, reverse=True)


def makespan(plan: Plan, left: Mapping[str, float], begun: set[str], jobs: int, lanes: int, start_s: float) -> float:
    """Seconds until all runs in `left` (seconds by id) are done, in `jobs` processes that each take start_s to start.

    Shards that have begun come first. A student's shard waits until all its teachers are done.
    """
    waiting = shards(plan, {run.id for run in plan.runs} - left.keys(), jobs, lanes)
    waiting.sort(key=lambda shard: not any(run.id in begun for run in shard))
    running: list[tuple[float, Shard]] = []
    now, pending = 0.0, set(left)
    while waiting or running:
        ready = [s for s in waiting if all(pending.isdisjoint(run.teachers) for run in s)]
        for shard in ready[: jobs - len(running)]:
            waiting.remove(shard)
            running.append((now + start_s + sum(left[run.id] for run in shard), shard))
        now, ended = min(running, key=lambda item: item[0])
        running.remove((now, ended))
        pending -= {run.id for run in ended}
    return now


def _shards(runs: list[Run], jobs: int, lanes: int) -> Iterator[Shard]:
    size = lanes or max(1, -(-len(runs) // jobs))
    yield from (tuple(runs[i : i + size]) for i in range(0, len(runs), size))
