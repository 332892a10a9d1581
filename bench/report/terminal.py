"""Plans, progress and verdicts in a terminal; plain lines without one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from bench.evidence.standing import Standing
from bench.executors.dispatch import Outcome
from bench.executors.estimate import Forecast, Progress
from bench.output.escaping import line, visible
from bench.output.terminal import coloured
from bench.plan import Plan
from bench.report.numbers import (
    METRICS,
    compatible,
    compatible_known,
    counted,
    effect,
    estimate,
    found,
    improvements,
    number,
    ours,
    retention_columns,
    seeds_judged,
    several_scenarios,
)
from bench.report.words import sentence
from bench.verdict import Aggregate, TransferMetric, Verdict, counts, families
from bench.verdict.retention import Retained

STYLE = {
    "reproduced": "green",
    "exceeds": "green",
    "not_reproduced": "red",
    "inconclusive": "yellow",
    "depends_on_reading": "yellow",
    "also_untrained": "magenta",
    "undefined": "yellow",
    "not_comparable": "cyan",
    "not_run": "dim",
}


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """One word and one sentence per row.

    A column for the scenario if an experiment has several, for our values if the paper prints some, and for whether
    these are compatible if that is known.
    """
    several, printed = several_scenarios(verdicts), any(v.kind == "published" for v in verdicts)
    known = compatible_known(verdicts)
    table = Table(title="Verdicts", title_justify="left", show_lines=True)
    head = [
        "claim",
        "in",
        *["scenario"] * several,
        *["ours [95%]"] * printed,
        "found [90%]",
        "verdict",
        *["compatible"] * known,
        "seeds",
    ]
    for column in head:
        table.add_column(column, overflow="fold")
    for v in verdicts:
        verdict = coloured(v.verdict, STYLE[v.verdict], f"\n{visible(sentence(v))}")
        place = (v.says, v.experiment, *[v.scenario] * several, *[ours(v)] * printed)
        table.add_row(*place, found(v), verdict, *[compatible(v)] * known, seeds_judged(v))
    return table


def deviation_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Every deviation that stands beside a verdict, once."""
    notes = dict.fromkeys(note for v in verdicts for note in v.deviations)
    return [f"{note.class_}: {note.id}: {note.says}" for note in notes]


def transfer_table(metrics: Sequence[TransferMetric]) -> Table:
    several = several_scenarios(metrics)
    table = Table(title="Transfer metrics", title_justify="left")
    head = ("in", *["scenario"] * several, "method", "metric", "method's mean", "baseline's mean")
    for column in (*head, "difference or ratio [95%]", "remark"):
        table.add_column(column, overflow="fold")
    for m in metrics:
        place, means = (m.experiment, *[m.scenario] * several), (number(m.student_mean), number(m.baseline_mean))
        table.add_row(*place, m.method, METRICS[m.metric], *means, effect(m), m.remark)
    return table


def retention_table(found: Sequence[Retained]) -> Table:
    head, rows = retention_columns(found)
    table = Table(title="Performance retention: a student's final score over its teacher's [95%]", title_justify="left")
    for column in head:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def aggregate_table(found: Sequence[Aggregate]) -> Table:
    table = Table(title="Aggregates of normalised scores, 0 random and 1 good [95%]", title_justify="left")
    for column in ("in", "method", "tasks", "seeds", "mean", "IQM", "optimality gap", "P(improvement) on"):
        table.add_column(column, overflow="fold")
    for a in found:
        numbers = (estimate(a.mean), estimate(a.iqm), estimate(a.optimality_gap))
        table.add_row(a.experiment, a.method, ", ".join(a.tasks), str(a.seeds), *numbers, improvements(a))
    return table


def counts_line(verdicts: Sequence[Verdict]) -> str:
    return "counts: " + ", ".join(f"{n} {code}" for code, n in counts(verdicts).items())


def family_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """What stands after correction for the number of questions."""
    return [
        f"{f.tested} of {f.of} {f.name} tested; after {f.correction} at 5%: "
        f"{f.reproduced} reproduced and {f.not_reproduced} not_reproduced stand"
        for f in families(verdicts)
    ]


def plan_table(plan: Plan, now: Standing, expected: Forecast) -> Table:
    part = f", shard {plan.shard}: seeds {', '.join(map(str, sorted({r.seed for r in plan.runs})))}"
    title = f"{plan.suite}, profile {plan.profile}{part if plan.shard else ''}"
    table = Table(title=title, title_justify="left")
    for column in (
        "cell",
        "experiment",
        "learns from",
        "key",
        "seeds",
        "done",
        "failed",
        "left",
        "CPU time left",
        "memory per seed",
    ):
        table.add_column(column, overflow="fold")
    for cell in plan.cells:
        ids = {run.id for run in plan.runs if run.cell == cell.key}
        failed = len(ids & now.failed.keys())
        left = len(ids - now.done) - failed
        teacher = ", ".join(plan.cell(key).label for key in cell.teachers)
        counts_ = (str(len(ids)), str(len(ids & now.done)), str(failed), str(left))
        table.add_row(
            cell.label,
            cell.experiment,
            teacher,
            cell.key,
            *counts_,
            duration(sum(expected.left.get(id_, 0.0) for id_ in ids)),
            f"{expected.cells[cell.key].bytes / 2**20:.0f} MiB",
        )
    return table


