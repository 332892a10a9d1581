"""Canaries: tiny seeded runs of every code path that can run here, which must repeat to the last bit.

A canary is a cell of a suite at its own settings, shortened to a few updates. Its numbers are stored for each platform
class (`<baseline>/canaries/<class>.json`). On a class with nothing stored, its curves are compared with those of the
class most like it, within `TOLERANCES`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from baselines.specs import ALGORITHMS, Unit
from bench.envs import FAMILIES, checked
from bench.nightly.stored import Canary, CanaryFile, Drawn
from bench.plan import Cell, Plan, Run, Scored, Selection, make_plan
from bench.plan.present import absent, without
from bench.processes.starting import command, training_environment
from bench.store import Record, Store, numbers_hash
from bench.suite import PRIMARY, Experiment, Scenario, Suite

SEEDS = (0, 1)  # two, to test stacked lanes too
POINTS, POINT_EPISODES = 4, 12  # points of a curve, and the least number of episodes of each
POINT_STEPS = 160  # if a method counts by these: the last point is beyond the longest warm-up
EPISODES_LOOKED_AT = 4  # of an evaluation; one if a method counts steps, since its episodes are long
# Settings that would delay a canary's learning, and the most that they may be here. A batch of 512 is the smallest that
# takes the code path of large ones (baselines/maddpg.py, kernels/products.py).
SHORTENED: Mapping[str, int] = {
    "batch_size": 512,
    "warmup_transitions": 512,
    "target_update_interval": 2,
    "epsilon_anneal_steps": 500,
    "distillation_iterations": 3,
    "matching_iterations": 3,
    "updates_per_episode": 1,
}
# Relative, by point of training, for another platform class than the stored one: a difference in the last bit grows
# with every update. Measured with every vector instruction held back: 5e-5 and 1e-2 at most (docs/nightly.md).
TOLERANCES = (1e-3, 1e-3, 5e-2, 5e-2)
LIMIT_S = 900.0  # for all canaries together; a hang must end

State = Literal["same", "close", "differs", "settings", "missing", "gone", "failed", "absent"]


@dataclass(frozen=True)
class Outcome:
    """One canary. says: where its numbers differ, which settings changed, or why it failed. seconds: of its runs."""

    name: str
    state: State
    says: str = ""
    seconds: float = 0.0


class Ended(NamedTuple):
    """A canary whose runs have ended: its name, its number among all, and the seconds that it took."""

    name: str
    number: int
    of: int
    seconds: float


def canary_plan(suite: Suite) -> Plan:
    """A cell of a suite for each code path that can run here, shortened, with its teachers. Raises SuiteError.

    Cells of the pinned reading come first, so their stored canaries stay valid; then what the primary reading adds. A
    canary's budget follows from its own method's rounds, so a new method in the suite changes no other canary.
    """
    taken: set[str] = set()
    plans = [shortened(suite, reading) for reading in dict.fromkeys((suite.pinned, PRIMARY))]
    chosen = [_one_a_path(plan, taken) for plan in plans]
    own = [(plan, keys) for plan, keys in zip(plans, chosen, strict=True)]
    cells = {cell.key: cell for plan, keys in own for cell in plan.cells if cell.key in keys}
    cells |= {cell.key: cell for cell in plans[-1].cells if cell.key in cells}  # the primary reading's, if both have it
    runs = {run.id: run for plan, keys in own for run in plan.runs if run.cell in keys}
    return plans[0].model_copy(update={"cells": tuple(cells.values()), "runs": tuple(runs.values())})


def shortened(suite: Suite, reading: str) -> Plan:
    """All cells of a suite under a reading that can run here, shortened to a few updates."""
    own = suite.under(reading)
    settings = [change for m in own.method if not m.waits_for for change in _shortening(own, m.id)]
    only = tuple(experiment.id for experiment in _repeating(own))
    plan = make_plan(own, Selection(only=only, seeds=SEEDS, settings=tuple(settings), reading=reading))
    return without(plan, {cell.key for cell in plan.cells if not _repeat(cell.scored)})


def _repeating(suite: Suite) -> list[Experiment]:
    """The experiments with a training set whose runs repeat."""
    sets = {e.id: [[suite["scenario", s] for s in t.scenarios] for t in e.training_sets] for e in suite.experiment}
    return [e for e in suite.experiment if any(_repeat(own) for own in sets[e.id])]


def _repeat(scenarios: Iterable[Scenario | Scored]) -> bool:
    """Whether runs on them repeat to the last bit. A game that makes random draws of its own does not."""
    return all(checked(own.family, own.params).repeats for own in scenarios)


def _counted_by(suite: Suite, method: str) -> Unit:
    """The unit that a method's budgets count by in a suite. Of several, or without any, the algorithm's first one."""
    own = (e.own_budget(t, method) for e in suite.experiment if method in e.methods for t in e.training_sets)
    counted = {budget.counted[0] for budget in own if budget.counted}
    units = ALGORITHMS[suite["method", method].algorithm].units
    return cast(Unit, next((unit for unit in units if unit in counted), units[0]))


def _shortening(suite: Suite, method: str) -> Iterator[str]:
    """`--set` entries under which a method learns within a few episodes."""
    values = {name: s.value for name, s in suite.settings(method).items()}
    for name, most in SHORTENED.items():
        if isinstance(value := values.get(name), int) and value > most:
            yield f"{method}.{name}={most}"
    algorithm = ALGORITHMS[suite["method", method].algorithm]
    model, unit = algorithm.hyperparameters.model_validate(values), _counted_by(suite, method)
    least, looked_at = (POINT_STEPS, 1) if unit == "steps" else (POINT_EPISODES, EPISODES_LOOKED_AT)
    if unit == "steps":  # a point covers a round of the longest game
        sets = [t for e in _repeating(suite) if method in e.methods for t in e.training_sets]
        lengths = [suite["scenario", s].steps for t in sets for s in t.scenarios]
        least = max(least, model.longest_round(unit, max(lengths, default=0)))
    point = -(-least // model.round_of(unit)) * model.round_of(unit)
    budget = {
        unit: POINTS * point,
        "record_every": point,
        "evaluate_every": 2 * point,
        "evaluation_episodes": looked_at,
        "final_evaluation_episodes": looked_at,
    }
    if algorithm.in_order:
        budget["first_phase"] = POINTS // 2 * point
    for key, value in budget.items():
        yield f"{method}.budget.{key}={value}"


def _one_a_path(plan: Plan, taken: set[str]) -> set[str]:
    """Keys of cells that take every code path once, the first of each, with their teachers.

    Students are chosen first; their teachers then stand for their own paths. taken: paths to pass over; the chosen ones
    are added to it.
    """
    chosen: set[str] = set()

    def choose(cell: Cell) -> None:
        chosen.add(cell.key)
        taken.update(code_paths(plan, cell))
        for teacher in cell.teachers:
            choose(plan.cell(teacher))

    for cell in sorted(plan.cells, key=lambda cell: not cell.teachers):
        if not taken.issuperset(code_paths(plan, cell)):
            choose(cell)
    return chosen


def code_paths(plan: Plan, cell: Cell) -> set[str]:
    """What chooses the code that a cell runs: its algorithm, the words and switches among its settings, which of them
    are left out, and the same for its teachers. Only 0 among numbers chooses code: another learning rate runs the same
    code. Nor does the hash of a file choose any, such as an opponent's weights.

    A learner does the same in every task of a family of single environments: there method and tasks are separate paths.
    """
    settings = {key: cell.settings[key] for key in ("algorithm", "hyperparameters")}
    scenarios = [_without_files(own) for own in cell.scored]
    teachers = [sorted(code_paths(plan, plan.cell(teacher))) for teacher in cell.teachers]
    if all(FAMILIES[own.family].single for own in cell.scored):
        return {json.dumps(_words(part), sort_keys=True) for part in ([settings, teachers], scenarios)}
    return {json.dumps(_words([settings, scenarios, teachers]), sort_keys=True)}


def _without_files(scored: Scored) -> dict[str, Any]:
    """A scenario's settings; for a file that it names, only that it names one."""
    files = checked(scored.family, scored.params).assets
    settings = scored.model_dump(exclude={"teacher"})
    return settings | {"params": scored.params | dict.fromkeys(files, "a file")}


