"""MAPPO in rollouts of steps, against a plain loop: one seed, a copy, an agent and a step at a time, in float64.

Axes: S seed, E environment copy, T time step, N agent, O observation entry, A action, X state entry.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines import specs
from baselines.learner import Seen, Steps
from baselines.mappo_steps import StepsMAPPO, mappo_steps, stacked
from baselines.specs import TaskSizes
from baselines.streams import Streams
from tests.baselines.test_plain_mappo import Decaying
from tests.baselines.test_plain_team import Agent, numbers, own
from tests.teams import PPO, toy_task

T, E, N, O, A, X = 6, 2, 2, 3, 4, 5  # noqa: E741
TASK = toy_task(N, O, A, 5, state_size=X)
RECURRENT = {"use_rnn": True, "critic_use_rnn": True, "chunk_steps": 3}
KINDS: dict[str, dict[str, Any]] = {
    "feed-forward, four frames": {"stacked_frames": 4},
    "recurrent, in chunks": RECURRENT,
    "recurrent actor, two frames, truncation": RECURRENT
    | {"critic_use_rnn": False, "stacked_frames": 2, "time_limit_terminal": False},
    "recurrent critic, plain": {
        **RECURRENT,
        "use_rnn": False,
        "time_limit_terminal": False,
        "value_normalisation": False,
        "standardise_advantages": False,
        "clip_values": False,
        "huber_delta": None,
    },
}


def settings(**changes: Any) -> specs.StepsMAPPO:
    own_ = {
        "td_steps": None,
        "gae_lambda": 0.9,
        "time_limit_terminal": True,
        "tau": 1.0,
        "standardise_rewards": False,
        "value_normalisation": True,
        "advantage_critic": "target",
        "standardise_advantages": True,
        "clip_values": True,
        "huber_delta": 0.3,
        "update_episodes": E,
        "rollout_steps": T,
        "stacked_frames": 1,
    }
    values = PPO | own_ | changes
    return specs.StepsMAPPO.model_validate({name: x for name, x in values.items() if x is not None})


def learner(h: specs.StepsMAPPO, seeds: tuple[int, ...]) -> StepsMAPPO:
    return mappo_steps([TASK], h, [Streams(seed) for seed in seeds], "cpu", dtype=torch.float64)


def rollout(learner: StepsMAPPO, seeds: tuple[int, ...], number: int) -> Steps:
    """Random observations, the learner's own actions; every rollout but the first begins inside episodes."""
    act = learner.exploring(0, 0)
    draws = [torch.Generator().manual_seed(100 * number + seed) for seed in seeds]

    def drawn(*shape: int) -> Tensor:
        return torch.stack([torch.rand(shape, generator=g, dtype=torch.float64) for g in draws])

    first = drawn(E, T) < (1.1 if number == 0 else 0.0)
    for t in range(1, T):
        first[:, :, t] = drawn(E) < 0.3
    ends = torch.cat([first[:, :, 1:], drawn(E, 1) < 0.3], 2)
    if number:
        first[:, :, 0] = learner.ended  # type: ignore[attr-defined]
    learner.ended = ends[:, :, -1]  # type: ignore[attr-defined]
    terminal = drawn(E, T) < 0.5
    obs, state, avail = drawn(E, T, N, O), drawn(E, T, X), drawn(E, T, N, A) < 0.7
    avail[..., 0] |= ~avail.any(-1)
    after, state_after = drawn(E, T, N, O), drawn(E, T, X)
    goes_on = ~ends[:, :, :-1]
    after[:, :, :-1] = torch.where(goes_on[..., None, None], obs[:, :, 1:], after[:, :, :-1])
    state_after[:, :, :-1] = torch.where(goes_on[..., None], state[:, :, 1:], state_after[:, :, :-1])
    kept = [act(Seen(obs[:, :, t], avail[:, :, t], first[:, :, t], state[:, :, t])) for t in range(T)]
    return Steps(
        obs=obs,
        avail_actions=avail,
        actions=torch.stack(kept, 2),
        rewards=drawn(E, T, N),
        after=after,
        first=first,
        terminated=ends & terminal,
        truncated=ends & ~terminal,
        state=state,
        state_after=state_after,
    )


