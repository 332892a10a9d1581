"""KnowRU on MAAC: its loss against the plain loop, and the effect of the released code's loss.

Axes: S seed, N agent, B batch, O observation entry, A action entry.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from baselines import specs
from baselines.knowru_maac import knowru_maac
from baselines.learner import Layout, Task, Teacher
from baselines.maac import MAAC
from baselines.streams import Streams
from tests.baselines.plain_maac import PlainMAAC, Settings, policy
from tests.baselines.test_maac import SETTINGS, TASK, Run, agree, maac

REUSE: dict[str, Any] = {
    "alpha_start": 0.5,
    "alpha_end": 0.02,
    "anneal_fraction": 1.0,
    "reuse_loss": "mse",
    "reuse_scale": "none",
    "teacher_view": "same",
    "reuse_at": "policy",
}
KINDS = ("collector", "collector", "bank")
RELEASED: dict[str, Any] = {"reuse_at": "target_policy_next", "reuse_scale": 0.01, "alpha_end": 0.5}


def taught(seeds: tuple[int, ...], teacher: int = 100, dtype: torch.dtype = torch.float32) -> Task:
    """The task with untrained teachers of other seeds, a collector and a bank."""
    own = replace(TASK, agents=2, layout=Layout(6, ((5, 0, 1, 2), (4, 3, 1, 0))))
    streams = [Streams(teacher + seed) for seed in seeds]
    weights = MAAC([own], specs.MAAC.model_validate(SETTINGS), streams, "cpu", dtype=dtype).policy()
    layout = Layout(6, ((2, 3, 0, 1), (0, 5, 2, 1), (4, 3, 1, 0)))
    found = Teacher(weights, layout, lambda obs: obs, {}, ("collector", "bank"))
    return replace(TASK, teacher=found, kinds=KINDS)


def start(seeds: tuple[int, ...], task: Task, dtype: torch.dtype = torch.float32, **changed: Any) -> Run:
    h = specs.KnowRUMAAC.model_validate(SETTINGS | REUSE | changed)
    streams = [Streams(seed) for seed in seeds]
    return Run(knowru_maac([task], h, streams, "cpu", dtype=dtype), streams)


class Plain(PlainMAAC):
    """With eq. 10 at a constant alpha; teachers in training mode, two collectors with the teacher's first."""

    def __init__(self, policies: list[Any], critic: Any, settings: Settings, task: Task, s: int):
        super().__init__(policies, critic, settings)
        assert task.teacher is not None
        self.layout, self.teachers = task.teacher.layout, []
        for n in (0, 0, 1):
            own: Any = policy(6, 16, 3).double()
            for layer in range(3):
                for kind in ("weight", "bias"):
                    getattr(own[1 + 2 * layer], kind).data.copy_(task.teacher.weights[f"{kind}_{layer}"][s, n])
            self.teachers.append(own)

    def objective(self, loss: Tensor, agent: int, obs: Tensor, logits: Tensor, after: Tensor, target: Tensor) -> Tensor:
        row = self.layout.slots[agent]
        assert not isinstance(row, int)
        wide = torch.zeros(len(obs), 6, dtype=obs.dtype)
        wide[:, list(row)] = obs
        return 0.3 * mse_loss(logits, self.teachers[agent](wide).detach()) + 0.7 * loss


def test_it_agrees_with_a_plain_loop():
    """Collectors learn from a collector, the bank from a bank, whose layouts are its own."""
    task = replace(taught((0, 1), dtype=torch.float64), layout=Layout(4, (0, 1, 2, 3)))
    run = start((0, 1), task, torch.float64, alpha_start=0.3, alpha_end=0.3)
    agree(run, lambda policies, critic, settings, s: Plain(policies, critic, settings, task, s), 45)


def test_alpha_zero_is_maac():
    """Bit for bit."""
    ours = start((0, 1), taught((0, 1)), alpha_start=0.0).play(40)
    theirs = maac((0, 1)).play(40)
    state = theirs.learner.state()
    assert all(torch.equal(p, state[name]) for name, p in ours.learner.state().items())


def test_alpha_falls_with_the_steps_of_all_environments():
    """60 episodes of 20 steps, four environments: an episode's steps are five rounds."""
    run = start((0,), taught((0,))).play(60)
    alphas = [losses["alpha"].item() for losses in run.losses if losses]
    assert alphas[0] == pytest.approx(0.5 - 0.48 * 2 / 60)
    assert alphas[-1] == pytest.approx(0.5 - 0.48 * 12 / 60)


