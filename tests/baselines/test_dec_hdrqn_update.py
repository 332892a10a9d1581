"""Dec-HDRQN's updates against torch.nn modules and plain loops; which steps a trace holds.

Axes: S seed, B batch of episodes, T time step, L step of a trace.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import LSTM
from torch.nn.functional import one_hot

from baselines.dec_hdrqn import trace_steps, traces
from baselines.learner import Rollout
from baselines.streams import Streams
from tests.distilled import Toy, linear_of, toy


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# ------------------------------------------------------------------------------------------------- traces


def test_every_window_that_meets_the_episode_is_as_likely():
    """An episode of 5 steps has 7 windows of 3 steps; those at its ends are shorter."""
    uniform = (torch.arange(7) + 0.5).unsqueeze(0) / 7
    index, inside = trace_steps(torch.full((1, 7), 5), uniform, 3)
    found = [i[m].tolist() for i, m in zip(index[0], inside[0], strict=True)]
    assert found == [[0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4], [4]]
    assert index.max() == 4


@pytest.mark.parametrize("length", [1, 2, 5, 10_000])
def test_traces_stay_in_their_episode(length):
    """Also for the largest random number below 1, whose product may round up."""
    uniform = torch.tensor([[0.0, 0.3, math.nextafter(1.0, 0.0)]], dtype=torch.float64).float().clamp(max=1 - 2**-24)
    index, inside = trace_steps(torch.full((1, 3), length), uniform, 4)
    assert inside[..., 0].all()
    assert index.min() >= 0
    assert index.max() < length
    assert index[0, 0, 0] == 0
    assert index[0, 2].max() == length - 1


def test_traces_are_an_episodes_steps():
    x = torch.arange(2 * 3 * 6 * 2).view(2, 3, 6, 2)
    index = torch.tensor([[[0, 1], [4, 5], [2, 2]], [[1, 2], [3, 4], [0, 0]]])
    found = traces(x, index)
    for s in range(2):
        for b in range(3):
            assert torch.equal(found[s, b], x[s, b, index[s, b]])


# ------------------------------------------------------------------------------------------- one update


class PlainLearner:
    """One seed in torch.nn modules and plain loops over episodes, agents and steps; float64."""

    def __init__(self, lane: int, run: Toy):
        self.h, self.tasks, self.lane = run.learner.hyperparameters, run.learner.tasks, lane
        self.streams = Streams(run.streams[lane].seed)
        weights = {name: p[lane].clone() for name, p in run.learner.policy().items()}
        self.lstm = LSTM(self.h.hidden_width, self.h.recurrent_width, batch_first=True).double()
        self.lstm.load_state_dict(
            {f"{n.removeprefix('lstm.')}_l0": p for n, p in weights.items() if n.startswith("lstm.")}
        )
        names = ["F", *(f"{part}_{k}" for k in range(len(self.tasks)) for part in ("E", "EA"))]
        self.layers = {name: linear_of(weights[f"{name}.weight_0"], weights[f"{name}.bias_0"]) for name in names}
        self.parameters = [*self.lstm.parameters(), *(p for layer in self.layers.values() for p in layer.parameters())]
        self.adam = torch.optim.Adam(self.parameters, self.h.lr)
        self.stored: list[list[Mapping[str, Tensor]]] = [[] for _ in self.tasks]

    def learn(self, k: int, rollout: Rollout) -> float | None:
        for e in range(rollout.obs.shape[1]):
            names = ("obs", "avail_actions", "terminated")
            self.stored[k].append({name: getattr(rollout, name)[self.lane, e] for name in names})
        if len(self.stored[k]) < self.h.batch_size:
            return None
        place = torch.randperm(len(self.stored[k]), generator=self.streams["replay"])[: self.h.batch_size]
        uniform = torch.rand(self.h.batch_size, generator=self.streams["update"], dtype=torch.float64)
        terms = [
            term
            for index, u in zip(place.tolist(), uniform.tolist(), strict=True)
            for term in self.trace_terms(k, self.stored[k][index], u)
        ]
        loss = torch.stack(terms).mean() if self.h.loss_reduction == "mean" else torch.stack(terms).sum()
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.h.grad_clip)
        self.adam.step()
        return loss.item()

    def trace_terms(self, k: int, episode: Mapping[str, Tensor], uniform: float) -> list[Tensor]:
        """KL terms of one trace, one for each step and agent."""
        ended = episode["terminated"].nonzero().flatten().tolist()
        length = ended[0] + 1 if ended else self.tasks[k].episode_limit
        windows = [range(first, first + self.h.trace_steps) for first in range(1 - self.h.trace_steps, length)]
        steps = [t for t in windows[int(uniform * len(windows))] if 0 <= t < length]
        terms = []
        for i in range(self.tasks[k].agents):
            identity = one_hot(torch.tensor(i), self.tasks[k].agents).double()
            x = torch.stack([torch.cat([episode["obs"][t, i], identity]) for t in steps])
            e = self.layers[f"E_{k}"](x).relu()
            q = self.layers[f"EA_{k}"](self.lstm(self.layers["F"](e).relu().unsqueeze(0))[0][0])
            for t, own_x, own_q in zip(steps, x, q, strict=True):
                avail = episode["avail_actions"][t, i]
                p = (self.teacher_q(k, own_x)[avail] / self.h.distill_temperature).softmax(0)
                terms.append((p * (p.log() - own_q[avail].log_softmax(0))).sum())
        return terms

    def teacher_q(self, k: int, x: Tensor) -> Tensor:
        teacher = self.tasks[k].teacher
        assert teacher is not None
        w0, b0, w1, b1 = (teacher.weights[name][self.lane] for name in ("weight_0", "bias_0", "weight_1", "bias_1"))
        return w1 @ (w0 @ x + b0).relu() + b1

    def weights(self) -> dict[str, Tensor]:
        named = {f"lstm.{name.removesuffix('_l0')}": p for name, p in self.lstm.named_parameters()}
        for name, layer in self.layers.items():
            named |= {f"{name}.weight_0": layer.weight, f"{name}.bias_0": layer.bias}
        return {name: p.detach() for name, p in named.items()}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_updates_equal_a_plain_loop(reduction):
    run = toy(dtype=torch.float64, replay_size=100, loss_reduction=reduction)
    start = {name: p.clone() for name, p in run.learner.policy().items()}
    plain = [PlainLearner(lane, run) for lane in range(3)]
    updates = 0
    for _ in range(6):
        for k in range(2):
            rollout = run.rollout(k)
            losses = run.learner.learn(k, rollout, (run.rounds + 1) * 2)
            for lane, learner in enumerate(plain):
                expected = learner.learn(k, rollout)
                assert ("kl" in losses) == (expected is not None)
                if expected is not None:
                    assert losses["kl"][lane].item() == pytest.approx(expected, abs=1e-12)
                    updates += 1
        run.rounds += 1
    assert updates == 2 * 3 * 5
    for name, p in run.learner.policy().items():
        assert (p - start[name]).abs().max() > 1e-3, name
        for lane, learner in enumerate(plain):
            torch.testing.assert_close(p[lane], learner.weights()[name], rtol=0, atol=1e-10)