class Plain:
    """One seed of the learner."""

    def __init__(self, learner: StepsMAPPO, s: int):
        self.h, self.s, state = learner.hyperparameters, s, learner.state()
        self.actor, self.critic = Agent(own(state, "actor", s)), Agent(own(state, "critic", s))
        self.adams = {net: torch.optim.Adam(net.parameters(), lr=self.h.lr) for net in (self.actor, self.critic)}
        self.moments = Decaying()
        self.hidden: dict[Any, Tensor] = {}
        self.frames: dict[Any, list[Tensor]] = {}

    def read(self, key: Any, new: Tensor, first: bool, n: int, numbered: bool) -> Tensor:
        """A network's input: the last frames, zeros before an episode, and the agent's number."""
        before = self.frames.get(key, []) if not first else []
        self.frames[key] = [*before, new][-self.h.stacked_frames :]
        return self.stack(self.frames[key], n, numbered)

    def stack(self, frames: list[Tensor], n: int, numbered: bool) -> Tensor:
        missing = [torch.zeros_like(frames[0])] * (self.h.stacked_frames - len(frames))
        number = [torch.eye(N, dtype=torch.float64)[n]] * numbered
        return torch.cat([*missing, *frames, *number])

    def step(self, net: Agent, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        if not net.recurrent:
            return net.mlps["whole"](x), hidden
        hidden = net.gru(torch.relu(net.mlps["in"](x.unsqueeze(0))), hidden)
        return net.mlps["out"](hidden)[0], hidden

    def zeros(self, net: Agent) -> Tensor:
        return torch.zeros(1, net.gru.hidden_size if net.recurrent else 0, dtype=torch.float64)

    def through(self, net: Agent, xs: list[Tensor], firsts: list[bool], hidden: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Outputs [T, A], and the memory after each step."""
        outs, kept = [], []
        for x, first in zip(xs, firsts, strict=True):
            out, hidden = self.step(net, x, self.zeros(net) if first else hidden)
            outs.append(out)
            kept.append(hidden)
        return torch.stack(outs), kept

    def update(self, given: Steps) -> dict[str, float]:
        h, one = self.h, {n: x[self.s] for n, x in vars(given).items() if x is not None}
        size, rows = h.chunk_steps or T, []
        for e in range(E):
            for n in range(N):
                firsts, own_ = one["first"][e].tolist(), {m: x[e] for m, x in one.items()}
                inputs = [self.read(("a", e, n), own_["obs"][t, n], firsts[t], n, h.obs_agent_id) for t in range(T)]
                reads, ahead = [], []
                for t in range(T):
                    reads.append(self.read(("c", e, n), own_["state"][t], firsts[t], n, True))
                    later = [*self.frames["c", e, n], own_["state_after"][t]][-h.stacked_frames :]
                    ahead.append(self.stack(later, n, True))
                with torch.no_grad():
                    start_a = self.hidden.get(("a", e, n), self.zeros(self.actor))
                    start_c = self.hidden.get(("c", e, n), self.zeros(self.critic))
                    logits, kept_a = self.through(self.actor, inputs, firsts, start_a)
                    values, kept_c = self.through(self.critic, reads, firsts, start_c)
                    following = [self.step(self.critic, ahead[t], kept_c[t])[0] for t in range(T)]
                self.hidden["a", e, n], self.hidden["c", e, n] = kept_a[-1], kept_c[-1]
                log_pi = logits.masked_fill(~own_["avail_actions"][:, n], -torch.inf).log_softmax(-1)
                acts = own_["actions"][:, n].argmax(-1)
                rows.append(
                    {
                        "inputs": inputs,
                        "reads": reads,
                        "firsts": firsts,
                        "starts": ([start_a, *kept_a], [start_c, *kept_c]),
                        "avail": own_["avail_actions"][:, n],
                        "acts": acts,
                        "old": log_pi[torch.arange(T), acts],
                        "values": values[:, 0],
                        "returns": self.returns(own_, values[:, 0], torch.stack(following)[:, 0]),
                    }
                )
        mean, deviation = self.moments.both() if h.value_normalisation else (0.0, 1.0)
        gains = [r["returns"] - (r["values"] * deviation + mean) for r in rows]
        if h.standardise_advantages:
            every = torch.cat(gains)
            gains = [(a - every.mean()) / (every.std(correction=0) + 1e-5) for a in gains]
        losses = {"policy": 0.0, "value": 0.0, "entropy": 0.0}
        for _ in range(h.update_passes):
            if h.value_normalisation:
                self.moments.take(torch.cat([r["returns"] for r in rows]).tolist())
                mean, deviation = self.moments.both()
            value, policy, bonus = [], [], []
            for r, gain in zip(rows, gains, strict=True):
                for at in range(0, T, size):
                    part = slice(at, at + size)
                    v, _ = self.through(self.critic, r["reads"][part], r["firsts"][part], r["starts"][1][at])
                    goal = (r["returns"][part] - mean) / deviation
                    loss = self.error(goal - v[:, 0])
                    if h.clip_values:
                        held = r["values"][part] + (v[:, 0] - r["values"][part]).clamp(-h.clip, h.clip)
                        loss = torch.maximum(loss, self.error(goal - held))
                    value.append(loss)
                    logits, _ = self.through(self.actor, r["inputs"][part], r["firsts"][part], r["starts"][0][at])
                    log_pi = logits.masked_fill(~r["avail"][part], -torch.inf).log_softmax(-1)
                    taken = log_pi[torch.arange(size), r["acts"][part]]
                    ratio = (taken - r["old"][part]).exp()
                    held = ratio.clamp(1 - h.clip, 1 + h.clip)
                    policy.append(torch.minimum(ratio * gain[part], held * gain[part]))
                    bonus += [-(p[can].exp() * p[can]).sum() for p, can in zip(log_pi, r["avail"][part], strict=True)]
            totals = {
                "policy": -torch.cat(policy).mean(),
                "value": torch.cat(value).mean(),
                "entropy": torch.stack(bonus).mean(),
            }
            self.descend(self.critic, totals["value"])
            self.descend(self.actor, totals["policy"] - h.entropy_weight * totals["entropy"])
            for name, total in totals.items():
                losses[name] += total.item() / h.update_passes
        return losses

    def returns(self, one: dict[str, Tensor], values: Tensor, following: Tensor) -> Tensor:
        """By their definition, [T], in the rewards' units."""
        h, found = self.h, []
        mean, deviation = self.moments.both() if h.value_normalisation else (0.0, 1.0)
        v, ahead, rewards = values * deviation + mean, following * deviation + mean, one["rewards"].sum(-1)
        nothing = one["terminated"] | (one["truncated"] & h.time_limit_terminal)
        errors = [rewards[t] + (0 if nothing[t] else h.gamma * ahead[t]) - v[t] for t in range(T)]
        for t in range(T):
            total, weight = v[t].clone(), 1.0
            for i in range(t, T):
                total += weight * errors[i]
                weight *= h.gamma * (h.gae_lambda or 0)
                if one["terminated"][i] or one["truncated"][i]:
                    break
            found.append(total)
        return torch.stack(found)

    def error(self, x: Tensor) -> Tensor:
        delta = self.h.huber_delta
        return x**2 if delta is None else torch.where(x.abs() <= delta, x**2 / 2, delta * (x.abs() - delta / 2))

    def descend(self, network: nn.Module, loss: Tensor) -> None:
        self.adams[network].zero_grad(set_to_none=True)  # type: ignore[index]
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), self.h.grad_clip)
        self.adams[network].step()  # type: ignore[index]


