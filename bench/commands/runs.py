"""run: training what a suite asks for."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.commands.engines import Execute, engine
from bench.commands.judging import judged_report, show_check
from bench.commands.options import (
    RESULTS,
    Json,
    Methods,
    Only,
    Profile,
    Reading,
    Results,
    Seeds,
    Settings,
    Shard,
    SuiteName,
    check_device,
    cores,
    print_json,
    read_as,
    say_not_counted,
    selected_part,
    terminal,
)
from bench.commands.verbs import ASKED_TO_FAIL, INTERRUPTED, NOTHING_RUN, RUNS_FAILED
from bench.evidence.measures import Evidence
from bench.evidence.standing import standing
from bench.executors.dispatch import Options, Outcome
from bench.executors.estimate import Progress, forecast
from bench.executors.local import execute as execute_here
from bench.executors.until import Round, train_until_decided
from bench.nightly import repeats
from bench.output.terminal import Terminal, warn
from bench.plan import COMMAND_LINE, Plan, Selection, check_methods, selected, sharded
from bench.plan.assets import missing_assets, missing_backends
from bench.plan.present import playable
from bench.report.looks import round_line, rounds_json
from bench.report.machine import check_json, outcome_json
from bench.report.terminal import RunProgress, outcome_line, waiting_lines
from bench.store import Record, Store
from bench.suite import PRIMARY, Suite, SuiteError
from bench.suite.assets import everywhere
from bench.suite.explain import Problem, shown
from bench.suite.loading import load


def run(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    methods: Methods = None,
    seeds: Seeds = "",
    settings: Settings = None,
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes at once; default: one per core")] = None,
    lanes: Annotated[int, typer.Option(min=0, help="seeds trained together in a process; 0: split evenly")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N")] = "cpu",
    checkpoint_every: Annotated[float, typer.Option(min=0, help="seconds between checkpoints")] = 30.0,
    replay_memory: Annotated[
        float, typer.Option(min=0, help="GiB that a task's replay of episodes may take per seed; 0: no limit")
    ] = 0.0,
    shard: Shard = "",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="run failed runs again")] = False,
    executor: Annotated[str, typer.Option(help="what trains: local, ray, slurm")] = "local",
    address: Annotated[str, typer.Option(help="with ray: the cluster's; default: RAY_ADDRESS, or a cluster here")] = "",
    scratch: Annotated[str, typer.Option(help="with ray: each machine's folder for unfinished work")] = "",
    slurm: Annotated[list[str] | None, typer.Option(help="with slurm: KEY=VALUE, e.g. partition=gpu")] = None,
    until_decided: Annotated[
        bool,
        typer.Option("--until-decided", help="train look by look, until every claim is decided or the looks end"),
    ] = False,
    report: Annotated[bool, typer.Option("--report", help="then judge the claims and write the report")] = False,
    against: Annotated[
        Path | None,
        typer.Option(help="published results; then compare runs of the same ids with them, to the last bit"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train what a suite asks for and the results folder lacks. After an interruption it goes on where it stopped.

    With --against it exits with 1 if numbers differ from the published ones on a platform class whose canaries are
    stored with them, or if a published record is damaged. It exits with 4 if full budgets were asked for and none of
    these runs is published.
    """
    execute = engine(executor, address, scratch, slurm or [])
    if executor == "local":
        check_device(device)
    if against is not None and not (against / "records").is_dir():
        mend = "name a folder that holds records, e.g. --against results"
        raise SuiteError(COMMAND_LINE, [Problem("--against", shown(str(against)), "a results folder", mend)])
    published = None if against is None else repeats.published_in(against)
    loaded, selection = read_as(load(suite), reading), selected_part(profile, only, seeds, settings, reading, methods)
    check_methods(loaded, selection)
    if until_decided:
        _check_looks(loaded, selection, shard)
    store = Store(results)
    store.open_for_writing()
    before = Evidence(loaded, selection, store)
    say_not_counted(before.damaged)
    planned = sharded(before.plan, shard)
    if executor == "local":
        part, left_out = playable(planned)
        planned = part if part.cells else planned  # if nothing is left, what is missing is an error
        for family, count in left_out.items() if part.cells else ():
            warn(f"{count} runs are left out: family {family} is not installed here; see: bench doctor {family}")
    at_once = _processes(jobs, device) if executor == "local" else jobs or 0
    replay_bytes = int(replay_memory * 2**30)
    options = Options(at_once, lanes, device, checkpoint_every, retry_failed, replay_bytes=replay_bytes)
    console = Terminal(stderr=True) if as_json else terminal()
    if planned.waiting and not planned.cells:
        warn(*waiting_lines(planned))
        warn("nothing was run: nothing of this selection can run here yet")
        raise typer.Exit(NOTHING_RUN)
    rounds: list[Round] = []
    if until_decided:
        planned, outcome = _until_decided(loaded, selection, store, options, console, rounds, execute)
    else:
        outcome = train(planned, before.records, store, options, console, execute)
    console.print(outcome_line(planned, outcome), markup=False)
    printed: dict[str, Any] = {"run": outcome_json(outcome)} | ({"looks": rounds_json(rounds)} if rounds else {})
    if report and not (outcome.stopped or outcome.broken):
        evidence = Evidence(loaded, selection.model_copy(update={"methods": ()}), store)
        path, found = judged_report(evidence)
        if as_json:
            printed |= {"check": check_json(evidence, *found)}
        else:
            show_check(evidence, *found)
        printed["report"] = str(path)
        console.print(f"report: {printed['report']}", markup=False, soft_wrap=True)
    compared = repeats.repeats(planned, store, published) if published and not outcome.broken else None
    if compared is not None:
        printed["against"] = repeats.as_json(compared)
        console.print(*repeats.lines(compared), sep="\n", markup=False, soft_wrap=True)
    if as_json:
        print_json(printed)
    if outcome.stopped:
        warn("stopped; the same command goes on from the last checkpoints")
        raise typer.Exit(INTERRUPTED)
    if outcome.broken:
        warn(outcome.broken)
    if outcome.failed or outcome.blocked or outcome.broken:
        raise typer.Exit(RUNS_FAILED)
    if compared is not None and compared.broken:
        raise typer.Exit(ASKED_TO_FAIL)
    if compared is not None and not compared.rows and profile == "full" and not settings:
        raise typer.Exit(NOTHING_RUN)  # shorter or changed runs are never published; of full ones some should be