def _words(value: Any) -> Any:
    """The value without its numbers. 0 is kept apart: it switches a part off."""
    if isinstance(value, Mapping):
        return {key: _words(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_words(own) for own in value]
    if value is None or isinstance(value, bool | str):
        return value
    return "a number" if value else "zero"


def name_of(cell: Cell) -> str:
    """The name that a canary is stored by; it includes the reading if that is not the primary one."""
    reading = next((f"; {note.id}" for note in cell.notes if note.class_ == "reading"), "")
    return f"{cell.suite}: {cell.label} ({cell.experiment}{reading})"


class Absent(NamedTuple):
    """A canary whose environment is not installed here. says: how to get it."""

    says: str


Made = Drawn | Absent | str  # a canary's numbers, or why it has none


def drawn(suites: Iterable[Suite], report: Callable[[Ended], None] = lambda _: None) -> dict[str, Made]:
    """Run every canary of these suites; by name its numbers, or why it failed twice.

    report: is called for each canary that ends.
    """
    found: dict[str, Made] = {}
    every = [canary_plan(suite) for suite in suites]
    lacks = {cell.key: says for plan in every for cell in plan.cells if (says := absent(plan, cell))}
    found |= {name_of(cell): Absent(lacks[cell.key]) for plan in every for cell in plan.cells if cell.key in lacks}
    plans = [without(plan, lacks) for plan in every]
    names = [name_of(cell) for plan in plans for cell in plan.cells]

    def ended(cell: Cell, seconds: float) -> None:
        name = name_of(cell)
        report(Ended(name, names.index(name) + 1, len(names), seconds))

    for plan in plans:
        with tempfile.TemporaryDirectory(prefix="canaries-") as folder:
            store = Store(folder)
            store.open_for_writing()
            failed = _run(plan, store, ended)
            if failed:  # once more
                for run in plan.runs:
                    store.forget_failure(run.id)
                failed = _run(plan, store, ended)
            for cell in plan.cells:
                found[name_of(cell)] = _drawn(cell, [r for r in plan.runs if r.cell == cell.key], store, failed)
    return found


def compared(stored: CanaryFile, found: Mapping[str, Made], exact: bool, suites: Sequence[str]) -> Iterator[Outcome]:
    """The outcome of each canary. exact: the stored ones are of this platform class. suites: those that were run."""
    for name, own in found.items():
        if isinstance(own, str):
            yield Outcome(name, "failed", own)
        elif isinstance(own, Absent):
            yield Outcome(name, "absent", f"its environment is not installed here: {own.says}")
        elif name not in stored.canaries:
            yield Outcome(name, "missing", "it has no stored canary: bench nightly refresh-canary stores one")
        else:
            yield _compared(name, stored.canaries[name], own, exact)
    for name in stored.canaries:
        if name not in found and name.partition(":")[0] in suites:
            yield Outcome(name, "gone", "it is stored, but no cell here makes it any more")


def differing(stored: Mapping[str, object], found: Mapping[str, object], exact: bool) -> str:
    """Where two tables of curves first differ in training; "" if they do not."""
    for name in [*stored, *(n for n in found if n not in stored)]:
        a, b = stored.get(name), found.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            if inner := differing(a, b, exact):
                return f"{name}, {inner}"
        elif not isinstance(a, Sequence) or not isinstance(b, Sequence) or len(a) != len(b):
            return f"{name}: got {_count(b)}, stored {_count(a)}"
        else:
            allowed = [0.0] * len(a) if exact else TOLERANCES[-len(a) :]  # losses begin later than returns
            for i, (x, y, most) in enumerate(zip(a, b, allowed, strict=True), POINTS + 1 - len(a)):
                if not _near(x, y, most):
                    return f"{name}: point {i} of {POINTS} is {y}, stored {x}"
    return ""


def _compared(name: str, stored: Canary, own: Drawn, exact: bool) -> Outcome:
    if own.cell != stored.cell:
        changed = _changes(stored.settings, own.settings)
        return Outcome(name, "settings", f"its settings changed: {changed}; the stored canary is of the old ones")
    if own.numbers == stored.numbers:
        return Outcome(name, "same")
    parted = differing(stored.curves, own.curves, exact)
    parted = parted and f"seed {parted}"  # curves stand by seed
    if exact:
        return Outcome(name, "differs", parted or "the curves agree; evaluations or weights do not")
    return Outcome(name, "differs", parted) if parted else Outcome(name, "close")


def _run(plan: Plan, store: Store, ended: Callable[[Cell, float], None]) -> dict[str, str]:
    """Train what has no record yet, in one process; why runs failed, by id. ended: is called for each cell."""
    if not plan.runs:
        return {}
    jobs = [
        {
            "cell": cell.model_dump(mode="json"),
            "runs": [run.model_dump(mode="json") for run in plan.runs if run.cell == cell.key],
            "suite_version": plan.suite_version,
            "profile": plan.profile,
        }
        for cell in plan.cells
    ]
    order = json.dumps({"jobs": jobs, "results": str(store.root), "parent": os.getpid()})
    log = store.root / "log"
    failed: dict[str, str] = {}
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command("bench.nightly.worker"),
            env=training_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        ) as process,
    ):
        late = threading.Event()
        timer = threading.Timer(LIMIT_S, lambda: (late.set(), process.kill()))
        timer.daemon = True
        timer.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):  # it died at once; its log says why
                process.stdin.write(f"{order}\n")
                process.stdin.flush()
            for cell, line in zip(plan.cells, process.stdout, strict=False):
                done = json.loads(line)
                failed |= done["failed"]
                ended(cell, done["seconds"])
            process.wait()
        finally:
            timer.cancel()
            process.kill()  # if this process has to stop; else it has ended already
    why = f"its process ended with code {process.returncode}: {_last_line(log)}"
    if late.is_set():
        why = f"all canaries together took longer than {LIMIT_S:g} s"
    for run in plan.runs:
        record = store.settled(run.id)
        if record is None:
            failed.setdefault(run.id, why)
        elif record.status == "failed":
            failed[run.id] = record.reason
    return failed


