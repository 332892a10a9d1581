"""SMAX's parameters in a suite file, and the sizes that follow. Imports neither torch nor JAX.

Axes: N ally (our agents), E enemy here, O observation entry, A action, X state entry.

Sizes are those of jaxmarl 0.2.0. The contract test (tests/envs/test_smax.py) compares them with the package.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

from bench.envs.params import Params

MOVES = 5  # four directions, then stop
KINDS = 6  # marine, marauder, stalker, zealot, zergling, hydralisk
OWN_FEATURES = 4 + KINDS  # health, x, y, cooldown, kind
UNIT_FEATURES = 7 + KINDS  # health, x, y, last movement (2), last target, cooldown, kind
STATE_FEATURES = OWN_FEATURES + 2  # of each unit: also team and kind

# The maps of our suites' papers for which SMAX has all kinds of units. It has no medivac, so no MMM or its variants.
Map = Literal[
    "3m",
    "8m",
    "5m_vs_6m",
    "8m_vs_9m",
    "10m_vs_11m",
    "27m_vs_30m",
    "2s3z",
    "3s5z",
    "3s5z_vs_3s6z",
    "3s5z_vs_3s7z",
    "3s_vs_5z",
    "3s_vs_8z",
    "8s_vs_8z",
    "5h_vs_5z",
    "6h_vs_7z",
    "6h_vs_8z",
    "27h_vs_30z",
    "corridor",
    "1s7z",
    "2s6z",
    "4s4z",
    "5s3z",
    "6s2z",
    "7s1z",
]
MAPS: tuple[str, ...] = get_args(Map)
CORRIDOR = "6z_vs_24g"  # zealots against zerglings, on open ground: SMAX has no terrain
_KIND = {"m": 0, "s": 2, "z": 3, "g": 4, "h": 5}  # SMAX's numbers


def teams(name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The kinds of a map's allies and enemies, from its name: 3s_vs_5z -> (2, 2, 2), (3, 3, 3, 3, 3)."""
    ours, _, theirs = (CORRIDOR if name == "corridor" else name).partition("_vs_")
    return _team(ours), _team(theirs or ours)


def _team(units: str) -> tuple[int, ...]:
    groups = re.findall(r"(\d+)([a-z])", units)
    return tuple(_KIND[kind] for count, kind in groups for _ in range(int(count)))


class SmaxParams(Params):
    """A map, against SMAX's heuristic: its units run towards ours and shoot at the closest.

    An agent sees its own side's last moves but not the enemies' (`see_enemy_actions=False`), since SMAC does not show
    the enemies' moves or targets. The state is SMAX's, then every ally's last action, one-hot, as in SMAC's state.
    """

    name: Map

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        allies, enemies = map(len, teams(self.name))
        return (UNIT_FEATURES * (allies - 1 + enemies) + OWN_FEATURES,) * allies

    @property
    def action_sizes(self) -> tuple[int, ...]:
        allies, enemies = map(len, teams(self.name))
        return (MOVES + enemies,) * allies

    @property
    def own_state(self) -> bool:
        return True

    @property
    def state_size(self) -> int:
        allies, enemies = map(len, teams(self.name))
        return STATE_FEATURES * (allies + enemies) + allies * self.action_size

    @property
    def common_reward(self) -> bool:
        return True

    @property
    def ends_early(self) -> bool:
        return True

    @property
    def lanes_exact(self) -> bool:
        return False  # XLA compiles a different program for each number of copies

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("win_rate",)
