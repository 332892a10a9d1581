"""Suite x profile -> a DAG of cells and runs, teachers before students."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from bench.plan.cells import (
    Cell,
    Entrant,
    Note,
    Plan,
    Run,
    Scored,
    Selection,
    Waiting,
    cell_settings,
    digest,
    guest,
    hashed_hyperparameters,
    run_id,
    scored,
    spans,
    teacher_cells,
)
from bench.plan.resolving import COMMAND_LINE, Resolver, refused
from bench.suite import Experiment, Suite, SuiteError
from bench.suite.explain import Problem, shown

__all__ = [
    "COMMAND_LINE",
    "Cell",
    "Entrant",
    "Note",
    "Plan",
    "Resolver",
    "Run",
    "Scored",
    "Selection",
    "Waiting",
    "cell_settings",
    "cells_of",
    "check_methods",
    "digest",
    "guest",
    "hashed_hyperparameters",
    "limited",
    "make_plan",
    "plan_of",
    "refused",
    "run_id",
    "scored",
    "selected",
    "sharded",
    "spans",
    "teacher_cells",
]


def make_plan(suite: Suite, selection: Selection) -> Plan:
    """The runs that a selection asks for, with the teachers that they need. Raises SuiteError."""
    if selection.profile not in suite.profile:
        raise refused("--profile", selection.profile, suite.profile)
    suite = suite.on(selection.profile)
    resolver = Resolver(suite, selection)
    waiting: list[Waiting] = []
    for experiment in selected(suite, selection.only):
        for method in (m for m in experiment.methods if not selection.methods or m in selection.methods):
            for t in experiment.training_sets:
                if why := suite.waits_for(experiment, method, t):
                    place = {"experiment": experiment.id, "method": method, "training_set": t.id}
                    waiting.append(Waiting(**place, waits_for=why))
                else:
                    resolver.cell(experiment, t, method)
    return plan_of(resolver, waiting)


def plan_of(resolver: Resolver, waiting: Iterable[Waiting] = ()) -> Plan:
    """The runs of all cells that a resolver has collected."""
    cells = tuple(resolver.cells.values())
    return Plan(
        suite=resolver.suite.id,
        suite_version=resolver.suite.version,
        profile=resolver.selection.profile,
        cells=cells,
        runs=tuple(_runs(cells)),
        waiting=tuple(waiting),
    )


def sharded(plan: Plan, shard: str) -> Plan:
    """Part "i/n" of a plan: every n-th of its seeds, from the i-th on, with all their cells. Raises SuiteError.

    A student learns from the teacher of its own seed, so no shard waits for another. Their folders merge by copying.
    """
    if not shard:
        return plan
    seeds = sorted({run.seed for run in plan.runs})
    parts = [int(part) for part in shard.split("/")] if re.fullmatch(r"[0-9]{1,6}/[0-9]{1,6}", shard) else [0, 0]
    index, count = parts
    if not 1 <= index <= count <= len(seeds):
        allowed = f"i/n with 1 <= i <= n <= {len(seeds)}, the plan's seeds: a seed is never split"
        mend = "e.g. --shard 1/2, --shard 2/2" if len(seeds) > 1 else "omit --shard, or ask for more seeds"
        raise SuiteError(COMMAND_LINE, [Problem("--shard", shown(shard), allowed, mend)])
    own = set(seeds[index - 1 :: count])
    cells = (cell.model_copy(update={"seeds": tuple(s for s in cell.seeds if s in own)}) for cell in plan.cells)
    runs = tuple(run for run in plan.runs if run.seed in own)
    return plan.model_copy(update={"cells": tuple(c for c in cells if c.seeds), "runs": runs, "shard": shard})


def limited(plan: Plan, seeds: Mapping[str, int]) -> Plan:
    """A plan's runs of some cells, with their teachers. seeds: by a cell's key, the limit that its seeds stay below."""
    needed: set[str] = set()
    for run in reversed(plan.runs):  # teachers come first
        if run.id in needed or run.seed < seeds.get(run.cell, 0):
            needed |= {run.id, *run.teachers}
    runs = tuple(run for run in plan.runs if run.id in needed)
    own: dict[str, list[int]] = {}
    for run in runs:
        own.setdefault(run.cell, []).append(run.seed)
    cells = (cell.model_copy(update={"seeds": tuple(own.get(cell.key, ()))}) for cell in plan.cells)
    return plan.model_copy(update={"cells": tuple(cell for cell in cells if cell.seeds), "runs": runs})


def cells_of(
    suite: Suite, selection: Selection, experiment: Experiment, known: Iterable[Cell] = ()
) -> dict[tuple[str, str], Cell]:
    """An experiment's cells that can run, by method and training set, with the notes that apply. Raises SuiteError.

    known: cells of the selection's plan. They are not resolved again unless other cells added seeds to them.
    """
    seeds = Resolver(suite, selection).seeds(experiment)
    there = {(c.method, c.training_set): c for c in known if c.experiment == experiment.id and c.seeds == seeds}
    return {
        (method, t.id): there.get((method, t.id)) or Resolver(suite, selection).cell(experiment, t, method)
        for method in experiment.methods
        for t in experiment.training_sets
        if not suite.waits_for(experiment, method, t)
    }


def selected(suite: Suite, only: Iterable[str]) -> list[Experiment]:
    """Experiments by id; all if none is named. Raises SuiteError."""
    ids = [e.id for e in suite.experiment]
    for name in only:
        if name not in ids:
            raise refused("--only", name, ids)
    return [e for e in suite.experiment if not only or e.id in only]


def check_methods(suite: Suite, selection: Selection) -> None:
    """Raises SuiteError for a method that none of the selected experiments has."""
    there = dict.fromkeys(method for e in selected(suite, selection.only) for method in e.methods)
    for name in selection.methods:
        if name not in there:
            raise refused("--method", name, there)


def _runs(cells: Iterable[Cell]) -> Iterator[Run]:
    ids: dict[tuple[str, int], str] = {}
    for cell in cells:
        for seed in cell.seeds:
            teachers = tuple(ids[teacher, seed] for teacher in cell.teachers)
            ids[cell.key, seed] = run_id(cell.key, seed, teachers)
            yield Run(id=ids[cell.key, seed], cell=cell.key, seed=seed, teachers=teachers)