def _drawn(cell: Cell, runs: Sequence[Run], store: Store, failed: Mapping[str, str]) -> Drawn | str:
    if reasons := [f"seed {run.seed}: {failed[run.id]}" for run in runs if run.id in failed]:
        return "; ".join(reasons)
    records = [record for run in runs if (record := store.settled(run.id))]
    if any(r.numbers.first_update is None for r in records):
        return f"it never learns within its {cell.whole} {cell.unit}: shorten the settings that delay it"
    return Drawn(
        cell=cell.key,
        settings=cell.settings,
        numbers={str(r.seed): numbers_hash(r) for r in records},
        curves={str(r.seed): _curves(cell, r) for r in records},
    )


def _curves(cell: Cell, record: Record) -> dict[str, dict[str, tuple[float | None, ...]]]:
    """Means of training and losses by scenario, without evaluations: a greedy choice may depend on the last bit."""
    own = zip(cell.scenarios, record.numbers.scores, strict=True)
    return {s: {n: c.mean for n, c in scores.curves.items() if n != "evaluation"} for s, scores in own}


def _changes(old: object, new: object, at: str = "") -> str:
    """The settings that differ, by key; an entry of a list by its place."""
    if old == new:
        return ""
    sides = [dict(enumerate(side)) if isinstance(side, list | tuple) else side for side in (old, new)]
    if all(isinstance(side, Mapping) for side in sides):
        before, after = (side for side in sides if isinstance(side, Mapping))
        keys = dict.fromkeys([*before, *after])
        dot = at and "."
        return "; ".join(filter(None, (_changes(before.get(k), after.get(k), f"{at}{dot}{k}") for k in keys)))
    return f"{at} was {old}, is {new}"


def _near(x: float | None, y: float | None, most: float) -> bool:
    return x == y if x is None or y is None else math.isclose(x, y, rel_tol=most)


def _count(points: object) -> str:
    return f"{len(points)} points" if isinstance(points, Sequence) else "none"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "no message"
