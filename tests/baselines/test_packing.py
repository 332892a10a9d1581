"""Updates leave out steps that count nowhere: nothing that counts may change.

Seeds that train alone leave out what nobody played, and all leave out what follows a game of one step.

Axes: S seed, B episode, T time step, N agent, O observation entry.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from baselines import specs
from baselines.networks import agents
from baselines.networks.packing import Packed
from baselines.ptde import stage_1
from baselines.qmix import qmix
from baselines.streams import Streams
from tests.informed import STAGE_1, Started, a_task, played, unseen

LENGTHS = (3, 1, 7, 4, 1, 7, 2, 5)  # steps played of the episodes of a round
KINDS = ["qmix", "giu", "gip"]


def learner(kind: str, alone: bool, steps: int = max(LENGTHS)) -> Started:
    task = replace(a_task(agents=12, steps=steps), alone=alone)
    settings = STAGE_1 | {"batch_size": 8, "replay_size": 8, "update_episodes": len(LENGTHS)}
    where = [Streams(0)], "cpu"
    if kind in ("giu", "gip"):
        h = specs.Personal.model_validate(settings | {"information": kind})
        return stage_1([task], h, *where, dtype=torch.float64), task, where[0]
    own = {name: value for name, value in settings.items() if name in specs.QMIX.model_fields}
    h = specs.QMIX.model_validate(own)
    return qmix([task], h, *where, dtype=torch.float64), task, where[0]


@pytest.mark.parametrize("kind", KINDS)
def test_updates_are_those_of_the_whole_batch(kind, monkeypatch) -> None:
    found, columns, compute = [], [], agents.gru_states

    def watched(*given, active=None, **own):
        columns.append(active)
        return compute(*given, active=active, **own)

    monkeypatch.setattr(agents, "gru_states", watched)
    for alone in (False, True):
        columns.clear()
        own, task, streams = learner(kind, alone)
        replay, losses = own.replays[0], []
        drawn = replay.sample
        monkeypatch.setattr(replay, "sample", lambda size, drawn=drawn: drawn(size).longest_first())
        for r in range(1, 5):
            rollout = played(own, task, streams, unseen(5))
            mask = torch.arange(task.episode_limit) < torch.tensor(LENGTHS).unsqueeze(-1)
            ends = mask & ~torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], -1)
            rollout = replace(rollout, mask=mask.unsqueeze(0), terminated=ends.unsqueeze(0))
            losses.append(own.learn(0, rollout, r * own.copies)["td"])
        found.append((torch.stack(losses), own.policy()))
        learned = columns[-1]  # of its last update, a step at a time
        assert learned == ([96, 96, 96, 64, 64, 64, 32, 32] if alone else None)
    (whole, policy), (packed, same) = found
    torch.testing.assert_close(packed, whole, rtol=1e-9, atol=0)
    assert whole.min() > 0
    for name, p in policy.items():
        torch.testing.assert_close(same[name], p, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_of_a_game_of_one_step_computes_that_step_alone(kind, monkeypatch) -> None:
    found, computed, compute = [], [], agents.gru_states

    def watched(parameters, x, *given, **own):
        computed.append(len(x))
        return compute(parameters, x, *given, **own)

    for short in (False, True):
        own, task, streams = learner(kind, alone=False, steps=1)
        if not short:
            monkeypatch.setattr(own, "_one_step", lambda task: False)
        losses = []
        for r in range(1, 5):
            rollout = played(own, task, streams, unseen(5))
            rollout = replace(rollout, terminated=torch.ones_like(rollout.terminated))
            monkeypatch.setattr(agents, "gru_states", watched)
            computed.clear()
            losses.append(own.learn(0, rollout, r * own.copies)["td"])
            monkeypatch.setattr(agents, "gru_states", compute)
        found.append((torch.stack(losses), own.policy()))
        assert computed == ([1] if short else [2, 2])  # online, and target
    (whole, policy), (one, same) = found
    torch.testing.assert_close(one, whole, rtol=1e-9, atol=0)
    for name, p in policy.items():
        torch.testing.assert_close(same[name], p, rtol=0, atol=1e-8)


def test_picked_steps_come_back_to_their_places() -> None:
    mask = torch.arange(3) < torch.tensor(LENGTHS[:4]).unsqueeze(-1)
    kept = Packed(mask)
    x = torch.randn(1, 4, 3, 2)
    assert torch.equal(kept.back(kept.picked(x)), x * mask[None, :, :, None])
    assert kept.picked(x).shape == (1, 1, int(mask.sum()), 2)
    assert kept.going() == [4, 3, 3]
    assert Packed.seen(mask[None, :, :2]).kept.sum(1).tolist() == [3, 2, 3, 3]
