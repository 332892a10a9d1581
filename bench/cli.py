"""The command line: one function a verb, no logic.

Exit codes: 0 done, whatever the verdicts say; 1 only from verify: the folder is not sound; 2 bad usage or a bad suite
file; 3 runs failed, or the results folder could not be written any more; 4 nothing was run; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import __version__
from bench.diff import difference, find
from bench.estimate import Progress, forecast, peak_bytes, stored_progress
from bench.executors.local import Options, Outcome, execute
from bench.explain import Problem, shown
from bench.loading import available, load
from bench.measures import Evidence, standing
from bench.plan import COMMAND_LINE, Plan, Selection, selected, sharded
from bench.report.folders import (
    difference_json,
    difference_lines,
    difference_table,
    verified_json,
    verified_lines,
)
from bench.report.machine import check_json, outcome_json, plan_json, validation_json
from bench.report.markdown import write_report
from bench.report.terminal import (
    RunProgress,
    counts_line,
    deviation_lines,
    duration,
    outcome_line,
    plan_table,
    standing_line,
    transfer_table,
    validation_line,
    verdict_table,
)
from bench.store import Store, StoreError, storage_problem
from bench.suite import Suite, SuiteError
from bench.verdict import TransferMetric, Verdict, judge, transfer_metrics
from bench.verify import verify as verified

NOT_SOUND, BAD_USAGE, RUNS_FAILED, NOTHING_RUN, INTERRUPTED = 1, 2, 3, 4, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reruns papers on knowledge distillation in reinforcement learning, and judges what they claim.",
)

SuiteName = Annotated[str, typer.Argument(help="a suite's name, or the path of a suite file (*.toml)")]
Profile = Annotated[str, typer.Option(help="which budget: full, nightly, smoke")]
Only = Annotated[list[str] | None, typer.Option(help="an experiment's id; may be repeated")]
Seeds = Annotated[str, typer.Option(help="N: the first N seeds; or a list with a comma or a range: 0,3 or 5-9 or 7,")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="[METHOD.|budget.]KEY=VALUE; recorded as a deviation")
]
Results = Annotated[Path, typer.Option(envvar="BENCH_RESULTS", help="the results folder")]
Shard = Annotated[str, typer.Option(help="i/n: the i-th of n parts of the seeds, for array jobs")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
RESULTS = Path("runs")
MOST_SEEDS = 10_000


@app.callback(invoke_without_command=True)
def bench_(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    """What goes before a verb."""
    if version:
        print(f"marl-distill-bench {__version__}")
        raise typer.Exit


@app.command()
def validate(
    suites: Annotated[list[str] | None, typer.Argument(help="names or paths; all suites where none is given")] = None,
    as_json: Json = False,
) -> None:
    """Check suite files: every key, type, range and reference."""
    checked = {name: _loaded_or_refused(name) for name in suites or available()}
    if as_json:
        _print_json([validation_json(name, found) for name, found in checked.items()])
    for name, found in () if as_json else checked.items():
        print(validation_line(name, found) if isinstance(found, Suite) else found)
    if any(isinstance(found, SuiteError) for found in checked.values()):
        raise typer.Exit(BAD_USAGE)


@app.command()
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
    evidence = _evidence(suite, profile, only, seeds, settings, results)
    planned, jobs = sharded(evidence.plan, shard), jobs or _cores()
    now = standing(planned, evidence.records)
    expected = forecast(planned, evidence.records, stored_progress(evidence.store, planned), now.settled, jobs)
    if as_json:
        _print_json(plan_json(planned, now, expected, jobs))
        return
    console = _console()
    console.print(plan_table(planned, now, expected))
    basis = ", ".join(sorted({c.basis for c in expected.cells.values()}))
    memory = peak_bytes(planned, expected.cells, jobs) / 2**20
    print(f"{standing_line(planned, now)}; about {duration(expected.wall_s)} left with {jobs} process(es)")
    print(f"(time from: {basis}), about {memory:,.0f} MiB of memory at most")


@app.command()
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
    loaded, selection = load(suite), _selection(profile, only, seeds, settings)
    store = Store(results)
    store.open_for_writing()
    before = Evidence(loaded, selection, store)
    planned = sharded(before.plan, shard)
    options = Options(_processes(jobs, device), lanes, device, checkpoint_every, retry_failed)
    console = Console(stderr=True) if as_json else _console()
    outcome = _train(planned, before, options, console)
    console.print(outcome_line(planned, outcome), markup=False)
    shown: dict[str, Any] = {"run": outcome_json(outcome)}
    if report and not (outcome.stopped or outcome.broken):
        evidence = Evidence(loaded, selection, store)
        judged = _judged(evidence)
        if as_json:
            shown |= {"check": check_json(evidence, *judged)}
        else:
            _show_check(evidence, *judged)
        shown["report"] = str(_write_report(evidence, *judged))
        console.print(f"report: {shown['report']}", markup=False, soft_wrap=True)
    if as_json:
        _print_json(shown)
    if outcome.stopped:
        print("stopped; the same command goes on from the last checkpoints", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)
    if outcome.broken:
        print(outcome.broken, file=sys.stderr)
    if outcome.failed or outcome.blocked or outcome.broken:
        raise typer.Exit(RUNS_FAILED)


@app.command()
def check(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Judge every claim on the results that are there."""
    evidence = _evidence(suite, profile, only, seeds, settings, results)
    judged = _judged(evidence)
    if as_json:
        _print_json(check_json(evidence, *judged))
    else:
        _show_check(evidence, *judged)
    _require_results(evidence, results)