@pytest.mark.parametrize("name", KINDS)
def test_the_learner_agrees(name: str) -> None:
    """Two rollouts of three passes; the second begins inside episodes."""
    ours = learner(settings(**KINDS[name]), (0, 1))
    plain = Plain(ours, 1)
    for number in range(2):
        given = rollout(ours, (0, 1), number)
        losses = {loss: x[1].item() for loss, x in ours.learn(0, given, 0).items()}
        assert losses == pytest.approx(plain.update(given), rel=1e-8, abs=1e-11)
    state = ours.state()
    for net in ("actor", "critic"):
        found = [x for p in own(state, net, 1).values() for x in (p.sum().item(), p.square().sum().item())]
        assert sorted(found) == pytest.approx(numbers(getattr(plain, net)), rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("name", ["feed-forward, four frames", "recurrent, in chunks"])
def test_a_seed_is_the_same_alone_and_after_a_stop(name: str) -> None:
    """To the last bit, in float32; the stop is between the first rollout and the second, inside episodes."""

    def begun(seeds: tuple[int, ...]) -> StepsMAPPO:
        return mappo_steps([TASK], settings(**KINDS[name]), [Streams(seed) for seed in seeds], "cpu")

    both, alone = begun((0, 1)), begun((1,))
    for number in range(2):
        both.learn(0, rollout(both, (0, 1), number), 0)
        alone.learn(0, rollout(alone, (1,), number), 0)
        if not number:
            fresh = begun((1,))
            fresh.load_state(alone.state())
            for new, old in zip(fresh._streams, alone._streams, strict=True):
                new.load_state(old.state())
            fresh.ended, alone = alone.ended, fresh  # type: ignore[attr-defined]
    state = both.state()
    assert state.keys() == alone.state().keys()
    assert not [n for n, x in alone.state().items() if not torch.equal(x[0], state[n][1])]


@pytest.mark.parametrize("name", ["feed-forward, four frames", "recurrent, in chunks"])
def test_its_policy_is_as_large_as_is_said(name: str) -> None:
    h = settings(**KINDS[name])
    weights = learner(h, (0,)).policy().values()
    assert h.policy_size([TaskSizes(N, O, A)]) == sum(own.numel() for own in weights)


def test_frames_are_of_one_episode() -> None:
    """Three frames; an episode begins with the third step."""
    x = torch.arange(1.0, 6).view(1, 1, 5, 1)
    first = torch.tensor([[[False, False, True, False, False]]])
    found = stacked(x, first, torch.tensor([8.0, 9.0]).view(1, 1, 2, 1))
    assert found[0, 0].tolist() == [[8, 9, 1], [9, 1, 2], [0, 0, 3], [0, 3, 4], [3, 4, 5]]


def test_chunks_divide_a_rollout() -> None:
    with pytest.raises(ValueError, match=r"chunk_steps: got 4; allowed: .* a divisor of rollout_steps = 6"):
        settings(**RECURRENT | {"chunk_steps": 4})
    with pytest.raises(ValueError, match="chunk_steps: got 3; allowed: none without a recurrent network"):
        settings(chunk_steps=3)
