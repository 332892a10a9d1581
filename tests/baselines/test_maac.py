"""MAAC against a plain per-agent loop in float64, lanes, resuming, its schedule, and that it learns.

Axes: S seed, E environment copy, N agent, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.learner import Layout, Seen, Task
from baselines.learner import Steps as Played
from baselines.maac import MAAC, critic_loss, expected, policy_loss, soft_targets
from baselines.maddpg import gumbel
from baselines.networks import attention
from baselines.streams import Streams
from tests.baselines.plain_maac import Critic, PlainMAAC, Settings, policy

LIMIT, COPIES = 20, 4
SETTINGS: dict[str, Any] = {
    "actor_hidden_layers": 2,
    "actor_hidden_width": 16,
    "updates_per_episode": 2,
    "critic_hidden_width": 16,
    "attention_heads": 4,
    "activation": "leaky_relu",
    "input_normalisation": "batch_norm",
    "actor_lr": 0.001,
    "critic_lr": 0.001,
    "gamma": 0.99,
    "tau": 0.05,
    "reward_scale": 100.0,
    "reward_standardisation": True,
    "batch_size": 32,
    "replay_size": 90,
    "rollout_threads": COPIES,
    "critic_weight_decay": 0.001,
    "attention_penalty": 0.001,
    "logit_penalty": 0.001,
    "critic_grad_clip_per_agent": "none",
    "actor_grad_clip": "none",
    "shared_critic_gradient": "divided_by_agents",
    "layout_agents": 0,
}
TASK = Task(3, 4, 3, LIMIT, 60, Layout(6, ((5, 0, 1, 2), (0, 1, 2, 3), (4, 3, 1, 0))))


def maac(seeds: Sequence[int], dtype: torch.dtype = torch.float32, task: Task = TASK, **changed: Any) -> Run:
    h = specs.MAAC.model_validate(SETTINGS | changed)
    streams = [Streams(seed) for seed in seeds]
    return Run(MAAC([task], h, streams, "cpu", dtype=dtype), streams)


@dataclass
class Run:
    """A learner in a toy world: observations drift with actions; an episode ends after LIMIT steps."""

    learner: MAAC
    streams: list[Streams]
    obs: Tensor | None = None
    steps: int = 0
    losses: list[dict[str, Tensor]] = field(default_factory=list)
    played: list[Played] = field(default_factory=list)

    def play(self, rounds: int) -> Run:
        """Steps of every copy."""
        task = self.learner.task
        for _ in range(rounds):
            first = self.steps % LIMIT == 0
            if first:
                shape = (self.learner.copies, task.agents, task.obs_size)
                self.obs = torch.stack([torch.randn(shape, generator=s["environment"]) for s in self.streams])
            assert self.obs is not None
            avail = torch.ones(*self.obs.shape[:3], task.action_size, dtype=torch.bool)
            lead = torch.full(self.obs.shape[:2], first)
            with torch.inference_mode():
                actions = self.learner.exploring(0, self.steps * self.learner.copies)(Seen(self.obs, avail, lead))
            push = torch.linspace(-1, 1, task.action_size)
            moves = (actions.float() * push).sum(-1, keepdim=True)
            after = (0.8 * self.obs + moves * torch.linspace(0.5, 1.5, task.obs_size)).float()
            rewards = -(after - 0.5).square().mean(-1)
            self.steps += 1
            over = torch.full(lead.shape, self.steps % LIMIT == 0)
            parts = (self.obs, avail, actions, rewards, after, lead, torch.zeros_like(over), over)
            self.played.append(Played(*(x.unsqueeze(2) for x in parts)))
            self.losses.append(self.learner.learn(0, self.played[-1], self.steps * self.learner.copies))
            self.obs = after
        return self

    def lane(self, lane: int) -> dict[str, Tensor]:
        own = {name: p[lane] for name, p in self.learner.state().items()}
        for i, (losses, played) in enumerate(zip(self.losses, self.played, strict=True)):
            own |= {f"{i}.{name}": loss[lane] for name, loss in losses.items()} | {f"{i}.actions": played.actions[lane]}
        return own


# ------------------------------------------------------------------------------------------ literal answers


def test_the_entropy_of_a_target_is_not_discounted():
    """1 + .5 * 4 - (-2) / 10."""
    y = soft_targets(torch.tensor(4.0), torch.tensor(-2.0), torch.tensor(1.0), 0.5, 10.0)
    assert y.item() == pytest.approx(3.2)


def test_critic_loss_sums_agents_and_heads():
    """Errors 1 and 3 on a batch of one; logits 2 and 4 of one head: (4 + 16) / 1 other / 1 sample, weighed by .1."""
    logits = torch.tensor([[0.0, 2.0], [4.0, 0.0]]).view(1, 1, 1, 2, 2)
    loss = critic_loss(torch.tensor([[[1.0], [3.0]]]), torch.zeros(1, 2, 1), logits, 0.1)
    assert loss.tolist() == pytest.approx([1 + 9 + 2.0])


def test_policy_loss_keeps_its_bracket_constant():
    """d/dlog pi of log pi (log pi / 100 - advantage) is the bracket alone."""
    log_pi = torch.tensor([[[-2.0]]], requires_grad=True)
    loss = policy_loss(log_pi, torch.tensor([[[3.0]]]), torch.zeros(1, 1, 2, 1), 100.0, 1e-3)
    assert loss.item() == pytest.approx(-2 * (-0.02 - 3))
    loss.backward()
    assert log_pi.grad is not None
    assert log_pi.grad.item() == pytest.approx(-3.02)


def test_the_baseline_is_the_policys_mean_value():
    values, log_pi = torch.tensor([[[[1.0], [3.0]]]]), torch.tensor([0.25, 0.75]).log().view(1, 1, 2, 1)
    assert expected(values, log_pi).item() == pytest.approx(2.5)


def test_nobody_attends_to_itself():
    """The first agent's values do not move with its own action, those of the others do."""
    streams = [Streams(0)]
    critic = attention.initial_critic(4, 3, 3, 16, streams, "cpu", torch.float64)
    g = torch.Generator().manual_seed(0)
    obs, actions = (torch.randn(1, 3, n, 32, generator=g, dtype=torch.float64) for n in (4, 3))
    other = actions.clone()
    other[:, 0] = other[:, 0].flip(-1)
    (one, _), (two, _) = (attention.action_values(critic, obs, a, 4) for a in (actions, other))
    assert torch.equal(one[:, 0], two[:, 0])
    assert (one[:, 1:] - two[:, 1:]).abs().max() > 1e-3


