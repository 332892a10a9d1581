"""Captured updates: on the CPU the update itself; on a GPU a graph that gives the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from baselines import specs
from baselines.kernels.capture import WARM_UPS, Captured
from baselines.replay.steps import StepBatch
from baselines.sac import SAC
from baselines.streams import Streams
from tests.baselines.test_sac import ACTIONS, BATCH, OBS, SETTINGS, TASK, WARMUP, Play

NO_GPU = "no CUDA device here: no update was captured as a graph"


def test_on_the_cpu_it_is_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """SAC's learning uses it, and gets the update's results."""
    given: list[tuple[Any, ...]] = []
    losses = {"loss": torch.ones(1)}

    def update(*arguments: Any) -> dict[str, Tensor]:
        given.append(arguments)
        return losses

    batch, noise, coefficients = object(), torch.zeros(1), dict[str, Tensor]()
    for _ in range(WARM_UPS + 2):
        assert Captured(update, "cpu")(batch, noise, coefficients) is losses
    assert all(own[0] is batch and own[1] is noise and own[2] is coefficients for own in given)
    play = Play((0,)).steps(WARMUP - 1)
    monkeypatch.setattr(SAC, "_update", lambda self, *arguments: update(*arguments))
    assert play.steps(1).losses[-1] is losses
    assert isinstance(given[-1][0], StepBatch)


@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_on_a_gpu_a_graph_comes_to_the_same_numbers() -> None:
    """Updates by a graph and by calls, on the same batches; the next update does not overwrite an update's losses."""
    drawn = torch.Generator("cuda").manual_seed(0)

    def learner() -> SAC:
        return SAC([TASK], specs.SAC.model_validate(SETTINGS), [Streams(s, "cuda") for s in (0, 1)], "cuda", members=2)

    def randn(*shape: int) -> Tensor:
        return torch.randn(2, *shape, generator=drawn, device="cuda")

    called, captured = learner(), learner()
    by_graph, found = Captured(captured._update, "cuda"), []
    for _ in range(WARM_UPS + 5):
        rows = 2 * BATCH
        ends = randn(rows) > 1
        batch = StepBatch(randn(rows, OBS), randn(rows, ACTIONS).tanh(), randn(rows), randn(rows, OBS), ends)
        noise = randn(2, 2, ACTIONS, BATCH)
        found.append((called._update(batch, noise, {}), by_graph(batch, noise, {})))
    for expected, losses in found:
        for name, loss in expected.items():
            assert torch.allclose(losses[name], loss, rtol=1e-5, atol=1e-6), name
    for name, p in called.state().items():
        assert torch.allclose(captured.state()[name], p, rtol=1e-4, atol=1e-6), name
