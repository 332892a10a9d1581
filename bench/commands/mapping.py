"""map: what a team's policy and critic say right after the turn, drawn like DVM's Fig. 8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import RESULTS, Profile, Reading, Results, Settings, SuiteName, read_as, selected_part
from bench.output.terminal import say, warn
from bench.plan import COMMAND_LINE, make_plan
from bench.report.maps import draw_maps
from bench.store import Store, file_name, write_atomically
from bench.suite import PRIMARY, SuiteError
from bench.suite.explain import Problem, listed, shown
from bench.suite.loading import load


def map_(
    suite: SuiteName,
    experiment: Annotated[str, typer.Argument(help="an experiment's id")],
    seed: Annotated[int, typer.Option(min=0, help="the seed whose team is drawn")] = 0,
    method: Annotated[
        list[str] | None, typer.Option(help="a method of the experiment; may be repeated; default: all")
    ] = None,
    profile: Profile = "full",
    settings: Settings = None,
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    out: Annotated[Path, typer.Option(help="the folder for the drawings and their numbers")] = Path("maps"),
) -> None:
    """Draw agent 1's policy and action values on a grid right after the turn, in the starts of both phases.

    If the results folder has kept the end of the first phase, it is used. If not, the first phase is trained, which
    takes minutes.
    """
    from bench.run.maps import mapped, maps  # loads torch

    loaded = read_as(load(suite), reading)
    plan = make_plan(loaded, selected_part(profile, [experiment], f"{seed},", settings, reading))
    cells = mapped(plan.cells, seed)
    known = [cell.method for cell in cells]
    wrong = experiment if not cells else next((m for m in method or () if m not in known), None)
    if wrong is not None:
        allowed = listed(known) if cells else "an experiment of two phases on DVM's spread"
        raise SuiteError(COMMAND_LINE, [Problem("map", shown(wrong), allowed, "name one of them")])
    order = list(method or ()) or sorted(known, key=lambda m: loaded.settings(m)["copied"].value != "none")
    cells = sorted((cell for cell in cells if cell.method in order), key=lambda cell: order.index(cell.method))
    out.mkdir(parents=True, exist_ok=True)
    for training_set in dict.fromkeys(cell.training_set for cell in cells):
        own = [cell for cell in cells if cell.training_set == training_set]
        found = list(maps(plan, own, seed, Store(results), warn))
        stem = out / file_name("map", experiment, training_set, str(seed))
        title = f"{loaded.id}: {experiment}, {training_set}, seed {seed}: agent 1 right after the turn"
        drawn = draw_maps(found, title, stem)
        numbers = stem.with_suffix(".json")
        write_atomically(numbers, json.dumps(found).encode())
        say(*map(str, (*drawn, numbers)))
