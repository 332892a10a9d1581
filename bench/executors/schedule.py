"""In which order a plan's runs get to processes: what the executor does, and what an estimate plays through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.plan import Cell, Plan, Run

Shard = tuple[Run, ...]  # runs of one cell that train together in one process


def shards(plan: Plan, settled: set[str], jobs: int, lanes: int) -> list[Shard]:
    """Runs that are not settled, split over processes.

    lanes: seeds of a shard; 0: the cell's seeds split evenly over `jobs`.
    """
    whole = [shard for cell in plan.cells for shard in _shards(plan, cell, settled, jobs, lanes)]
    return sorted(whole, key=lambda shard: urgency(plan, shard), reverse=True)


def urgency(plan: Plan, shard: Shard) -> tuple[int, int]:
    """Teachers first, then large shards."""
    ids = {run.id for run in shard}
    return sum(not ids.isdisjoint(run.teachers) for run in plan.runs), len(shard)


def makespan(plan: Plan, left: Mapping[str, float], begun: set[str], jobs: int, lanes: int, start_s: float) -> float:
    """Seconds until every run in `left` (its seconds, by id) is done, in `jobs` processes that each begin with start_s.

    Shards that have begun come first; a student's waits until all its teachers are done.
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


def _shards(plan: Plan, cell: Cell, settled: set[str], jobs: int, lanes: int) -> Iterator[Shard]:
    runs = [r for r in plan.runs if r.cell == cell.key and r.id not in settled]
    size = lanes or max(1, -(-len(runs) // jobs))
    yield from (tuple(runs[i : i + size]) for i in range(0, len(runs), size))