# ------------------------------------------------------------------------------------------- the plain loop


def networks(run: Run, s: int) -> tuple[list[Any], Any]:
    """Seed s's policies and critic, taken from the stacked ones."""
    learner, task = run.learner, run.learner.task
    state = {name: p[s] for name, p in learner.state().items()}
    width = learner.hyperparameters.critic_hidden_width
    policies: list[Any] = []
    for n in range(task.agents):
        own: Any = policy(task.layout.width, 16, task.action_size).double()
        for layer in range(3):
            linear = own[1 + 2 * layer]
            for kind in ("weight", "bias"):
                getattr(linear, kind).data.copy_(state[f"actor.{kind}_{layer}"][n])
        policies.append(own)
    heads = learner.hyperparameters.attention_heads
    critic: Any = Critic(task.agents, task.obs_size, task.action_size, width, heads).double()
    for n in range(task.agents):
        places = {"encoder": critic.encoders[n][1], "state_encoder": critic.state_encoders[n][1]}
        places |= {"head/0": critic.heads[n][0], "head/1": critic.heads[n][2]}
        for place, linear in places.items():
            name, _, layer = place.partition("/")
            for kind in ("weight", "bias"):
                getattr(linear, kind).data.copy_(state[f"critic.{name}.{kind}_{layer or 0}"][n])
    size = width // heads
    for h in range(heads):
        rows = slice(h * size, (h + 1) * size)
        critic.keys[h].weight.data.copy_(state["critic.key.weight_0"][rows])
        critic.selectors[h].weight.data.copy_(state["critic.selector.weight_0"][rows])
        critic.values[h][0].weight.data.copy_(state["critic.value.weight_0"][rows])
        critic.values[h][0].bias.data.copy_(state["critic.value.bias_0"][rows])
    return policies, critic


class Log:
    """All transitions of a seed that a ring of the newest keeps, in the order stored."""

    def __init__(self, played: Sequence[Played], s: int, capacity: int):
        def rows(name: str) -> Tensor:
            return torch.cat([getattr(p, name)[s, :, 0].double() for p in played])[-capacity:]

        self.obs, self.actions, self.rewards, self.after = map(rows, ("obs", "actions", "rewards", "after"))


