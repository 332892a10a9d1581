"""show: one claim, or one printed value, explained in full."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.commands.options import RESULTS, Json, Profile, Reading, Results, print_json, read_as
from bench.evidence.measures import Evidence
from bench.output.terminal import say
from bench.plan import COMMAND_LINE, Selection
from bench.report.machine import verdict_json
from bench.report.words import in_full
from bench.store import Store
from bench.suite import PRIMARY, Suite, SuiteError
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.loading import load
from bench.suite.shipped import available
from bench.verdict import judge


def show(
    claim: Annotated[str, typer.Argument(help="a claim's or a printed value's id; SUITE:ID if several suites have it")],
    profile: Profile = "full",
    reading: Reading = PRIMARY,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Explain one claim in full: its sentence, place, test, verdict, what it rests on, deviations, how to rerun it."""
    name, suite, id_ = _named(claim)
    selection = Selection(profile=profile, only=tuple(_experiments(suite, id_)), reading=reading)
    evidence = Evidence(read_as(suite, reading), selection, Store(results))
    found = [v for v in judge(evidence, [suite["experiment", e] for e in selection.only]) if v.id == id_]
    if as_json:
        print_json([verdict_json(v) for v in found])
        return
    for number, verdict in enumerate(found):
        say(*([""] if number else []), *in_full(verdict, name, profile, reading, str(results)))


def _named(text: str) -> tuple[str, Suite, str]:
    """The suite's name or path, the suite and the id. Raises SuiteError if no suite or several have it."""
    name, colon, id_ = text.rpartition(":")
    names = [name] if colon else available()
    suites = {own: suite for own in names if id_ in _ids(suite := load(own))}
    if len(suites) == 1:
        return *next(iter(suites.items())), id_
    if suites:
        allowed = listed(f"{own}:{id_}" for own in suites)
        raise SuiteError(COMMAND_LINE, [Problem("CLAIM", shown(text), allowed, "name one of them")])
    every = [own for suite in map(load, names) for own in _ids(suite)]
    mend = f"bench ls claims and bench ls published list them{nearest(id_, every)}"
    raise SuiteError(COMMAND_LINE, [Problem("CLAIM", shown(text), "the id of a claim or printed value", mend)])


def _ids(suite: Suite) -> list[str]:
    return [*(c.id for c in suite.claim if c.test.kind != "untestable"), *(v.id for v in suite.printed)]


def _experiments(suite: Suite, id_: str) -> list[str]:
    claims = [e for claim in suite.claim if claim.id == id_ for e in claim.experiments]
    return [*claims, *dict.fromkeys(v.experiment for v in suite.printed if v.id == id_)]