def standing_line(plan: Plan, now: Standing) -> str:
    """How many of a plan's runs are done, failed and blocked."""
    parts = [f"{len(plan.runs)} runs, {len(now.done)} done"]
    if now.failed:
        parts.append(f"{len(now.failed)} failed (made again only by bench run --retry-failed)")
    if now.blocked:
        parts.append(f"{len(now.blocked)} wait for a teacher that failed")
    if plan.waiting:
        parts.append(f"{len(plan.waiting)} cells cannot run yet")
    return ", ".join(parts)


def waiting_lines(plan: Plan) -> list[str]:
    """What cannot run here yet, a line for each experiment and reason."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for w in plan.waiting:
        reasons.setdefault((w.experiment, w.waits_for), []).append(f"{w.method} on {w.training_set}")
    return [
        f"{experiment}: {len(cells)} cell{'s wait' if len(cells) > 1 else ' waits'} for {why}"
        for (experiment, why), cells in reasons.items()
    ]


def duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


SecondsLeft = Callable[[Mapping[str, Progress], Set[str]], float]  # from the progress of runs, and which are settled


class RunProgress:
    """Progress of a plan: a bar with cells, seeds, steps per second and time left; a line for each job elsewhere."""

    def __init__(self, console: Console, plan: Plan, done: Set[str], seconds_left: SecondsLeft):
        """done: runs that had finished before."""
        self.console, self.plan = console, plan
        cells = {cell.key: cell for cell in plan.cells}
        self._cells = {r.id: cells[r.cell] for r in plan.runs}
        self._done, self._lost, self._seconds_left = set(done), set[str](), seconds_left
        self._at: dict[str, int] = {}
        self._progress: dict[str, Progress] = {}
        self._steps, self._began = 0, time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> RunProgress:
        if self.console.is_terminal:
            columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%")]
            bar = Bar(*columns, TimeElapsedColumn(), TextColumn("{task.fields[rest]}"), console=self.console)
            total = sum(cell.whole * self._weight(r) for r, cell in self._cells.items() if r not in self._done)
            self._task = bar.add_task("training", total=total or 1, rest="")
            bar.start()
            self._bar = bar
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def event(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            for run, cpu_s, wall_s in zip(event["runs"], event["cpu_s"], event["wall_s"], strict=True):
                self._progress[run] = Progress(event["done"], cpu_s, wall_s, len(event["runs"]))
                self._advance(run, event["done"])
        elif kind == "finished":
            self._done.add(event["run"])
            self._advance(event["run"], self._cells[event["run"]].whole)
        elif kind == "remark":
            self._tell(event["says"])
        elif kind == "failed":
            self._advance(event["run"], self._cells[event["run"]].whole)  # nothing of it is left to do
            self._lost |= {event["run"], *(r.id for r in self.plan.runs if event["run"] in r.teachers)}
            self._tell(f"failed: run {event['run']}: {event['reason']}")
        elif kind == "started" and self._bar is None:
            total = len(self.plan.runs)
            done = f"[{len(self._done)}/{total} runs done]"
            self._tell(f"{done} training {event['label']}, {len(event['runs'])} seed(s)")
        self._draw()

    def _tell(self, text: str) -> None:
        """A line above the bar."""
        self.console.print(line(text), markup=False, soft_wrap=True)

    def _advance(self, run: str, done: int) -> None:
        """The first report of a resumed run is where it was, not what was done now."""
        before = self._at.setdefault(run, done)
        self._steps += self._cells[run].steps_of(max(0, done - before))
        self._at[run] = max(before, done)

    def _weight(self, run: str) -> int:
        """The weight of one unit of a run's budget in the bar: its environment steps; 1 for an update."""
        return self._cells[run].steps_of(1) or 1

    def _draw(self) -> None:
        if self._bar is None or self._task is None:
            return
        now = sum(done * self._weight(r) for r, done in self._at.items())
        rate = self._steps / max(1e-9, time.monotonic() - self._began)
        left = duration(self._seconds_left(self._progress, self._done | self._lost))
        cells = {r.cell for r in self.plan.runs}
        open_cells = {r.cell for r in self.plan.runs if r.id not in self._done}
        description = f"{len(cells) - len(open_cells)}/{len(cells)} cells, {len(self._done)}/{len(self.plan.runs)} runs"
        rest = f"{rate:,.0f} steps/s, {left} left"
        self._bar.update(self._task, completed=now, description=description, rest=rest)


def outcome_line(plan: Plan, outcome: Outcome) -> str:
    """The outcome of the runs, in one line."""
    new = len(outcome.finished - outcome.before - outcome.elsewhere)
    parts = [f"{counted(len(plan.runs), 'run')}: {new} trained now, {len(outcome.before)} there before"]
    if outcome.elsewhere:
        parts.append(f"{len(outcome.elsewhere)} trained by another command meanwhile")
    if outcome.failed:
        parts.append(f"{len(outcome.failed)} failed")
    if outcome.blocked:
        parts.append(f"{len(outcome.blocked)} wait for a teacher that failed")
    return ", ".join(parts)
