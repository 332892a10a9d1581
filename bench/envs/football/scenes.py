"""The scenes as gfootball builds them: its own, in which only chosen players can be controlled, and 3_vs_2.

gfootball looks for a scenario by the name of a module of its package; ours are put among them, as `bench_NAME`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from bench.envs.football.params import SCENES

# gfootball ships no 3_vs_2: its 3_vs_1, and beside the defender in the middle another, where that of run_pass_and_shoot
# stands (in coordinates of their side).
ADDED = {"academy_3_vs_2_with_keeper": ("academy_3_vs_1_with_keeper", (-0.75, 0.1))}


class Controlled:
    """A scenario's builder that makes only some of the left team's players controllable, by their number."""

    def __init__(self, builder: Any, numbers: tuple[int, ...]):
        self._builder, self._numbers, self._left, self._added = builder, numbers, True, 0

    def config(self) -> Any:
        return self._builder.config()

    def SetBallPosition(self, x: float, y: float) -> None:  # noqa: N802 gfootball's names
        self._builder.SetBallPosition(x, y)

    def SetTeam(self, team: Any) -> None:  # noqa: N802
        self._left = str(team).endswith("e_Left")
        self._builder.SetTeam(team)

    def AddPlayer(self, x: float, y: float, role: Any, lazy: bool = False, controllable: bool = True) -> None:  # noqa: N802
        if self._left:
            controllable = self._added in self._numbers
            self._added += 1
        self._builder.AddPlayer(x, y, role, lazy, controllable)


def level(name: str, control: str) -> str:
    """The name by which gfootball finds a scene, which it is given to know."""
    own = f"bench_{control}_{name}"
    stock, added = ADDED.get(name, (name, None))
    scenarios = importlib.import_module("gfootball.scenarios")
    built = importlib.import_module(f"gfootball.scenarios.{stock}")
    numbers = SCENES[name].attackers if control == "attackers" else tuple(range(SCENES[name].ours))

    def build_scenario(builder: Any) -> None:
        chosen = Controlled(builder, numbers)
        built.build_scenario(chosen)  # the right team comes last
        if added is not None:
            chosen.AddPlayer(*added, scenarios.e_PlayerRole_CB)

    module = ModuleType(f"gfootball.scenarios.{own}")
    module.build_scenario = build_scenario  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return own
