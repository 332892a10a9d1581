"""card: a claim or a suite as a picture to share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import (
    RESULTS,
    Json,
    Profile,
    Reading,
    Results,
    SuiteName,
    evidence_of,
    print_json,
    require_results,
)
from bench.commands.writing import Force, write_out
from bench.output.terminal import say
from bench.plan import refused, selected
from bench.report.card import claim_card, suite_card
from bench.report.figures import written
from bench.store import file_name
from bench.suite import PRIMARY
from bench.suite.loading import load
from bench.verdict import judge

FORMS = ("svg", "png")


def card(
    suite: SuiteName,
    claim: Annotated[str, typer.Argument(help="a claim's or printed value's id; without one, the suite's card")] = "",
    profile: Profile = "full",
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="STEM", help="the pictures' path, without .svg and .png")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw a claim and its verdict, or a suite's claims, headlines first, as a picture of 1200 x 630: SVG and PNG.

    A claim about several experiments gets a picture for each.
    """
    evidence = evidence_of(suite, profile, _about(suite, claim), "", None, results, reading)
    require_results(evidence, results)
    verdicts = judge(evidence, selected(evidence.suite, evidence.selection.only))
    other = "" if reading == PRIMARY else f" --reading {reading}"
    if claim:
        own = [v for v in verdicts if v.id == claim]
        command = f"bench show {evidence.suite.id}:{claim} --profile {profile}{other} --results {results}"
        named = {file_name("card", evidence.suite.id, v.id, *([v.experiment] if len(own) > 1 else [])): v for v in own}
        figures = {name: claim_card(evidence.suite, v, command) for name, v in named.items()}
    else:
        command = f"bench check {evidence.suite.id} --profile {profile}{other} --results {results}"
        figures = {file_name("card", evidence.suite.id): suite_card(evidence.suite, verdicts, command)}
    paths = []
    for name, figure in figures.items():
        stem = out or Path(name)
        if len(figures) > 1 and out:
            stem = out.with_name(f"{out.name}-{name}")
        for form in FORMS:
            paths.append(stem.with_name(f"{stem.name}.{form}"))
            write_out(paths[-1], written(figure, form), force)
    if as_json:
        print_json({"pictures": [str(path) for path in paths]})
    else:
        say(*paths)


def _about(suite: str, claim: str) -> list[str] | None:
    """The experiments of a claim or a printed value; None for all. Raises SuiteError."""
    if not claim:
        return None
    loaded = load(suite)
    about = {c.id: [*c.experiments] for c in loaded.claim if c.test.kind != "untestable"}
    about |= {v.id: [v.experiment] for v in loaded.printed}
    if claim not in about:
        raise refused("CLAIM", claim, about)
    return about[claim]
