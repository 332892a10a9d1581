"""Made-up results: records of a plan with curves that a test chooses, so that verdicts can be told in advance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.plan import Cell, Plan, Run
from bench.store import Curve, Numbers, Provenance, Record, Scores, Store, TeacherRef

Curves = Callable[[Cell, int], Sequence[float] | None]  # cell, seed -> training means, one a point; None: not run


def fill(store: Store, plan: Plan, curves: Curves, status: str = "finished") -> None:
    """Write a record for every run that `curves` gives means for."""
    store.open_for_writing()
    for run in plan.runs:
        cell = plan.cell(run.cell)
        means = curves(cell, run.seed)
        if means is not None:
            store.write_record(_record(plan, cell, run, tuple(means), status))


def _record(plan: Plan, cell: Cell, run: Run, means: tuple[float, ...], status: str) -> Record:
    every = cell.settings["budget"]["record_every"]
    episodes = tuple(every * (i + 1) for i in range(len(means)))
    steps = tuple(e * cell.settings["scenario"]["episode_limit"] for e in episodes)
    curve = Curve(episodes=episodes, steps=steps, mean=means, sd=(0.0,) * len(means), n=(every,) * len(means))
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
        teachers=tuple(TeacherRef(run=teacher, weights="none") for teacher in run.teachers),
        notes=cell.notes,
        status="failed" if status == "failed" else "finished",
        reason="diverged at step 5" if status == "failed" else "",
        numbers=Numbers(
            scores=(Scores(curves={"training": curve}, returns=(means[-1],), final=means[-1]),),
            first_update=every,
            weights="none",
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
