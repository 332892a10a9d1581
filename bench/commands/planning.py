"""plan: what a suite asks for, what it costs, how likely its seeds decide its claims, and what fits a given time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    evidence_of,
    print_json,
    say_not_counted,
    seconds_in,
    terminal,
)
from bench.evidence.measures import Evidence
from bench.evidence.standing import standing
from bench.executors.costs import Machines, costs
from bench.executors.estimate import Forecast, forecast, peak_bytes, stored_bytes, stored_progress
from bench.executors.measure import Measuring, measure, one_a_method
from bench.executors.paces import CPU, Paces, keep, published_in, stored
from bench.executors.proposal import proposal
from bench.output.tables import print_table
from bench.output.terminal import say, warn
from bench.plan import COMMAND_LINE, Plan, Resolver, selected, sharded
from bench.report.chances import power_json, power_lines, power_table
from bench.report.costs import costs_json, costs_lines, costs_table
from bench.report.machine import plan_json
from bench.report.proposal import proposal_json, proposal_lines, proposal_table
from bench.report.terminal import duration, plan_table, standing_line, waiting_lines
from bench.store import Store
from bench.store.provenance import processor
from bench.suite import PRIMARY, SuiteError
from bench.suite.explain import Problem
from bench.verdict.power import power as chances


def plan(
    suite: SuiteName,
    profile: Profile = "full",
    only: Only = None,
    methods: Methods = None,
    seeds: Seeds = "",
    settings: Settings = None,
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    jobs: Annotated[int | None, typer.Option(min=1, help="processes per machine; default: one per core")] = None,
    nodes: Annotated[int, typer.Option(min=1, help="also give the time on this many machines like this one")] = 10,
    shard: Shard = "",
    measured: Annotated[
        bool, typer.Option("--measure", help="first train each method for a minute, and take its pace")
    ] = False,
    measure_for: Annotated[str, typer.Option(help="with --measure: how long each method trains")] = "60s",
    device: Annotated[str, typer.Option(help="with --measure: cpu, cuda or cuda:N")] = CPU,
    published: Annotated[Path, typer.Option(help="results whose paces count if none is known here")] = Path("results"),
    budget: Annotated[
        str, typer.Option(help="instead: the runs that decide the most claims within a time, e.g. 8h")
    ] = "",
    power: Annotated[
        bool, typer.Option("--power", help="instead: how likely the planned seeds are to decide each claim and value")
    ] = False,
    pilots: Annotated[
        str,
        typer.Option(
            help="with --power and --budget: the profile whose finished runs are taken as the truth; default: the same"
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Show the cells and runs that a suite asks for, what is done, what is left, and what it costs.

    Times come from this folder's runs, else from what --measure has measured on this machine, else from published runs
    of the method. Without any of these a time is assumed, and the output says so. A GPU's time is unknown until a run
    on one is known.
    """
    _check_together(methods, budget, power)
    evidence = evidence_of(suite, profile, only, seeds, settings, results, reading, methods)
    say_not_counted(evidence.damaged)
    if power:
        _show_power(evidence, pilots, as_json)
        return
    _check(budget, shard, measured, device)
    planned, machines = sharded(evidence.plan, shard), Machines(jobs or cores(), nodes)
    if measured:
        _measure(evidence, planned, seconds_in(measure_for, "--measure-for"), machines.workers, device)
    expected = _expected(evidence, planned, machines.workers, published)
    if budget:
        found = proposal(
            evidence, _pilots(evidence, pilots), expected, seconds_in(budget, "--budget"), machines.workers
        )
        if as_json:
            print_json(proposal_json(found, evidence))
            return
        if found.chosen:
            print_table(terminal(), proposal_table(found))
        say(*proposal_lines(found, evidence, results))
        return
    _show_plan(evidence, planned, expected, machines, as_json)


def _check_together(methods: list[str] | None, budget: str, power: bool) -> None:
    """Raises SuiteError if some methods are to decide claims, which are about all of an experiment."""
    for option, asked in {"--budget": budget, "--power": power}.items():
        if methods and asked:
            raise SuiteError(
                COMMAND_LINE, [Problem(option, "--method as well", "whole experiments", "leave one out; see --only")]
            )


