"""One match of gfootball, as a `One`. Torch-free: it runs in a separate process.

Axes: N agent, L player of ours, R of theirs, O observation entry, X state entry.

gfootball's own environment class is used directly, without `create_environment`: its wrappers need the package gym,
which no longer installs. One wrapper matters: it rewards checkpoints. `Checkpoints` does so by the same rule.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.envs.football.params import ROLES, SENDERS, FootballParams
from bench.envs.one import EnvironmentFailed, Floats, Given

Seen = Mapping[str, Any]  # gfootball's observation for one controlled player

RINGS = 10  # gfootball's checkpoints, from .99 to .19 of half a pitch from the opponents' goal
FARTHEST, NEAREST = 0.99, 0.19
EACH = 0.1


class Checkpoints:
    """gfootball's checkpoint reward: each ring around the opponents' goal pays an agent with the ball once.

    A goal pays the rings that are left, to all agents.
    """

    def __init__(self, agents: int):
        self._passed = [0] * agents

    def rewards(self, seen: Sequence[Seen], scored: float) -> list[float]:
        """Each agent's reward in this step, without the goal itself. scored: 1 if we scored in this step."""
        paid = []
        for agent, own in enumerate(seen):
            before = self._passed[agent]
            if scored == 1:
                self._passed[agent] = RINGS
            elif own["ball_owned_team"] == 0 and own["ball_owned_player"] == own["active"]:
                away = float(np.hypot(own["ball"][0] - 1, own["ball"][1]))
                while self._passed[agent] < RINGS and away <= _ring(self._passed[agent]):
                    self._passed[agent] += 1
            paid.append(EACH * (self._passed[agent] - before))
        return paid


def _ring(number: int) -> float:
    return FARTHEST - (FARTHEST - NEAREST) / (RINGS - 1) * number


class FootballOne:
    """`bench.envs.one.One` and `Stated`. game: gfootball's FootballEnv. config: the game's, where seeds are set."""

    def __init__(self, params: FootballParams, game: Any, config: Any):
        self._params, self._game, self._config = params, game, config

    def reset(self, seed: int) -> list[Floats]:
        """Start a match that the seed decides. The second key sets which side moves first; gfootball would keep it."""
        self._config["game_engine_random_seed"] = seed
        self._config["reverse_team_processing"] = bool(seed % 2)
        self._checkpoints = Checkpoints(len(self._params.obs_sizes))
        seen = self._game.reset()
        self._players = [own["active"] for own in seen]
        return self._look(seen)

    def step(self, actions: Sequence[Floats | int]) -> Given:
        """Each agent gets the sum of all agents' rewards. gfootball's own limit of steps truncates the episode."""
        chosen = [0] * len(actions)
        for agent, action in zip(self._order, actions, strict=True):
            chosen[agent] = int(np.asarray(action).item())
        seen, _, over, told = self._game.step(chosen)
        obs = self._look(seen)
        scored, score, left = float(told["score_reward"]), seen[0]["score"], seen[0]["steps_left"]
        reward = len(obs) * scored
        if "checkpoints" in self._params.rewards:
            reward += sum(self._checkpoints.rewards([seen[i] for i in self._order], scored))
        limit = bool(over) and left <= 0 and not scored
        outcome = {"win_rate": float(score[0] > score[1]), "goal_balance": scored, "broken_off": 0.0}
        return Given(obs, [reward] * len(obs), bool(over) and not limit, limit, outcome)

    def avail_actions(self) -> None:
        return None

    def global_state(self) -> Floats:
        return self._state

    def close(self) -> None:
        self._game.close()

    def _look(self, seen: Sequence[Seen]) -> list[Floats]:
        """Store the state, and return each agent's observation. Agents with fixed players are in the players' order."""
        active = [own["active"] for own in seen]
        attackers = self._params.scene.attackers
        if self._params.control == "attackers" and (active != self._players or sorted(active) != [*attackers]):
            raise EnvironmentFailed(f"players under control: got {active}; declared: {[*attackers]}, each all the time")
        numbers = range(len(seen))
        self._order = sorted(numbers, key=active.__getitem__) if self._params.control == "attackers" else [*numbers]
        self._state = state(seen[0])
        relative = self._params.features == "ptde"
        return [observation(seen[0], active[i], relative=relative, numbered=not relative) for i in self._order]


def observation(seen: Seen, player: int, *, relative: bool, numbered: bool) -> Floats:
    """Own place and velocity; those of all our players (oneself included) and of theirs, relative to it; the ball.

    relative: whether velocities are also relative to one's own. numbered: whether one's own number follows. player: -1
    is the last, as in Python.
    """
    place, velocity = seen["left_team"][player], seen["left_team_direction"][player]
    parts = [place, velocity]
    for team in ("left_team", "right_team"):
        velocities = seen[f"{team}_direction"] - velocity if relative else seen[f"{team}_direction"]
        parts.append(np.concatenate([seen[team] - place, velocities], axis=1).ravel())
    parts += [seen["ball"], _whose(seen)]
    if numbered:
        parts.append(np.eye(len(seen["left_team"]))[player])
    return np.concatenate(parts).astype(np.float64)


def state(seen: Seen) -> Floats:
    """Table 8 of PTDE: each team's places, velocities, tiredness and roles; the ball; its team, and its player."""
    parts: list[Any] = []
    for team in ("left_team", "right_team"):
        roles = np.eye(ROLES)[np.asarray(seen[f"{team}_roles"], int)]
        parts += [seen[team], seen[f"{team}_direction"], seen[f"{team}_tired_factor"], roles]
    parts += [seen["ball"], seen["ball_direction"], seen["ball_rotation"], _whose(seen)]
    parts.append(np.eye(SENDERS)[seen["ball_owned_player"]])  # -1, nobody, is the last entry
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float64)


def _whose(seen: Seen) -> Floats:
    """Which team has the ball: ours, none, theirs."""
    return np.eye(3)[(0, 2, 1)[seen["ball_owned_team"]]]  # gfootball: 0, -1, 1


def one(table: dict[str, Any]) -> FootballOne:
    """The match that `Apart` makes."""
    import gymnasium.envs.registration  # noqa: F401

    from bench.envs.football.scenes import level

    params = FootballParams.model_validate(table)
    # gfootball imports gym. Its successor gymnasium has all that is needed, so gym's names stand for it meanwhile.
    loaded = {f"gym{name.removeprefix('gymnasium')}": m for name, m in sys.modules.items() if _is_gymnasium(name)}
    sys.modules.update(loaded)
    from gfootball.env import config, football_env  # pyright: ignore[reportMissingImports]

    for name in loaded:
        del sys.modules[name]
    chosen = {
        "level": level(params.name, params.control),
        "players": [f"agent:left_players={len(params.scene.attackers)}"],
        "game_engine_random_seed": 0,  # `reset` sets another
    }
    own = config.Config(chosen)
    return FootballOne(params, football_env.FootballEnv(own), own)


def _is_gymnasium(module: str) -> bool:
    return module == "gymnasium" or module.startswith("gymnasium.")
