"""Many battles on one map of SMAX, stepped together by JAX. Only `child` imports this module.

Axes: B battle, N ally (our agents), O observation entry, A action, X state entry.

jaxmarl's `step` begins a new episode by itself and so hides the last observation, state and outcome. `step_env` does
not. SMAX's own limit of steps is set out of reach: the caller decides how long an episode is.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import numpy as np
from jaxmarl.environments.smax import HeuristicEnemySMAX, Scenario  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray

from bench.envs.smax.params import teams

NO_LIMIT = 2**30  # steps


class Seen(NamedTuple):
    """obs [B, N, O] and state [B, X] float32, avail_actions [B, N, A] bool."""

    obs: NDArray[np.float32]
    state: NDArray[np.float32]
    avail_actions: NDArray[np.bool_]


class Result(NamedTuple):
    """rewards [B] float32, the team's. over [B] bool: a side is dead. won [B] bool: their side is dead, ours is not."""

    rewards: NDArray[np.float32]
    over: NDArray[np.bool_]
    won: NDArray[np.bool_]


class Battles:
    """B battles, each from its own seed. Other battles stepped at the same time can change at most the last bits."""

    def __init__(self, name: str):
        allies, enemies = teams(name)
        units = jnp.array([*allies, *enemies], dtype=jnp.uint8)
        scenario = Scenario(units, len(allies), len(enemies), False, False)
        self._game = HeuristicEnemySMAX(scenario=scenario, see_enemy_actions=False, max_steps=NO_LIMIT)
        self._actions = self._game.num_ally_actions
        self._state: Any = None  # jaxmarl's, with a key and the last actions [B, N, A]

    def begin(self, seeds: NDArray[np.int64], which: NDArray[np.bool_]) -> Seen:
        """Begin a new battle from each seed [B] marked in which [B]; the others go on. If B has changed, all begin."""
        old = self._state
        fresh = old is None or len(old[1]) != len(seeds)
        self._state, seen = self._begin(seeds) if fresh else self._restart(old, seeds, which)
        return Seen(*map(np.asarray, seen))

    def step(self, actions: NDArray[np.int64]) -> tuple[Seen, Result]:
        """Take actions [B, N], by number. A battle that is over goes on in some way and must be ignored."""
        self._state, seen, result = self._step(self._state, actions)
        return Seen(*map(np.asarray, seen)), Result(*map(np.asarray, result))

    def saved(self) -> list[NDArray[Any]]:
        """Everything that the battles need to go on, [B, ...] each."""
        return [np.asarray(leaf) for leaf in jax.tree.leaves(self._state)]

    def restore(self, seeds: NDArray[np.int64], leaves: list[NDArray[Any]]) -> Seen:
        """Go on from the result of `saved`. seeds: any values, one per battle."""
        state, _ = self._begin(seeds)
        self._state = jax.tree.unflatten(jax.tree.structure(state), [jnp.asarray(leaf) for leaf in leaves])
        return Seen(*map(np.asarray, self._look(self._state)))

    # ------------------------------------------------------------------------------------------ compiled

    @partial(jax.jit, static_argnums=0)
    def _begin(self, seeds: Any) -> Any:
        state = jax.vmap(self._one)(seeds)
        return state, self._seen(state)

    @partial(jax.jit, static_argnums=0)
    def _restart(self, state: Any, seeds: Any, which: Any) -> Any:
        def chosen(new: Any, old: Any) -> Any:
            return jnp.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        state = jax.tree.map(chosen, jax.vmap(self._one)(seeds), state)
        return state, self._seen(state)

    @partial(jax.jit, static_argnums=0)
    def _step(self, state: Any, actions: Any) -> Any:
        battles, keys, _ = state
        keys, now = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
        chosen = {agent: actions[:, i] for i, agent in enumerate(self._game.agents)}
        _, battles, rewards, _, _ = jax.vmap(self._game.step_env)(now, battles, chosen)
        state = battles, keys, jax.nn.one_hot(actions, self._actions)
        alive = battles.state.unit_alive
        ours, theirs = alive[:, : self._game.num_allies].any(-1), alive[:, self._game.num_allies :].any(-1)
        return state, self._seen(state), (rewards[self._game.agents[0]], ~ours | ~theirs, ours & ~theirs)

    @partial(jax.jit, static_argnums=0)
    def _look(self, state: Any) -> Any:
        return self._seen(state)

    def _one(self, seed: Any) -> Any:
        key, start = jax.random.split(jax.random.PRNGKey(seed))
        _, battle = self._game.reset(start)
        return battle, key, jnp.zeros((self._game.num_allies, self._actions))

    def _seen(self, state: Any) -> Any:
        battles, _, last = state
        obs, avail = jax.vmap(self._game.get_obs)(battles), jax.vmap(self._game.get_avail_actions)(battles)
        world = jax.vmap(self._game.get_world_state)(battles)
        agents = self._game.agents
        return (
            jnp.stack([obs[a] for a in agents], 1).astype(jnp.float32),
            jnp.concatenate([world, last.reshape(len(last), -1)], -1).astype(jnp.float32),
            jnp.stack([avail[a] for a in agents], 1).astype(bool),
        )