def _check(budget: str, shard: str, measured: bool, device: str) -> None:
    """Raises SuiteError for options that do not go together."""
    if budget and shard:
        problem = Problem("--budget", "--shard as well", "whole seeds of all experiments", "leave one out")
        raise SuiteError(COMMAND_LINE, [problem])
    if budget:
        seconds_in(budget, "--budget")
    if device != CPU and not measured:
        mend = "add --measure, or leave it out: the table has a column for GPUs in any case"
        raise SuiteError(COMMAND_LINE, [Problem("--device", device, "only with --measure", mend)])
    check_device(device)


def _measure(evidence: Evidence, planned: Plan, seconds: float, jobs: int, device: str) -> None:
    """Write each method's pace to the results folder, one line each; a method that fails does not stop the others."""
    cells, hardware = one_a_method(planned), processor()
    if device != CPU:
        from bench.run.devices import name_of  # imports torch

        jobs, hardware = 1, name_of(device)
    took = seconds * -(-len(cells) // jobs)
    warn(f"{len(cells)} methods are measured, {seconds:g} s each: about {duration(took)} with {jobs} process(es)")
    evidence.store.open_for_writing()
    asked = Measuring(seconds, jobs, device, hardware)
    for found in measure(evidence.suite, evidence.selection, cells, asked, warn):
        keep(evidence.store, [found])
        factor = found.pace.factor
        warn(f"measured: {found.method} on {found.training_set}: {factor:.2f} times as long as the model says")


def _expected(evidence: Evidence, planned: Plan, jobs: int, published: Path) -> Forecast:
    """The forecast at this folder's paces, paces measured on this kind of processor or on a GPU, and published ones."""
    store, settled = evidence.store, standing(planned, evidence.records).settled
    mine = tuple(one.pace for one in stored(store) if one.device != CPU or one.hardware == processor())
    elsewhere = (published / "records").is_dir() and published.resolve() != store.root.resolve()
    paces = Paces(mine, published_in(Store(published)) if elsewhere else ())
    return forecast(planned, evidence.records, stored_progress(store, planned), settled, jobs, paces=paces)


def _pilots(evidence: Evidence, profile: str) -> Evidence:
    """The evidence that is taken as the truth."""
    if not profile or profile == evidence.selection.profile:
        return evidence
    selection = evidence.selection.model_copy(update={"profile": profile})
    return Evidence(evidence.suite, selection, evidence.store)


def _show_plan(evidence: Evidence, planned: Plan, expected: Forecast, machines: Machines, as_json: bool) -> None:
    now = standing(planned, evidence.records)
    memory = peak_bytes(planned, now.settled, machines.workers)
    disk = stored_bytes(planned, expected.cells, now.settled, machines.workers)
    found = costs(evidence.suite, evidence.selection, planned, expected, now.settled, machines)
    if as_json:
        sizes = {"memory_bytes": memory, "checkpoint_bytes": disk}
        print_json(plan_json(planned, now, expected, machines.workers) | sizes | costs_json(found, machines))
        return
    console = terminal()
    if planned.cells:
        print_table(console, plan_table(planned, now, expected))
        basis = ", ".join(sorted({c.basis for c in expected.cells.values()}))
        left = f"about {duration(expected.wall_s)} left with {machines.workers} process(es)"
        say(f"{standing_line(planned, now)}; {left}")
        sizes = f"about {memory / 2**20:,.0f} MiB of memory and {disk / 2**20:,.0f} MiB of checkpoints at most"
        say(f"(time from: {basis}), {sizes}")
    print_table(console, costs_table(found, machines))
    say(*costs_lines(found, planned, expected.cells, evidence.store.root))
    for line in waiting_lines(planned):
        say(line)


def _show_power(evidence: Evidence, pilots: str, as_json: bool) -> None:
    suite, selection = evidence.suite, evidence.selection
    found = [*chances(_pilots(evidence, pilots), Resolver(suite, selection), selected(suite, selection.only))]
    if as_json:
        print_json(power_json(found))
        return
    if any(one.chance is not None for one in found):
        print_table(terminal(), power_table(found))
    say(*power_lines(found))
