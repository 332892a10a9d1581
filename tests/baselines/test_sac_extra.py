"""CIKD's controls: as many additional updates as a distillation makes, without a teacher."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from baselines.specs.ensemble_sac import minibatches
from tests.baselines.test_cikd import FIRST, playing
from tests.baselines.test_sac import BATCH, WARMUP, Play, same


@pytest.mark.parametrize(("method", "members"), [("extra", 1), ("ensemble extra", 3)])
def test_additional_updates_are_as_many_as_those_of_a_distillation(method: str, members: int) -> None:
    play = playing(method, 3).steps(FIRST)
    seen = list[Tensor]()
    honest = play.learner.replay.batch

    def watched(index: Tensor) -> Any:
        seen.append(index)
        return honest(index)

    play.learner.replay.batch = watched
    play.steps(1)
    epoch = minibatches(FIRST + 1, BATCH)
    assert len(seen) == 1 + 2 * epoch
    assert all(index.shape == (1, members * BATCH) for index in seen[1:])
    first = torch.stack(seen[1 : 1 + epoch]).unflatten(-1, (members, BATCH))  # none comes twice in an epoch
    for member in range(members):
        assert len(first[:, :, member].unique()) == epoch * BATCH
    step = play.learner.state()["adam_actor.step"][0].item()
    assert step == FIRST + 2 - WARMUP + 2 * epoch


def test_as_in_the_code_they_leave_the_critics_alone() -> None:
    whole, code = (
        playing("extra", 3, extra_updates=own).steps(FIRST + 1).learner.state()
        for own in ("policy_and_critics", "policy_and_temperature")
    )
    plain = Play((3,), replay_size=200).steps(FIRST + 1).learner.state()
    same({n: p for n, p in code.items() if "critic" in n}, {n: p for n, p in plain.items() if "critic" in n})
    assert not torch.equal(code["actor.weight_0"], plain["actor.weight_0"])
    assert not torch.equal(whole["critic.weight_0"], plain["critic.weight_0"])
