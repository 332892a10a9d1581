"""A synthetic suite of several scenarios: three tasks trained alone and together, and one task in two training sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.evidence.measures import Evidence
from bench.plan import Cell, Selection, make_plan
from bench.store import Store
from bench.suite import Suite
from bench.suite.loading import parse
from bench.verdict import Verdict, judge
from tests.conftest import TINY
from tests.synthetic import fill

POINTS = 8  # 16 episodes, a point every 2
SPREAD = (-0.1, 0.0, 0.1)  # what a seed adds to its method's mean: sd .1
LEARNED = 4.0  # what the first point, which is before the first update, lies below all others
TURN = {"base": 0, "student": 1}  # the same three in another order: differences by seed have sd .1 sqrt(3)
RECORDING = """
[experiment.recording]
record_every = 2
evaluate_every = 8
evaluation_episodes = 3
final_evaluation_episodes = 4
source = "Table 1"
"""
# half of the budget has its only evaluation after the measure's window
HEAD = TINY.partition("[[experiment]]")[0].replace("episodes = 8 } }", 'episodes = 8 }, too_short_for = ["early"] }')
SEVERAL = f"""
{HEAD}

[[scenario]]
id = "odd"
where = "here"
says = "two agents again"
family = "particle"
params = {{ name = "simple_spread", agents = 2, dynamics = "mpe2" }}
anchors = {{ random = -6.0, no_information = -5.0, good = -4.0, measured = "made up for tests" }}
episode_limit = 5
metric = "step_reward"

[[set]]
id = "every"
where = "here"
says = "all three"
scenarios = ["two", "three", "odd"]

[[method]]
id = "single"
where = "here"
says = "the baseline on one task"
algorithm = "maddpg"
extends = "base"

[[experiment]]
id = "alone"
where = "Table 1"
says = "each task alone"
methods = ["single"]
training_sets = [
    {{ id = "two", scenarios = ["two"] }},
    {{ id = "three", scenarios = ["three"] }},
    {{ id = "odd", scenarios = ["odd"] }},
]
seeds = {{ value = 3, source = "Table 1" }}
budget = {{ episodes = 16, source = "Table 1" }}
{RECORDING}

[[experiment]]
id = "joint"
where = "Table 2"
says = "all tasks together"
methods = ["base", "student"]
teachers = {{ experiment = "alone", method = "single", pairing = "same seed" }}
baseline = "base"
training_sets = [{{ id = "all", scenarios = ["two", "three", "odd"] }}]
seeds = {{ value = 3, source = "Table 2" }}
budget = {{ episodes = 16, source = "Table 2" }}
{RECORDING}

[[experiment]]
id = "grouped"
where = "Table 3"
says = "a task in two groups"
methods = ["base"]
training_sets = [
    {{ id = "pair", scenarios = ["two", "three"] }},
    {{ id = "other", scenarios = ["two", "odd"] }},
]
seeds = {{ value = 3, source = "Table 3" }}
budget = {{ episodes = 16, source = "Table 3" }}
{RECORDING}

[[measure]]
id = "final"
says = "the last evaluation"
kind = "final"

[[measure]]
id = "early"
says = "the first half of training"
kind = "window"
series = "evaluation"
window = [0.0, 0.5]

[[measure]]
id = "reach"
says = "when"
kind = "first_reach"
series = "evaluation"
level = "base:final"
below = {{ share_of_scale = 0.1 }}
smooth = 1
hold = 1

[transfer]
jump_start = "early"
time_to_threshold = "reach"
asymptote = "early"
area = "early"
"""
SUBSTITUTE = """
[[deviation]]
id = "another"
class = "substitute"
applies_to = ["odd"]
says = "not the paper's"
"""


def claim(test: str, more: str = "") -> str:
    """A claim's text. more: further keys."""
    margin = "" if "margin" in more else "margin = { share_of_scale = 0.1 }\n"
    experiments = "" if "experiments" in more else 'experiments = ["joint"]\n'
    return f"""
[[claim]]
id = "c"
where = "Sec. 1"
says = "so it is"
{experiments}protocol = "greedy"
{margin}{more}
test = {test}
"""


BETTER = '{ kind = "ordering", greater = ["student:final"], less = ["base:final"] }'


def suite_of(*parts: str) -> Suite:
    return parse("\n".join((SEVERAL, *parts)).encode(), "several.toml")


def without_placebo(*parts: str) -> Suite:
    """The same, with a random script below every team, which passes nothing."""
    text = "\n".join((SEVERAL, *parts)).replace("random = -6.0", "random = -10.0")
    return parse(text.encode(), "several.toml")


# a flat curve; that of each seed; or the point at which each seed rises from RISE[0] to RISE[1]
Level = float | list[float] | tuple[int, ...]
Levels = Mapping[str, Mapping[str, Level]]  # by method, or by "method on training set"; by scenario
RISE = (-20.0, 0.0)


def evidence_of(suite: Suite, folder: Path, levels: Levels, status: str = "finished", **selection: object) -> Evidence:
    """Curves that end at these levels; a cell without a level for a scenario is not run."""

    def curve(cell: Cell, seed: int) -> dict[str, list[float]] | None:
        own = levels.get(cell.label, levels.get(cell.method, {}))
        if not {*cell.scenarios} <= {*own}:
            return None
        return {s: _points(own[s], seed, TURN.get(cell.method, 2)) for s in cell.scenarios}

    chosen, store = Selection.model_validate(selection), Store(folder)
    fill(store, make_plan(suite, chosen), curve, status)
    return Evidence(suite, chosen, store)


def _points(level: Level, seed: int, turn: int) -> list[float]:
    if isinstance(level, tuple):
        return [RISE[point >= level[seed % len(level)]] for point in range(POINTS)]
    if isinstance(level, list):
        return [level[seed % len(level)]] * POINTS
    after = level + SPREAD[(seed + turn) % 3]
    return [after - LEARNED, *[after] * (POINTS - 1)]


def verdicts(suite: Suite, folder: Path, levels: Levels, **selection: object) -> dict[str, Verdict]:
    """By id."""
    evidence = evidence_of(suite, folder, levels, "finished", **selection)
    return {v.id: v for v in judge(evidence, suite.experiment)}


def everywhere(level: Level) -> dict[str, Level]:
    return dict.fromkeys(("two", "three", "odd"), level)
