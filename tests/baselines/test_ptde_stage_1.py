"""PTDE's stage 1: what the TD loss trains, lanes, resuming, and that a team learns with z what it cannot without.

Axes: S seed, B episode, T time step, N agent, O observation entry, X state entry, A action, Z entry of z.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.learner import Rollout, Seen
from baselines.streams import Streams
from tests.informed import a_task, assert_same, lane, of_stage_1, trained, unseen


@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_the_td_loss_trains_all_of_it(kind) -> None:
    """After one update every parameter has moved, including those that generate weights."""
    learner, task, streams = of_stage_1(kind, (0,), replay_size=4, batch_size=4, target_update_interval=99)
    before = learner.state()
    trained(learner, task, streams, 2, unseen(5))
    after = learner.state()
    online = [name for name in before if name.startswith("online.")]
    assert not [name for name in online if torch.equal(before[name], after[name])]
    assert any("information" in name for name in online)


@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_a_seeds_numbers_are_its_own_in_stage_1(kind) -> None:
    learner, task, streams = of_stage_1(kind, (3,))
    alone = lane(trained(learner, task, streams, 6, unseen(5)).state(), 0)
    for seeds in ((3, 8), (1, 5, 3, 2)):
        learner, task, streams = of_stage_1(kind, seeds)
        assert_same(lane(trained(learner, task, streams, 6, unseen(5)).state(), seeds.index(3)), alone)


def test_stage_1_goes_on_as_if_it_had_not_stopped() -> None:
    learner, task, streams = of_stage_1("gip", (0, 1))
    trained(learner, task, streams, 4, unseen(5))
    again, _, _ = of_stage_1("gip", (0, 1))
    again.load_state(learner.state())
    for i in range(2):
        again.replays[0].restore(i, 0, learner.replays[0].rows(i, 0, learner.replays[0].entries))
    kept = [stream.state() for stream in streams]
    trained(learner, task, streams, 2, unseen(5))
    others = [Streams(seed) for seed in (0, 1)]
    again._streams = others
    again.replays[0]._generators = [s["replay"] for s in others]
    for stream, state in zip(others, kept, strict=True):
        stream.load_state(state)
    trained(again, task, others, 2, unseen(5))
    assert_same(again.state(), learner.state())


def test_a_team_learns_what_the_state_alone_tells() -> None:
    """Agent i must name the i-th half of the state, which it does not see: GIP does, its student cannot."""
    changes = {"batch_size": 32, "replay_size": 200, "update_episodes": 8, "lr": 0.01, "grad_clip": 10.0}
    changes |= {"epsilon_anneal_steps": 400, "target_update_interval": 20, "hidden_width": 32, "encoder_width": 16}
    task = a_task(agents=2, obs=2, state=8, steps=1)
    learner, _, streams = of_stage_1("gip", (0, 1), task, **changes)

    def told(streams: Sequence[Streams], copies: int) -> tuple[Tensor, Tensor]:
        named = torch.stack([torch.randint(4, (copies, 2), generator=s["environment"]) for s in streams])
        return named, torch.nn.functional.one_hot(named, 4).float().flatten(-2)

    def asked(act, named: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        obs = torch.zeros(*named.shape, 2)
        avail = torch.ones(*named.shape, 4, dtype=torch.bool)
        actions = act(Seen(obs, avail, torch.ones(named.shape[:2], dtype=torch.bool), state))
        return actions, (actions.argmax(-1) == named).float().mean(-1)

    for r in range(250):
        named, state = told(streams, learner.copies)
        actions, right = asked(learner.exploring(0, 8 * r), named, state)
        obs, avail = torch.zeros(2, 8, 2, 2, 2), torch.ones(2, 8, 2, 2, 4, dtype=torch.bool)
        rewards = right[:, :, None, None].expand(-1, -1, 1, 2)
        ended = torch.ones(2, 8, 1, dtype=torch.bool)
        both = state.unsqueeze(2).expand(-1, -1, 2, -1)
        learner.learn(0, Rollout(obs, actions.unsqueeze(2), rewards, ended, avail, both), 8 * (r + 1))
    named, state = told(streams, 200)
    share = asked(learner.greedy(0), named, state)[1].mean(-1)
    assert bool((share > 0.6).all()), share  # a quarter by chance


@pytest.mark.parametrize("head", ["additive", "mlp"])
@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_what_it_executes_with_is_counted_without_torch(kind, head) -> None:
    task = a_task(agents=2, obs=3, state=6)  # the state counts as all observations in a row
    learner, _, _ = of_stage_1(kind, (0,), task, z_head=head)
    sizes = specs.TaskSizes(task.agents, task.obs_size, task.action_size, task.episode_limit)
    assert learner.hyperparameters.policy_size([sizes]) == sum(p.numel() for p in learner.policy().values())
