"""One game of StarCraft II, through smac or smacv2, as a `One`. Torch-free: it runs in a separate process.

Axes: N agent, O observation entry, A action entry, X state entry.

The package's own environment is used with its defaults, except as stated here. A process can import only one of both
packages, and only once: they register maps of the same names.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.envs.one import EnvironmentFailed, Floats, Given
from bench.envs.starcraft.params import MAPS, StarcraftParams

BROKEN_OFF = "the game broke off: smac lost its connection and started another"


class StarcraftOne:
    """`bench.envs.one.One` and `Stated`. make: a new environment of the package."""

    def __init__(self, params: StarcraftParams, make: Any):
        self._params, self._make = params, make
        self._game, self._begun, self._over = make(), False, True
        self._ended = 0  # number of episodes
        self._check_sizes()

    def reset(self, seed: int) -> list[Floats]:
        """Start another episode. The game takes no seed: only what the map's file fixes stays the same."""
        if self._begun and not self._over and not self._ended:
            self._game.close()  # if the first episode is cut short, smac would start a second game beside the first
            self._game = self._make()
        self._begun, self._over = True, False
        self._game.reset()
        return self._seen()

    def step(self, actions: Sequence[Floats | int]) -> Given:
        """Every agent gets the team's reward. An episode that ends at smac's limit of steps is truncated."""
        reward, over, told = self._game.step([int(np.asarray(own).item()) for own in actions])
        if over and "battle_won" not in told:
            raise EnvironmentFailed(BROKEN_OFF)  # smac then reports nothing about the battle
        self._over, self._ended = bool(over), self._ended + bool(over)
        limit = bool(told.get("episode_limit", False))
        outcome = {"win_rate": float(told["battle_won"]), "broken_off": 0.0}
        return Given(self._seen(), [float(reward)] * self._game.n_agents, self._over and not limit, limit, outcome)

    def avail_actions(self) -> list[NDArray[np.bool_]]:
        return [np.asarray(own, bool) for own in self._game.get_avail_actions()]

    def global_state(self) -> Floats:
        return np.asarray(self._game.get_state(), np.float64)

    def close(self) -> None:
        self._game.close()

    def _seen(self) -> list[Floats]:
        return [np.asarray(own, np.float64) for own in self._game.get_obs()]

    def _check_sizes(self) -> None:
        """Raise EnvironmentFailed if the package's map is not the suite's."""
        told, own = self._game.get_env_info(), self._params
        found = {
            "agents": (told["n_agents"], len(own.obs_sizes)),
            "observation entries": (told["obs_shape"], own.obs_size),
            "actions": (told["n_actions"], own.action_size),
            "state entries": (told["state_shape"], own.state_size),
            "steps at most": (told["episode_limit"], MAPS[own.name].limit),
        }
        wrong = [f"{name}: got {got}; declared: {known}" for name, (got, known) in found.items() if got != known]
        if wrong:
            raise EnvironmentFailed(f"map {own.name} of {own.package}: {'; '.join(wrong)}")


def one(table: dict[str, Any]) -> StarcraftOne:
    """The game that `Apart` makes. continuing_episode only makes smac tell its limit of steps from a battle's end."""
    params = StarcraftParams.model_validate(table)
    register(params)
    package = importlib.import_module(f"{params.package}.env")
    chosen = {"map_name": params.name, "difficulty": params.difficulty, "continuing_episode": True}
    return StarcraftOne(params, lambda: package.StarCraft2Env(**chosen))


def register(params: StarcraftParams) -> None:
    """Give the package a map that it lacks: an entry in its registry, and the class by which pysc2 finds it."""
    maps = importlib.import_module(f"{params.package}.env.starcraft2.maps.smac_maps")
    if params.name in maps.map_param_registry:
        return
    own = MAPS[params.name]
    maps.map_param_registry[params.name] = {
        "n_agents": own.agents,
        "n_enemies": own.enemies or params.enemies,
        "limit": own.limit,
        "a_race": own.ours,
        "b_race": own.theirs,
        "unit_type_bits": own.kinds,
        "map_type": own.map_type,
    }
    setattr(maps, params.name, type(params.name, (maps.SMACMap,), {"filename": params.name}))  # pysc2 looks by name