def wide(obs: Tensor, layout: Layout) -> Tensor:
    """[B, N, O] -> [B, N, width]."""
    found = torch.zeros(*obs.shape[:2], layout.width, dtype=obs.dtype)
    for n, row in enumerate(layout.slots):
        assert not isinstance(row, int)
        found[:, n, list(row)] = obs[:, n]
    return found


CLIPS = [(None, None), (0.02, 0.05)]


@pytest.mark.parametrize(("critic_clip", "actor_clip"), CLIPS)
def test_it_agrees_with_a_plain_loop(critic_clip: float | None, actor_clip: float | None):
    """12 updates and more, over a ring that wraps; both seeds; with clips that bind, and without."""
    clips = {"critic_grad_clip_per_agent": critic_clip or "none", "actor_grad_clip": actor_clip or "none"}
    run = maac((0, 1), torch.float64, replace(TASK, layout=Layout(4, (0, 1, 2, 3))), **clips)
    agree(run, lambda policies, critic, settings, s: PlainMAAC(policies, critic, settings), 60, critic_clip, actor_clip)


def agree(
    run: Run,
    make: Callable[[list[Any], Any, Settings, int], PlainMAAC],
    rounds: int,
    critic_clip: float | None = None,
    actor_clip: float | None = None,
) -> None:
    """Play both for a number of rounds; every network of both seeds must agree to 1e-11."""
    settings = Settings(tau=0.05, critic_clip=critic_clip, actor_clip=actor_clip)
    plains = [make(*networks(run, s), settings, s) for s in (0, 1)]
    streams, updates = [Streams(0), Streams(1)], 0
    for _ in range(rounds):
        run.play(1)
        if run.losses[-1]:
            for s, own in enumerate(plains):
                log = Log(run.played, s, 90)
                mean, deviation = log.rewards.mean(0), log.rewards.std(0, correction=0)
                for _ in range(2):
                    index = torch.randint(len(log.obs), (32,), generator=streams[s]["replay"])
                    uniform = torch.rand(2, 3, 3, 32, generator=streams[s]["update"], dtype=torch.float64)
                    noise = gumbel(uniform).mT
                    rewards = (log.rewards[index] - mean) / deviation
                    own.update(log.obs[index], log.actions[index], rewards, log.after[index], *noise)
            updates += 2
    assert updates >= 12
    state = run.learner.state()
    for s, own in enumerate(plains):
        policies, critic = networks(run, s)
        for mine, theirs in zip([*policies, critic], [*own.policies, own.critic], strict=True):
            for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
                assert (a - b).abs().max() <= 1e-11 * b.abs().max().clamp(min=1e-3)
        for n, target in enumerate(own.target_policies):
            norm = own.policies[n][0]
            pairs = (
                (state["target_actor.weight_1"][s, n], target[3].weight),
                (state["running.mean"][s, n], norm.running_mean),
                (state["running.variance"][s, n], norm.running_var),
                (state["target_critic.head.weight_1"][s, n], own.target_critic.heads[n][2].weight),
            )
            assert all(torch.allclose(a, b, rtol=0, atol=1e-11) for a, b in pairs)


# ----------------------------------------------------------------------------------- lanes, resuming, schedule


def test_a_seeds_numbers_do_not_depend_on_its_companions():
    alone = maac((3,)).play(45)
    assert sum(map(bool, alone.losses)) >= 5
    for seeds in ((0, 1, 3), (3, 8)):
        company = maac(seeds).play(45).lane(seeds.index(3))
        assert [name for name, p in alone.lane(0).items() if not torch.equal(p, company[name])] == []


def test_nor_at_full_size():
    """Task VIII's eight agents, a batch of 1,024, the paper's widths: one update."""
    task = Task(8, 86, 5, LIMIT, 60, Layout(86, tuple(range(86))))
    sizes = {"actor_hidden_width": 64, "critic_hidden_width": 128, "batch_size": 1024, "replay_size": 2000}
    many: dict[str, Any] = {**sizes, "rollout_threads": 256, "updates_per_episode": 1}
    runs = [maac(s, task=task, **many) for s in ((5,), (4, 5))]
    alone, company = (run.play(4) for run in runs)
    assert alone.losses[-1]
    assert all(torch.equal(p, company.lane(1)[name]) for name, p in alone.lane(0).items())