def _processes(jobs: int | None, device: str) -> int:
    """One per core on the CPU; on a GPU one process with all lanes."""
    return jobs or (cores() if device == "cpu" else 1)


def _check_looks(suite: Suite, selection: Selection, shard: str) -> None:
    """Raises SuiteError if there are no looks to train by, or if other seeds or fewer methods are asked for."""
    asked = {"--seeds": selection.seeds is not None, "--shard": bool(shard), "--method": bool(selection.methods)}
    if both := [option for option, there in asked.items() if there]:
        allowed = "the seeds of the declared looks, of all methods"
        problem = Problem("--until-decided", f"{both[0]} as well", allowed, "leave one out")
        raise SuiteError(COMMAND_LINE, [problem])
    profile = suite.profile.get(selection.profile)
    experiments = selected(suite, selection.only)
    if profile is not None and not any(e.schedule(profile).often for e in experiments):
        got = f'fixed seeds in profile "{selection.profile}"'
        allowed = "an experiment, or a profile, that declares looks: seeds = { looks = [5, 10, 15, 20] }"
        mend = "declare looks in the suite file before any run, or leave --until-decided out"
        raise SuiteError(suite.id, [Problem("--until-decided", got, allowed, mend)])


def _until_decided(
    suite: Suite,
    selection: Selection,
    store: Store,
    options: Options,
    console: Terminal,
    rounds: list[Round],
    execute: Execute,
) -> tuple[Plan, Outcome]:
    """Train look by look, one line after each. With retry_failed, only the first look makes failed runs again."""

    def one_look(planned: Plan, records: list[Record], first: bool) -> Outcome:
        own = options if first else replace(options, retry_failed=False)
        return train(planned, records, store, own, console, execute)

    def tell(now: Round) -> None:
        rounds.append(now)
        console.print(round_line(now), markup=False, soft_wrap=True)

    return train_until_decided(suite, selection, store, one_look, tell)


def train(
    planned: Plan,
    records: list[Record],
    store: Store,
    options: Options,
    console: Terminal,
    execute: Execute = execute_here,
) -> Outcome:
    """Train what is left of a plan, and show the progress. records: those that its cells have so far.

    Raises SuiteError if a file or a package that it needs is missing.
    """
    settled = standing(planned, records).settled
    needed = {run.cell for run in planned.runs if run.id not in settled}
    cells = [cell for cell in planned.cells if cell.key in needed]
    here = missing_backends(cells) if execute is execute_here else []  # a cluster's machines are asked directly
    if missing := [*here, *missing_assets(cells, everywhere())]:
        raise SuiteError(planned.suite, missing)

    def seconds_left(progress: Mapping[str, Progress], settled: Set[str]) -> float:
        jobs = options.jobs or cores()
        return forecast(planned, records, progress, settled, jobs, options.lanes, device=options.device).wall_s

    with RunProgress(console, planned, standing(planned, records).done, seconds_left) as progress:
        return execute(planned, store, options, progress.event)
