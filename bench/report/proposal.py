"""The runs that fit a given time, in a terminal and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.evidence.measures import Evidence
from bench.executors.proposal import Chosen, Proposal
from bench.report.terminal import duration
from bench.suite import PRIMARY


def proposal_table(found: Proposal) -> Table:
    table = Table(
        title=f"Runs that fit {duration(found.budget_s)}, the most for their time first", title_justify="left"
    )
    for column in (
        "experiment",
        "seeds",
        "looks",
        "CPU hours added",
        "claims decided, expected",
        "claims with unknown chance",
    ):
        table.add_column(column, overflow="fold")
    for one in found.chosen:
        looks = ", ".join(map(str, one.looks))
        row = (
            one.experiment,
            f"{one.seeds} of {one.of}",
            looks,
            f"{one.cpu_s / 3600:,.2f}",
            f"{one.expected:.1f}",
            str(one.unknown or ""),
        )
        table.add_row(*row)
    return table


def proposal_lines(found: Proposal, evidence: Evidence, results: Path) -> Iterator[str]:
    """The totals, the commands, and what is not known."""
    times = f"about {duration(found.wall_s)} with {found.jobs} process(es), {found.cpu_s / 3600:,.2f} CPU hours"
    if found.chosen:
        whole = f"all planned runs would decide {found.whole:.1f}"
        yield f"{times}: {found.expected:.1f} of {found.left} open claims decided, expected; {whole}"
        yield from (f"  {command}" for command in commands(found.chosen, evidence, results))
    else:
        yield f"nothing that fits {duration(found.budget_s)} would decide any of {found.left} open claims"
    if found.decided:
        yield f"{found.decided} claims are decided already"
    if found.unknown:
        named = ", ".join(f"{count} in {experiment}" for experiment, count in found.unknown.items())
        yield f"Not counted, since their chance is unknown: {named}. Three seeds of each would be pilots for --power."
    if found.waiting:
        yield f"{found.waiting} claims are about runs that cannot be made yet"
    yield "A claim counts once for each experiment that it is about. Chances are those of bench plan --power."


def commands(chosen: Sequence[Chosen], evidence: Evidence, results: Path) -> Iterator[str]:
    """One for each number of seeds, in the proposal's order. An experiment with all its looks runs look by look."""
    selection = evidence.selection
    options = "" if selection.profile == "full" else f" --profile {selection.profile}"
    options += "" if selection.reading == PRIMARY else f" --reading {selection.reading}"
    options += "".join(f" --set {setting}" for setting in selection.settings)
    by_seeds: dict[str, list[str]] = {}
    for one in chosen:
        own = one.seeds if selection.seeds is None else ",".join(map(str, selection.seeds[: one.seeds])) + ","
        seeds = "--until-decided" if one.looks and one.seeds == one.of else f"--seeds {own}"
        by_seeds.setdefault(seeds, []).append(f" --only {one.experiment}")
    for seeds, own in by_seeds.items():
        yield f"bench run {evidence.suite.id}{options}{''.join(own)} {seeds} --results {results}"


def proposal_json(found: Proposal, evidence: Evidence) -> dict[str, Any]:
    """As `bench plan --budget --json` prints it."""
    asked = [*commands(found.chosen, evidence, evidence.store.root)]
    return {"suite": evidence.suite.id, **dataclasses.asdict(found), "commands": asked}
