"""plan and run: what a suite asks for, and training it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from typing import Annotated, Any

import typer
from rich.console import Console

from bench.commands.judging import judged_report, show_check
from bench.commands.options import (
    INTERRUPTED,
    NOTHING_RUN,
    RESULTS,
    RUNS_FAILED,
    Json,
    Only,
    Profile,
    Results,
    Seeds,
    Settings,
    Shard,
    SuiteName,
    cores,
    evidence_of,
    print_json,
    selected_part,
    terminal,
)
from bench.estimate import Progress, forecast, peak_bytes, stored_progress
from bench.executors.local import Options, Outcome, execute
from bench.explain import Problem, shown
from bench.measures import Evidence, standing
from bench.opponents import missing_opponents
from bench.plan import COMMAND_LINE, Plan, sharded
from bench.report.machine import check_json, outcome_json, plan_json
from bench.report.terminal import (
    RunProgress,
    duration,
    outcome_line,
    plan_table,
    standing_line,
    waiting_lines,
)
from bench.store import Record, Store
from bench.suite import SuiteError
from bench.suite.loading import load, opponents


def plan(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    results: Results = RESULTS,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes at once; default: one a core")] = None,
    shard: Shard = "",
    as_json: Json = False,
) -> None:
    """Show the cells and runs that a suite asks for, what is done, what is left, and what it costs."""
    evidence = evidence_of(suite, profile, only, seeds, settings, results)
    planned, jobs = sharded(evidence.plan, shard), jobs or cores()
    now = standing(planned, evidence.records)
    expected = forecast(planned, evidence.records, stored_progress(evidence.store, planned), now.settled, jobs)
    if as_json:
        print_json(plan_json(planned, now, expected, jobs))
        return
    console = terminal()
    if planned.cells:
        console.print(plan_table(planned, now, expected))
        basis = ", ".join(sorted({c.basis for c in expected.cells.values()}))
        memory = peak_bytes(planned, expected.cells, jobs) / 2**20
        print(f"{standing_line(planned, now)}; about {duration(expected.wall_s)} left with {jobs} process(es)")
        print(f"(time from: {basis}), about {memory:,.0f} MiB of memory at most")
    for line in waiting_lines(planned):
        print(line)


def run(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    results: Results = RESULTS,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes at once; default: one a core")] = None,
    lanes: Annotated[int, typer.Option(min=0, help="seeds trained together in a process; 0: split evenly")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N")] = "cpu",
    checkpoint_every: Annotated[float, typer.Option(min=0, help="seconds between checkpoints")] = 30.0,
    shard: Shard = "",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="make runs that failed again")] = False,
    report: Annotated[bool, typer.Option("--report", help="then judge the claims and write the report")] = False,
    as_json: Json = False,
) -> None:
    """Train what a suite asks for and the results folder lacks. Interrupted, it goes on where it was."""
    _check_device(device)
    loaded, selection = load(suite), selected_part(profile, only, seeds, settings)
    store = Store(results)
    store.open_for_writing()
    before = Evidence(loaded, selection, store)
    planned = sharded(before.plan, shard)
    options = Options(_processes(jobs, device), lanes, device, checkpoint_every, retry_failed)
    console = Console(stderr=True) if as_json else terminal()
    if planned.waiting and not planned.cells:
        print(*waiting_lines(planned), sep="\n", file=sys.stderr)
        print("nothing was run: nothing of this selection can run here yet", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)
    outcome = train(planned, before.records, store, options, console)
    console.print(outcome_line(planned, outcome), markup=False)
    printed: dict[str, Any] = {"run": outcome_json(outcome)}
    if report and not (outcome.stopped or outcome.broken):
        evidence = Evidence(loaded, selection, store)
        path, found = judged_report(evidence)
        if as_json:
            printed |= {"check": check_json(evidence, *found)}
        else:
            show_check(evidence, *found)
        printed["report"] = str(path)
        console.print(f"report: {printed['report']}", markup=False, soft_wrap=True)
    if as_json:
        print_json(printed)
    if outcome.stopped:
        print("stopped; the same command goes on from the last checkpoints", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)
    if outcome.broken:
        print(outcome.broken, file=sys.stderr)
    if outcome.failed or outcome.blocked or outcome.broken:
        raise typer.Exit(RUNS_FAILED)


def _processes(jobs: int | None, device: str) -> int:
    """One a core on the CPU; on a GPU one process with all lanes."""
    return jobs or (cores() if device == "cpu" else 1)


def _check_device(device: str) -> None:
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        problem = Problem("--device", shown(device), '"cpu", "cuda", "cuda:N"', "name one of them")
        raise SuiteError(COMMAND_LINE, [problem])
    if kind == "cuda":
        from bench.run import DeviceMissing, check_device  # torch comes with it, so only here

        try:
            check_device(device)
        except DeviceMissing as error:
            raise SuiteError(COMMAND_LINE, [error.problem]) from None


def train(planned: Plan, records: list[Record], store: Store, options: Options, console: Console) -> Outcome:
    """Train what is left of a plan, showing how far it is. records: those of its cells that are there.

    Raises SuiteError where an opponent that it needs is not there.
    """
    settled = standing(planned, records).settled
    needed = {run.cell for run in planned.runs if run.id not in settled}
    if missing := missing_opponents((cell for cell in planned.cells if cell.key in needed), opponents()):
        raise SuiteError(planned.suite, missing)

    def seconds_left(progress: Mapping[str, Progress], settled: Set[str]) -> float:
        return forecast(planned, records, progress, settled, options.jobs, options.lanes).wall_s

    with RunProgress(console, planned, standing(planned, records).done, seconds_left) as progress:
        return execute(planned, store, options, progress.event)
