"""The scenes for gfootball: its own, with only chosen players under control, and 3_vs_2.

gfootball looks for a scenario by the name of a module in its package. Ours are added there as `bench_NAME`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from bench.envs.football.params import SCENES

# gfootball has no 3_vs_2. Ours is its 3_vs_1 with a second defender beside the one in the middle, at the place of the
# defender in run_pass_and_shoot (in coordinates of their side).
ADDED = {"academy_3_vs_2_with_keeper": ("academy_3_vs_1_with_keeper", (-0.75, 0.1))}


class Controlled:
    """A scenario's builder that makes only the left team's players with given numbers controllable."""

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
    """Register a scene with gfootball. Returns the name by which gfootball finds it."""
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
