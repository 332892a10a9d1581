"""QMIX as jaxmarl structures it: battles, network, replay and update compiled by JAX, whole loops of them.

    python -m tests.perf.jax_qmix scan_BATTLES | qmix_LENGTH       the Python that has jaxmarl: BENCH_SMAX_PYTHON

No tensor leaves JAX. `scan`: bare steps of the environment in one `lax.scan`, new battles included. `qmix`: `rollout`
is 8 battles of `STEPS` steps each, the network choosing; `update` is one of 128 rows of LENGTH steps, in which battles
end and begin. Sizes and settings are those of `smax.py`. It needs neither torch nor anything else of ours but the
battles.

Axes: B battle, N agent, O observation entry, A action, X state entry, T time step.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax  # pyright: ignore[reportMissingImports]
import jax.numpy as jnp  # pyright: ignore[reportMissingImports]
import optax  # pyright: ignore[reportMissingImports]

from bench.envs.smax.battles import Battles

MAP, BATTLES, BATCH, STEPS, SCANNED = "3s_vs_5z", 8, 128, 100, 400
READY = "ready"  # jaxmarl prints as it is imported: answers come after this line
HIDDEN, MIXING, HYPER = 64, 32, 64
LR, GAMMA, LAMBDA, CLIP, UNAVAILABLE = 1e-3, 0.99, 0.6, 10.0, -9_999_999.0


class Scan:
    """Random moves in so many battles; one that is over begins anew."""

    def __init__(self, battles: int):
        self.game, self.battles = Battles(MAP), battles
        self.state, seen = self.game._begin(jnp.arange(battles))
        self.avail, self.key = seen[2], jax.random.PRNGKey(0)

    def rollout(self) -> int:
        self.state, self.avail, self.key = jax.block_until_ready(self._scan(self.state, self.avail, self.key))
        return SCANNED * self.battles

    @partial(jax.jit, static_argnums=0)
    def _scan(self, state: Any, avail: Any, key: Any) -> Any:
        def step(carried: Any, _: Any) -> Any:
            state, avail, key = carried
            key, choose, seeds = jax.random.split(key, 3)
            actions = jax.random.categorical(choose, jnp.where(avail, 0.0, -jnp.inf))
            state, seen, _, _ = stepped(self.game, state, actions, seeds)
            return (state, seen[2], key), None

        return jax.lax.scan(step, (state, avail, key), None, SCANNED)[0]


def stepped(game: Battles, state: Any, actions: Any, key: Any) -> Any:
    """A step of every battle, and a new battle for each that is over: state, what is seen, rewards, over."""
    state, seen, (rewards, over, _) = game._step(state, actions)
    seeds = jax.random.randint(key, over.shape, 0, 2**31 - 1)
    state, seen = jax.lax.cond(over.any(), lambda: game._restart(state, seeds, over), lambda: (state, seen))
    return state, seen, rewards, over


def layer(key: Any, inputs: int, outputs: int) -> Any:
    bound = inputs**-0.5
    weight, bias = jax.random.split(key)
    return (
        jax.random.uniform(weight, (inputs, outputs), minval=-bound, maxval=bound),
        jax.random.uniform(bias, (outputs,), minval=-bound, maxval=bound),
    )


def linear(parameters: Any, x: Any) -> Any:
    return x @ parameters[0] + parameters[1]


def two(layers: Any, x: Any) -> Any:
    first, last = layers
    return linear(last, jax.nn.relu(linear(first, x)))


def agent_step(p: Any, hidden: Any, x: Any) -> Any:
    """Linear - ReLU - GRU - Linear of [..., I] and [..., H]."""
    ours, own = linear(p["ih"], jax.nn.relu(linear(p["in"], x))), linear(p["hh"], hidden)
    (i_r, i_u, i_n), (h_r, h_u, h_n) = jnp.split(ours, 3, -1), jnp.split(own, 3, -1)
    reset, update = jax.nn.sigmoid(i_r + h_r), jax.nn.sigmoid(i_u + h_u)
    new = jnp.tanh(i_n + reset * h_n)
    hidden = (1 - update) * new + update * hidden
    return hidden, linear(p["out"], hidden)


def agents_q(p: Any, inputs: Any, first: Any) -> Any:
    """Q_i [T, B, N, A] of inputs [T, B, N, I]; first [T, B]: an episode begins with the step."""

    def step(hidden: Any, own: Any) -> Any:
        x, begins = own
        return agent_step(p, jnp.where(begins[:, None, None], 0.0, hidden), x)

    return jax.lax.scan(step, jnp.zeros((*inputs.shape[1:3], HIDDEN)), (inputs, first))[1]


def mixed(p: Any, q: Any, state: Any) -> Any:
    """Q_tot [T, B] of Q_i [T, B, N] and states [T, B, X]."""
    w_1 = jnp.abs(two(p["w_1"], state)).reshape(*q.shape, MIXING)
    hidden = jax.nn.elu((q[..., None] * w_1).sum(-2) + linear(p["b_1"], state))
    return (hidden * jnp.abs(two(p["w_final"], state))).sum(-1) + two(p["v"], state)[..., 0]


class QMIX:
    """One seed."""

    def __init__(self, length: int):
        self.game, self.length = Battles(MAP), length
        self.battle, self.seen = self.game._begin(jnp.arange(BATTLES))
        self.n, self.o = self.seen[0].shape[1:]
        self.x, self.a = self.seen[1].shape[1], self.seen[2].shape[2]
        keys = jax.random.split(jax.random.PRNGKey(0), 12)
        inputs = self.o + self.a + self.n
        agent = {
            "in": (inputs, HIDDEN),
            "ih": (HIDDEN, 3 * HIDDEN),
            "hh": (HIDDEN, 3 * HIDDEN),
            "out": (HIDDEN, self.a),
        }
        mixing = {"w_1": self.n * MIXING, "w_final": MIXING}
        self.online: dict[str, Any] = {}
        for key, (name, (into, out)) in zip(keys, agent.items(), strict=False):
            self.online[name] = layer(key, into, out)
        for i, (name, outputs) in enumerate(mixing.items()):
            first, last = jax.random.split(keys[4 + i])
            self.online[name] = layer(first, self.x, HYPER), layer(last, HYPER, outputs)
        self.online["b_1"] = layer(keys[6], self.x, MIXING)
        self.online["v"] = layer(keys[7], self.x, MIXING), layer(keys[8], MIXING, 1)
        self.target, self.key = self.online, keys[9]
        self.adam = optax.chain(optax.clip_by_global_norm(CLIP), optax.adam(LR))
        self.moments = self.adam.init(self.online)
        self.hidden = jnp.zeros((BATTLES, self.n, HIDDEN))
        self.last = jnp.zeros((BATTLES, self.n, self.a))
        rows, rest = -(-length * BATCH // (STEPS * BATTLES)), []
        for _ in range(rows):
            self.rollout()
            rest.append(self.played)
        whole = jax.tree.map(lambda *x: jnp.concatenate([y.swapaxes(0, 1).reshape(-1, *y.shape[2:]) for y in x]), *rest)
        cut = jax.tree.map(lambda x: x[: length * BATCH].reshape(BATCH, length, *x.shape[1:]), whole)
        self.replay = jax.block_until_ready(cut)

    def rollout(self) -> int:
        carried = self.battle, self.seen, self.hidden, self.last, self.key
        carried, self.played = jax.block_until_ready(self._rollout(self.online, carried))
        self.battle, self.seen, self.hidden, self.last, self.key = carried
        return STEPS * BATTLES

    def update(self) -> None:
        self.key, draw = jax.random.split(self.key)
        found = self._update(self.online, self.target, self.moments, self.replay, draw)
        self.online, self.moments = jax.block_until_ready(found)

    def _inputs(self, obs: Any, last: Any) -> Any:
        return jnp.concatenate([obs, last, jnp.broadcast_to(jnp.eye(self.n), (*obs.shape[:-1], self.n))], -1)

    @partial(jax.jit, static_argnums=0)
    def _rollout(self, online: Any, carried: Any) -> Any:
        def step(carried: Any, _: Any) -> Any:
            battle, (obs, state, avail), hidden, last, key = carried
            key, choose, seeds = jax.random.split(key, 3)
            hidden, _ = agent_step(online, hidden, self._inputs(obs, last))
            # epsilon is 1, as in every code that is compared
            actions = jax.random.categorical(choose, jnp.where(avail, 0.0, -jnp.inf))
            battle, seen, rewards, over = stepped(self.game, battle, actions, seeds)
            kept = {"obs": obs, "state": state, "avail": avail, "last": last, "actions": actions}
            kept |= {"rewards": rewards, "over": over}
            goes_on = ~over[:, None, None]
            carried = battle, seen, hidden * goes_on, jax.nn.one_hot(actions, self.a) * goes_on, key
            return carried, kept

        return jax.lax.scan(step, carried, None, STEPS)

    @partial(jax.jit, static_argnums=0)
    def _update(self, online: Any, target: Any, moments: Any, replay: Any, key: Any) -> Any:
        rows = jax.random.choice(key, BATCH, (BATCH,), replace=False)
        batch = jax.tree.map(lambda x: x[rows].swapaxes(0, 1), replay)  # [T, B, ...]
        inputs = self._inputs(batch["obs"], batch["last"])
        first = jnp.concatenate([jnp.zeros_like(batch["over"][:1]), batch["over"][:-1]])
        target_q = agents_q(target, inputs, first)

        def loss(p: Any) -> Any:
            q = agents_q(p, inputs, first)
            taken = jnp.take_along_axis(q, batch["actions"][..., None], -1)[..., 0]
            best = jnp.where(batch["avail"], jax.lax.stop_gradient(q), UNAVAILABLE).argmax(-1)
            values = mixed(target, jnp.take_along_axis(target_q, best[..., None], -1)[..., 0], batch["state"])

            def back(following: Any, own: Any) -> Any:
                reward, value, over = own
                one = reward + GAMMA * ((1 - LAMBDA) * value + LAMBDA * following) * ~over
                return one, one

            own = batch["rewards"][:-1], values[1:], batch["over"][:-1]
            targets = jax.lax.stop_gradient(jax.lax.scan(back, values[-1], own, reverse=True)[1])
            return jnp.square(mixed(p, taken[:-1], batch["state"][:-1]) - targets).mean()

        changes, moments = self.adam.update(jax.grad(loss)(online), moments)
        return optax.apply_updates(online, changes), moments


def main() -> None:
    kind, _, size = sys.argv[1].partition("_")
    parts: dict[str, Callable[[], int | None]]
    if kind == "scan":
        parts = {"rollout": Scan(int(size)).rollout}
    else:
        work = QMIX(int(size))
        parts = {"rollout": work.rollout, "update": work.update}
    for run in [*parts.values()] * 2:  # what the first call gives is typed otherwise than what it got
        run()
    print(READY, flush=True)
    for line in sys.stdin:
        before = time.process_time()
        steps = parts[line.strip()]()
        print(1000 * (time.process_time() - before) / (steps or 1), flush=True)


if __name__ == "__main__":
    main()
