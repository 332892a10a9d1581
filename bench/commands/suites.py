"""validate, ls, audit and anchors: what suite files hold; nothing is trained."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.audit import HOLDS
from bench.audit import audit as audited
from bench.commands.options import Json, Reading, SuiteName, print_json, read_as, terminal
from bench.commands.verbs import ASKED_TO_FAIL, BAD_USAGE
from bench.envs import AssetMissing, BackendMissing, checked
from bench.output.tables import print_table
from bench.output.terminal import put, say, warn
from bench.plan import COMMAND_LINE
from bench.plan.sides import compares_itself
from bench.report.audit import audit_counts, audit_json, audit_markdown, audit_table
from bench.report.listing import KINDS, listing_table, validation_json, validation_line
from bench.suite import PRIMARY, Suite, SuiteError
from bench.suite.assets import everywhere, to_get
from bench.suite.explain import Problem, listed, nearest, shown
from bench.suite.loading import load
from bench.suite.loading import schema as json_schema
from bench.suite.shipped import available
from bench.suite.warnings import warnings

STAND_INS = ("random", "greedy_script")  # opponents that need no weights


def ls(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))] = "suites",
    suite: Annotated[str | None, typer.Argument(help="one suite; default: all")] = None,
    as_json: Json = False,
) -> None:
    """List what the suites hold."""
    if kind not in KINDS:
        problem = Problem("kind", shown(kind), listed(KINDS), f"name one of them{nearest(kind, KINDS)}")
        raise SuiteError(COMMAND_LINE, [problem])
    rows = [row for name in _names(suite) for row in KINDS[kind](load(name))]
    if as_json:
        print_json(rows)
    else:
        print_table(terminal(), listing_table(kind, rows))


def audit(
    suite: Annotated[str | None, typer.Argument(help="one suite; default: all")] = None,
    everything: Annotated[bool, typer.Option("--all", help="also show what holds and what print cannot tell")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown, as in docs/audit.md")] = False,
    fail_on: Annotated[
        list[str] | None, typer.Option(help="exit with 1 for any of these: no, tie, undefined, conflict, not_checkable")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check each paper against its own tables, and show where its authors' code does otherwise."""
    for given in fail_on or ():
        if given not in HOLDS:
            problem = Problem("--fail-on", shown(given), listed(HOLDS), f"name one of them{nearest(given, HOLDS)}")
            raise SuiteError(COMMAND_LINE, [problem])
    audits = [(loaded, audited(loaded)) for loaded in map(load, _names(suite))]
    findings = [finding for _, found in audits for finding in found]
    if as_json:
        print_json(audit_json(findings))
    elif markdown:
        put(audit_markdown(audits))
    else:
        print_table(terminal(), audit_table(findings, everything))
        say(audit_counts(findings))
    if any(f.holds in (fail_on or ()) for f in findings):
        raise typer.Exit(ASKED_TO_FAIL)


def validate(
    suites: Annotated[list[str] | None, typer.Argument(help="names or paths of suites; default: all")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON Schema of suite files, for editors")] = False,
    as_json: Json = False,
) -> None:
    """Check suite files: every key, type, range and reference."""
    if schema:
        print_json(json_schema())
        return
    checked = {name: _loaded_or_refused(name) for name in suites or available()}
    if as_json:
        print_json([validation_json(name, found) for name, found in checked.items()])
    for name, found in () if as_json else checked.items():
        say(*([validation_line(name, found)] if isinstance(found, Suite) else str(found).split("\n")))
        for line in warnings(found) if isinstance(found, Suite) else ():
            say(f"  warning: {line}")
    if any(isinstance(found, SuiteError) for found in checked.values()):
        raise typer.Exit(BAD_USAGE)


def anchors(
    suite: SuiteName,
    seeds: Annotated[int, typer.Option(min=3, help="independent repetitions")] = 5,
    episodes: Annotated[int, typer.Option(min=1, help="episodes per repetition")] = 1000,
    opponent: Annotated[
        str | None, typer.Option(help=f"what stands in for a pretrained opponent: {', '.join(STAND_INS)}")
    ] = None,
    reading: Reading = PRIMARY,
    as_json: Json = False,
) -> None:
    """Measure each scenario's scale with scripted policies, for a suite file's [scenario.anchors]."""
    from bench.envs.anchors import NoScale, measure_anchors  # imports torch, so only here

    if opponent is not None and opponent not in STAND_INS:
        mend = f"name one of them{nearest(opponent, STAND_INS)}"
        raise SuiteError(COMMAND_LINE, [Problem("--opponent", shown(opponent), listed(STAND_INS), mend)])
    scenarios = [s for s in read_as(load(suite, need_anchors=False), reading).scenario if not s.waits_for]
    measured = {}
    for s in scenarios:
        try:
            measured[s.id] = measure_anchors(
                s.family, s.params, s.steps, s.metric, seeds, episodes, opponent, everywhere()
            )
        except NoScale as error:
            warn(f"{s.id}: not measured: {error}")
        except AssetMissing as error:
            todo = "; ".join(map(to_get, checked(s.family, s.params).assets.values()))
            mend = f"{todo}; or give --opponent, to measure against a stand-in"
            raise SuiteError(suite, [Problem(f"scenario[{s.id}]", str(error), listed(STAND_INS), mend)]) from error
        except BackendMissing as error:
            warn(f"{s.id}: not measured: {error}")
    if as_json:
        print_json(measured)
        return
    for scenario, scores in measured.items():
        say(f"{scenario}: " + ", ".join(f"{name} {s['mean']:.4f} (sd {s['sd']:.4f})" for name, s in scores.items()))


def _loaded_or_refused(name: str) -> Suite | SuiteError:
    try:
        suite = load(name)
        if problems := [*compares_itself(suite)]:
            raise SuiteError(name, problems)
    except SuiteError as error:
        return error
    return suite


def _names(suite: str | None) -> list[str]:
    return [suite] if suite else available()
