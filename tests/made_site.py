"""A synthetic site with everything on it: verdicts of each kind, a substitute, a reduced budget, hostile texts."""

from __future__ import annotations

from pathlib import Path

from bench.exchange.declaration import Declaration as Protocol
from bench.exchange.imported import Import, ImportedRun, Source, write_import
from bench.guests.method import Declaration, Guest, Tuning
from bench.guests.places import entry
from bench.plan import Selection, make_plan
from bench.site.archive import Archive
from bench.site.build import build
from bench.site.settings import Settings
from bench.store import Store
from bench.suite import Suite
from tests.several import BETTER, SPREAD, SUBSTITUTE, TURN, claim, suite_of
from tests.synthetic import fill

SETTINGS = Settings(
    repository="https://example.org/a/b",
    issues="https://example.org/a/b/issues",
    address="https://site.example.org",
    pictures=False,
)
HOSTILE = "<img src=x onerror=\"document.title='taken'\">"
NEW = "lab:New<b>"
BREAKING = "</script><script>document.title='taken'</script>"
TABLE = """
[[published]]
id = "t"
where = "Table 2"
experiment = "joint"
metric = "step_reward"
margin = { share_of_scale = 0.1 }
protocol = "greedy"
spread = "none"
seeds = 3
columns = ["base", "student"]
[published.rows]
"two" = "-4.5 **-3.0**"
"three" = "-7 -9.9"
"odd" = "-5 -"
"""
WORSE = BETTER.replace("student", "x").replace("base", "student").replace("x", "base")
HEADLINE = "headline = true\n"
ON_TWO = HEADLINE + 'scenarios = ["two"]\n'
CLAIMS = (  # not comparable, for one task is a substitute; reproduced; not reproduced; reproduced
    claim(BETTER, HEADLINE),
    claim(BETTER, ON_TWO).replace('id = "c"', 'id = "c/two"'),
    claim(WORSE, ON_TWO).replace('id = "c"', 'id = "c/worse"'),
    claim(BETTER.replace("final", "early"), ON_TWO).replace('id = "c"', 'id = "c/early"'),
)
LEVELS = {
    "single": {"two": -4.0, "three": -6.0, "odd": -4.5},
    "base": {"two": -4.5, "three": -7.0, "odd": -5.0},
    "student": {"two": -3.0, "three": -4.0, "odd": -4.0},
}
EXTRA = f"""
[[deviation]]
id = "words"
class = "assumed"
applies_to = ["base", "student"]
says = '''{HOSTILE} and {BREAKING}'''
"""


def made_suite() -> Suite:
    """Several scenarios, a printed table, a claim, a substitute; texts that would execute if they were not escaped."""
    return suite_of(TABLE, *CLAIMS, SUBSTITUTE, EXTRA)


def hostile_suite() -> Suite:
    """The same with a method whose name is markup. Suite files refuse it, but some names come from elsewhere."""
    suite = suite_of(SUBSTITUTE, EXTRA)
    methods = (m.model_copy(update={"id": HOSTILE}) if m.id == "student" else m for m in suite.method)
    experiments = (
        e.model_copy(update={"methods": tuple(HOSTILE if m == "student" else m for m in e.methods)})
        for e in suite.experiment
    )
    paper = suite.paper.model_copy(update={"id": "hostile", "title": BREAKING, "authors": HOSTILE})
    return suite.model_copy(update={"method": (*methods,), "experiment": (*experiments,), "paper": paper})


def record_all(suite: Suite, folder: Path, profile: str = "full") -> None:
    """Records of every cell of a suite: a method's level, seeds .1 apart."""
    plan = make_plan(suite, Selection(profile=profile))
    fill(
        Store(folder),
        plan,
        lambda cell, seed: {
            s: [
                LEVELS.get(cell.method, LEVELS["student"])[s]
                + SPREAD[(seed + TURN.get(cell.method, 2)) % 3]
                + 0.01 * point
                for point in range(8)
            ]
            for s in cell.scenarios
        },
    )


def entrant() -> Guest:
    """A method from elsewhere, with texts and names that would execute if they were not escaped."""
    tuning = Tuning(runs=3, steps=1200, seeds=(1,), says=BREAKING)
    declaration = Declaration(says=HOSTILE, tuning=tuning)
    return Guest(name=NEW, target="lab:New", kind="learner", source="ab" * 32, declaration=declaration)


def record_elsewhere(suite: Suite, folder: Path) -> None:
    """Runs of the entrant on all tasks together, better than the student's on "two"; and an imported table."""
    entered = entry(suite, Selection(only=("joint",)), entrant(), ())
    levels = LEVELS["student"] | {"two": -2.0}
    fill(
        Store(folder),
        entered.plan,
        lambda cell, seed: {
            s: [levels[s] + SPREAD[(seed + 2) % 3] + 0.01 * p for p in range(8)] for s in cell.scenarios
        },
    )
    protocol = Protocol(
        source=HOSTILE,
        environment="theirs 1.0",
        metric="step_reward",
        protocol="greedy",
        evaluation_episodes=10,
        final_evaluation_episodes=100,
        final="last",
        steps="environment",
        seeds=(0, 1, 2),
    )
    runs = tuple(
        ImportedRun(method=BREAKING, scenario="two", seed=seed, steps=(80,), mean=(final,), final=final)
        for seed, final in enumerate(-3.5 + x for x in SPREAD)
    )
    source = Source(file="theirs.json", format="csv", sha256="cd" * 32)
    about = {"name": "theirs", "suite": suite.id, "suite_version": suite.version, "source": source, "refused": ()}
    write_import(folder, Import(**about, protocol=protocol, runs=runs))


def made_site(results: Path, out: Path) -> Path:
    """Both suites, the first under a reduced profile too. Without pictures, which take longest."""
    suites = [made_suite(), hostile_suite()]
    for suite in suites:
        record_all(suite, results)
    record_all(suites[0], results, "half")
    record_elsewhere(suites[0], results)
    build(suites, Archive(results), out, SETTINGS)
    return out