def policies(run: Run) -> dict[str, Tensor]:
    return {name: p for name, p in run.learner.state().items() if not name.startswith("adam")}


def test_as_released_the_teacher_changes_nothing():
    """Teacher A, teacher B, or no term at the same 1 - alpha: the same networks bit for bit. L_reuse itself differs.

    A scale near zero removes the term; alpha still multiplies MAAC's loss.
    """
    a, b = (start((0,), taught((0,), teacher), **RELEASED).play(45) for teacher in (100, 200))
    none = start((0,), taught((0,)), **{**RELEASED, "reuse_scale": 1e-300}).play(45)
    assert sum(map(bool, a.losses)) >= 5
    assert a.losses[-1]["reuse"] != b.losses[-1]["reuse"]
    for other in (b, none):
        state = policies(other)
        assert all(torch.equal(p, state[name]) for name, p in policies(a).items())


def test_and_on_the_policy_that_learns_it_would():
    """The control: the online policy on the current observations, everything else as released."""
    a, b = (start((0,), taught((0,), t), **{**RELEASED, "reuse_at": "policy"}).play(45) for t in (100, 200))
    state = policies(b)
    assert not all(torch.equal(p, state[name]) for name, p in policies(a).items() if name.startswith("actor"))


def test_a_teacher_of_maac_is_needed():
    task = taught((0,))
    assert task.teacher is not None
    weights = {n: p for n, p in task.teacher.weights.items() if n not in ("mean", "variance")}
    with pytest.raises(ValueError, match="the teacher has no normalised inputs"):
        start((0,), replace(task, teacher=replace(task.teacher, weights=weights)))
    with pytest.raises(ValueError, match="needs one teacher per task"):
        start((0,), TASK)


# ------------------------------------- the finding about the released code, re-created without anything of this project


class Agent:
    """A policy of two layers of 16 with batch normalisation, its target, and its Adam."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self.online: Any = policy(4, 16, 3)
        self.target: Any = deepcopy(self.online)
        self.adam = torch.optim.Adam(self.online.parameters(), lr=0.001)


def released_loss(
    agent: Agent, teacher: Any, obs: Tensor, after: Tensor, weight: Tensor, alpha: float, at: str
) -> Tensor:
    """(1 - alpha) of a policy's loss and alpha 0.01 MSE, of logits as the released code takes them, or "online"."""
    log_pi = agent.online(obs).log_softmax(1)[:, 0]
    own = (log_pi * weight).mean()
    if teacher is None:
        return (1 - alpha) * own
    student, read = (agent.target, after) if at == "target" else (agent.online, obs)
    return (1 - alpha) * own + alpha * 0.01 * mse_loss(student(read), teacher(read))


def trained(teacher: Any, at: str = "target", steps: int = 200) -> list[Tensor]:
    with torch.random.fork_rng():
        agent, stream = Agent(0), torch.Generator().manual_seed(1)
        for _ in range(steps):
            obs, after = (torch.randn(32, 4, generator=stream) for _ in range(2))
            loss = released_loss(agent, teacher, obs, after, torch.randn(32, generator=stream), 0.5, at)
            agent.adam.zero_grad()
            loss.backward()
            agent.adam.step()
            for old, new in zip(agent.target.parameters(), agent.online.parameters(), strict=True):
                old.data.lerp_(new.data, 0.001)
        return [p.detach() for p in agent.online.parameters()]


def test_no_gradient_of_the_released_term_reaches_the_policy():
    """Six of six tensors have none; the tensors of the target policy, which no optimiser has, get one."""
    with torch.random.fork_rng():
        agent, teacher = Agent(0), Agent(5).online
        obs = torch.randn(32, 4, generator=torch.Generator().manual_seed(2))
        mse_loss(agent.target(obs), teacher(obs)).backward()
        assert [p.grad is None for p in agent.online.parameters()] == [True] * 6
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in agent.target.parameters())
        held = {id(p) for group in agent.adam.param_groups for p in group["params"]}
        assert not held & {id(p) for p in agent.target.parameters()}


def test_two_hundred_steps_are_bit_identical_with_either_teacher_or_none():
    with torch.random.fork_rng():
        teachers = [Agent(seed).online for seed in (5, 6)]
    first, second, none = (trained(teacher) for teacher in (*teachers, None))
    for other in (second, none):
        assert all(torch.equal(p, q) for p, q in zip(first, other, strict=True))
    moved = [trained(teacher, "online") for teacher in teachers]
    assert not any(torch.equal(p, q) for p, q in zip(*moved, strict=True))
