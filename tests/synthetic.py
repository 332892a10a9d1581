"""Synthetic results: records of a plan with curves that a test chooses, so verdicts are known in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from baselines.specs import ALGORITHMS
from bench.plan import Cell, Plan, Run
from bench.store import Curve, Numbers, Provenance, Record, Scores, Store, TeacherRef, sha256

# cell, seed -> means, one a point, for all its scenarios or by scenario; None: not run
Curves = Callable[[Cell, int], Sequence[float] | Mapping[str, Sequence[float]] | None]


def fill(store: Store, plan: Plan, curves: Curves, status: str = "finished") -> None:
    """Writes a record for every run whose means `curves` gives; training, evaluation and losses have the same means."""
    store.open_for_writing()
    for run in plan.runs:
        cell = plan.cell(run.cell)
        means = curves(cell, run.seed)
        if means is not None:
            by_scenario = means if isinstance(means, Mapping) else dict.fromkeys(cell.scenarios, means)
            store.write_record(_record(plan, cell, run, by_scenario, status))


def made(plan: Plan, cell: str) -> Record:
    """The record of a plan's first run of a cell."""
    own, run = plan.cell(cell), next(run for run in plan.runs if run.cell == cell)
    return _record(plan, own, run, {name: [-1.0] for name in own.scenarios}, "finished")


def weights_of(run: str) -> str:
    """A SHA-256 of its own."""
    return sha256(run.encode())


def _scores(cell: Cell, means: Sequence[float], steps_an_episode: int) -> Scores:
    budget = cell.settings["budget"]
    ns = {"training": budget["record_every"], "evaluation": budget["evaluation_episodes"]}
    if not cell.guest and cell.settings["algorithm"]["name"] in ALGORITHMS:
        ns |= {f"loss/{name}": 1 for name in ALGORITHMS[cell.settings["algorithm"]["name"]].losses}
    curves = {name: _curve(cell, means, n, steps_an_episode) for name, n in ns.items()}
    return Scores.of(curves, [means[-1]] * budget["final_evaluation_episodes"])


def _curve(cell: Cell, means: Sequence[float], n: int, steps_an_episode: int) -> Curve:
    """The chosen means over the whole budget, each for as many points as the others."""
    every = cell.settings["budget"]["record_every"]
    points = cell.whole // every
    places = [every * (i + 1) for i in range(points)]
    updates = tuple(places) if cell.unit == "updates" else None
    if cell.unit == "steps":
        episodes, steps = (tuple(at // steps_an_episode for at in places), tuple(places))
    else:
        episodes, steps = (tuple(places), tuple(at * steps_an_episode for at in places))
    own = tuple(means[i * len(means) // points] for i in range(points))
    return Curve(episodes=episodes, steps=steps, mean=own, sd=(0.0,) * points, n=(n,) * points, updates=updates)


def _record(plan: Plan, cell: Cell, run: Run, means: Mapping[str, Sequence[float]], status: str) -> Record:
    scored = zip(cell.scenarios, cell.scored, strict=True)
    return Record(
        run=run.id,
        cell=cell.key,
        suite=plan.suite,
        suite_version=plan.suite_version,
        experiment=cell.experiment,
        method=cell.method,
        training_set=cell.training_set,
        profile=plan.profile,
        seed=run.seed,
        settings=cell.settings,
        teachers=tuple(TeacherRef(run=teacher, weights=weights_of(teacher)) for teacher in run.teachers),
        notes=cell.notes,
        status="failed" if status == "failed" else "finished",
        reason="diverged at step 5" if status == "failed" else "",
        numbers=Numbers(
            scores=tuple(_scores(cell, means[name], s.episode_limit) for name, s in scored),
            first_update=cell.settings["budget"]["record_every"],
            weights=weights_of(run.id),
        ),
        provenance=Provenance(
            started="2026-11-20T00:00:00Z",
            wall_s=2.0,
            cpu_s=1.0,
            lanes=1,
            device="cpu",
            hardware="made up",
            packages={"torch": "2.13.0"},
            commit="0" * 40,
            dirty=False,
        ),
    )
