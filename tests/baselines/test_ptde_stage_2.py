"""PTDE's stage 2: the student of a frozen team, what it learns and what it cannot, its pairs, lanes, resuming.

Axes: S seed, B episode, T time step, N agent, O observation entry, X state entry, A action, Z entry of z.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from baselines import specs
from baselines.learner import Seen, Teacher
from baselines.ptde_distill import Stage2
from baselines.streams import Streams
from tests.informed import STAGE_1, STAGE_2, a_task, assert_same, in_a_row, lane, of_stage_1, of_stage_2, played, unseen


def test_a_seeds_numbers_are_its_own_in_stage_2() -> None:
    found = []
    for seeds in ((3,), (1, 3)):
        learner, *_ = of_stage_2(seeds, unseen(5), 5, distill_batch_size=250)
        losses = [learner.learn(0, None, 0) for _ in range(4)][-1]
        found.append(lane(learner.state() | losses, seeds.index(3)))
    assert_same(*found)


def explained(learner: Stage2) -> float:
    """R2 of the student on held-out pairs."""
    pairs = learner._known()
    chosen = pairs.held_out[0]
    inputs, taught = pairs.inputs[:, chosen], pairs.taught[:, chosen]
    learnt = learner._student.mean({n: p.detach() for n, p in learner._adam.leaves.items()}, inputs.mT).mT
    return 1 - float((taught - learnt).square().sum() / (taught - taught.mean(1, keepdim=True)).square().sum())


def test_the_student_learns_what_its_inputs_tell() -> None:
    """One agent whose observation is the state: the teacher's output is a function of the local input."""
    learner, *_ = of_stage_2((0,), in_a_row, 3, agents=1, distill_padding=False)
    assert explained(learner) < 0.2
    for _ in range(1200):
        learner.learn(0, None, 0)
    assert explained(learner) > 0.95


def test_it_cannot_learn_what_they_do_not_tell() -> None:
    """No observation depends on the state: the held-out loss stays at the conditional variance."""
    learner, _task, _ = of_stage_2((0,), unseen(5), 5, distill_padding=False, distill_episodes=400)
    for _ in range(400):
        learner.learn(0, None, 0)
    losses = torch.stack([learner.learn(0, None, 0)["held_out"][0] for _ in range(50)])
    team, pairs = learner._team, learner._known()
    inputs = pairs.inputs[:, pairs.held_out[0][:300]].view(1, 1, -1, 1, pairs.inputs.shape[-1])
    states = torch.randn(1, 1, 200, 5, generator=torch.Generator().manual_seed(1))
    means = torch.stack(
        [
            team.information.distribution(team.module, i.expand(1, 1, 200, 1, -1).contiguous(), states)[0][0, 0, :, 0]
            for i in inputs.unbind(2)
        ]
    )  # [local input, state, Z]
    variance = means.var(1).sum(-1).mean()
    assert losses.mean() == pytest.approx(variance.item(), rel=0.15)


def test_no_gradient_reaches_the_frozen_team() -> None:
    learner, *_ = of_stage_2((0,), unseen(5), 5)
    team = learner._team
    before = {name: p.clone() for name, p in (team.agent | team.module).items()}
    for _ in range(3):
        learner.learn(0, None, 0)
    assert_same(team.agent | team.module, before)
    assert not any(p.requires_grad for p in (*team.agent.values(), *team.module.values()))
    assert all(name.split(".")[0] in ("student", "adam", "count") for name in learner.state())


def test_padding_is_zeros_and_the_agents_number() -> None:
    """As released: half of the episodes end after one of three steps, and each still gives four steps of pairs."""
    kept, *_ = of_stage_2((0,), unseen(5), 5)
    played_alone, *_ = of_stage_2((0,), unseen(5), 5, distill_padding=False)
    (learnt,), (held_out,) = kept._known().learnt, kept._known().held_out
    assert (len(learnt), len(held_out)) == (200 * 4 * 2 * 4 // 5, 200 * 4 * 2 // 5)
    rows = kept._known().inputs.view(200, 4, 2, -1)
    assert not bool(rows[::2, 2:, :, :3].any())
    assert torch.equal(rows[0, 3, :, 3:], torch.eye(2))
    assert sum(map(len, (*played_alone._known().learnt, *played_alone._known().held_out))) == 100 * 2 * (1 + 3)


def test_it_executes_on_local_inputs_alone() -> None:
    """Another state, the same actions; for the stage-1 team it changes them."""
    learner, _task, _ = of_stage_2((0,), unseen(5), 5)
    g = torch.Generator().manual_seed(3)
    obs, first = torch.randn(1, 500, 2, 3, generator=g), torch.ones(1, 500, dtype=torch.bool)
    avail = torch.ones(1, 500, 2, 4, dtype=torch.bool)
    states = 9 * torch.randn(2, 1, 500, 5, generator=g)
    ours = [learner.greedy(0)(Seen(obs, avail, first, state)) for state in states]
    theirs = [learner.exploring(0, 0)(Seen(obs[:, :50], avail[:, :50], first[:, :50], s[:, :50])) for s in states]
    assert torch.equal(*ours)
    assert not torch.equal(*theirs)


def test_a_team_without_z_cannot_be_distilled() -> None:
    task = a_task()
    streams = [Streams(0)]
    with pytest.raises(ValueError, match="needs one teacher per task"):
        Stage2([task], specs.PTDE.model_validate(STAGE_2), streams, "cpu")
    teacher = Teacher({}, task.layout, lambda obs: obs, {"use_rnn": True})
    with pytest.raises(ValueError, match="'no z'; allowed: 'gip'"):
        Stage2([a_task(teacher=teacher)], specs.PTDE.model_validate(STAGE_2), streams, "cpu")


@pytest.mark.parametrize("rounds", [2, 4])
def test_stage_2_goes_on_as_if_it_had_not_stopped(rounds) -> None:
    """Stopped while the team still plays its episodes, or between updates: the pairs are made again from the replay."""
    team, task, _ = of_stage_1("gip", (0, 1))
    teacher = Teacher(team.policy(), task.layout, lambda obs: obs, STAGE_1 | {"information": "gip"})
    h, task = specs.PTDE.model_validate(STAGE_2 | {"distill_episodes": 150}), a_task(teacher=teacher)

    def gone_on(learner: Stage2, streams: Sequence[Streams], first: int, last: int) -> None:
        for _ in range(first, last):
            learner.learn(0, played(learner, task, streams, unseen(5)) if learner.copies else None, 0)

    streams, others = [Streams(0), Streams(1)], [Streams(0), Streams(1)]
    learner, again = Stage2([task], h, streams, "cpu"), Stage2([task], h, others, "cpu")
    gone_on(learner, streams, 0, rounds)
    again.load_state(learner.state())
    for i in range(2):
        again.replays[0].restore(i, 0, learner.replays[0].rows(i, 0, learner.replays[0].entries))
        others[i].load_state(streams[i].state())
    gone_on(learner, streams, rounds, 7)
    gone_on(again, others, rounds, 7)
    assert learner.updates == 4
    assert_same(again.state(), learner.state())