@app.command(name="report")
def write(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Write a Markdown report with learning curves; prints its path."""
    evidence = _evidence(suite, profile, only, seeds, settings, results)
    _require_results(evidence, results)
    path = _write_report(evidence, *_judged(evidence))
    if as_json:
        _print_json({"report": str(path)})
    else:
        print(f"report: {path}")


@app.command()
def verify(
    results: Annotated[Path, typer.Argument(envvar="BENCH_RESULTS", help="the results folder")] = RESULTS,
    as_json: Json = False,
) -> None:
    """Check every hash of a results folder; exit code 1 where something fails."""
    found = verified(Store(results))
    if as_json:
        _print_json(verified_json(results, found))
    else:
        print(*verified_lines(results, found), sep="\n")
    if found.findings:
        raise typer.Exit(NOT_SOUND)
    if not found.finished + found.failed:
        print(f"nothing was run: no record in {results}", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="a run's id, the start of it, or a record's file")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="another")],
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Show two runs side by side: settings, versions, hardware, commit, and where their numbers part."""
    store = Store(results)
    found = difference(find(store, first), find(store, second))
    if as_json:
        _print_json(difference_json(found))
        return
    _console().print(difference_table(found))
    print(*difference_lines(found), sep="\n")


@app.command()
def anchors(
    suite: SuiteName,
    seeds: Annotated[int, typer.Option(min=3, help="independent repetitions")] = 5,
    episodes: Annotated[int, typer.Option(min=1, help="episodes of each")] = 1000,
    as_json: Json = False,
) -> None:
    """Measure each scenario's scale with scripted policies, for a suite file's [scenario.anchors]."""
    from bench.envs.anchors import measure_anchors  # torch comes with it, so only here

    scenarios = load(suite, need_anchors=False).scenario
    measured = {s.id: measure_anchors(s.family, s.params, s.episode_limit, seeds, episodes) for s in scenarios}
    if as_json:
        _print_json(measured)
        return
    for scenario, scores in measured.items():
        print(f"{scenario}: " + ", ".join(f"{name} {s['mean']:.4f} (sd {s['sd']:.4f})" for name, s in scores.items()))


def main() -> None:
    """The console script: a refused request is one message and exit code 2."""
    try:
        app()
    except (SuiteError, StoreError) as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_USAGE)
    except OSError as error:  # the disk filled up or the results folder went away under way
        print(storage_problem(error, "results folder"), file=sys.stderr)
        sys.exit(RUNS_FAILED)


