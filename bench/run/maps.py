"""Fig. 8 of DVM: the first agent's policy and critic right after the turn, at the starts of both phases."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from baselines.learner import Seen, Valued
from baselines.streams import generator
from bench.envs.particle.corner_map import Landscape, landscape
from bench.envs.particle.environment import ParticleEnvironment
from bench.envs.particle.params import SpreadCornersParams
from bench.plan import Cell, Plan, Run
from bench.run.boundary import first_phase, kept
from bench.run.job import Job
from bench.run.tasks import Place
from bench.run.training import Training
from bench.store import Store


def mapped(cells: Sequence[Cell], seed: int) -> list[Cell]:
    """The cells whose turn can be drawn: those of two phases on DVM's spread with this seed."""
    return [
        cell
        for cell in cells
        if seed in cell.seeds
        and first_phase(cell) is not None
        and any(own.params.get("name") == "spread_corners" for own in cell.scored)
    ]


def maps(
    plan: Plan, cells: Sequence[Cell], seed: int, results: Store, says: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    """The `Landscape` of one seed, as plain numbers, for each cell and each of its scenarios.

    If the results folder has kept the first phase's state, training starts from it. Otherwise the first phase is
    trained here, once for all cells, and thrown away. Nothing is written to the results folder.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        own = Store(Path(folder))
        own.open_for_writing()
        for cell in cells:
            (run,) = (run for run in plan.runs if run.cell == cell.key and run.seed == seed)
            says(f"{cell.label}, seed {seed}")
            yield from _of_run(cell, run, plan, own, results, says)


def _of_run(
    cell: Cell, run: Run, plan: Plan, own: Store, results: Store, says: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    job = Job(cell=cell, runs=(run,), suite_version=plan.suite_version, profile=plan.profile, checkpoint_s=1e9)
    checkpoint = next(filter(None, (kept(store, cell, run, "cpu", says) for store in (own, results))), None)
    training = Training(job, own, [run], [checkpoint], lambda _: None, lambda *_: None)
    try:
        training.to_the_turn(lambda: False)
        for place in training.places:
            if isinstance(place.params, SpreadCornersParams):
                found = _at(training, place, run.seed)
                numbers = {name: x.squeeze(0).tolist() for name, x in vars(found).items()}
                yield {"method": cell.method, "scenario": cell.scenarios[training.places.index(place)]} | numbers
    finally:
        training.close()


def _at(training: Training, place: Place, seed: int) -> Landscape:
    environment = cast(ParticleEnvironment, place.environment)
    learner = cast(Valued, training.learner)
    greedy = training.learner.greedy(place.task)

    def acts(obs: torch.Tensor) -> torch.Tensor:
        avail = torch.ones(*obs.shape[:-1], environment.action_size, dtype=torch.bool)
        return greedy(Seen(obs, avail, torch.ones(obs.shape[:2], dtype=torch.bool)))

    generators = [generator(seed, "map at the turn")]
    return landscape(environment, lambda obs: learner.values(place.task, obs), acts, generators)
