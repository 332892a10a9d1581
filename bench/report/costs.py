"""What a plan costs, in a terminal and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.envs import FAMILIES
from bench.executors.costs import WHOLE, Cost, Machines
from bench.executors.estimate import Estimate
from bench.plan import Plan

UNKNOWN = "unknown"
NONE = "-"
NAMED = 4  # methods that a line names
UNITS = {"steps": "environment steps", "episodes": "episodes of each task", "updates": "gradient updates"}
GIB = 2**30


def costs_table(found: Sequence[Cost], machines: Machines) -> Table:
    """One row per experiment, then one for all."""
    table = Table(title="Costs, estimated", title_justify="left")
    here, there = f"here, {_workers(machines.workers)}", f"{machines.count} such machines"
    walls = [f"wall hours left {here}", *[f"on {there}"] * (machines.count > 1)]
    head = ("experiment", "runs", "left", "CPU hours", "CPU hours left", "GPU hours", *walls, "memory", "disk")
    for column in (*head, "cannot run yet"):
        table.add_column(column, overflow="fold")
    for one in found:
        if one.experiment == WHOLE:
            table.add_section()
        table.add_row(*_row(one))
    return table


def _row(one: Cost) -> list[str]:
    name = "all, each run once" if one.experiment == WHOLE else one.experiment
    unbuilt = f"{one.unbuilt.runs} runs" if one.unbuilt.runs else ""
    if not one.runs:
        return [name, *[NONE] * (7 + len(one.wall_s)), unbuilt]
    hours = (one.cpu_s, one.cpu_left_s, one.gpu_s)
    sizes = [f"{size / GIB:,.1f} GiB" for size in (one.memory_bytes, one.disk_bytes)]
    return [name, str(one.runs), str(one.left), *map(_hours, hours), *map(_hours, one.wall_s.values()), *sizes, unbuilt]


def _hours(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{seconds / 3600:,.1f}" if seconds >= 360 else f"{seconds / 3600:,.2f}"


def costs_lines(found: Sequence[Cost], plan: Plan, cells: Mapping[str, Estimate], results: Path) -> Iterator[str]:
    """What the table rests on, and what it does not know."""
    whole = found[-1]
    methods: dict[str, dict[str, None]] = {}
    for cell in plan.cells:
        methods.setdefault(cells[cell.key].basis, {})[cell.method] = None
    if methods:
        yield f"CPU time from: {'; '.join(f'{basis} ({_named([*own])})' for basis, own in methods.items())}."
    if "assumed rate" in methods:
        yield "An assumed rate is the published runs' rate on one core of an AMD EPYC; --measure measures it here."
    if whole.no_gpu:
        named = _named([*whole.no_gpu])
        yield f"GPU time is unknown for {named}: they have no run on a GPU. --measure --device cuda measures it."
    if whole.unbuilt.runs:
        amounts = " and ".join(f"{n:,} {UNITS[unit]}" for unit, n in whole.unbuilt.amounts.items())
        come = f" Those with a budget come to {amounts}." if amounts else ""
        yield f"{whole.unbuilt.runs} runs cannot be made yet; nobody knows their cost, and no sum includes them.{come}"
    for game in sorted({FAMILIES[place.family].uncounted for cell in plan.cells for place in cell.scored} - {""}):
        yield f"{game}'s own CPU time and memory are in no sum: they have not been measured."
    if plan.cells:
        yield "Memory is the most that the workers of one machine and their environments' processes take. Disk is the"
        yield f"most that the results folder {results} takes: records, weights and checkpoints of runs under way."


def costs_json(found: Sequence[Cost], machines: Machines) -> dict[str, Any]:
    """As `bench plan --json` prints them. gpu_s: null if unknown. wall_s: by the number of workers."""
    rows = [dataclasses.asdict(one) | {"wall_s": {str(n): s for n, s in one.wall_s.items()}} for one in found]
    for row in rows:
        row["experiment"] = row["experiment"] or None
    return {"costs": rows, "machines": machines.count}


def _workers(n: int) -> str:
    return f"{n} process{'es' if n > 1 else ''}"


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
