"""The parameters of StarCraft's maps in a suite file, and the sizes that follow. Imports neither torch nor pysc2.

Axes: N ally (our agents), E enemy here, O observation entry, A action, X state entry.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import model_validator

from bench.envs.params import Params

MOVES = 6  # no-op, stop, four directions


class Map(NamedTuple):
    """A map's entry in smac's registry. ours, theirs: races. kinds: bits for a unit's type.

    registered: whether it is in the registry. enemies: None if their number is not stated anywhere.
    """

    agents: int
    enemies: int | None
    limit: int
    ours: str
    theirs: str
    kinds: int
    map_type: str
    registered: bool = True


# Registered maps: oxwhirl/smac d6aab33, smac_maps.py. The others are in no registry. The limits of 3s_vs_8z and
# 3s5z_vs_3s7z are from chenyiqun/ptde-open 38903d8; the other limits are the suites' assumptions. Units and races
# follow from the names.
MAPS = {
    "3m": Map(3, 3, 60, "T", "T", 0, "marines"),
    "8m": Map(8, 8, 120, "T", "T", 0, "marines"),
    "5m_vs_6m": Map(5, 6, 70, "T", "T", 0, "marines"),
    "8m_vs_9m": Map(8, 9, 120, "T", "T", 0, "marines"),
    "10m_vs_11m": Map(10, 11, 150, "T", "T", 0, "marines"),
    "27m_vs_30m": Map(27, 30, 180, "T", "T", 0, "marines"),
    "MMM": Map(10, 10, 150, "T", "T", 3, "MMM"),
    "MMM2": Map(10, 12, 180, "T", "T", 3, "MMM"),
    "2s3z": Map(5, 5, 120, "P", "P", 2, "stalkers_and_zealots"),
    "3s5z": Map(8, 8, 150, "P", "P", 2, "stalkers_and_zealots"),
    "3s5z_vs_3s6z": Map(8, 9, 170, "P", "P", 2, "stalkers_and_zealots"),
    "3s_vs_5z": Map(3, 5, 250, "P", "P", 0, "stalkers"),
    "corridor": Map(6, 24, 400, "P", "Z", 0, "zealots"),
    "6h_vs_8z": Map(6, 8, 150, "Z", "P", 0, "hydralisks"),
    "3s_vs_8z": Map(3, 8, 350, "P", "P", 0, "stalkers", registered=False),
    "3s5z_vs_3s7z": Map(8, 10, 170, "P", "P", 2, "stalkers_and_zealots", registered=False),
    "5h_vs_5z": Map(5, 5, 150, "Z", "P", 0, "hydralisks", registered=False),
    "6h_vs_7z": Map(6, 7, 150, "Z", "P", 0, "hydralisks", registered=False),
    "1s7z": Map(8, 8, 150, "P", "P", 2, "stalkers_and_zealots", registered=False),
    "2s6z": Map(8, 8, 150, "P", "P", 2, "stalkers_and_zealots", registered=False),
    "4s4z": Map(8, 8, 150, "P", "P", 2, "stalkers_and_zealots", registered=False),
    "5s3z": Map(8, 8, 150, "P", "P", 2, "stalkers_and_zealots", registered=False),
    "6s2z": Map(8, 8, 150, "P", "P", 2, "stalkers_and_zealots", registered=False),
    "7s1z": Map(8, 8, 150, "P", "P", 2, "stalkers_and_zealots", registered=False),
    "8s_vs_8z": Map(8, 8, 150, "P", "P", 0, "stalkers", registered=False),
    "27h_vs_30z": Map(27, 30, 180, "Z", "P", 0, "hydralisks", registered=False),
    "MMM2_8": Map(8, None, 180, "T", "T", 3, "MMM", registered=False),
    "MMM2_8_2": Map(8, None, 180, "T", "T", 3, "MMM", registered=False),
}


class StarcraftParams(Params):
    """A map against the game's own opponent.

    package: "smac" is the papers'. "smacv2" plays the same maps with other rules of sight and is not a reference.
    difficulty: the opponent's, by the package's names. enemies: their number, only for a map that does not state it.
    """

    name: str
    difficulty: Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "A"] = "7"
    package: Literal["smac", "smacv2"] = "smac"
    enemies: int | None = None

    @model_validator(mode="after")
    def _known(self) -> StarcraftParams:
        if self.name not in MAPS:
            raise ValueError(f"name: a map of {', '.join(MAPS)}")
        if (MAPS[self.name].enemies is None) != (self.enemies is not None):
            known = MAPS[self.name].enemies
            raise ValueError(
                "enemies: required, since the number of this map's enemies is not stated"
                if known is None
                else f"enemies: not allowed, since this map has {known}"
            )
        return self

    @property
    def _sides(self) -> tuple[int, int]:
        own = MAPS[self.name]
        return own.agents, own.enemies or self.enemies or 0

    @property
    def obs_sizes(self) -> tuple[int, ...]:
        """Moves (4), each enemy, each other ally, oneself: `get_obs_size` of smac at its defaults."""
        own, (agents, enemies) = MAPS[self.name], self._sides
        ours, theirs = int(own.ours == "P"), int(own.theirs == "P")  # Protoss have shields
        of_enemy, of_ally = 5 + theirs + own.kinds, 5 + ours + own.kinds
        return (4 + enemies * of_enemy + (agents - 1) * of_ally + 1 + ours + own.kinds,) * agents

    @property
    def action_sizes(self) -> tuple[int, ...]:
        agents, enemies = self._sides
        return (MOVES + enemies,) * agents

    @property
    def own_state(self) -> bool:
        return True

    @property
    def state_size(self) -> int:
        """Allies, enemies, last actions: `get_state_size` of smac at its defaults."""
        own, (agents, enemies) = MAPS[self.name], self._sides
        ours, theirs = int(own.ours == "P"), int(own.theirs == "P")
        return agents * (4 + ours + own.kinds) + enemies * (3 + theirs + own.kinds) + agents * (MOVES + enemies)

    @property
    def common_reward(self) -> bool:
        return True

    @property
    def ends_early(self) -> bool:
        return True

    @property
    def episodes_at_once(self) -> int | None:
        return 4  # each is a game of about a gigabyte

    @property
    def repeats(self) -> bool:
        return False

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("win_rate", "broken_off")