def test_it_goes_on_where_it_was():
    """State, replay row by row, and streams; the ring has wrapped."""
    whole, part = maac((3, 4)).play(40), maac((3, 4)).play(27)
    other = maac((3, 4))
    other.learner.load_state(part.learner.state())
    replay, again = part.learner.replay, other.learner.replay
    for lane in (0, 1):
        for start in range(replay.first, replay.entries, 50):
            again.restore(lane, start, replay.rows(lane, start, min(start + 50, replay.entries)))
        for purpose in ("exploration", "replay", "update", "environment"):
            other.streams[lane][purpose].set_state(part.streams[lane][purpose].get_state())
    other.obs, other.steps = part.obs, part.steps
    other.play(13)
    ours, theirs = other.learner.state(), whole.learner.state()
    assert [name for name, p in ours.items() if not torch.equal(p, theirs[name])] == []


def test_updates_come_inside_episodes_where_all_environments_steps_fill_one():
    """12 environments and episodes of 100 steps: 8 or 9 rounds apart, 12 times in 12 episodes, from a batch on."""
    task = Task(2, 2, 2, 100, 60, Layout(2, (0, 1)))
    run = maac((0,), task=task, rollout_threads=12, batch_size=64, replay_size=1000, updates_per_episode=1)
    run.play(200)
    rounds = [i + 1 for i, losses in enumerate(run.losses) if losses]
    assert rounds[:4] == [9, 17, 25, 34]
    assert {b - a for a, b in pairwise(rounds)} == {8, 9}
    assert len([r for r in rounds if 100 < r <= 200]) == 12


def test_greedy_is_the_likeliest_action_by_running_means():
    run = maac((0, 1)).play(30)
    obs = torch.randn(2, 5, 3, 4)
    avail, first = torch.ones(2, 5, 3, 3, dtype=torch.bool), torch.zeros(2, 5, dtype=torch.bool)
    actions = run.learner.greedy(0)(Seen(obs, avail, first))
    assert torch.equal(actions.sum(-1), torch.ones(2, 5, 3))
    own: Any = policy(6, 16, 3)
    weights = {name: p[1, 2] for name, p in run.learner.policy().items()}
    for layer in range(3):
        own[1 + 2 * layer].weight.data, own[1 + 2 * layer].bias.data = (
            weights[f"{kind}_{layer}"] for kind in ("weight", "bias")
        )
    own[0].running_mean, own[0].running_var = weights["mean"], weights["variance"]
    padded = wide(obs[1], TASK.layout)[:, 2]
    assert torch.equal(own.eval()(padded).argmax(-1), actions[1, :, 2].argmax(-1))


def test_a_small_task_is_learned():
    """Each is rewarded for naming what it sees: .33 by chance, above .9 learned; test_maac_treasure.py flips a sign."""
    task = Task(2, 3, 3, LIMIT, 60, Layout(3, (0, 1, 2)))
    sizes = {"batch_size": 128, "replay_size": 4000, "rollout_threads": 8, "tau": 0.05, "gamma": 0.0}
    learner = maac((0, 1), task=task, actor_lr=0.01, critic_lr=0.01, **sizes).learner
    goals = torch.Generator().manual_seed(7)
    draws = [torch.eye(3)[torch.randint(3, (2, 8, 2), generator=goals)] for _ in range(401)]
    avail, no = torch.ones(2, 8, 2, 3, dtype=torch.bool), torch.zeros(2, 8, 1, dtype=torch.bool)
    for step in range(400):
        obs = draws[step]
        actions = learner.exploring(0, step * 8)(Seen(obs, avail, no[..., 0]))
        rewards = (obs * actions).sum(-1)
        parts = (obs, avail, actions, rewards, draws[step + 1], no[..., 0], no[..., 0], ~no[..., 0])
        learner.learn(0, Played(*(x.unsqueeze(2) for x in parts)), (step + 1) * 8)
    seen = torch.eye(3).view(1, 3, 1, 3).expand(2, 3, 2, 3)
    named = (learner.greedy(0)(Seen(seen, avail, no)) * seen).sum(-1).mean((1, 2))
    assert (named > 0.9).all()
