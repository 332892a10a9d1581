"""The verbs of the command line: where each is defined, and what it is for.

This module imports nothing else of `bench`, so `bench --help` answers at once. A verb's module is loaded when the verb
is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import groupby
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

ASKED_TO_FAIL, BAD_USAGE, RUNS_FAILED, NOTHING_RUN, OUR_FAULT, INTERRUPTED = 1, 2, 3, 4, 70, 130  # bench/cli.py
NOT_SOUND = ASKED_TO_FAIL  # whoever calls verify asks for it


class Verb(NamedTuple):
    """place: module and attribute in `commands`. says: what it is for, in half a line; its own help tells more."""

    section: str
    place: str
    says: str


PAPERS, RUNS, METHODS, CARE = "Read papers", "Reproduce", "Compare and publish", "Look after"  # the help's sections
VERBS = {  # in the order of the help
    "ls": Verb(PAPERS, "suites.ls", "list suites and what they hold"),
    "new": Verb(PAPERS, "new.app", "write a suite or a method to start from"),
    "validate": Verb(PAPERS, "suites.validate", "check suite files"),
    "audit": Verb(PAPERS, "suites.audit", "check papers against their own tables and their authors' code"),
    "anchors": Verb(PAPERS, "suites.anchors", "measure a scenario's scale with scripted policies"),
    "plan": Verb(RUNS, "planning.plan", "show what is to run, what is done, what the rest costs, what fits a time"),
    "run": Verb(RUNS, "runs.run", "train what is missing; after an interruption it goes on where it stopped"),
    "check": Verb(RUNS, "judging.check", "judge each claim by the results"),
    "show": Verb(RUNS, "showing.show", "explain one claim in full"),
    "report": Verb(RUNS, "judging.report", "write tables and learning curves"),
    "map": Verb(RUNS, "mapping.map_", "draw a team's policy and critic between two phases"),
    "compare": Verb(METHODS, "comparing.compare", "run your method beside a suite's"),
    "export": Verb(METHODS, "exchange.export", "write results for other tools"),
    "import": Verb(METHODS, "exchange.import_", "take in results from other tools"),
    "card": Verb(METHODS, "card.card", "draw a claim and its verdict, to share"),
    "leaderboard": Verb(METHODS, "publishing.leaderboard", "build a static site of all results"),
    "nightly": Verb(CARE, "nightly.app", "check that everything still reproduces"),
    "verify": Verb(CARE, "folders.verify", "check every hash of a results folder"),
    "diff": Verb(CARE, "folders.diff", "show where two runs differ"),
    "opponent": Verb(CARE, "folders.opponent", "take an agent of a run's team as an opponent"),
    "asset": Verb(CARE, "assets.app", "take in files that scenarios name by their hash"),
    "doctor": Verb(CARE, "doctor.doctor", "say what works here, and how to get what is missing"),
}


class Verbs(TyperGroup):
    """Verbs with the whole first sentence of their help; click alone would cut it at the end of the line."""

    def format_commands(self, ctx, formatter) -> None:
        sentences = [(verb.help or "").partition("\n\n")[0] for verb in self.commands.values()]
        with formatter.section("Commands"):
            formatter.write_dl([*zip(self.commands, (" ".join(one.split()) for one in sentences), strict=True)])


class Loaded(Mapping[str, Any]):
    """The commands by name. A verb's module is imported when the verb is looked up: no verb needs all modules."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = VERBS[name].place.partition(".")
        app = getattr(import_module(f"bench.commands.{module}"), attribute)
        if not isinstance(app, typer.Typer):  # then it is a function: one verb, and no verbs of its own
            verb, app = app, typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command()(verb)
        command = typer.main.get_command(app)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class AllVerbs(TyperGroup):
    """`bench` itself."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.commands = Loaded()

    def format_commands(self, ctx, formatter) -> None:
        for section, verbs in groupby(VERBS.items(), lambda item: item[1].section):
            with formatter.section(section):
                formatter.write_dl([(name, verb.says) for name, verb in verbs], col_max=max(map(len, VERBS)))
