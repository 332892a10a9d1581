"""export and import: scores for other people's tools, and scores from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import (
    RESULTS,
    Json,
    Only,
    Profile,
    Reading,
    Results,
    Seeds,
    Settings,
    evidence_of,
    print_json,
    require_results,
    say_not_counted,
)
from bench.commands.verbs import NOTHING_RUN
from bench.commands.writing import Force, require_free, write_out
from bench.evidence.measures import Evidence
from bench.exchange import ExchangeError, marl_eval, rliable, table
from bench.exchange.accepting import absent, accepted, remarks
from bench.exchange.declaration import in_words, read_declaration
from bench.exchange.files import gather
from bench.exchange.grid import Placed, finished_rows, full_grid, left_out
from bench.exchange.imported import Import, imports, require_new, summary, write_import
from bench.guests.entrants import entrants
from bench.output.terminal import say, warn
from bench.plan import COMMAND_LINE
from bench.store import readable
from bench.suite import PRIMARY
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.loading import load

EXPORTS, IMPORTS = ("marl-eval", "rliable", "csv"), ("marl-eval", "csv")
Suite = Annotated[str, typer.Option(help="a suite's name, or the path of a suite file (*.toml)")]


def export(
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(EXPORTS))],
    suite: Suite,
    out: Annotated[Path, typer.Option(help="the file to write")],
    profile: Profile = "full",
    only: Only = None,
    seeds: Seeds = "",
    settings: Settings = None,
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    normalise: Annotated[
        bool,
        typer.Option("--normalise", help="rliable: scale by the suite's anchors, random policy 0 and good script 1"),
    ] = False,
    entrants_too: Annotated[
        bool, typer.Option("--entrants", help="include the methods from elsewhere that bench compare has run here")
    ] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write the finished runs of a selection for another tool."""
    _require_format(format_, EXPORTS)
    if normalise and format_ != "rliable":
        problem = Problem("--normalise", format_, '"rliable"', "leave it out: this format has raw scores")
        raise ExchangeError(COMMAND_LINE, [problem])
    evidence = evidence_of(suite, profile, only, seeds, settings, results, reading)
    say_not_counted(evidence.damaged)
    for line in left_out(evidence):
        warn(f"left out: {line}")
    elsewhere = _entered(evidence) if entrants_too else []
    if entrants_too and not elsewhere:
        warn("left out: no method from elsewhere has a finished run of this selection")
    if not elsewhere:
        require_results(evidence, results)
    if format_ == "csv":
        files = {out: table.to_csv(finished_rows(evidence, elsewhere), evidence.suite, profile).encode()}
    elif format_ == "marl-eval":
        files = {out: marl_eval.to_bytes(marl_eval.to_json(full_grid(evidence, elsewhere)))}
    else:
        grid = full_grid(evidence, elsewhere)
        legend = readable(rliable.legend(grid, normalise))
        files = {out: rliable.to_npz(rliable.matrices(grid, normalise)), Path(f"{out}.json"): legend}
    for path, content in files.items():
        require_free(path, content, force)
    for path, content in files.items():
        write_out(path, content, force)
    if as_json:
        print_json({"format": format_, "files": [str(path) for path in files]})
    else:
        say(*(f"written: {path}" for path in files))


def _entered(evidence: Evidence) -> list[Placed]:
    """The cells of methods from elsewhere that have a finished run. A hash tells two methods of one name apart."""
    found = entrants(evidence)
    names = [entry.method.name for entry in found]
    return [
        Placed(contest.experiment.id, contest.group, name, contest.cell)
        for entry, own in zip(found, names, strict=True)
        for name in [f"{own} ({entry.method.source[:8]})" if names.count(own) > 1 else own]
        for contest in entry.contests
    ]


def import_(
    format_: Annotated[str, typer.Argument(metavar="FORMAT", help=", ".join(IMPORTS))],
    file: Annotated[Path, typer.Argument(help="the file to import, or a folder of files with one run each")],
    suite: Suite,
    protocol: Annotated[
        Path | None, typer.Option(help="how its runs were made, as TOML; default: FILE with the suffix .toml")
    ] = None,
    name: Annotated[str, typer.Option(help="what to call these results; default: the file's name")] = "",
    results: Results = RESULTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be taken and refused; write nothing")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take in results from elsewhere. They are kept apart from own runs and marked as imported."""
    _require_format(format_, IMPORTS)
    loaded, declared = load(suite), read_declaration(protocol or file.with_suffix(".toml"))
    there = gather(file, "csv" if format_ == "csv" else "marl-eval", declared)
    name = name or (file.resolve().name if file.is_dir() else file.stem)
    require_new(results, name, there.source, loaded.id, declared.column)
    before = imports(results)
    for line in before.damaged.values():
        warn(f"not counted: {line}")
    runs, unfit = accepted(there.candidates, declared, loaded, before.of_suite(loaded.id))
    said = remarks(runs, there.candidates, declared)
    found = Import(
        name=name,
        suite=loaded.id,
        suite_version=loaded.version,
        source=there.source,
        protocol=declared,
        runs=tuple(runs),
        refused=(*there.refused, *unfit),
    )
    path = write_import(results, found) if runs and not dry_run else None
    if as_json:
        print_json(
            {"import": found.model_dump(mode="json"), "absent": absent(runs, declared), "remarks": said}
            | {"file": path and str(path)}
        )
    else:
        _show(found, [*(f"absent: {gap}" for gap in absent(runs, declared)), *(f"remark: {one}" for one in said)], path)
    if not runs:
        warn(f"nothing was imported: no run of {file} can be taken")
        raise typer.Exit(NOTHING_RUN)


def _show(found: Import, more: list[str], path: Path | None) -> None:
    for run in found.refused:
        warn(f"refused: {run.place}: {run.why}")
    say(f"declared: {in_words(found.protocol)}")
    say(*summary(found), *more)
    counted = f"{len(found.runs)} runs taken, {len(found.refused)} refused"
    say(f"{counted}: {path}" if path else f"{counted}; nothing was written")


def _require_format(format_: str, allowed: tuple[str, ...]) -> None:
    if format_ not in allowed:
        mend = f"name one of them{nearest(format_, allowed)}"
        raise ExchangeError(COMMAND_LINE, [Problem("FORMAT", shown(format_), listed(allowed), mend)])