def _loaded_or_refused(name: str) -> Suite | SuiteError:
    try:
        return load(name)
    except SuiteError as error:
        return error


def _console() -> Console:
    """As wide as the terminal; where there is none, wide enough for a table."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processes(jobs: int | None, device: str) -> int:
    """One a core on the CPU; on a GPU one process with all lanes."""
    return jobs or (_cores() if device == "cpu" else 1)


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


def _selection(profile: str, only: list[str] | None, seeds: str, settings: list[str] | None) -> Selection:
    return Selection(profile=profile, only=tuple(only or ()), seeds=_seeds(seeds), settings=tuple(settings or ()))


def _seeds(text: str) -> tuple[int, ...] | None:
    """`5` -> 0...4; `0,3,7-9` -> those; `7,` -> 7 alone; nothing -> None."""
    if not text:
        return None
    try:
        if text.isdecimal():
            ranges = [range(int(text))]
        else:
            ends = [part.partition("-") for part in text.split(",") if part.strip()]
            ranges = [range(int(low), int(high if dash else low) + 1) for low, dash, high in ends]
        seeds = sorted({s for r in ranges for s in r}) if sum(map(len, ranges)) <= MOST_SEEDS else ()
    except (ValueError, OverflowError):
        seeds = ()
    if not seeds:
        problem = Problem(
            "--seeds",
            shown(text),
            f"a count N >= 1, or a list such as 0,3,7-9, of at most {MOST_SEEDS}",
            "e.g. --seeds 5",
        )
        raise SuiteError(COMMAND_LINE, [problem])
    return tuple(seeds)


def _evidence(
    suite: str, profile: str, only: list[str] | None, seeds: str, settings: list[str] | None, results: Path
) -> Evidence:
    return Evidence(load(suite), _selection(profile, only, seeds, settings), Store(results))


def _train(planned: Plan, before: Evidence, options: Options, console: Console) -> Outcome:
    records = before.records

    def seconds_left(progress: Mapping[str, Progress], settled: Set[str]) -> float:
        return forecast(planned, records, progress, settled, options.jobs, options.lanes).wall_s

    with RunProgress(console, planned, standing(planned, records).done, seconds_left) as progress:
        return execute(planned, before.store, options, progress.event)


def _judged(evidence: Evidence) -> tuple[list[Verdict], list[TransferMetric]]:
    experiments = selected(evidence.suite, evidence.selection.only)
    return judge(evidence, experiments), [metric for e in experiments for metric in transfer_metrics(evidence, e)]


def _show_check(evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric]) -> None:
    console = _console()
    if transfer:
        console.print(transfer_table(transfer))
    console.print(verdict_table(verdicts))
    print(*deviation_lines(verdicts), sep="\n")
    print(counts_line(verdicts))
    for failure in evidence.failures:
        print(f"failed: {failure}")
    for problem in evidence.damaged:
        print(f"not counted: {problem}", file=sys.stderr)


def _write_report(evidence: Evidence, verdicts: list[Verdict], transfer: list[TransferMetric]) -> Path:
    """The path of the report, in the results folder. Raises StoreError where it cannot be written."""
    suite, selection, root = evidence.suite, evidence.selection, evidence.store.root
    name = "-".join([suite.id, selection.profile, *(e.replace("/", "-") for e in selection.only)])
    try:
        return write_report(evidence, selected(suite, selection.only), verdicts, transfer, root / "report" / name)
    except OSError as error:
        raise StoreError(f"report in {root} cannot be written: {error.strerror}") from error


def _require_results(evidence: Evidence, results: Path) -> None:
    """Exit 4 where nothing was measured: a check of nothing must not look like one that passed."""
    if not any(evidence.finished(cell) for cell in evidence.plan.cells):
        print(f"nothing was run: no finished run of this selection in {results}", file=sys.stderr)
        raise typer.Exit(NOTHING_RUN)
